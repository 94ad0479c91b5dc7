"""What limits over several events go by: every grant of a limited rule, and every one that was undone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import MetaData, PrimaryKeyConstraint, Select, Table, bindparam, case, func, select

from crmkit import CRM, Asked, Award, LogEntry, Per, Transaction, Used
from crmkit.sql import Id, Instant, Minor, Text, column, index, prepared, table
from crmkit_loyalty.locks import latest, lock

USAGE = "loyalty_usage"
_LIMITED: WeakKeyDictionary[CRM, frozenset[str]] = WeakKeyDictionary()


def define_tables(metadata: MetaData) -> None:
    """Add the table to the CRM's metadata; its rows are only ever inserted."""
    table(
        metadata,
        USAGE,
        column("id", Id()),
        column("rule", Text(100)),
        column("contact_id", Id(), holds="subject"),
        # the order, or what else happened, for which it was granted
        column("happening", Text(255), holds="fact"),
        column("unit", Text(30)),
        # when that happened: an undone grant is taken from the window in which it was granted
        column("at", Instant()),
        column("units", Minor()),
        column("times", Minor()),
        column("currency", Text(3)),
        column("money", Minor()),
        PrimaryKeyConstraint("id"),
        index("member", "contact_id", "rule", "at"),
        index("all", "rule", "at"),
        index("happening", "happening"),
    )


class LoyaltyRewardLedger:
    """Answers from the ledger how much of a limit is used up."""

    def used(self, tx: Transaction, asked: Sequence[Asked]) -> Mapping[Asked, Used]:
        """Return how much is used up of each limit, locked until the transaction ends."""
        lock(tx, *(name for one in asked for name in _names(one)))
        return {one: _used(tx, one) for one in asked}


def order_happening(order_key: str) -> str:
    """Return the name under which grants for an order stand."""
    return f"order:{order_key}"


def use(tx: Transaction, entry: LogEntry, happening: str, awards: Iterable[Award]) -> None:
    """Take down what rules with limits granted.

    Args:
        tx: the transaction.
        entry: the event that granted it.
        happening: the order, or what else happened.
        awards: what was granted.
    """
    limited = _limited(tx.crm)
    rows = [
        {
            "id": tx.new_id(),
            "rule": rule,
            "contact_id": entry.contact_id,
            "happening": happening,
            "unit": award.unit,
            "at": entry.occurred_at,
            "units": award.amount,
            "times": 1,
            "currency": "" if award.cost is None else award.cost.currency,
            "money": 0 if award.cost is None else award.cost.minor,
        }
        for award in awards
        if (rule := award.rule.rpartition("@")[0]) in limited
    ]
    if entry.contact_id is not None:
        tx.sql.insert(tx.table(USAGE), rows)


def undo(tx: Transaction, happening: str) -> None:
    """Give back what an order used of limits, as far as it still does: once, however often it is called."""
    if not _limited(tx.crm):
        return
    usage = tx.table(USAGE)
    name = f"of happening {tx.sql.database}"
    statement = prepared(usage, name, lambda usage: latest(tx, _of_happening(usage)))
    rows = tx.sql.execute(statement, {"happening": happening}).mappings().all()
    tx.sql.insert(usage, [_negative(tx, happening, dict(row)) for row in rows if row["times"]])


def _negative(tx: Transaction, happening: str, row: Mapping[str, Any]) -> dict[str, Any]:
    sums = {name: -int(row[name]) for name in ("units", "times", "money")}
    return {**row, **sums, "id": tx.new_id(), "happening": happening}


def _limited(crm: CRM) -> frozenset[str]:
    """The names of the rules whose limits hold over several events."""
    if crm not in _LIMITED:
        rules = (owned.value for owned in crm.registry.rules)
        _LIMITED[crm] = frozenset(
            rule.name for rule in rules if any(one.needs_memory for one in getattr(rule, "limits", ()))
        )
    return _LIMITED[crm]


def _names(asked: Asked) -> list[str]:
    if asked.per is Per.ALL or asked.contact_ids is None:
        return [f"limit:{asked.rule}"]
    return [f"limit:{asked.rule}:{id}" for id in asked.contact_ids]


def _used(tx: Transaction, asked: Asked) -> Used:
    ids: Sequence[UUID] = asked.contact_ids or ()
    usage = tx.table(USAGE)
    name = f"used by {len(ids)} {tx.sql.database}"
    statement = prepared(usage, name, lambda usage: latest(tx, _sums(usage, len(ids))))
    values: dict[str, Any] = {f"contact_{number}": id for number, id in enumerate(ids)}
    excluding = order_happening(asked.excluding) if asked.excluding else ""
    values |= {
        "rule": asked.rule,
        "wanted": asked.unit,
        "currency": asked.currency,
        "start": asked.start,
        "end": asked.end,
        "excluding": excluding,
    }
    sums = tx.sql.execute(statement, values).mappings().one()
    return Used(**{name: int(amount or 0) for name, amount in sums.items()})


def _sums(usage: Table, count: int) -> Select[Any]:
    c = usage.c
    mine = c.unit == bindparam("wanted")
    spent = c.currency == bindparam("currency")
    statement = select(
        func.sum(case((mine, c.units), else_=0)).label("units"),
        func.sum(case((mine, c.times), else_=0)).label("times"),
        func.sum(case((spent, c.money), else_=0)).label("money"),
    )
    if count:
        ids = [bindparam(f"contact_{number}", type_=c.contact_id.type) for number in range(count)]
        statement = statement.where(c.contact_id == ids[0] if count == 1 else c.contact_id.in_(ids))
    at = c.at >= bindparam("start", type_=c.at.type), c.at < bindparam("end", type_=c.at.type)
    return statement.where(c.rule == bindparam("rule"), *at, c.happening != bindparam("excluding"))


def _of_happening(usage: Table) -> Select[Any]:
    c = usage.c
    named = (c.rule, c.contact_id, c.unit, c.at, c.currency)
    sums = [func.sum(one).label(one.name) for one in (c.units, c.times, c.money)]
    return select(*named, *sums).where(c.happening == bindparam("happening")).group_by(*named)
