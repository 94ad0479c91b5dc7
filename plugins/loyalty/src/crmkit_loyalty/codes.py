"""Codes that people type: random, readable, and with a check digit where they are long."""

from __future__ import annotations

import secrets

#: Crockford's base 32: no I, L, O and U, which are read as something else.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

#: What is longer than this is no code, and is not even looked at.
INPUT_LIMIT = 64

_READ = str.maketrans({"O": "0", "I": "1", "L": "1", " ": None, "-": None})


def random_code(length: int) -> str:
    """Return a code of as many characters, five random bits each."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def grouped(code: str) -> str:
    """Return a code as people are shown it: in groups of four."""
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def typed(text: object, length: int) -> str:
    """Return the code that somebody typed, or empty text if it cannot be one.

    Args:
        text: as it came: small letters, spaces and hyphens do not matter, O is 0, I and L are 1.
        length: how many characters a code has.
    """
    if not isinstance(text, str) or len(text) > INPUT_LIMIT or not text.isascii():
        return ""
    code = text.upper().translate(_READ)
    return code if len(code) == length and set(code) <= set(ALPHABET) else ""


def check_digit(digits: str) -> str:
    """Return the digit that makes a number valid (Luhn, ISO/IEC 7812-1 annex B).

    Args:
        digits: at least one, `0` to `9`.
    """
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * 2 if place % 2 == 0 else int(digit)
        total += doubled // 10 + doubled % 10
    return str(-total % 10)
