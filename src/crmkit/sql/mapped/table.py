"""The host's table: found or reflected, and what is asked of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import Column, ColumnElement, MetaData, Select, String, Table, and_, false, func, or_, select
from sqlalchemy import types as sqltypes
from sqlalchemy.exc import NoSuchTableError

from crmkit.contacts import ContactPoint, PointKind
from crmkit.errors import ConfigError
from crmkit.settings import did_you_mean
from crmkit.sql.connection import Sql
from crmkit.sql.mapped.candidates import digits, exact, openings, patterns, spellings
from crmkit.sql.mapped.columns import ColumnMap, PointColumns
from crmkit.sql.mapped.keys import HostKeys
from crmkit.sql.mapped.reading import read_fields, read_point, read_points

Where = Callable[[Table], ColumnElement[bool]] | ColumnElement[bool] | Mapping[str, Any] | None

_AT_ONCE = 1000
_PUNCTUATION = " -()./\u00a0"


@attrs.frozen
class HostRow:
    """A row of the host's table.

    Args:
        pk: its primary key as text.
        linked: the id that is kept for it, or None if nothing was written about it.
        fields: of a contact, by name.
        points: of a contact.
    """

    pk: str
    linked: UUID | None
    fields: Mapping[str, Any] = attrs.field(hash=False)
    points: tuple[ContactPoint, ...]


@attrs.frozen(eq=False, kw_only=True)
class HostTable:
    """The host's table on one kind of database.

    Args:
        table: itself.
        keys: its primary key.
        columns: what its columns hold.
        where: conditions that every row which is read fulfils.
        region: the country of phone numbers without `+`.
        normalised: kinds of points whose columns hold the folded form, so that they are compared as they are.
    """

    table: Table
    keys: HostKeys
    columns: ColumnMap
    where: tuple[ColumnElement[bool], ...]
    region: str
    normalised: frozenset[PointKind]

    def rows(self, sql: Sql, *conditions: ColumnElement[bool]) -> list[HostRow]:
        """Return the rows that fulfil the mapping's conditions and these, in the order of their keys."""
        statement = self._select(sql).where(*conditions).order_by(*self.keys.columns)
        return [self._read(row) for row in sql.execute(statement)]

    def by_keys(self, sql: Sql, texts: Iterable[str]) -> dict[str, HostRow]:
        """Return rows by their primary keys as text."""
        wanted = {text: values for text in texts if (values := self.keys.values(text)) is not None}
        found: dict[str, HostRow] = {}
        many = list(wanted.values())
        for start in range(0, len(many), _AT_ONCE):
            rows = self.rows(sql, self._is_one_of(many[start : start + _AT_ONCE]))
            found |= {row.pk: row for row in rows if row.pk in wanted}
        return found

    def having(self, sql: Sql, point: ContactPoint) -> list[HostRow]:
        """Return the rows that hold a point; those first that hold it in its folded form."""
        places = self.columns.by_kind(point.kind, point.scope)
        if not places:
            return []
        for conditions in (self._exactly(point, places), self._loosely(point, places)):
            rows = self.rows(sql, or_(*conditions)) if conditions else []
            if found := [row for row in rows if point in row.points]:
                return found
        return []

    def all_keys(self, sql: Sql) -> list[tuple[str, UUID | None]]:
        """Return the primary key of every row, as text, with the id that is kept for it."""
        links, joined = self._joined(sql)
        statement = select(*self.keys.columns, links.c.contact_id).select_from(joined).where(*self.where)
        return [(self.keys.text(row[:-1]), row[-1]) for row in sql.execute(statement)]

    def have(self, texts: Sequence[str]) -> ColumnElement[bool]:
        """Return the condition that rows have one of some primary keys, which an index serves."""
        values = (self.keys.values(text) for text in texts)
        return self._is_one_of([one for one in values if one is not None])

    def is_row(self, text: str) -> ColumnElement[bool]:
        """Return the condition that a row has this primary key, and fulfils the mapping's."""
        values = self.keys.values(text)
        assert values is not None
        return and_(self._is_one_of([values]), *self.where)

    def places(self, row: Mapping[str, Any], point: ContactPoint) -> list[str]:
        """Return the columns in which a point stands in a row.

        Args:
            row: values by the columns' names.
            point: the point.
        """
        standing = (where for where in self.columns.points if read_point(where, row, self.region) == point)
        return [name for where in standing for name in where.columns.values()]

    def column(self, name: str) -> Column[Any]:
        """Return a column by its name."""
        return named(self.table, name)

    def _exactly(self, point: ContactPoint, places: Sequence[PointColumns]) -> list[ColumnElement[bool]]:
        if point.kind in (PointKind.EMAIL, PointKind.HANDLE):
            return [self.column(place.column).in_(exact(point)) for place in places]
        if point.kind is PointKind.PHONE:
            return [self.column(place.column) == point.key for place in places]
        if point.kind is PointKind.EXTERNAL:
            return [
                test for place in places if (test := _is_id(self.column(place.column), point.key)) is not None
            ]
        return []

    def _loosely(self, point: ContactPoint, places: Sequence[PointColumns]) -> list[ColumnElement[bool]]:
        if point.kind in self.normalised or point.kind is PointKind.EXTERNAL:
            return []
        if point.kind is PointKind.POSTAL:
            names = {name for place in places for name in place.columns.values()}
            return [
                self.column(name).like(f"{word}%", escape="!") for name in names for word in openings(point)
            ]
        columns = [self.column(place.column) for place in places]
        if point.kind is PointKind.PHONE:
            return [_bare(column).like(f"%{digits(point)}") for column in columns]
        ways = spellings(point)
        if ways is not None:
            return [func.lower(column).in_(ways) for column in columns]
        return [func.lower(column).like(one, escape="!") for column in columns for one in patterns(point)]

    def _select(self, sql: Sql) -> Select[Any]:
        links, joined = self._joined(sql)
        columns = [self.column(name) for name in self.columns.names()]
        return select(*self.keys.columns, links.c.contact_id, *columns).select_from(joined).where(*self.where)

    def _joined(self, sql: Sql) -> tuple[Table, Any]:
        links = sql.tables["contact_hosts"]
        own = and_(links.c.store == self.keys.store, links.c.pk == self.keys.sql(sql.database))
        return links, self.table.outerjoin(links, own)

    def _read(self, row: Sequence[Any]) -> HostRow:
        width = len(self.keys.columns)
        values = dict(zip(self.columns.names(), row[width + 1 :], strict=True))
        return HostRow(
            self.keys.text(row[:width]),
            row[width],
            read_fields(self.columns, values),
            read_points(self.columns, values, self.region),
        )

    def _is_one_of(self, keys: Sequence[tuple[Any, ...]]) -> ColumnElement[bool]:
        if len(self.keys.columns) == 1:
            return self.keys.columns[0].in_([values[0] for values in keys])
        each = (zip(self.keys.columns, values, strict=True) for values in keys)
        return or_(false(), *(and_(*(column == value for column, value in pairs)) for pairs in each))


def find_table(sql: Sql, name: str, schema: str | None) -> Table:
    """Return the host's table as the database describes it.

    Raises:
        ConfigError: if there is none of that name.
    """
    lenient = [("column_reflect", _lenient)] if sql.database == "sqlite" else []
    where = f"{schema}.{name}" if schema else name
    try:
        return Table(
            name,
            MetaData(),
            schema=schema,
            autoload_with=sql.connection,
            resolve_fks=False,
            listeners=lenient,
        )
    except NoSuchTableError:
        raise ConfigError(
            f"contacts are mapped to the table {where!r}, which the database does not have"
        ) from None


def _lenient(inspector: object, table: Table, column: Any) -> None:
    """Read what SQLite's column holds as it is: a declared type there promises nothing."""
    if not isinstance(column["type"], (sqltypes.Integer, sqltypes.String, sqltypes.LargeBinary)):
        column["type"] = sqltypes.NullType()


def named(table: Table, name: str) -> Column[Any]:
    """Return a table's column.

    Raises:
        ConfigError: if it has none of that name.
    """
    found = next((column for column in table.c if column.name == name), None)
    if found is None:
        known = [column.name for column in table.c]
        raise ConfigError(f"table {table.fullname!r} has no column {name!r}{did_you_mean(name, known)}")
    return found


def conditions(table: Table, where: Where) -> tuple[ColumnElement[bool], ...]:
    """Return what a mapping's `where` comes to on the table.

    Raises:
        ConfigError: if it is no condition.
    """
    if where is None:
        return ()
    if isinstance(where, Mapping):
        return tuple(_equal(named(table, name), value) for name, value in where.items())
    found = where(table) if callable(where) else where
    if not isinstance(found, ColumnElement):
        raise ConfigError(f"where of the contacts' table gave {found!r}; must be a condition of SQLAlchemy")
    return (found,)


def _equal(column: Column[Any], value: Any) -> ColumnElement[bool]:
    if isinstance(value, (list, tuple, set, frozenset)):
        return column.in_(list(value))
    test: Any = column.is_(None) if value is None else column == value
    return and_(test)


def _is_id(column: Column[Any], key: str) -> ColumnElement[bool] | None:
    """Return that a column of any type holds an external id."""
    values = HostKeys("", (column,)).values(key)
    return None if values is None else and_(column == values[0])


def _bare(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a phone number without what people write between its digits."""
    found: ColumnElement[Any] = column
    for char in _PUNCTUATION:
        found = func.replace(found, char, "", type_=String())
    return found
