"""The rows that tables hold about contacts, one for each contact that goes on, whoever was merged into it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    Table,
    and_,
    any_,
    case,
    false,
    func,
    literal,
    or_,
    select,
    true,
)

from crmkit.errors import ExpressionError
from crmkit.expressions.sources import (
    Aggregate,
    AnyOf,
    Condition,
    Conditions,
    Exists,
    Held,
    Join,
    Members,
    Now,
    RowColumn,
)
from crmkit.sql.aliases import is_loser
from crmkit.sql.where.sums import whole_sum

CONTACT = "contact_id"
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda column, values: column.in_(values),
    "not in": lambda column, values: column.not_in(values),
}
#: Makes NULL of a column's value that counts as missing.
Good = Callable[[ColumnElement[Any]], ColumnElement[Any]]


@attrs.frozen(eq=False, kw_only=True)
class Ground:
    """What statements about contacts stand on.

    Args:
        database: sqlite, postgresql or mariadb.
        tables: the CRM's tables by their names without the prefix.
        now: the instant of the evaluation.
        merged: whether any contact goes on as another; where none does, statements need not look for it.
        of: the id of the contact whose rows are read, where each contact has a subquery of its own; None where one
            statement reads those of all.
        only: the ids to which rows are restricted, those of merged contacts among them; None for all.
    """

    database: str
    tables: Mapping[str, Table]
    now: datetime
    merged: bool = True
    of: ColumnElement[Any] | None = None
    only: Sequence[UUID] | None = None

    def table(self, name: str) -> Table:
        """Return a table.

        Raises:
            ExpressionError: if there is none of that name.
        """
        found = self.tables.get(name)
        if found is None:
            raise ExpressionError(f"a field's source names the table {name!r}, which this CRM does not have")
        return found


@attrs.frozen(eq=False)
class Owned:
    """Rows of a table with whose they are.

    Args:
        rows: the table, with its second one if it has one, and where contacts were merged with their aliases.
        contact: the id of the contact that goes on.
        is_other: whether the row is of a contact that was merged into that one: 0 or 1.
        person: the id under which the row was recorded.
    """

    rows: FromClause
    contact: ColumnElement[Any]
    is_other: ColumnElement[Any]
    person: ColumnElement[Any]


def owned(ground: Ground, name: str, join: Join | None = None) -> Owned:
    """Return the rows of a table with whose they are."""
    table = ground.table(name)
    rows: FromClause = table
    person = _column(table, CONTACT)
    if join is not None:
        second = ground.table(join.table)
        rows = rows.outerjoin(second, _column(second, join.key) == _column(table, join.column))
    if ground.of is not None:
        # SQLite knows no column of the outer statement in ORDER BY: whoever goes on as another is not that one
        is_other = is_loser(ground.tables["contact_aliases"], person)
        return Owned(rows, ground.of, case((is_other, 1), else_=0), person)
    if not ground.merged:
        return Owned(rows, person, literal(0, BigInteger), person)
    aliases = ground.tables["contact_aliases"].alias()
    rows = rows.outerjoin(aliases, aliases.c.contact_id == person)
    contact = func.coalesce(aliases.c.survivor_id, person, type_=person.type)
    is_other = case((aliases.c.survivor_id.is_(None), 0), else_=1)
    return Owned(rows, contact, is_other, person)


def aggregates(ground: Ground, kept: Sequence[tuple[Aggregate, Good]]) -> Select[Any]:
    """Return what rows come to, one row a contact: the columns are v0, v1 and so on, in the order of the sources.

    Args:
        ground: what the statement stands on.
        kept: aggregates of the same rows, each with what makes NULL of what counts as missing.
    """
    first = kept[0][0]
    whose = owned(ground, first.table, first.join)
    table = ground.table(first.table)
    values = [good(_total(ground, table, one)).label(f"v{n}") for n, (one, good) in enumerate(kept)]
    where = and_(true(), *counted(ground, table, whose, first.where, first.join))
    if ground.of is not None:
        return select(*values).select_from(whose.rows).where(where).correlate_except(*_tables(ground, first))
    return (
        select(whose.contact.label(CONTACT), *values)
        .select_from(whose.rows)
        .where(where)
        .group_by(whose.contact)
    )


def columns(ground: Ground, kept: Sequence[tuple[RowColumn, Good]]) -> Select[Any]:
    """Return columns of the row that counts of each contact, v0, v1 and so on in the order of the sources.

    Args:
        ground: what the statement stands on.
        kept: columns of the same rows, each with what makes NULL of what counts as missing.
    """
    one = kept[0][0]
    whose, table = owned(ground, one.table), ground.table(one.table)
    where = and_(true(), *counted(ground, table, whose, one.where))
    wanted = [good(_column(table, source.column)).label(f"v{n}") for n, (source, good) in enumerate(kept)]
    if ground.of is not None:
        order = _order(ground, table, whose, one)
        found = select(*wanted).select_from(whose.rows).where(where).correlate_except(table)
        return found.order_by(*order).limit(1) if one.anyone or one.first or ground.merged else found
    if not (one.anyone or one.first or ground.merged):
        return select(whose.contact.label(CONTACT), *wanted).select_from(whose.rows).where(where)
    order = _order(ground, table, whose, one)
    place = func.row_number().over(partition_by=whose.contact, order_by=order).label("place")
    numbered = (
        select(whose.contact.label(CONTACT), *wanted, place).select_from(whose.rows).where(where).subquery()
    )
    return select(*[c for c in numbered.c if c.name != "place"]).where(numbered.c.place == 1)


def members(ground: Ground, source: Members | Exists) -> Select[Any]:
    """Return the contacts that have rows, and of a set the texts as v0; a contact or text may come repeatedly.

    Args:
        ground: what the statement stands on; with `of` only the rows of that contact are read.
        source: the rows.
    """
    table, whose = ground.table(source.table), owned(ground, source.table)
    wanted = [_column(table, source.column).label("v0")] if isinstance(source, Members) else []
    if isinstance(source, Exists) or not source.latest or not (source.per or ground.merged):
        kept = and_(true(), *counted(ground, table, whose, source.where))
        return select(whose.contact.label(CONTACT), *wanted).select_from(whose.rows).where(kept)
    return _latest(ground, source, table, whose)


def _latest(ground: Ground, source: Members, table: Table, whose: Owned) -> Select[Any]:
    """Return the members of sets of which, where contacts were merged, the latest count."""
    # what is asked of the columns that rows are alike in is asked before they are ranked, the rest of the latest
    early = tuple(one for one in source.where if not source.per or _column_of(one) in source.per)
    late = tuple(one for one in source.where if isinstance(one, Condition) and one not in early)
    kept = and_(true(), *counted(ground, table, whose, early))
    order = _precedence(table, whose, source.latest)
    place: ColumnElement[Any]
    if source.per:
        alike = [whose.contact, *(_column(table, name) for name in source.per)]
        place = func.row_number().over(partition_by=alike, order_by=order)
    else:  # all rows of the person who has the latest
        last = func.first_value(whose.person).over(partition_by=whose.contact, order_by=order)
        place = case((last == whose.person, 1), else_=2)
    value = _column(table, source.column).label("v0")
    further = [_column(table, one.column) for one in late if one.column != source.column]
    inner = select(whose.contact.label(CONTACT), value, place.label("place"), *further).select_from(
        whose.rows
    )
    found = inner.where(kept).subquery()
    named = {one.column: found.c.v0 if one.column == source.column else found.c[one.column] for one in late}
    return select(found.c[CONTACT], found.c.v0).where(
        found.c.place == 1, *(_holds(ground, named[one.column], one) for one in late)
    )


def _order(ground: Ground, table: Table, whose: Owned, source: RowColumn) -> list[ColumnElement[Any]]:
    among_people = _precedence(table, whose, source.latest) if ground.merged or source.latest else []
    return [*_ordering(table, source.anyone), *among_people, *_ordering(table, source.first)]


def _column_of(one: Condition | AnyOf) -> str:
    if isinstance(one, AnyOf):
        raise ExpressionError("a field's source cannot have both AnyOf and per=")
    return one.column


def _precedence(table: Table, whose: Owned, latest: Sequence[str]) -> list[ColumnElement[Any]]:
    if latest:
        return [*(_column(table, name).desc() for name in latest), whose.person.desc()]
    return [whose.is_other, whose.person]


def _ordering(table: Table, first: Sequence[str]) -> list[ColumnElement[Any]]:
    found = [(name.startswith("-"), _column(table, name.removeprefix("-"))) for name in first]
    return [column.desc() if descending else column for descending, column in found]


def counted(
    ground: Ground, table: Table, whose: Owned, where: Conditions, join: Join | None = None
) -> list[ColumnElement[bool]]:
    """Return the conditions under which rows count.

    Args:
        ground: what the statement stands on.
        table: whose rows.
        whose: the same rows with whose they are.
        where: what they must fulfil.
        join: a second table that conditions are about.
    """
    kept = [_about(ground, table, one, join) for one in where]
    if ground.of is not None:
        return [*kept, _is_person(ground, ground.of, whose.person)]
    if ground.only is not None:
        kept.append(whose.person.in_(ground.only))
    if _column(table, CONTACT).nullable:
        kept.append(whose.person.is_not(None))
    return kept


def _is_person(ground: Ground, of: ColumnElement[Any], person: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that a row was recorded under one of a contact's ids, in a form that an index serves."""
    if not ground.merged:
        return person == of
    aliases = ground.tables["contact_aliases"].alias()
    others = select(aliases.c.contact_id).where(aliases.c.survivor_id == of).correlate_except(aliases)
    if ground.database == "postgresql":
        array: Any = func.array_append(func.array(others.scalar_subquery()), of)
        return person == any_(array)
    return or_(person == of, person.in_(others))


def _tables(ground: Ground, source: Aggregate) -> list[Table]:
    names = [source.table, source.join.table] if source.join is not None else [source.table]
    return [ground.table(name) for name in names]


def _about(ground: Ground, table: Table, one: Condition | AnyOf, join: Join | None) -> ColumnElement[bool]:
    if isinstance(one, AnyOf):
        return or_(false(), *(_about(ground, table, other, join) for other in one.conditions))
    place, _, name = one.column.rpartition(".")
    if not place:
        return _holds(ground, _column(table, one.column), one)
    if join is None or place != join.table:
        raise ExpressionError(f"a field's source asks for {one.column!r} and does not join {place!r}")
    second = ground.table(place)
    return or_(_column(second, join.key).is_(None), _holds(ground, _column(second, name), one))


def _holds(ground: Ground, column: ColumnElement[Any], one: Condition) -> ColumnElement[bool]:
    value: Held | tuple[Held, ...] = ground.now if isinstance(one.value, Now) else one.value
    return _COMPARE[one.operator](column, value)  # type: ignore[no-any-return]


def _column(table: Table, name: str) -> Any:
    if name not in table.c:
        raise ExpressionError(f"a field's source names the column {name!r}, which {table.name} does not have")
    return table.c[name]


def _total(ground: Ground, table: Table, source: Aggregate) -> ColumnElement[Any]:
    if source.function == "count":
        return func.count(type_=BigInteger)
    column = _column(table, source.column)
    if source.function != "sum":
        make = func.min if source.function == "min" else func.max
        return make(column, type_=column.type)
    if not source.minus:
        return whole_sum(ground.database, column)
    # each row's difference fits, as both are amounts; nothing else is added in 64 bits
    return whole_sum(ground.database, column - _column(table, source.minus))
