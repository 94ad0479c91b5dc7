"""Rows of contacts that were merged, read as those of one: as each table declares by `merge=`."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Table, bindparam, select

from crmkit.errors import ConfigError
from crmkit.sql.connection import Sql, prepared
from crmkit.sql.tables import INFO, MERGE
from crmkit.sql.types import Minor

if TYPE_CHECKING:
    from crmkit.transaction import Transaction

AT_ONCE = 1000  # databases take some ten thousand parameters, not any number


def merged_rows(tx: Transaction, table: Table, contact_id: UUID, *, column: str = "") -> list[Any]:
    """Return a contact's rows of a table, those of the contacts that were merged into it among them.

    How they read as one is what the table declares: "union" gives all of them, those of the contact that goes on
    first; "survivor" gives those of the first contact that has any; "sum" adds up the whole numbers of rows that
    are otherwise the same; a function is given all rows and returns those that count. The values of a row are its
    attributes, by the names of the columns.

    Args:
        tx: the transaction.
        table: one of the CRM's tables; a plugin has its own by `tx.table(name)`.
        contact_id: any of the contact's ids.
        column: which column holds the contact's id, if several hold one; by default the first.

    Raises:
        ConfigError: if the table declares no such column.
    """
    subject = subject_of(table, column)
    ids = tx.contacts.ids(contact_id)
    return as_one(table, rows_of(tx.sql, table, ids, subject), ids, subject)


def as_one(table: Table, rows: Sequence[Any], ids: Sequence[UUID], column: str = "") -> list[Any]:
    """Return rows as those of one contact, by the table's `merge=`; for whoever has read them already.

    Args:
        table: whose rows they are.
        rows: in the order in which rows of one id are to stand.
        ids: of the contact, the one that goes on first.
        column: as for `merged_rows`.
    """
    subject = subject_of(table, column)
    place = {id: number for number, id in enumerate(ids)}
    ordered = sorted(rows, key=lambda row: place[getattr(row, subject)])
    if len(ids) == 1:
        return ordered
    how = table.info.get(MERGE, "union")
    if callable(how):
        chosen: Callable[[Sequence[Any]], Sequence[Any]] = how
        return list(chosen(ordered))
    if how == "survivor":
        return [row for row in ordered if getattr(row, subject) == getattr(ordered[0], subject)]
    return _added(table, ordered, subject) if how == "sum" else ordered


def subject_of(table: Table, column: str = "") -> str:
    """Return the name of the column that holds a contact's id.

    Raises:
        ConfigError: if the table declares none, or not this one.
    """
    declared = [one.name for one in table.columns if one.info.get(INFO) == "subject"]
    if not declared or (column and column not in declared):
        found = ", ".join(declared) or "none"
        wanted = column or 'one by holds="subject"'
        raise ConfigError(
            f"table {table.name!r} declares no column {wanted}; those that it declares: {found}"
        )
    return column or declared[0]


def rows_of(sql: Sql, table: Table, ids: Sequence[UUID], column: str) -> list[Any]:
    """Return the rows that stand under any of some ids, in the order of the table's primary key."""

    def build(table: Table) -> Any:
        mine = table.c[column].in_(bindparam("ids", expanding=True, type_=table.c[column].type))
        return select(table).where(mine).order_by(*table.primary_key.columns)

    statement = prepared(table, f"rows of {column}", build)
    pages = [list(ids[start : start + AT_ONCE]) for start in range(0, len(ids), AT_ONCE)]
    return [row for page in pages for row in sql.execute(statement, {"ids": page})]


def _added(table: Table, rows: Sequence[Any], subject: str) -> list[Any]:
    """Add up: rows that are the same but for the contact and the numbers that are no part of the key become one."""
    keys = {one.name for one in table.primary_key.columns}
    numbers = [one.name for one in table.columns if isinstance(one.type, Minor) and one.name not in keys]
    # a column's name may be a word of Python's: such a one is read by its place
    make = _tuple_of([one.name for one in table.columns])
    sums: dict[str, dict[str, Any]] = {}
    for row in rows:
        values = row._asdict()
        same = repr([value for name, value in values.items() if name not in (subject, *numbers)])
        if same not in sums:
            sums[same] = values
            continue
        for name in numbers:
            sums[same][name] += values[name]
    return [make(*values.values()) for values in sums.values()]


def _tuple_of(names: Sequence[str]) -> Any:
    make: Any = namedtuple
    return make("Row", names, rename=True)
