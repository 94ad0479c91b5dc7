"""How an address may be written in a column of the host's, of which crmkit knows the folded form.

SQL finds candidates by these, and the row decides: what its column comes to is compared with the point.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product
from unicodedata import normalize

from crmkit.contacts import ContactPoint, PointKind

#: How many ways of writing an address are tried before a pattern is.
_WAYS = 200


def spellings(point: ContactPoint) -> tuple[str, ...] | None:
    """Return every way to write an email address or a handle once ASCII letters are small, or None for too many."""
    found: dict[str, None] = {}
    for whole in _wholes(point):
        ways = list(islice(map("".join, product(*map(_cases, _chunks(whole)))), _WAYS + 1))
        found |= dict.fromkeys(ways) | dict.fromkeys(normalize("NFD", way) for way in ways)
    return tuple(found) if len(found) <= 2 * _WAYS else None


def patterns(point: ContactPoint) -> tuple[str, ...]:
    """Return LIKE patterns, `!` escaping, that every way to write the address fits once ASCII letters are small."""
    return tuple("".join(_pattern(chunk) for chunk in _chunks(whole)) for whole in _wholes(point))


def exact(point: ContactPoint) -> tuple[str, ...]:
    """Return the one or two ways in which an address is most likely written, by the folded form alone."""
    return tuple(_wholes(point))


def digits(point: ContactPoint) -> str:
    """Return the last digits of a phone number, which every way to write it ends with."""
    return point.key[-6:]


def openings(point: ContactPoint) -> tuple[str, ...]:
    """Return LIKE patterns, `!` escaping, for how the first word of a postal address may be written."""
    first = point.value.replace(",", " ").split()[0]
    forms = dict.fromkeys((first, first.casefold(), first.lower(), first.upper(), first.title()))
    return tuple("".join(f"!{char}" if char in "%_!" else char for char in form) for form in forms)


def _wholes(point: ContactPoint) -> list[str]:
    if point.kind is PointKind.HANDLE:
        return [point.key, f"@{point.key}"]
    local, _, domain = point.key.rpartition("@")
    return list(dict.fromkeys(f"{local}@{one}" for one in (domain, _unicode(domain))))


def _unicode(domain: str) -> str:
    if "xn--" not in domain:
        return domain
    import idna

    try:
        return normalize("NFC", idna.decode(domain)).casefold()
    except idna.IDNAError:
        return domain


def _chunks(text: str) -> Iterator[str]:
    """Split text into what changes its case as one: a letter, or the "ss" that sharp s folds to."""
    place = 0
    while place < len(text):
        width = 2 if text.startswith("ss", place) else 1
        yield text[place : place + width]
        place += width


def _cases(chunk: str) -> tuple[str, ...]:
    if chunk == "ss":
        return ("ss", "\N{LATIN SMALL LETTER SHARP S}", "\N{LATIN CAPITAL LETTER SHARP S}")
    if chunk.isascii():
        return (chunk,)
    forms = [chunk, chunk.upper(), chunk.lower(), chunk.title()]
    if chunk == "\N{GREEK SMALL LETTER SIGMA}":
        forms.append("\N{GREEK SMALL LETTER FINAL SIGMA}")
    return tuple(dict.fromkeys(forms))


def _pattern(chunk: str) -> str:
    if chunk == "ss" or not chunk.isascii():
        return "%"
    return f"!{chunk}" if chunk in "%_!" else chunk
