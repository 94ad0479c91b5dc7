"""What a mapped store remembers within one transaction: which rows of the host have which ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import Table, select

from crmkit.sql.connection import Row, Sql, insert_or_ignore, prepared
from crmkit.sql.mapped.keys import HostKeys
from crmkit.sql.tables import INFO

_AT_ONCE = 1000


class HandedOut:
    """Ids that the transaction was given for rows of the host's table; kept as soon as something is written of them.

    Set as `tx.sql.watch`, it hears of every row before it is inserted.

    Args:
        sql: the transaction's connection.
        find_keys: returns the primary key of the host's table.
    """

    def __init__(self, sql: Sql, find_keys: Callable[[Sql], HostKeys]) -> None:
        self._sql = sql
        self._find_keys = find_keys
        self._by_id: dict[UUID, str] = {}
        self._written: set[UUID] = set()
        self._settled: set[UUID] = set()
        #: The ids that `scan` pages through, in order.
        self.order: list[bytes] = []

    def note(self, pk: str) -> UUID:
        """Return the id of a row that nothing was written about."""
        id = self._keys.id(pk)
        if self._keys.number_in(id) is None:
            self._by_id[id] = pk
        return id

    def settle(self, id: UUID) -> None:
        """Take note that an id was read as kept; one that was written here may yet be undone with a savepoint."""
        if id not in self._written:
            self._settled.add(id)

    def row_of(self, id: UUID) -> str | None:
        """Return the key of the row that has an id, if the id tells it or the transaction was given it."""
        pk = self._by_id.get(id)  # which may be an empty text
        return self._keys.number_in(id) if pk is None else pk

    def __call__(self, table: Table, rows: Sequence[Row]) -> None:
        """Keep the ids of contacts that rows about to be inserted refer to."""
        columns = prepared(table, "subjects", _subjects)
        if columns and table.name != self._links.name:
            ids = {row.get(name) for row in rows for name in columns}
            self.keep(id for id in ids if id is not None)

    def keep(self, ids: Iterable[UUID]) -> None:
        """Keep ids of rows of the host's table, of those that are; an id that is kept already stays."""
        rows: list[dict[str, Any]] = [
            {"store": self._keys.store, "pk": pk, "contact_id": id}
            for id in ids
            if id not in self._settled and (pk := self.row_of(id)) is not None
        ]
        self._written |= {row["contact_id"] for row in rows}
        for start in range(0, len(rows), _AT_ONCE):
            self._sql.execute(
                insert_or_ignore(self._links, self._sql.database), rows[start : start + _AT_ONCE]
            )

    def link(self, pk: str, id: UUID) -> bool:
        """Keep an id of the CRM's own for a row that has just been inserted; say whether it was new."""
        self._written.add(id)
        return self._sql.claim(self._links, {"store": self._keys.store, "pk": pk, "contact_id": id})

    def unlink(self, pk: str) -> UUID:
        """Forget which contact a key of the host's table was, and return its id."""
        links = self._links
        own = (links.c.store == self._keys.store) & (links.c.pk == pk)
        before: UUID = self._sql.execute(select(links.c.contact_id).where(own)).scalar_one()
        self._sql.execute(links.delete().where(own))
        return before

    def linked(self, ids: Sequence[UUID]) -> dict[UUID, str]:
        """Return the primary keys of the rows whose ids are kept, by id."""
        links, found = self._links, dict[UUID, str]()
        for start in range(0, len(ids), _AT_ONCE):
            own = select(links.c.contact_id, links.c.pk).where(
                links.c.store == self._keys.store, links.c.contact_id.in_(ids[start : start + _AT_ONCE])
            )
            rows: Any = self._sql.execute(own)
            found |= {row[0]: row[1] for row in rows}
        return found

    @cached_property
    def _keys(self) -> HostKeys:
        return self._find_keys(self._sql)

    @property
    def _links(self) -> Table:
        return self._sql.tables["contact_hosts"]


def _subjects(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.c if column.info.get(INFO) == "subject")
