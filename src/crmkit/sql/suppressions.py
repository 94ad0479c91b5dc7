"""The suppression list in SQL."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import Select, Table, and_, bindparam, or_, select, update

from crmkit.clock import FOREVER
from crmkit.consent import Suppression, SuppressionReason
from crmkit.errors import RetryTransaction
from crmkit.sql.connection import Sql, prepared
from crmkit.sql.consents import pages


def claim_suppression(sql: Sql, one: Suppression) -> Suppression:
    """Suppress an address, and return what holds then: this, or what held already, marked as reported again."""
    table = sql.tables["suppressions"]
    row = {
        "id": one.id,
        "digest": one.digest,
        "reason": one.reason,
        "purpose": one.purpose,
        "channel": one.channel,
        "source": one.source,
        "actor": one.actor,
        "since": one.since,
        "again_at": one.again_at,
        "until": one.until,
        "lift": "",
        "lifted_by": "",
        "lift_reason": "",
    }
    if sql.claim(table, row):
        return one
    c = table.c
    same = and_(
        c.digest == one.digest,
        c.reason == one.reason,
        c.purpose == one.purpose,
        c.channel == one.channel,
        c.lift == "",
    )
    # past the transaction's snapshot, and locked, so that two who report it count both
    found = sql.execute(select(table).where(same).with_for_update()).first()
    if found is None:
        raise RetryTransaction("a suppression of the same address was made or lifted at the same moment")
    stored = read_suppression(found)
    kept = attrs.evolve(
        stored, since=min(stored.since, one.since), again_at=max(stored.again_at, one.again_at)
    )
    if kept != stored:
        changed = {"since": kept.since, "again_at": kept.again_at}
        sql.execute(update(table).where(c.id == kept.id).values(**changed))
    return kept


def suppressions_of(sql: Sql, digests: Iterable[str], *, lifted: bool) -> list[Suppression]:
    """Return the suppressions of addresses, oldest first.

    Args:
        sql: the transaction's connection.
        digests: of the addresses.
        lifted: whether those that were lifted are wanted as well.
    """
    statement = prepared(sql.tables["suppressions"], "of", _of)
    found = [
        read_suppression(row) for page in pages(digests) for row in sql.execute(statement, {"digests": page})
    ]
    if not lifted:
        found = [one for one in found if one.until == FOREVER]
    return sorted(found, key=lambda one: (one.since, one.id)) if len(found) > 1 else found


def _of(table: Table) -> Select[Any]:
    # with `lift` in the clause, SQLite would rather read the whole list by the index that begins with it
    c = table.c
    return select(table).where(c.digest.in_(bindparam("digests", expanding=True, type_=c.digest.type)))


def lift_suppression(sql: Sql, lifted: Suppression, lift: UUID) -> bool:
    """Write that a suppression was lifted; say whether it held until now.

    Args:
        sql: the transaction's connection.
        lifted: as it is from now on.
        lift: the lift's id.
    """
    table = sql.tables["suppressions"]
    values = {
        "until": lifted.until,
        "lift": str(lift),
        "lifted_by": lifted.lifted_by,
        "lift_reason": lifted.lift_reason,
    }
    statement = update(table).where(table.c.id == lifted.id, table.c.lift == "").values(**values)
    return sql.execute(statement).rowcount == 1


def list_suppressions(sql: Sql, *, reason: str, after: Suppression | None, limit: int) -> list[Suppression]:
    """Return suppressions that hold, oldest first.

    Args:
        sql: the transaction's connection.
        reason: only those for it; all if empty.
        after: the last one of the page before.
        limit: at most how many.
    """
    table = sql.tables["suppressions"]
    c = table.c
    statement = select(table).where(c.lift == "")
    if reason:
        statement = statement.where(c.reason == reason)
    if after is not None:
        later = or_(c.since > after.since, and_(c.since == after.since, c.id > after.id))
        statement = statement.where(c.since >= after.since, later)
    return [read_suppression(row) for row in sql.execute(statement.order_by(c.since, c.id).limit(limit))]


def read_suppression(row: Any) -> Suppression:
    """Return what a row of the list holds."""
    return Suppression(
        id=row.id,
        digest=row.digest,
        reason=SuppressionReason(row.reason),
        purpose=row.purpose,
        channel=row.channel,
        source=row.source,
        actor=row.actor,
        since=row.since,
        again_at=row.again_at,
        until=row.until,
        lifted_by=row.lifted_by,
        lift_reason=row.lift_reason,
    )
