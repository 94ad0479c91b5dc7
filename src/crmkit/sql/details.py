"""What is known about contacts besides their fields: rows of one shape, read for all ids of a contact at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Table, and_, select, update
from sqlalchemy.exc import IntegrityError

from crmkit.errors import RetryTransaction
from crmkit.sql.connection import Sql

_AT_ONCE = 1000


def read_rows(
    sql: Sql,
    name: str,
    ids: Sequence[UUID],
    *,
    order: Sequence[str] = (),
    limit: int | None = None,
    by: str = "contact_id",
    locked: bool = False,
    **equal: Any,
) -> list[Any]:
    """Return rows of a table.

    Args:
        sql: the transaction's connection.
        name: the table's name without the prefix.
        ids: whose rows.
        order: by which columns, `-` before one for the greatest first.
        limit: at most how many; None for all.
        by: the column that holds the ids.
        locked: whether to keep others from changing them until the transaction ends.
        equal: what else the rows have in their columns.
    """
    table = sql.tables[name]
    columns = [table.c[key.removeprefix("-")] for key in order]
    ordered = [
        column.desc() if key.startswith("-") else column for key, column in zip(order, columns, strict=True)
    ]
    statement = select(table).where(_belong(table, by, ids), *_equal(table, equal)).order_by(*ordered)
    if limit is not None:
        statement = statement.limit(limit)
    return list(sql.execute(statement.with_for_update() if locked else statement))


def read_between(sql: Sql, name: str, column: str, start: str, end: str, limit: int) -> list[Any]:
    """Return rows whose text in a column stands from `start` on and before `end`, in the order of that column."""
    table = sql.tables[name]
    inside = and_(table.c[column] >= start, table.c[column] < end)
    return list(sql.execute(select(table).where(inside).order_by(table.c[column], table.c.id).limit(limit)))


def read_ids_with(sql: Sql, name: str, *, after: UUID | None, limit: int, **equal: Any) -> list[UUID]:
    """Return the ids of contacts that have a row with these values, in the order of ids.

    Args:
        sql: the transaction's connection.
        name: the table's name without the prefix.
        after: the last id of the page before; None from the beginning.
        limit: at most how many.
        equal: what the row has in its columns.
    """
    table = sql.tables[name]
    statement = select(table.c.contact_id).where(*_equal(table, equal))
    if after is not None:
        statement = statement.where(table.c.contact_id > after)
    return list(sql.execute(statement.order_by(table.c.contact_id).limit(limit)).scalars())


def change_rows(sql: Sql, name: str, values: Mapping[str, Any], **equal: Any) -> None:
    """Change the rows that have these values in their columns."""
    table = sql.tables[name]
    sql.execute(update(table).where(*_equal(table, equal)).values(**values))


def remove_rows(sql: Sql, name: str, ids: Sequence[UUID], **equal: Any) -> None:
    """Remove the rows of a contact that have these values in their columns.

    Args:
        sql: the transaction's connection.
        name: the table's name without the prefix.
        ids: every id of the contact.
        equal: a value, or a tuple of values.
    """
    table = sql.tables[name]
    sql.execute(table.delete().where(_belong(table, "contact_id", ids), *_equal(table, equal)))


def read_many(
    sql: Sql, name: str, ids: Iterable[UUID], *, by: str = "contact_id", latest: bool = False
) -> list[Any]:
    """Return the rows of many contacts, in pages that databases take.

    Args:
        sql: the transaction's connection.
        name: the table's name without the prefix.
        ids: whose rows.
        by: the column that holds the ids.
        latest: for whoever holds the lock of the contacts: as the rows are now, where MariaDB would go on reading them
            as they were.
    """
    table, wanted, found = sql.tables[name], list(dict.fromkeys(ids)), list[Any]()
    for start in range(0, len(wanted), _AT_ONCE):
        statement = select(table).where(table.c[by].in_(wanted[start : start + _AT_ONCE]))
        locked = latest and sql.database == "mariadb"
        found += sql.execute(statement.with_for_update(read=True) if locked else statement)
    return found


def add_rows(sql: Sql, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows that nobody has, as far as this transaction sees.

    Args:
        sql: the transaction's connection.
        name: the table's name without the prefix.
        rows: they all name the same columns.

    Raises:
        RetryTransaction: if another transaction has written one of them.
    """
    try:
        sql.insert(sql.tables[name], rows)
    except IntegrityError as error:
        raise RetryTransaction(f"a row of {name!r} was written by another transaction") from error


def forget_said(sql: Sql, subject_id: UUID) -> None:
    """Remove what is personal in the events about a thing; the events themselves stay."""
    events, said = sql.tables["events"], sql.tables["event_personal"]
    about = select(events.c.id).where(events.c.subject_id == subject_id)
    ids = list(sql.execute(about).scalars())
    if ids:
        sql.execute(said.delete().where(said.c.event_id.in_(ids)))


def _belong(table: Table, by: str, ids: Sequence[UUID]) -> ColumnElement[bool]:
    # one id is asked by `=`, so that an index serves the order as well
    return table.c[by] == ids[0] if len(ids) == 1 else table.c[by].in_(ids)


def _equal(table: Table, equal: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    return [
        table.c[column].in_(value) if isinstance(value, tuple) else table.c[column] == value
        for column, value in equal.items()
    ]
