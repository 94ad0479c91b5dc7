"""The seals of the log in SQL, and the leaves that they are made over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from os import urandom
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import select, type_coerce, update

from crmkit.clock import micros
from crmkit.merkle import commitment, leaf_hash
from crmkit.sql.connection import Sql
from crmkit.sql.layout.outbox import PSEUDONYM
from crmkit.sql.types import Text

#: The form of a leaf; counts up when what is hashed changes.
LEAF_FORM = 1


@attrs.frozen(kw_only=True)
class Seal:
    """A seal over consecutive events.

    Args:
        number: counted from 1.
        first: the position of its first event.
        last: the position of its last event.
        sealed_at: when.
        leaves: the hash of each event in turn.
        root: the Merkle root over them.
        previous: the seal before it.
        seal: the hash of all this, but for the leaves.
    """

    number: int
    first: int
    last: int
    sealed_at: datetime
    leaves: tuple[str, ...]
    root: str
    previous: str
    seal: str


@attrs.frozen(kw_only=True)
class SealedEvent:
    """An event as it enters a seal.

    Args:
        id: its id.
        position: its place in the log.
        leaf: its hash.
        contact_id: whom it concerns, if anybody.
        subject_id: the thing it concerns, if any.
        personal: whether its personal values are "none", "there", "gone" (erased), "older" (there, and not committed
            to before they are sealed), or "altered".
    """

    id: UUID
    position: int
    leaf: str
    contact_id: UUID | None
    subject_id: UUID | None
    personal: str


def read_seals(sql: Sql, after: int, limit: int) -> list[Seal]:
    """Return seals after a number, in order."""
    seals = sql.tables["seals"]
    rows = sql.execute(select(seals).where(seals.c.number > after).order_by(seals.c.number).limit(limit))
    return [_seal(row) for row in rows.mappings()]


def last_seal(sql: Sql) -> Seal | None:
    """Return the last seal, or None while nothing is sealed."""
    seals = sql.tables["seals"]
    row = sql.execute(select(seals).order_by(seals.c.number.desc()).limit(1)).mappings().first()
    return None if row is None else _seal(row)


def seal_over(sql: Sql, position: int) -> Seal | None:
    """Return the seal over the event at a position, or None if it is not sealed."""
    seals = sql.tables["seals"]
    latest = select(seals).where(seals.c.first <= position).order_by(seals.c.first.desc()).limit(1)
    row = sql.execute(latest).mappings().first()
    return _seal(row) if row is not None and row["last"] >= position else None


def add_seal(sql: Sql, seal: Seal) -> bool:
    """Write a seal unless there is one of its number; say whether it was written."""
    return sql.claim(sql.tables["seals"], attrs.asdict(seal) | {"leaves": "".join(seal.leaves)})


def _seal(row: Any) -> Seal:
    text = row["leaves"]
    leaves = tuple(text[place : place + 64] for place in range(0, len(text), 64))
    return Seal(**{**row, "leaves": leaves})


def read_leaves(sql: Sql, first: int, last: int) -> list[SealedEvent]:
    """Return the events of a range of positions as they enter a seal, in order.

    What is hashed is what is stored: texts byte by byte, so that nothing depends on how JSON is read.
    """
    events, personal = sql.tables["events"], sql.tables["event_personal"]
    c = events.c
    joined = events.outerjoin(personal, personal.c.event_id == c.id)
    raw = type_coerce(c.data, Text()).label("raw")
    private = type_coerce(personal.c.data, Text()).label("private")
    columns = [column for column in c if column.name != "data"]
    statement = (
        select(*columns, raw, private, personal.c.salt)
        .select_from(joined)
        .where(c.position >= first, c.position <= last)
        .order_by(c.position, c.id)
    )
    return [_leaf(row) for row in sql.execute(statement)]


def _leaf(row: Any) -> SealedEvent:
    fields = (
        LEAF_FORM,
        row.position,
        str(row.id),
        row.type,
        row.version,
        row.key,
        row.contact_id and str(row.contact_id),
        row.subject_id and str(row.subject_id),
        row.actor,
        row.cause_id and str(row.cause_id),
        micros(row.occurred_at),
        micros(row.recorded_at),
        row.raw,
        row.digest,
    )
    return SealedEvent(
        id=row.id,
        position=row.position,
        leaf=leaf_hash(fields),
        contact_id=row.contact_id,
        subject_id=row.subject_id,
        personal=_personal(row),
    )


def _personal(row: Any) -> str:
    if row.private is None and row.salt is None:
        return "gone" if row.digest else "none"
    if row.digest == "" == row.salt:
        return "older"
    return "there" if commitment(row.salt, row.private) == row.digest else "altered"


def commit_older(sql: Sql, first: int, last: int) -> None:
    """Commit to the personal values of events that were appended before there were digests.

    Args:
        sql: the transaction's connection.
        first: the first position of events that are about to be sealed.
        last: the last one.
    """
    c, personal = sql.tables["events"].c, sql.tables["event_personal"]
    bare = select(c.id).where(c.position >= first, c.position <= last, c.digest == "")
    raw = type_coerce(personal.c.data, Text()).label("private")
    ids = list(sql.execute(bare).scalars())
    older = select(personal.c.event_id, raw).where(personal.c.event_id.in_(ids), personal.c.salt == "")
    for row in sql.execute(older).all() if ids else ():
        salt = urandom(16).hex()
        sql.execute(update(personal).where(personal.c.event_id == row.event_id).values(salt=salt))
        digest = commitment(salt, row.private)
        sql.execute(update(sql.tables["events"]).where(c.id == row.event_id).values(digest=digest))


def cleared_deliveries(sql: Sql, ids: Sequence[UUID]) -> set[UUID]:
    """Return which of these are deliveries to an address whose owner was erased."""
    c = sql.tables["deliveries"].c
    cleared = select(c.id).where(c.id.in_(ids), c.recipient.startswith(PSEUDONYM, autoescape=True))
    return set(sql.execute(cleared).scalars())


def stray_positions(sql: Sql, end: int) -> Sequence[int]:
    """Return positions below the first or beyond the last that was given, a few of them."""
    c = sql.tables["events"].c
    beyond = select(c.position).where(c.position > end).order_by(c.position).limit(1)
    below = select(c.position).where(c.position < 1).order_by(c.position).limit(1)
    return [*sql.execute(below).scalars(), *sql.execute(beyond).scalars()]
