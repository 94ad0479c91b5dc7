"""Names and texts that break what was tried with "John Smith" only."""

from __future__ import annotations

from typing import Any

#: Fields of a delivery as real people and templates fill them, or as somebody fills them on purpose.
HOSTILE: tuple[dict[str, Any], ...] = (
    {"name": "გიორგი მაისურაძე"},
    {"name": "Nguyễn Thị Ngọc"},
    {"name": "Nguye\u0302\u0303n Thi\u0323 Ngo\u0323c"},  # the same with combining marks
    {"name": "Suharto"},
    {"name": ""},
    {"name": "ა" * 200},
    {"name": "👨‍👩‍👧‍👦 Família 🏳️‍🌈"},
    {"name": "\u202etxt.exe\u202c", "subject": "\u200b\ufeff\u00ad"},
    {"name": '"O\'Brien, Ann" <eve@example.com>'},
    {"name": "Ann\r\nBcc: eve@example.com"},
    {"name": "Ann, eve@example.com"},
    {"name": "=?utf-8?q?eve?="},
    {"subject": ""},
    {"subject": "x" * 500},
    {"subject": "ქართული " * 60},
    {"subject": "Hello\r\nBcc: eve@example.com\r\n\r\nHello"},
    {"subject": "Hello\nTo: eve@example.com"},
    {"subject": "one\ttwo\x0bthree\x1b[2J\x7f"},
    {"text": "\r\n.\r\nQUIT\r\n"},
    {"text": ".\n..\n.dot\n"},
    {"text": "no line end"},
    {"text": "bare\rreturns\rand\nfeeds\n\r\n"},
    {"text": "From here\n>From there\n--\nboundary--\n"},
    {"text": "y" * 20_000},
    {"text": "\x01\x08\x0c\x1b]0;title\x07\x85\u2028\u2029"},
    {"text": "{{ 7*7 }} {0} %s %(name)s ${name} $(id) `id` '; DROP TABLE users; --"},
    {"text": '{"a": [}', "html": "<script>alert(1)</script>\r\n.\r\n<p>]]></p>"},
    {"text": "text", "html": "<p>" + "ữ" * 5_000 + "</p>"},
    {"locale": "vi", "topic": "ქულები", "headers": {"X-Note": "Ngọc " * 40}},
)
