"""Text as it is compared: without case, accents, spaces and punctuation."""

from __future__ import annotations

from functools import lru_cache
from unicodedata import category, combining, normalize

#: Letters that Unicode does not take apart, as they are written where they cannot be typed.
_PLAIN = str.maketrans(
    {"đ": "d", "ł": "l", "ø": "o", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ħ": "h", "ı": "i"}
)
_ROUNDS = 8


@lru_cache(maxsize=65536)
def fold(text: str) -> str:
    """Return text as it is compared: NFKC, case folded, letters and digits alone, without accents.

    Marks that only accompany a letter are dropped (accents, Arabic and Hebrew vowel points); those that make another
    letter of it (vowels of Indic scripts, voicing of kana, tones of Thai) are kept.
    """
    if text.isascii():
        return text.lower() if text.isalnum() else "".join(filter(str.isalnum, text.lower()))
    for _ in range(_ROUNDS):
        folded = _once(text)
        if folded == text:
            break
        text = folded
    return text


def _once(text: str) -> str:
    apart = normalize("NFKD", text.casefold()).translate(_PLAIN)
    return normalize("NFKC", "".join(char for char in apart if char.isalnum() or _belongs(char)))


def _belongs(char: str) -> bool:
    # accents stand at 10 to 36 (points of Hebrew and Arabic) and from 200 on: those accompany a letter
    place = combining(char)
    return category(char)[0] == "M" and not (10 <= place <= 36 or place >= 200)


def fold_email(key: str) -> str:
    """Return an email address as it is compared: what follows a plus is dropped, and dots before the @.

    Args:
        key: the folded form of a contact point.
    """
    mailbox, _, domain = key.rpartition("@")
    plain = mailbox.partition("+")[0].replace(".", "")
    return f"{plain or mailbox}@{domain}"


def split_name(name: str, *, family_first: bool = False) -> tuple[str, str]:
    """Return the given and the family name of a whole name, folded; a single name is a given name.

    Args:
        name: as it is written.
        family_first: whether the family name comes first where no comma says so.
    """
    before, comma, after = name.partition(",")
    if comma and before.strip() and after.strip():
        return fold(after), fold(before)
    words = [word for word in map(fold, name.split()) if word]
    if len(words) < 2:
        return (words[0] if words else ""), ""
    return ("".join(words[1:]), words[0]) if family_first else ("".join(words[:-1]), words[-1])
