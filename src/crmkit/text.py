"""What text may be: NFC, without NUL, lone surrogates and, on one line, without line breaks."""

from __future__ import annotations

import re
from unicodedata import combining, is_normalized, normalize

from crmkit.errors import ValueRefused

#: How many combining marks may follow one another (UAX 15, stream-safe text): sorting a longer run takes
#: time that grows with its square.
MARKS = 30

_REFUSED = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_REFUSED_IN_LINES = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def clean(value: str, what: str, *, limit: int, multiline: bool = False, empty: bool = True) -> str:
    """Return `value` in NFC, or refuse it.

    Args:
        value: the text as given.
        what: what the text is, for the error message.
        limit: the greatest length in code points, after normalising.
        multiline: whether control characters such as line breaks and tabs are allowed.
        empty: whether the empty text is allowed.

    Raises:
        ValueRefused: if it is no text, too long, empty, or holds a character that cannot be stored.
    """
    if type(value) is not str and not isinstance(value, str):
        raise ValueRefused(f"{what} must be text, not {type(value).__name__}: {value!r}")
    if value.isascii() and value.isprintable():
        text = value
    else:
        text = nfc(value, what)
        _refuse_characters(text, what, multiline)
    if len(text) > limit:
        raise ValueRefused(f"{what} has {len(text)} characters, at most {limit} are kept: {text[:60]!r}...")
    if not text and not empty:
        raise ValueRefused(f"{what} is empty; it needs at least one character")
    return text


def nfc(value: str, what: str) -> str:
    """Return text in NFC.

    Args:
        value: any text.
        what: what it is, for the error message.

    Raises:
        ValueRefused: if more than 30 combining marks stand in a row.
    """
    if value.isascii():
        return value
    run = 0
    for char in value if len(value) > MARKS else "":
        run = run + 1 if char >= "\u0300" and combining(char) else 0
        if run > MARKS:
            raise ValueRefused(f"{what} has more than {MARKS} combining marks in a row: {value[:20]!r}...")
    return value if is_normalized("NFC", value) else normalize("NFC", value)


def _refuse_characters(text: str, what: str, multiline: bool) -> None:
    found = (_REFUSED_IN_LINES if multiline else _REFUSED).search(text)
    if found is None:
        return
    char = found.group()
    if char == "\x00":
        reason = "NUL, which databases do not store"
    elif char >= "\ud800":
        reason = "a lone surrogate, which is not a character"
    else:
        reason = f"the control character {char!r}"
    raise ValueRefused(f"{what} holds {reason}, at position {found.start()}: {text[:60]!r}")
