"""The log of consents in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Table, bindparam, select

from crmkit.consent import ConsentEntry, ConsentState
from crmkit.errors import RetryTransaction
from crmkit.purposes import Basis
from crmkit.sql.connection import Sql, prepared

AT_ONCE = 1000


def claim_consent(sql: Sql, entry: ConsentEntry, key: str, digest: str = "") -> bool:
    """Append an entry unless its key is taken; say whether it was appended.

    Args:
        sql: the transaction's connection.
        entry: the entry.
        key: names it for ever.
        digest: of the address at which consent was asked for.
    """
    row = {
        "id": entry.id,
        "key": key,
        "contact_id": entry.contact_id,
        "purpose": entry.purpose,
        "channel": entry.channel,
        "state": entry.state,
        "basis": entry.basis,
        "source": entry.source,
        "text_version": entry.text_version,
        "actor": entry.actor,
        "personally": int(entry.personally),
        "digest": digest,
        "at": entry.at,
        "until": entry.until,
        "recorded_at": entry.recorded_at,
    }
    return sql.claim(sql.tables["consents"], row)


def claimed_consent(sql: Sql, key: str) -> ConsentEntry:
    """Return the entry that was appended under a key before.

    Raises:
        RetryTransaction: if this transaction's isolation level hides it.
    """
    table = sql.tables["consents"]
    row = sql.execute(select(table).where(table.c.key == key).with_for_update(read=True)).first()
    if row is None:
        raise RetryTransaction(f"consent {key!r} was recorded by a transaction that this one cannot see yet")
    return read_consent(row)


def has_key(sql: Sql, key: str) -> bool:
    """Return whether an entry was appended under a key."""
    table = sql.tables["consents"]
    return sql.execute(select(table.c.id).where(table.c.key == key)).first() is not None


def consent_with_digest(sql: Sql, id: UUID) -> tuple[ConsentEntry, str] | None:
    """Return an entry by its id with the digest that stands beside it, or None."""
    table = sql.tables["consents"]
    row = sql.execute(select(table).where(table.c.id == id)).first()
    return None if row is None else (read_consent(row), row.digest)


def consents_of(sql: Sql, contact_ids: Iterable[UUID]) -> list[ConsentEntry]:
    """Return the entries recorded under some contacts' ids, oldest first."""
    found = [entry for page in pages(contact_ids) for entry in _page(sql, page)]
    return sorted(found, key=lambda entry: (entry.at, entry.recorded_at, entry.id))


def _page(sql: Sql, ids: Sequence[UUID]) -> Iterator[ConsentEntry]:
    statement = prepared(sql.tables["consents"], "of", _of)
    return (read_consent(row) for row in sql.execute(statement, {"ids": ids}))


def _of(table: Table) -> Select[Any]:
    c = table.c
    return select(table).where(c.contact_id.in_(bindparam("ids", expanding=True, type_=c.contact_id.type)))


def read_consent(row: Any) -> ConsentEntry:
    """Return what a row of the log holds."""
    return ConsentEntry(
        id=row.id,
        contact_id=row.contact_id,
        purpose=row.purpose,
        channel=row.channel,
        state=ConsentState(row.state),
        basis=Basis(row.basis),
        source=row.source,
        text_version=row.text_version,
        actor=row.actor,
        personally=bool(row.personally),
        at=row.at,
        until=row.until,
        recorded_at=row.recorded_at,
    )


def by_contact(
    entries: Iterable[ConsentEntry], ids: Mapping[UUID, tuple[UUID, ...]]
) -> dict[UUID, list[ConsentEntry]]:
    """Return entries by contact, those of merged contacts under each of their ids.

    Args:
        entries: of any contacts.
        ids: of each contact that was merged, all its ids.
    """
    found: dict[UUID, list[ConsentEntry]] = {}
    for entry in entries:
        for id in ids.get(entry.contact_id, (entry.contact_id,)):
            found.setdefault(id, []).append(entry)
    return found


def pages(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield distinct values in lists that fit one statement."""
    distinct = list(dict.fromkeys(values))
    for start in range(0, len(distinct), AT_ONCE):
        yield distinct[start : start + AT_ONCE]
