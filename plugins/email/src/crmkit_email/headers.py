"""Header lines as they go over the wire: readable after any parser, and impossible to inject into."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.charset import Charset
from email.header import Header
from email.utils import quote
from functools import lru_cache

from crmkit import DeliveryError, ValueRefused
from crmkit_email.mailbox import Mailbox, parse_mailbox

CRLF = "\r\n"
#: The longest line that SMTP carries, without its end (RFC 5322, section 2.1.1).
HARD_LIMIT = 998
SOFT_LIMIT = 78
#: A longer name is encoded, so that its line can be folded anywhere; quoting may double its length.
NAME_LIMIT = 400
#: An encoded-word is never longer (RFC 2047, section 2).
WORD_LIMIT = 75

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
# str.splitlines breaks at these, and so do some readers of mail
_SEPARATORS = str.maketrans("\x85\u2028\u2029", "   ")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+( [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_NAME = re.compile(r"[!-9;-~]+")
_OURS = re.compile(
    r"from|to|cc|bcc|subject|date|message-id|mime-version|sender|return-path|received|(content|resent)-.*",
    re.IGNORECASE,
)
# an encoded-word or a fold breaks these for the programs that read them
_TOKENS = re.compile(r"list-.*|in-reply-to|references|feedback-id|auto-submitted|precedence", re.IGNORECASE)


class BadMail(DeliveryError):
    """A delivery cannot be made into a mail.

    Args:
        field: the field of the delivery that is wrong.
        reason: what is wrong with it, and what would have been right.
        code: "bad_address" or "bad_message".
    """

    def __init__(self, field: str, reason: str, code: str = "bad_message") -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
        self.code = code


def one_line(value: str, field: str) -> str:
    """Return `value` trimmed, its Unicode line separators turned to spaces.

    Raises:
        BadMail: if it holds a control character, a line break among them, or a lone surrogate.
    """
    if value.isascii() and value.isprintable():
        return value.strip(" ")
    found = _UNPRINTABLE.search(value)
    if found:
        raise BadMail(field, f"holds {found[0]!r} at position {found.start()}; it must be one line of text")
    return value.translate(_SEPARATORS).strip(" ")


@lru_cache(maxsize=4096)
def text_line(name: str, value: str) -> str:
    """Return the line of a header that people read, such as Subject.

    Args:
        name: the header's name.
        value: its text, of one line.
    """
    if value.isascii() and "=?" not in value:
        if len(name) + 2 + len(value) <= SOFT_LIMIT:
            return f"{name}: {value}{CRLF}"
        if "  " not in value and max(map(len, value.split(" "))) < SOFT_LIMIT - len(name) - 2:
            return f"{name}: {Header(value, 'us-ascii', SOFT_LIMIT, name).encode(linesep=CRLF)}{CRLF}"
    return f"{name}: {_words(name, value)}{CRLF}"


@lru_cache(maxsize=4096)
def mailbox_line(name: str, box: Mailbox) -> str:
    """Return the line of a header that holds one address, such as To.

    Args:
        name: the header's name.
        box: the address and its display name.
    """
    address = f"<{box.address}>" if box.name else box.address
    phrase = _phrase(name, " ".join(part for part in box.name.split(" ") if part))
    last = f"{name}: {phrase}".rpartition(CRLF)[2]
    gap = " " if len(last) + 1 + len(address) <= SOFT_LIMIT else f"{CRLF} "
    return f"{name}: {phrase}{gap}{address}{CRLF}" if phrase else f"{name}: {address}{CRLF}"


def _phrase(header: str, text: str) -> str:
    if text.isascii() and "=?" not in text and len(text) <= NAME_LIMIT:
        return text if not text or _ATOMS.fullmatch(text) else f'"{quote(text)}"'
    return _words(header, text)


def _words(header: str, text: str) -> str:
    """Return encoded-words that are cut behind a gap where they can be.

    Python's own parser shows a space between two encoded-words of a display name (until 3.12).
    """
    words = []
    room = WORD_LIMIT - len(header) - 2
    if room < 30:
        words.append("")
        room = WORD_LIMIT
    while text:
        # what fits as base64; _encoded takes quoted-printable where that is shorter still
        end = len(text.encode()[: (room - _FRAME) // 4 * 3].decode("utf-8", "ignore"))
        if end < len(text):
            end = text.rfind(" ", 1, end) + 1 or end
        words.append(_encoded(text[:end]))
        text, room = text[end:], WORD_LIMIT
    return f"{CRLF} ".join(words)


_FRAME = len("=?utf-8?b??=")
_encoded = Charset("utf-8").header_encode


def further_lines(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the lines of the headers that a delivery brings, by their names in lower case.

    ASCII values leave as they are, unfolded: a folded or encoded List-Unsubscribe is one that no mail
    reader finds.

    Raises:
        BadMail: if one is ours to write, is there twice, or cannot be written.
    """
    lines: dict[str, str] = {}
    for name, given in headers.items():
        field = f"headers[{name!r}]"
        if not _NAME.fullmatch(name):
            raise BadMail(field, "is no header name; use printable ASCII without colon or space")
        if _OURS.fullmatch(name):
            raise BadMail(field, "cannot be set on a delivery; the email channel writes it itself")
        if name.lower() in lines:
            raise BadMail(field, "is there twice in different case; give it once")
        lines[name.lower()] = _further_line(name, one_line(given, field), field)
    return lines


def _further_line(name: str, value: str, field: str) -> str:
    if name.lower() == "reply-to":
        try:
            return mailbox_line(name, parse_mailbox(value))
        except ValueRefused as error:
            raise BadMail(field, str(error)) from None
    if not value.isascii():
        if _TOKENS.fullmatch(name):
            raise BadMail(field, f"must be ASCII, and is {value!r}; percent-encode a URL")
        return text_line(name, value)
    if len(name) + 2 + len(value) > HARD_LIMIT:
        raise BadMail(
            field, f"makes a line of {len(name) + 2 + len(value)} characters; SMTP carries {HARD_LIMIT}"
        )
    return f"{name}: {value}{CRLF}"
