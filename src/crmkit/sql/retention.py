"""Rows whose time is over, found by a policy of retention, and never those that a legal hold keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, and_, exists, not_, or_, select, true

from crmkit.errors import SettingsError
from crmkit.retention import ACTIVITY, RetentionAction, RetentionPolicy
from crmkit.sql.connection import Sql
from crmkit.sql.persons import Person, belongs
from crmkit.sql.privacy import Declared
from crmkit.sql.tables import ERASE, RETAIN
from crmkit.sql.types import Instant, Text

#: What happens without the contact's doing does not count as activity.
_NOT_THEIRS = ("ContactErased", "MessageFailed", "MessageSent", "RetentionApplied", "StageChanged")

#: The log is never shortened, and what shows that something was done is not undone.
_KEPT = ("events", "event_personal", "seals", "erasures", "legal_holds", "installation", "cursors")


def resolve_policies(
    given: Iterable[RetentionPolicy | str], tables: Mapping[str, Table]
) -> tuple[RetentionPolicy, ...]:
    """Return the policies that the settings enable, those that tables offer looked up by name.

    Raises:
        SettingsError: if a name is unknown, or a policy does not fit its table.
    """
    offered = {one.name: one for table in tables.values() for one in table.info.get(RETAIN, ())}
    found = tuple(_offered(one, offered) if isinstance(one, str) else one for one in given)
    for policy in found:
        if fault := _fault(policy, tables):
            raise SettingsError(f"retention policy {policy.name!r}: {fault}")
    return found


def _offered(name: str, offered: Mapping[str, RetentionPolicy]) -> RetentionPolicy:
    if name not in offered:
        known = ", ".join(map(repr, sorted(offered))) or "none"
        raise SettingsError(
            f"settings['core']['retention']: no policy {name!r} is offered; known are: {known}"
        )
    return offered[name]


def _fault(policy: RetentionPolicy, tables: Mapping[str, Table]) -> str:
    table = tables.get(policy.table)
    if table is None:
        return f"there is no table {policy.table!r}; known are: {', '.join(sorted(tables))}"
    if policy.table in _KEPT:
        return f"the rows of {policy.table!r} are kept for good"
    if policy.since != ACTIVITY and not _is(table, policy.since, Instant):
        return f"{policy.table!r} has no instant {policy.since!r}"
    for name in policy.where:
        if not _is(table, name, Text):
            return f"{policy.table!r} has no text {name!r} for `where`"
    if policy.action is RetentionAction.DELETE and table.info.get(ERASE) == "keep":
        return f"{policy.table!r} is declared erase='keep'; its rows are not deleted"
    if policy.action is RetentionAction.ANONYMISE and not Declared.of("", table).personal:
        return f"{policy.table!r} holds nothing personal that could be cleared; use action='delete'"
    return ""


def _is(table: Table, name: str, kind: type) -> bool:
    return name in table.c and isinstance(table.c[name].type, kind)


def held_ids(sql: Sql, table: str, now: datetime) -> tuple[UUID, ...]:
    """Return the contacts whose rows of a table a legal hold keeps."""
    holds = sql.tables["legal_holds"]
    rows = sql.execute(select(holds.c.contact_id, holds.c.tables).where(holds.c.until > now))
    return tuple({row.contact_id for row in rows if not row.tables or table in row.tables})


def old_rows(
    sql: Sql, policy: RetentionPolicy, before: datetime, held: Person | None, after: Any, limit: int
) -> Sequence[Any]:
    """Return a page of rows whose age counts from before an instant, in the order of that instant, locked.

    Args:
        sql: a transaction's connection.
        policy: which rows.
        before: their age counts from earlier than this.
        held: of whom the rows are left out, if of anybody.
        after: the last row of the page before, or None.
        limit: at most how many.
    """
    table = sql.tables[policy.table]
    order = [table.c[policy.since], *(one for one in table.primary_key if one.name != policy.since)]
    statement = select(table).where(table.c[policy.since] < before, *_where(policy, table))
    if held is not None:
        declared = Declared.of(policy.table, table)
        if declared.reaches:
            statement = statement.where(not_(_known(belongs(declared, held, sql.tables))))
    if after is not None:
        statement = statement.where(_beyond(order, [getattr(after, one.name) for one in order]))
    return sql.execute(statement.order_by(*order).limit(limit).with_for_update()).all()


def _known(clause: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return a clause that is false where it would be NULL."""
    from sqlalchemy import case

    return case((clause, 1), else_=0) == 1


def _where(policy: RetentionPolicy, table: Table) -> list[ColumnElement[bool]]:
    return [table.c[name].in_(values) for name, values in policy.where.items()]


def _beyond(columns: Sequence[Any], values: Sequence[Any]) -> ColumnElement[bool]:
    clauses = []
    for place, column in enumerate(columns):
        same = [one == value for one, value in zip(columns[:place], values, strict=False)]
        clauses.append(and_(true(), *same, column > values[place]))
    return or_(*clauses)


def old_contacts(
    sql: Sql, policy: RetentionPolicy, before: datetime, after: UUID | None, limit: int
) -> list[UUID]:
    """Return a page of contacts that go on as themselves, are not erased, and whose time is over.

    Args:
        sql: a transaction's connection.
        policy: which contacts.
        before: nothing happened with them since, or the instant that the policy names is earlier.
        after: the last one of the page before.
        limit: at most how many.
    """
    contacts = sql.tables["contacts"]
    aliases, erasures = sql.tables["contact_aliases"].c, sql.tables["erasures"].c
    since = contacts.c["created_at" if policy.since == ACTIVITY else policy.since]
    statement = select(contacts.c.id).where(
        since < before,
        ~exists().where(aliases.contact_id == contacts.c.id),
        ~exists().where(erasures.contact_id == contacts.c.id),
        *_where(policy, contacts),
    )
    if policy.since == ACTIVITY:
        statement = statement.where(~_active(sql, contacts.c.id, before).exists())
    if after is not None:
        statement = statement.where(contacts.c.id > after)
    return list(sql.execute(statement.order_by(contacts.c.id).limit(limit)).scalars())


def is_active(sql: Sql, ids: Sequence[UUID], since: datetime) -> bool:
    """Return whether anything happened with a contact since an instant, under any of its ids."""
    events = sql.tables["events"].c
    mine = select(events.id).where(
        events.contact_id.in_(ids), events.occurred_at >= since, events.type.not_in(_NOT_THEIRS)
    )
    return sql.execute(mine.limit(1)).first() is not None


def _active(sql: Sql, contact_id: Any, since: datetime) -> Select[Any]:
    events = sql.tables["events"].c
    return select(events.id).where(
        events.contact_id == contact_id, events.occurred_at >= since, events.type.not_in(_NOT_THEIRS)
    )
