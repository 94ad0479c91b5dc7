"""The contacts of a mapped store in SQL: the host's rows LEFT JOIN the CRM's own, and those the host has no row for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Table,
    and_,
    cast,
    func,
    literal,
    or_,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy import types as sqltypes

from crmkit.sql.aliases import is_loser
from crmkit.sql.connection import Sql
from crmkit.sql.contacts import FIELD_COLUMNS
from crmkit.sql.mapped.fields import host_field, no_field
from crmkit.sql.mapped.keys import binary
from crmkit.sql.mapped.places import Places, guest_places, host_places, no_places
from crmkit.sql.mapped.table import HostTable
from crmkit.sql.source import ContactSource

_HOST, _GUEST = "h", "g"


@attrs.frozen
class Some:
    """Some contacts, whom indexes find.

    Args:
        pks: primary keys of rows of the host's, as text.
        ids: ids of contacts.
    """

    pks: Sequence[str]
    ids: Sequence[UUID]


def key_of(key: str) -> str | None:
    """Return the primary key of the host's row that a `ContactSource.key` stands for; None if it is no such row."""
    return key[1:] if key.startswith(_HOST) else None


def row_key(pk: str) -> str:
    """Return the `ContactSource.key` of the host's row with a primary key; what `key_of` takes apart."""
    return _HOST + pk


def mapped_source(sql: Sql, host: HostTable, some: Some | None = None) -> ContactSource:
    """Return where the contacts can be asked in SQL.

    Args:
        sql: the transaction's connection.
        host: the host's table.
        some: of whom alone; None for all.
    """
    arms, merged = _Arms(sql, host), _merged_into(sql, host, some)
    every = (arms.hosts(_goes_on, some), arms.guests(_goes_on, some), arms.vanished(some, merged))
    rows = union_all(*every).subquery("crm_source")
    fields = {name: rows.c[name] for name in (*FIELD_COLUMNS, *no_places(sql, host))}

    def others() -> FromClause:
        return union_all(arms.hosts(is_loser, merged), arms.guests(is_loser, merged)).subquery("crm_others")

    def among(keys: Sequence[Any], ids: Sequence[UUID]) -> ContactSource:
        pks = [pk for key in keys if (pk := key_of(key)) is not None]
        return mapped_source(sql, host, Some(pks, ids))

    return ContactSource(rows, rows.c.id, rows.c.key, fields, others=others, among=among)


def _merged_into(sql: Sql, host: HostTable, some: Some | None) -> Some | None:
    """Return whoever was merged into some contacts."""
    if some is None:
        return None
    links, aliases = sql.tables["contact_hosts"], sql.tables["contact_aliases"]
    ids = sql.execute(select(aliases.c.contact_id).where(aliases.c.survivor_id.in_(some.ids))).scalars().all()
    own = (links.c.store == host.keys.store) & links.c.contact_id.in_(ids)
    return Some(sql.execute(select(links.c.pk).where(own)).scalars().all() if ids else (), ids)


#: Makes of a contact's id the condition for its row.
_Which = Callable[[Table, ColumnElement[Any]], ColumnElement[bool]]


@attrs.frozen
class _Arms:
    """The statements that give all contacts together.

    Args:
        sql: the transaction's connection.
        host: the host's table.
    """

    sql: Sql
    host: HostTable

    def hosts(self, which: _Which, some: Some | None) -> Select[Any]:
        """Return the rows of the host's."""
        sql, host = self.sql, self.host
        links, sides, own = self.links, sql.tables["contacts"], self.is_linked
        joined = host.table.outerjoin(links, own).outerjoin(sides, sides.c.id == links.c.contact_id)
        fields = {name: host_field(sql, host, sides, name) for name in FIELD_COLUMNS}
        fields |= host_places(sql, host, links.c.contact_id)
        pk = type_coerce(host.keys.sql(sql.database), sqltypes.Text())
        key = binary(literal(_HOST, sqltypes.Text()) + pk, sql.database)
        kept = [*host.where, which(self.aliases, links.c.contact_id)]
        kept += [] if some is None else [host.have(some.pks)]
        return _row(links.c.contact_id, key, fields).select_from(joined).where(*kept)

    def guests(self, which: _Which, some: Some | None) -> Select[Any]:
        """Return those who never were rows of the host's."""
        own = self.sql.tables["contacts"]
        fields: dict[str, ColumnElement[Any]] = {name: own.c[name] for name in FIELD_COLUMNS}
        fields |= guest_places(self.sql, self.host, own.c.id)
        kept = [self.is_guest(own.c.id), which(self.aliases, own.c.id)]
        kept += [] if some is None else [own.c.id.in_(some.ids)]
        return _row(own.c.id, _guest_key(self.sql, own.c.id), fields).where(*kept)

    def vanished(self, some: Some | None, merged: Some | None) -> Select[Any]:
        """Return whoever goes on under an id whose row has vanished, while that of another of its ids is there.

        Such a contact has no fields of its own; those who were merged into it fill them.
        """
        sides, c = self.sql.tables["contacts"], self.aliases.alias().c
        there = select(self.links.c.contact_id).select_from(self.host.table.join(self.links, self.is_linked))
        there = there.where(*self.host.where)
        lost = select(c.survivor_id.label("id")).distinct()
        if some is not None and merged is not None:
            there = there.where(self.host.have([*some.pks, *merged.pks]))
            lost = lost.where(c.survivor_id.in_(some.ids))
        others = or_(c.contact_id.in_(there), self.is_guest(c.contact_id))
        id = lost.where(others, c.survivor_id.not_in(there)).subquery().c.id
        fields = {name: no_field(self.sql, sides.c[name]) for name in FIELD_COLUMNS}
        fields |= no_places(self.sql, self.host)
        return _row(id, _guest_key(self.sql, id), fields).where(~self.is_guest(id))

    def is_guest(self, id: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the condition that a contact was never a row of the host's."""
        linked = self.links.alias()
        return ~select(linked.c.contact_id).where(linked.c.contact_id == id).exists()

    @property
    def is_linked(self) -> ColumnElement[bool]:
        """The condition that joins what is kept of a row of the host's to it."""
        keys = self.host.keys
        return and_(self.links.c.store == keys.store, self.links.c.pk == keys.sql(self.sql.database))

    @property
    def links(self) -> Table:
        """The table of the ids that are kept for rows of the host's."""
        return self.sql.tables["contact_hosts"]

    @property
    def aliases(self) -> Table:
        """The table that says who goes on as whom."""
        return self.sql.tables["contact_aliases"]


def _row(id: ColumnElement[Any], key: ColumnElement[Any], fields: Places) -> Select[Any]:
    return select(id.label("id"), key.label("key"), *(value.label(name) for name, value in fields.items()))


def _guest_key(sql: Sql, id: ColumnElement[Any]) -> ColumnElement[Any]:
    if sql.database == "postgresql":
        hexed: Any = func.replace(cast(id, sqltypes.Text()), "-", "", type_=sqltypes.Text())
    else:
        hexed = func.lower(func.hex(id), type_=sqltypes.Text())
    return binary(literal(_GUEST, sqltypes.Text()) + hexed, sql.database)


def _goes_on(aliases: Table, id: ColumnElement[Any]) -> ColumnElement[bool]:
    return ~is_loser(aliases, id)
