"""Fields by where they are kept: those of the same rows are read by one statement."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import attrs
from sqlalchemy import BigInteger, ColumnElement, Select, String, and_, case, literal

from crmkit.clock import FOREVER
from crmkit.contacts.merged import GROUPS
from crmkit.expressions.fields import Field
from crmkit.expressions.kinds import HIGHEST, LOWEST, FieldType
from crmkit.expressions.sources import (
    Aggregate,
    ContactColumn,
    Members,
    RowColumn,
    Source,
)
from crmkit.sql.types import Instant
from crmkit.sql.where.rows import Ground, aggregates, columns

VALUES = "contact_values"
_IN_TEXT = (FieldType.TEXT, FieldType.DATE, FieldType.TEXT_SET)

#: Contact fields that a merge fills together where the one that goes on has none of them.
FILLED = {name: group for group in GROUPS for name in group if name != "first_name"}


def source_of(field: Field) -> Source:
    """Return where a field is kept: as it says, or as custom fields are."""
    if field.source is not None:
        return field.source
    column, where = ("text" if field.type in _IN_TEXT else "number"), {"field": field.name}
    make = Members if field.type is FieldType.TEXT_SET else RowColumn
    return make(VALUES, column, where=where, latest="set_at")


@attrs.frozen(eq=False)
class Group:
    """Fields that come from the same rows of a table.

    Args:
        fields: the fields.
        sources: where each is kept, in the same order: all columns, or all aggregates.
    """

    fields: tuple[Field, ...]
    sources: tuple[RowColumn, ...] | tuple[Aggregate, ...]

    def select(self, ground: Ground) -> Select[Any]:
        """Return the statement with the contact's id, and v0, v1 and so on for the fields; NULL is missing."""
        good = [partial(made_good, field) for field in self.fields]
        if isinstance(self.sources[0], Aggregate):
            return aggregates(ground, list(zip(self.sources, good, strict=True)))
        return columns(ground, list(zip(self.sources, good, strict=True)))


def made_good(field: Field, raw: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a value of a CRM's own column as NULL where it counts as missing."""
    found = guards(field, raw)
    return case((and_(*found), raw)) if found else raw


def guards(field: Field, raw: ColumnElement[Any]) -> list[ColumnElement[bool]]:
    """Return the conditions without which a value of a CRM's own column counts as missing."""
    if field.type in (FieldType.TEXT, FieldType.DATE):
        return [raw != literal("", String())]
    if field.type is FieldType.INSTANT and isinstance(raw.type, Instant):
        return [raw != literal(FOREVER, Instant())]
    if field.type.is_number and (field.kind.low > LOWEST or field.kind.high < HIGHEST):
        return [raw.between(literal(field.kind.low, BigInteger), literal(field.kind.high, BigInteger))]
    return []


def groups_of(fields: Iterable[Field], at: dict[Field, Source], *, single: bool = False) -> list[Group]:
    """Return the fields that are read from rows of tables, in groups.

    Args:
        fields: any fields; those that are kept otherwise are left out.
        at: where each is kept.
        single: whether each field is a group of its own.
    """
    found: dict[Any, list[Field]] = {}
    for field in fields:
        source = at[field]
        if isinstance(source, RowColumn | Aggregate):
            found.setdefault(field if single else _rows_of(source), []).append(field)
    return [Group(tuple(group), tuple(_stored(at[field]) for field in group)) for group in found.values()]


def _stored(source: Source) -> Any:
    assert isinstance(source, RowColumn | Aggregate)
    return source


def _rows_of(source: RowColumn | Aggregate) -> tuple[Any, ...]:
    if isinstance(source, Aggregate):
        return ("aggregate", source.table, source.where, source.join)
    return ("column", source.table, source.where, source.anyone, source.first, source.latest)


def in_store(field: Field, source: Source, known: Iterable[str]) -> Source:
    """Return a contact column's other place if the store does not have it, and any other source as it is."""
    if isinstance(source, ContactColumn) and source.otherwise is not None and source.field not in known:
        return source.otherwise
    return source
