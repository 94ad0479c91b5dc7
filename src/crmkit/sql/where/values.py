"""Values of fields in SQL: read from a contact's own columns and from what tables hold about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    not_,
    null,
    or_,
    select,
    tuple_,
)
from sqlalchemy import types as sqltypes
from sqlalchemy.dialects import mysql

from crmkit.clock import micros
from crmkit.contacts import Contact
from crmkit.errors import ExpressionError
from crmkit.expressions.fields import Field
from crmkit.expressions.kinds import FieldType
from crmkit.expressions.sources import (
    Aggregate,
    Clock,
    Consent,
    ContactColumn,
    Exists,
    Members,
    RowColumn,
    Source,
)
from crmkit.sql.source import ContactSource
from crmkit.sql.types import Text
from crmkit.sql.where import dates
from crmkit.sql.where.consents import consent
from crmkit.sql.where.groups import FILLED, Group, groups_of, guards, in_store, source_of
from crmkit.sql.where.rows import CONTACT, Ground, members

#: Collations that compare text by code point and forgive no trailing space.
BINARY = {"sqlite": "BINARY", "postgresql": "C", "mariadb": "utf8mb4_nopad_bin"}
_OF_TEXT = (FieldType.TEXT, FieldType.DATE)
#: Parts of the address to use where the store has columns for them, after one that says of what use it is.
_PLACES = dict.fromkeys(("country", "city", "postcode"), ("address", "country", "city", "postcode"))
_DEFAULTS = {field.name: field.default for field in attrs.fields(Contact)}


@attrs.frozen(eq=False)
class Value:
    """A value in SQL.

    Numbers are whole: decimals are scaled, instants microseconds, booleans 0 or 1; dates are ISO 8601 text.

    Args:
        raw: the value where the guards hold; NULL if missing.
        guards: conditions without which the value counts as missing.
        least: for a count, which is NULL in `raw` where there is nothing to count: 0.
    """

    raw: ColumnElement[Any]
    guards: tuple[ColumnElement[bool], ...] = ()
    least: int | None = None

    @property
    def whole(self) -> ColumnElement[Any]:
        """The value, or NULL: fit for arithmetic, which may fail on what counts as missing."""
        found = self.raw if self.least is None else func.coalesce(self.raw, self.least, type_=BigInteger)
        return case((and_(*self.guards), found)) if self.guards else found


class Scope:
    """The rows of all contacts with what an expression asks about them.

    Args:
        ground: what statements stand on.
        source: the contacts.
        fields: all fields of the expression.
        each: whether what other tables hold is read by a subquery for each contact, which is quick where few
            contacts are left to be asked about; else by one statement about all, joined to the contacts.
    """

    def __init__(
        self, ground: Ground, source: ContactSource, fields: Iterable[Field], *, each: bool = False
    ) -> None:
        self.source, self.each = source, each
        self.ground = attrs.evolve(ground, of=source.id if each else None)
        self.is_own = source.rows is ground.tables["contacts"]
        self.at: dict[Field, Source] = {
            field: in_store(field, source_of(field), source.columns) for field in fields
        }
        self.rows: FromClause = source.rows
        self._found: dict[Field, ColumnElement[Any]] = {}
        self._fillers: dict[Sequence[str], FromClause] = {}
        for group in groups_of(self.at, self.at, single=each):
            self._read(group)
        for field, place in self.at.items():
            if isinstance(place, ContactColumn):
                self._found[field] = self._own_column(field, place)
            elif isinstance(place, Consent):
                self._read_consent(field, place)

    def value(self, field: Field) -> Value:
        """Return the value of a field that is no set."""
        source = self.at[field]
        match source:
            case Clock():
                return Value(self._present(field))
            case Exists():
                return Value(case((self.among(field), 1), else_=0))
            case ContactColumn():
                return self._of_contact(field, self._found[field])
            case Aggregate(function="count"):
                return Value(self._found[field], least=None if self.each else 0)
            case Consent():
                return Value(exact_text(self._found[field], self.ground.database))
            case RowColumn() | Aggregate():
                return Value(self._found[field])
        raise ExpressionError(f"field {field.name} can be asked in Python only")

    def among(self, field: Field, item: ColumnElement[Any] | None = None) -> ColumnElement[bool]:
        """Return the condition that a contact has a row for the field; NULL or false if it has no id.

        Args:
            field: a set, or whether something exists.
            item: the text that is in the set; any if none is given.
        """
        source = self.at[field]
        assert isinstance(source, Members | Exists)
        if self._asks_each(source):
            return self._exists(source, item)
        rows = members(attrs.evolve(self.ground, of=None), source).subquery()
        contact = rows.c[CONTACT]
        return self.source.id.in_(
            select(contact) if item is None else select(contact).where(rows.c.v0 == item)
        )

    def pairs(self, field: Field, item: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the condition that a text, which differs from contact to contact, is in a set."""
        source = self.at[field]
        assert isinstance(source, Members)
        if self._asks_each(source):
            return self._exists(source, item)
        rows = members(attrs.evolve(self.ground, of=None), source).subquery()
        return tuple_(self.source.id, item).in_(select(rows.c[CONTACT], rows.c.v0))

    def _read(self, group: Group) -> None:
        if self.each:
            (field,) = group.fields
            self._found[field] = group.select(self.ground).scalar_subquery()
        else:
            self._join(group.select(self.ground), group.fields)

    def _read_consent(self, field: Field, source: Consent) -> None:
        # what a subquery reads from cannot see the statement around it on MariaDB
        if self.each and self.ground.database != "mariadb":
            self._found[field] = consent(self.ground, source.purpose).scalar_subquery()
        else:
            self._join(consent(attrs.evolve(self.ground, of=None), source.purpose), (field,))

    def _join(self, found: Select[Any], fields: Sequence[Field]) -> None:
        joined = found.subquery()
        self.rows = self.rows.outerjoin(joined, joined.c[CONTACT] == self.source.id)
        self._found |= {field: joined.c[f"v{n}"] for n, field in enumerate(fields)}

    def _asks_each(self, source: Members | Exists) -> bool:
        # planners turn EXISTS into a join where that is better, but not over rows that are ranked or merged first
        merged = self.ground.merged
        ranked = isinstance(source, Members) and bool(source.per or (source.latest and merged))
        return not ranked and (self.each or not merged)

    def _exists(self, source: Members | Exists, item: ColumnElement[Any] | None) -> ColumnElement[bool]:
        rows = members(attrs.evolve(self.ground, of=self.source.id), source)
        table = self.ground.table(source.table)
        if item is not None:
            assert isinstance(source, Members)
            rows = rows.where(table.c[source.column] == item)
        return rows.correlate_except(table).exists()

    def _present(self, field: Field) -> ColumnElement[Any]:
        if field.type is FieldType.DATE:
            return literal(self.ground.now.date().isoformat(), String())
        return literal(micros(self.ground.now), BigInteger)

    def _of_contact(self, field: Field, raw: ColumnElement[Any]) -> Value:
        if self.is_own or field.type not in _OF_TEXT:
            return Value(raw, tuple(guards(field, raw)))
        text = exact_text(raw, self.ground.database)
        return Value(text, (*guards(field, text), *_plain_text(text, field, self.ground.database)))

    def _own_column(self, field: Field, place: ContactColumn) -> ColumnElement[Any]:
        column = self.source.columns.get(place.field)
        if column is None:
            return _absent(field, place.field)
        together = FILLED.get(place.field, ()) or _PLACES.get(place.field, ())
        group = tuple(name for name in together if name in self.source.columns)
        if not (self.ground.merged and group and (self.is_own or self.source.others)):
            return column
        filler = self._filler(group)
        return case((self._fills(filler, group), filler.c[place.field]), else_=column)

    def _fills(self, filler: FromClause, group: Sequence[str]) -> ColumnElement[bool]:
        own = self.source.columns
        if group[0] == "address":  # another's that is preferred counts before any that is not
            return and_(filler.c.address > own["address"])
        said = or_(*(self._says(name, own[name]) for name in group))
        return and_(not_(said), filler.c.survivor_id.is_not(None))

    def _says(self, name: str, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the condition that a text field of a contact is not empty."""
        if self.is_own or name != "birth_date":
            return column != ""
        return dates.is_date(exact_text(column, self.ground.database), self.ground.database)

    def _filler(self, together: Sequence[str]) -> FromClause:
        """Return what the first of those merged into each contact has of some fields, joined to the rows."""
        if together not in self._fillers:
            aliases = self.ground.tables["contact_aliases"].alias()
            contacts = self.source.others() if self.source.others else self.ground.tables["contacts"].alias()
            found = [contacts.c[name] for name in together]
            first = [contacts.c.address.desc()] if together[0] == "address" else []
            order = [*first, aliases.c.contact_id]
            place = func.row_number().over(partition_by=aliases.c.survivor_id, order_by=order)
            joined = aliases.join(contacts, contacts.c.id == aliases.c.contact_id)
            inner = select(aliases.c.survivor_id, *found, place.label("place")).select_from(joined)
            says = [self._says(name, contacts.c[name]) for name in together]
            numbered = inner.where(or_(*says)).subquery()
            filler = select(numbered).where(numbered.c.place == 1).subquery()
            self.rows = self.rows.outerjoin(filler, filler.c.survivor_id == self.source.id)
            self._fillers[together] = filler
        return self._fillers[together]


def exact_text(raw: ColumnElement[Any], database: str) -> ColumnElement[Any]:
    """Return text of a host's column as text that is compared by code point."""
    kind = mysql.CHAR(charset="utf8mb4") if database == "mariadb" else sqltypes.Text()
    return cast(raw, kind).collate(BINARY[database])


def _plain_text(raw: ColumnElement[Any], field: Field, database: str) -> list[ColumnElement[bool]]:
    """Return what a host's text must be to count: without NUL, and as a date a date of the calendar."""
    if field.type is FieldType.DATE:
        return [dates.is_date(raw, database)]
    return [] if database == "postgresql" else [func.instr(raw, func.char(0)) == 0]


def _absent(field: Field, name: str) -> ColumnElement[Any]:
    default = _DEFAULTS.get(name)
    if field.type is FieldType.BOOLEAN and isinstance(default, bool):
        return literal(int(default), BigInteger)
    if field.type is FieldType.TEXT and isinstance(default, str):
        return literal(str(default), Text())
    return null()
