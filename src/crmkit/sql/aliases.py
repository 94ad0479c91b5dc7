"""Who goes on as whom: the merges that hold, and the flat map that follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, CompoundSelect, Select, Table, bindparam, func, or_, select

from crmkit.sql.connection import Sql, prepared

AT_ONCE = 1000  # databases take some ten thousand parameters, not any number


def read_ids(sql: Sql, contact_id: UUID) -> tuple[UUID, ...]:
    """Return every id under which a contact's rows are recorded: whom it goes on as, then the others in order."""
    statement = prepared(sql.tables["contact_aliases"], "ids", _ids)
    rows = sql.execute(statement, {"id": contact_id}).all()
    return _ordered(rows) if rows else (contact_id,)


def read_many_ids(sql: Sql, contact_ids: Iterable[UUID]) -> dict[UUID, tuple[UUID, ...]]:
    """Return what `read_ids` returns, for each of many contacts; those that never met another are left out."""
    survivors: dict[UUID, UUID] = {}
    for page in _pages(contact_ids):
        statement = prepared(sql.tables["contact_aliases"], "survivors", _survivors)
        for row in sql.execute(statement, {"ids": page}):
            survivors |= {row.contact_id: row.survivor_id, row.survivor_id: row.survivor_id}
    groups: dict[UUID, list[Any]] = {}
    for page in _pages(survivors.values()):
        statement = prepared(sql.tables["contact_aliases"], "of survivors", _of_survivors)
        for row in sql.execute(statement, {"ids": page}):
            groups.setdefault(row.survivor_id, []).append(row)
    return {id: _ordered(groups[survivor]) for id, survivor in survivors.items()}


def _pages(ids: Iterable[UUID]) -> Iterator[list[UUID]]:
    distinct = list(dict.fromkeys(ids))
    for start in range(0, len(distinct), AT_ONCE):
        yield distinct[start : start + AT_ONCE]


def _ordered(rows: Sequence[Any]) -> tuple[UUID, ...]:
    return (rows[0].survivor_id, *sorted(row.contact_id for row in rows))


def _ids(aliases: Table) -> CompoundSelect[Any]:
    c, own = aliases.c, aliases.alias("own").c
    id = bindparam("id", type_=c.contact_id.type)
    # a contact is a survivor or a loser, whose own row says whom it goes on as; each half has its index
    survivor = select(own.survivor_id).where(own.contact_id == id).scalar_subquery()
    both = select(c.contact_id, c.survivor_id)
    return both.where(c.survivor_id == id).union_all(both.where(c.survivor_id == survivor))


def _survivors(aliases: Table) -> CompoundSelect[Any]:
    c = aliases.c
    ids = bindparam("ids", expanding=True, type_=c.contact_id.type)
    both = select(c.contact_id, c.survivor_id)
    return both.where(c.contact_id.in_(ids)).union_all(both.where(c.survivor_id.in_(ids)))


def _of_survivors(aliases: Table) -> Select[Any]:
    c = aliases.c
    ids = bindparam("ids", expanding=True, type_=c.survivor_id.type)
    return select(c.contact_id, c.survivor_id).where(c.survivor_id.in_(ids))


def is_loser(aliases: Table, contact_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the clause that a contact goes on as another one.

    Args:
        aliases: the table `contact_aliases`.
        contact_id: the column that holds the contact's id.
    """
    other = aliases.alias()
    return select(other.c.contact_id).where(other.c.contact_id == contact_id).exists()


def is_merged(aliases: Table, contact_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the clause that a contact goes on as another one, or another one as it; arguments as for `is_loser`."""
    other = aliases.alias()
    survivor = select(other.c.contact_id).where(other.c.survivor_id == contact_id).exists()
    return or_(is_loser(aliases, contact_id), survivor)


def survivor_id(aliases: Table, contact_id: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the expression of whom a contact goes on as, itself if nobody; arguments as for `is_loser`."""
    other = aliases.alias()
    found = select(other.c.survivor_id).where(other.c.contact_id == contact_id).scalar_subquery()
    return func.coalesce(found, contact_id, type_=contact_id.type)


def write_aliases(sql: Sql, survivors: Mapping[UUID, UUID]) -> None:
    """Make the flat map say of some contacts whom each goes on as; of those that are nobody's, nothing.

    Args:
        sql: the transaction's connection, holding the lock of the merges.
        survivors: by contact; itself if it goes on as itself.
    """
    aliases = sql.tables["contact_aliases"]
    for page in _pages(survivors):
        sql.execute(aliases.delete().where(aliases.c.contact_id.in_(page)))
    rows = [
        {"contact_id": id, "survivor_id": survivor} for id, survivor in survivors.items() if id != survivor
    ]
    sql.insert(aliases, rows)
