"""Rows of the cursors table that a process holds with a lease: places in the log, and jobs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import attrs
from sqlalchemy import select, update

from crmkit.clock import FOREVER
from crmkit.sql.connection import Sql
from crmkit.sql.events import CURSOR


@attrs.frozen(kw_only=True)
class Cursor:
    """A place that one process at a time moves.

    Args:
        name: its name.
        position: how far it has come.
        lease_until: from when another process may take it.
    """

    name: str
    position: int
    lease_until: datetime


def read_cursors(sql: Sql, names: Iterable[str]) -> dict[str, Cursor]:
    """Return the cursors that exist, by name."""
    c = sql.tables["cursors"].c
    rows = sql.execute(select(c.name, c.position, c.lease_until).where(c.name.in_(list(names))))
    return {
        row.name: Cursor(name=row.name, position=row.position, lease_until=row.lease_until) for row in rows
    }


def last_position(sql: Sql) -> int:
    """Return the position of the last event that has one."""
    c = sql.tables["cursors"].c
    position: int = sql.execute(select(c.position).where(c.name == CURSOR)).scalar_one()
    return position


def add_cursor(sql: Sql, name: str, position: int, free_from: datetime) -> None:
    """Add a cursor unless there is one of that name."""
    row = {"name": name, "position": position, "lease_until": free_from, "holder": None}
    sql.claim(sql.tables["cursors"], row)


def take_cursor(sql: Sql, name: str, now: datetime, until: datetime, holder: UUID) -> bool:
    """Take a cursor whose lease is over; say whether it could be taken."""
    table = sql.tables["cursors"]
    free = (table.c.name == name) & (table.c.lease_until <= now)
    return sql.execute(update(table).where(free).values(lease_until=until, holder=holder)).rowcount == 1


def move_cursor(sql: Sql, name: str, holder: UUID, position: int, until: datetime) -> bool:
    """Write how far a cursor has come and until when it is held; say whether the holder still had it."""
    table = sql.tables["cursors"]
    mine = (table.c.name == name) & (table.c.holder == holder)
    return sql.execute(update(table).where(mine).values(position=position, lease_until=until)).rowcount == 1


def set_cursor(sql: Sql, name: str, position: int) -> None:
    """Write a cursor that nobody holds, adding it if there is none."""
    table = sql.tables["cursors"]
    found = sql.execute(update(table).where(table.c.name == name).values(position=position)).rowcount
    if not found and position:
        add_cursor(sql, name, position, FOREVER)
