"""The MIME form of a mail: printed by the standard library once per shape, then only filled in.

Building a message of `email` objects takes longer than sending it. The structure is the same for all mails of
one shape, so it is printed once, with blanks for what differs.
"""

from __future__ import annotations

from base64 import encodebytes
from binascii import b2a_qp
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.policy import compat32
from functools import cache
from uuid import uuid4

from crmkit_email.headers import HARD_LIMIT

_PRINTER = compat32.clone(linesep="\r\n")
_HIGH = bytes(range(128, 256))


@cache
def form(text: str, html: str) -> bytes:
    """Return the form of a mail: a %-template with the blanks `head`, `text`, `html` and `boundary`.

    Args:
        text: the transfer encoding of the plain text, empty if there is none.
        html: the same for the HTML.
    """
    blanks = {name: uuid4().hex for name in ("text", "html", "boundary")}
    parts = [_part(sub, cte, blanks[name]) for name, sub, cte in _shape(text, html) if cte]
    # "=_" cannot stand in any encoded body, so the boundary is never met within one (RFC 2045, section 6.7)
    message = parts[0] if len(parts) == 1 else MIMEMultipart("alternative", f"=_{blanks['boundary']}", parts)
    printed = message.as_bytes(policy=_PRINTER).replace(b"%", b"%%")
    for name, token in blanks.items():
        printed = printed.replace(token.encode(), f"%({name})b".encode())
    return b"%(head)b" + printed


def _shape(text: str, html: str) -> list[tuple[str, str, str]]:
    return [("text", "plain", text), ("html", "html", html)]


def _part(subtype: str, encoding: str, blank: str) -> MIMENonMultipart:
    part = MIMENonMultipart("text", subtype, charset="utf-8")
    part["Content-Transfer-Encoding"] = encoding
    part.set_payload(blank)
    return part


def encode_body(body: str) -> tuple[str, bytes]:
    """Return the best transfer encoding of a text and the text in it, with CRLF at each line's end.

    Raises:
        UnicodeEncodeError: if it holds a lone surrogate.
    """
    if not body:
        return "", b""
    lines = body.replace("\r\n", "\n").replace("\r", "\n")
    data = (lines if lines.endswith("\n") else lines + "\n").replace("\n", "\r\n").encode()
    high = 0 if body.isascii() else len(data) - len(data.translate(None, _HIGH))
    if not high and _plain(data):
        return "7bit", data
    # quoted-printable takes 3 bytes for one, base64 4 for every 3
    if high * 6 > len(data):
        return "base64", encodebytes(data).replace(b"\n", b"\r\n")
    return "quoted-printable", b2a_qp(data)


def _plain(data: bytes) -> bool:
    return b"\0" not in data and b"=_" not in data and max(map(len, data.split(b"\r\n"))) <= HARD_LIMIT
