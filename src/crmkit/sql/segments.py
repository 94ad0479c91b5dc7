"""Segments in SQL: their definitions, and who came and went between two refreshes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, exists, func, insert, literal, select, update

from crmkit.clock import FOREVER
from crmkit.sql.connection import Sql
from crmkit.sql.types import Instant, Minor, Text
from crmkit.sql.where.audience import Audience

_MEMBER = ("segment", "contact_id", "since", "entered_in", "left_in")


def read_segments(sql: Sql, name: str | None = None, *, lock: bool = False) -> list[Any]:
    """Return the rows of segments in the order of their names.

    Args:
        sql: the transaction's connection.
        name: of which one; None for all.
        lock: whether others are kept from changing it until the transaction ends.
    """
    segments = sql.tables["segments"]
    statement = select(segments).order_by(segments.c.name)
    statement = statement if name is None else statement.where(segments.c.name == name)
    return list(sql.execute(statement.with_for_update() if lock else statement))


def add_segment(sql: Sql, row: dict[str, Any]) -> bool:
    """Write a new segment unless its name is taken; say whether it was written."""
    return sql.claim(sql.tables["segments"], {**row, "refreshes": 0, "refreshed_at": FOREVER})


def change_segment(sql: Sql, name: str, values: dict[str, Any]) -> None:
    """Change columns of a segment."""
    segments = sql.tables["segments"]
    sql.execute(update(segments).where(segments.c.name == name).values(**values))


def drop_segment(sql: Sql, name: str) -> None:
    """Remove a segment and whom it held."""
    segments, members = sql.tables["segments"], sql.tables["segment_members"]
    sql.execute(members.delete().where(members.c.segment == name))
    sql.execute(segments.delete().where(segments.c.name == name))


def follow_merges(sql: Sql, name: str) -> None:
    """Let a contact be a member that members go on as: it did not come by the merge, nor did they leave."""
    members, aliases = sql.tables["segment_members"], sql.tables["contact_aliases"]
    there = members.alias()
    known = exists().where(there.c.segment == name, there.c.contact_id == aliases.c.survivor_id)
    zero = literal(0, Minor())
    moved = (
        select(literal(name, Text(60)), aliases.c.survivor_id, func.min(members.c.since), zero, zero)
        .join_from(members, aliases, aliases.c.contact_id == members.c.contact_id)
        .where(members.c.segment == name, ~known)
        .group_by(aliases.c.survivor_id)
    )
    sql.execute(insert(members).from_select(_MEMBER, moved))
    losers = select(aliases.c.contact_id)
    sql.execute(members.delete().where(members.c.segment == name, members.c.contact_id.in_(losers)))


def nameless(audience: Audience, limit: int) -> Select[Any]:
    """Return the statement for keys of the audience's rows that have no id yet."""
    found = select(audience.key).select_from(audience.rows).where(audience.where, audience.id.is_(None))
    return found.order_by(audience.key).limit(limit)


def enter(sql: Sql, name: str, audience: Audience, now: datetime, refresh: int) -> None:
    """Add those of the audience who are not members, as having come in this refresh."""
    members = sql.tables["segment_members"]
    known = exists().where(members.c.segment == name, members.c.contact_id == audience.id)
    values = (literal(now, Instant()), literal(refresh, Minor()), literal(0, Minor()))
    new = (
        select(literal(name, Text(60)), audience.id, *values)
        .select_from(audience.rows)
        .where(audience.where, audience.id.is_not(None), ~known)
    )
    sql.execute(insert(members).from_select(_MEMBER, new))


def leave(sql: Sql, name: str, audience: Audience, refresh: int) -> None:
    """Mark the members who are not of the audience, as having gone in this refresh."""
    members = sql.tables["segment_members"]
    found = select(audience.id).select_from(audience.rows).where(audience.where, audience.id.is_not(None))
    gone = and_(members.c.segment == name, members.c.contact_id.not_in(found))
    sql.execute(update(members).where(gone).values(left_in=refresh))


def add_members(sql: Sql, name: str, ids: Sequence[UUID], now: datetime, refresh: int) -> None:
    """Add members, as having come in this refresh."""
    values = {"segment": name, "since": now, "entered_in": refresh, "left_in": 0}
    sql.insert(sql.tables["segment_members"], [{"contact_id": id, **values} for id in ids])


def mark_members(sql: Sql, name: str, ids: Collection[UUID], refresh: int) -> None:
    """Mark some members as having gone in this refresh; at most a thousand."""
    members = sql.tables["segment_members"]
    mine = and_(members.c.segment == name, members.c.contact_id.in_(ids))
    sql.execute(update(members).where(mine).values(left_in=refresh))


def known_members(sql: Sql, name: str, ids: Collection[UUID]) -> set[UUID]:
    """Return which of some contacts, at most a thousand, are members."""
    members = sql.tables["segment_members"]
    mine = and_(members.c.segment == name, members.c.contact_id.in_(ids))
    return set(sql.execute(select(members.c.contact_id).where(mine)).scalars())


def page_of_members(
    sql: Sql, name: str, after: UUID | None, limit: int, *, column: str = "", refresh: int = 0
) -> list[UUID]:
    """Return members in the order of their ids.

    Args:
        sql: the transaction's connection.
        name: of which segment.
        after: the last id of the page before; None from the beginning.
        limit: at most how many.
        column: only those who came ("entered_in") or went ("left_in") in a refresh; empty for all.
        refresh: in which.
    """
    members = sql.tables["segment_members"]
    statement = select(members.c.contact_id).where(members.c.segment == name)
    if column:
        statement = statement.where(members.c[column] == refresh)
    if after is not None:
        statement = statement.where(members.c.contact_id > after)
    return list(sql.execute(statement.order_by(members.c.contact_id).limit(limit)).scalars())


def forget_left(sql: Sql, name: str, refresh: int) -> None:
    """Remove the members who went in a refresh."""
    members = sql.tables["segment_members"]
    sql.execute(members.delete().where(members.c.segment == name, members.c.left_in == refresh))


def count_members(sql: Sql, name: str, *, column: str = "", refresh: int = 0) -> int:
    """Return how many members there are; `column` and `refresh` as for `page_of_members`."""
    members = sql.tables["segment_members"]
    statement = select(func.count()).where(members.c.segment == name)
    statement = statement.where(members.c[column] == refresh) if column else statement
    return int(sql.execute(statement).scalar_one())
