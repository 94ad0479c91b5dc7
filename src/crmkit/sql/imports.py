"""How far an import has come, kept in the transaction of each batch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import select, update

from crmkit.clock import FOREVER
from crmkit.errors import Conflict
from crmkit.sql.connection import Sql


@attrs.frozen(kw_only=True)
class Progress:
    """How far an import has come.

    Args:
        taken: rows of the file, from its beginning.
        rejects_size: bytes of the file of rejects that belong to them.
        finished: whether the whole file is taken.
        report: what the rows came to, by count.
    """

    taken: int = 0
    rejects_size: int = 0
    finished: bool = False
    report: dict[str, Any] = attrs.field(factory=dict)


def begin_import(sql: Sql, key: str, what: str, file: str, now: datetime) -> Progress:
    """Return how far an import has come; one that is not known begins here."""
    table = sql.tables["imports"]
    row = {
        "key": key,
        "what": what,
        "file": file[-300:],
        "started_at": now,
        "finished_at": FOREVER,
        "taken": 0,
        "rejects_size": 0,
        "report": {},
    }
    sql.claim(table, row)
    return read_import(sql, key)


def read_import(sql: Sql, key: str) -> Progress:
    """Return how far an import has come, and keep others from going on with it until the transaction ends."""
    table = sql.tables["imports"]
    row = sql.execute(select(table).where(table.c.key == key).with_for_update()).one()
    return Progress(
        taken=row.taken,
        rejects_size=row.rejects_size,
        finished=row.finished_at != FOREVER,
        report=row.report,
    )


def forget_import(sql: Sql, key: str) -> None:
    """Forget how far an import has come, so that it begins anew."""
    table = sql.tables["imports"]
    sql.execute(table.delete().where(table.c.key == key))


def advance_import(sql: Sql, key: str, before: int, after: Progress, now: datetime) -> None:
    """Note how far an import has come.

    Args:
        sql: the transaction of the batch.
        key: the import.
        before: rows that were taken when the batch began.
        after: how far it has come with the batch.
        now: the present instant.

    Raises:
        Conflict: if another process has gone on with it meanwhile.
    """
    if read_import(sql, key).taken != before:
        raise Conflict("another process is importing this very file; let it finish")
    table = sql.tables["imports"]
    values = {
        "taken": after.taken,
        "rejects_size": after.rejects_size,
        "finished_at": now if after.finished else FOREVER,
        "report": after.report,
    }
    sql.execute(update(table).where(table.c.key == key).values(**values))


def latest_orders(sql: Sql, contact_ids: Sequence[UUID], before: datetime, limit: int) -> list[str]:
    """Return the numbers of a contact's latest paid orders up to an instant, the latest first."""
    c = sql.tables["orders"].c
    paid = c.paid_at != FOREVER
    statement = select(c.key).where(c.contact_id.in_(contact_ids), c.placed_at <= before, paid)
    return list(sql.execute(statement.order_by(c.placed_at.desc(), c.id.desc()).limit(limit)).scalars())
