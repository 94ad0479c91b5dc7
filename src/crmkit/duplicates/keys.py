"""Composite keys: two contacts that share one are compared when either is entered."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

from crmkit.duplicates.record import Record

#: The most keys a record can have: three emails, phones and postcodes, and two names.
KEY_LIMIT = 15


def key_texts(record: Record) -> Iterator[str]:
    """Yield what a record's keys are made of; the same text comes from both ways of writing a name."""
    given, family, birth, emails, phones, places = record
    for email in emails:
        yield f"e\0{email}"
    for phone in phones:
        yield f"p\0{phone}"
    names = sorted({name for name in (given, family) if name})
    if len(names) == 2:
        yield f"n\0{names[0]}\0{names[1]}"
    postcodes = sorted({place.postcode for place in places if place.postcode})
    if birth:
        for name in names:  # in either place: given and family name are often swapped
            yield f"b\0{name}\0{birth}"
    for postcode in postcodes:
        if family or given:
            yield f"z\0{family or given}\0{postcode}"
        if birth:
            yield f"d\0{birth}\0{postcode}"


def keys_of(record: Record, secret: bytes) -> list[int]:
    """Return a record's keys: digests under a secret, as whole numbers of 64 bits, ascending.

    Args:
        record: what of the contact is compared.
        secret: 16 to 64 bytes; without them nobody can look for a person's keys in the table.
    """
    return sorted({key_of(text, secret) for text in key_texts(record)})


def key_of(text: str, secret: bytes) -> int:
    """Return the digest of one composite text."""
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=secret).digest()
    return int.from_bytes(digest, "big", signed=True)
