"""The contact store over a table that the host already has."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs
from sqlalchemy import ColumnElement, MetaData, Table, exists, select

from crmkit.contacts import Contact, ContactPoint, HostKey, PointKind
from crmkit.errors import ConfigError, SettingsError
from crmkit.sql.connection import Sql
from crmkit.sql.contacts import contact_row
from crmkit.sql.mapped.columns import ColumnMap, read_map
from crmkit.sql.mapped.handed import HandedOut
from crmkit.sql.mapped.keys import HostKeys
from crmkit.sql.mapped.side import Side, read_sides
from crmkit.sql.mapped.source import key_of, mapped_source
from crmkit.sql.mapped.table import HostRow, HostTable, Where, conditions, find_table, named
from crmkit.sql.mapped.writing import Writing
from crmkit.sql.source import ContactSource
from crmkit.stores import StoreCapabilities

if TYPE_CHECKING:
    from crmkit.transaction import Transaction


def _map(value: Mapping[str, Any]) -> ColumnMap:
    if not isinstance(value, Mapping):
        raise SettingsError(f"columns must be a mapping, not {type(value).__name__}")
    return read_map(value)


def _kinds(value: Iterable[str]) -> frozenset[PointKind]:
    return frozenset(PointKind(kind) for kind in value)


def _names(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _name(instance: object, attribute: object, value: Any) -> None:
    if not isinstance(value, str) or not 1 <= len(value) <= 60 or ":" in value:
        raise SettingsError(f"name is {value!r}; must be a text of 1 to 60 characters without ':'")


@attrs.define(eq=False, kw_only=True)
class MappedContacts:
    """Contacts that are the rows of a table which the host already has; nothing is added to it.

    What its columns do not hold is kept in the CRM's own tables. Rows are read anew each time.

    Args:
        table: the host's SQLAlchemy Table, or its name.
        columns: which column holds which field or point: {"name": "full_name", "email": "mail"}.
        where: what rows must fulfil to be seen: a function from the Table to a condition, a condition, or
            {"column": value}, where a list means any of its values and None means NULL.
        read_only: whether the host's table is never written; else changes of mapped fields are written there, and
            new contacts are inserted there.
        name: of the mapping, in every `HostKey`; it must not change once something was written.
        schema: of the table, if it is given by its name.
        key: the names of the columns that tell rows apart, where the table has no primary key, as a view has none.
        region: the country (ISO 3166, two letters) of phone numbers without `+`.
        normalised: kinds of points whose columns hold nothing but the folded form: addresses in small letters,
            numbers as +442079460001. They are compared as they are, so that an index on the column serves.
        defaults: values of further columns in rows that are inserted.
        new_key: gives the primary key of a row that is inserted, where the database does not.

    Raises:
        SettingsError: if one of these is not as described.
    """

    table: Table | str
    columns: ColumnMap = attrs.field(converter=_map)
    where: Where = None
    read_only: bool = True
    name: str = attrs.field(default="customers", validator=_name)
    schema: str | None = None
    key: tuple[str, ...] = attrs.field(default=(), converter=_names)
    region: str = ""
    normalised: frozenset[PointKind] = attrs.field(default=(), converter=_kinds)
    defaults: Mapping[str, Any] = attrs.field(factory=dict)
    new_key: Callable[[Contact], Any] | None = None
    capabilities: StoreCapabilities = attrs.field(init=False)
    _found: dict[str, HostTable] = attrs.field(init=False, factory=dict)

    @capabilities.default
    def _capabilities(self) -> StoreCapabilities:
        return StoreCapabilities(host=True, points_elsewhere=self.columns.not_in_sql())

    def for_tenant(self, name: str, schema: str | None) -> MappedContacts:
        """Return the same mapping over the table of that name in a tenant's schema, or in a tenant's database.

        Raises:
            ConfigError: if `where` is a condition over one table, which cannot be put to another.
        """
        made = copy(self)
        made._found = {}
        if schema is None:
            return made
        if isinstance(self.where, ColumnElement):
            raise ConfigError(
                f"where of the contacts' table is a condition over one table, and tenant {name!r} has another; "
                "give a function from the table to a condition, or {'column': value}"
            )
        made.schema = schema
        if isinstance(self.table, Table):
            made.table = self.table.to_metadata(MetaData(), schema=schema)
        return made

    def begin(self, tx: Transaction) -> None:
        """Prepare a transaction that has just begun."""
        tx.sql.watch = HandedOut(tx.sql, self._keys)

    def get(self, tx: Transaction, ids: Iterable[UUID]) -> dict[UUID, Contact]:
        """Return the contacts with these ids; those that do not exist are left out."""
        wanted, handed = list(ids), handed_out(tx)
        linked = handed.linked(wanted)
        told = {id: self._told(handed, tx, id) for id in wanted if id not in linked}
        pks = linked | {id: pk for id, pk in told.items() if pk is not None}
        host = self.host(tx.sql).by_keys(tx.sql, set(pks.values()))
        sides = read_sides(tx.sql, wanted)
        found: dict[UUID, Contact] = {}
        for id in wanted:
            row = host[pks[id]] if pks.get(id) in host else None
            if id in linked:
                key = HostKey(self.name, linked[id])
                handed.settle(id)
                found[id] = sides.get(id, _NO_SIDE).over(id, row, key) if row else Contact(id=id, host=key)
            elif row is not None and row.linked in (None, id):
                found[id] = sides.get(id, _NO_SIDE).over(
                    self._id(handed, row), row, HostKey(self.name, row.pk)
                )
            elif id in sides and sides[id].exists:
                found[id] = sides[id].alone(id)
        return found

    def find(self, tx: Transaction, points: Sequence[ContactPoint]) -> Contact | None:
        """Return the contact that has the first point that anybody has, or None; rows of the host come first."""
        for point in points:
            if rows := self.host(tx.sql).having(tx.sql, point):
                return self._contacts(tx, rows[:1])[0]
            if found := Writing(self, tx).holder(point):
                return found
        return None

    def add(self, tx: Transaction, contact: Contact) -> Contact:
        """Keep a new contact with its points, or return the one that owns a point already."""
        return Writing(self, tx).add(contact)

    def update(self, tx: Transaction, contact_id: UUID, changes: Mapping[str, Any]) -> None:
        """Change fields of a contact."""
        Writing(self, tx).update(contact_id, changes)

    def add_points(
        self, tx: Transaction, contact_id: UUID, points: Sequence[ContactPoint], *, shared: bool = False
    ) -> tuple[ContactPoint, ...]:
        """Give a contact further points; return those that it did not have."""
        return Writing(self, tx).add_points(contact_id, points, shared)

    def set_point(self, tx: Transaction, contact_id: UUID, point: ContactPoint) -> None:
        """Give a point that the contact has the details of this one; the host's column goes on holding the address."""
        Writing(self, tx).set_point(contact_id, point)

    def remove_point(self, tx: Transaction, contact_id: UUID, point: ContactPoint) -> None:
        """Take a point away from a contact."""
        Writing(self, tx).remove_point(contact_id, point)

    def scan(self, tx: Transaction, *, after: UUID | None = None, limit: int = 1000) -> list[Contact]:
        """Return contacts in the order of their ids: the host's rows, and those the host has no row for."""
        handed = handed_out(tx)
        if after is None or not handed.order:
            handed.order = self._order(tx)
        found: list[Contact] = []
        place = 0 if after is None else bisect_right(handed.order, after.bytes)
        while len(found) < limit and place < len(handed.order):
            page = [UUID(bytes=one) for one in handed.order[place : place + limit - len(found)]]
            contacts = self.get(tx, page)
            found += [contacts[id] for id in page if id in contacts]
            place += len(page)
        return found

    def source(self, tx: Transaction) -> ContactSource | None:
        """Return where the contacts can be asked in SQL: the host's table with the CRM's own joined to it."""
        return mapped_source(tx.sql, self.host(tx.sql))

    def at(self, tx: Transaction, host: HostKey) -> Contact | None:
        """Return the contact of a row of the host's table, or None if there is no such row."""
        rows = self.host(tx.sql).by_keys(tx.sql, [host.pk]) if host.store == self.name else {}
        return self._contacts(tx, list(rows.values()))[0] if rows else None

    def identify(self, tx: Transaction, keys: Sequence[str]) -> dict[str, UUID]:
        """Return the ids of rows that have none in SQL, by their `ContactSource.key`."""
        handed = handed_out(tx)
        return {key: handed.note(pk) for key in keys if (pk := key_of(key)) is not None}

    def assign(self, tx: Transaction, ids: Iterable[UUID]) -> None:
        """Keep the ids of contacts."""
        handed_out(tx).keep(ids)

    def columns_left(self, tx: Transaction, contact_id: UUID) -> tuple[str, ...]:
        """Return the host's columns that hold something of a contact, as table.column."""
        return Writing(self, tx).columns_left(contact_id)

    def clear(self, tx: Transaction, contact_id: UUID) -> tuple[str, ...]:
        """Clear what the host's columns hold of a contact; return those that could not be cleared.

        A read-only mapping clears nothing, and returns all of `columns_left`.
        """
        return Writing(self, tx).clear(contact_id)

    def keep_row(self, tx: Transaction, pk: str, id: UUID) -> None:
        """Keep the id of a contact whose row was just inserted; a contact that had a deleted row's key lives on."""
        handed = handed_out(tx)
        if not handed.link(pk, id):
            before = handed.unlink(pk)
            handed.link(pk, id)
            row = {**contact_row(Contact(id=before)), "created_at": tx.now, "updated_at": tx.now}
            tx.sql.claim(tx.sql.tables["contacts"], row)

    def id_of(self, tx: Transaction, row: HostRow) -> UUID:
        """Return the id of a row's contact."""
        return self._id(handed_out(tx), row)

    def host(self, sql: Sql) -> HostTable:
        """Return the host's table, reflected on this connection if nobody has done so."""
        known = self._found.get(sql.database)
        if known is None:
            known = self._found[sql.database] = self._look(sql)
        return known

    def _look(self, sql: Sql) -> HostTable:
        table = self.table if isinstance(self.table, Table) else find_table(sql, self.table, self.schema)
        key = tuple(named(table, name) for name in self.key) or tuple(table.primary_key.columns)
        if not key:
            raise ConfigError(
                f"table {table.fullname!r} has no primary key; name the columns that tell its rows apart: key='id'"
            )
        for name in (*self.columns.names(), *self.defaults):
            named(table, name)
        return HostTable(
            table=table,
            keys=HostKeys(self.name, key),
            columns=self.columns,
            where=conditions(table, self.where),
            region=self.region,
            normalised=self.normalised,
        )

    def _keys(self, sql: Sql) -> HostKeys:
        return self.host(sql).keys

    def _told(self, handed: HandedOut, tx: Transaction, id: UUID) -> str | None:
        pk = handed.row_of(id)
        return self.host(tx.sql).keys.of_id(id) if pk is None else pk

    def _id(self, handed: HandedOut, row: HostRow) -> UUID:
        if row.linked is None:
            return handed.note(row.pk)
        handed.settle(row.linked)
        return row.linked

    def _contacts(self, tx: Transaction, rows: Sequence[HostRow]) -> list[Contact]:
        handed = handed_out(tx)
        sides = read_sides(tx.sql, [row.linked for row in rows if row.linked is not None])
        return [
            sides.get(id := self._id(handed, row), _NO_SIDE).over(id, row, HostKey(self.name, row.pk))
            for row in rows
        ]

    def _order(self, tx: Transaction) -> list[bytes]:
        handed = handed_out(tx)
        contacts, links, aliases = (
            tx.sql.tables[name] for name in ("contacts", "contact_hosts", "contact_aliases")
        )
        goes_on: Any = tx.sql.execute(select(aliases.c.contact_id, aliases.c.survivor_id))
        survivors = {row[0]: row[1] for row in goes_on}
        guests = select(contacts.c.id).where(~exists().where(links.c.contact_id == contacts.c.id))
        keys = self.host(tx.sql).all_keys(tx.sql)
        ids = {handed.note(pk) if id is None else id for pk, id in keys}
        ids |= set(tx.sql.execute(guests).scalars())
        # the row of whoever goes on may have vanished while that of another of its ids stands
        return sorted({survivors.get(id, id).bytes for id in ids})


_NO_SIDE = Side()


def handed_out(tx: Transaction) -> HandedOut:
    """Return what the store remembers in this transaction."""
    watch = tx.sql.watch
    assert isinstance(watch, HandedOut)
    return watch
