"""What the life of an order does to the ledger: awards are posted, taken back, posted anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any
from uuid import UUID

import attrs

from crmkit import (
    Award,
    Base,
    Event,
    LogEntry,
    OrderAmended,
    OrderCancelled,
    OrderPaid,
    OrderRefunded,
    Transaction,
    ValueRefused,
)
from crmkit_loyalty.events import PointsClawedBack, PointsEarned
from crmkit_loyalty.journal import Journal, Kind
from crmkit_loyalty.ledger import (
    LARGEST,
    Wallet,
    claw_back,
    clawed_back,
    earn,
    refunded_part,
    settle,
)
from crmkit_loyalty.store import Row, Store, held_lot

#: Answers how much of the award that filled a lot is to be taken back in all, and how that was computed.
Target = Callable[[Row], tuple[int, dict[str, Any]]]


def on_paid(tx: Transaction, entry: LogEntry) -> None:
    """Post the awards of an order that was paid, whichever plugin's rule granted them."""
    event = entry.event
    assert isinstance(event, OrderPaid)
    if event.awards:
        _change(tx, entry, event.order_key, event.awards)


def on_amended(tx: Transaction, entry: LogEntry) -> None:
    """Take back what the order's awards still stand for, and post the new ones."""
    event = entry.event
    assert isinstance(event, OrderAmended)
    _change(tx, entry, event.order.key, event.awards, _everything("amended"))


def on_refunded(tx: Transaction, entry: LogEntry) -> None:
    """Take back the part of each award that its base was given back."""
    event = entry.event
    assert isinstance(event, OrderRefunded)
    _change(tx, entry, event.order_key, (), _Proportion(tx, event))


def on_cancelled(tx: Transaction, entry: LogEntry) -> None:
    """Take back every award of the order."""
    event = entry.event
    assert isinstance(event, OrderCancelled)
    _change(tx, entry, event.order_key, (), _everything("cancelled"))


def _everything(because: str) -> Target:
    return lambda lot: (lot["quantity"], {"because": because})


class _Proportion:
    """Takes back in proportion to what was refunded of an award's base, of what was earned at the time."""

    def __init__(self, tx: Transaction, event: OrderRefunded) -> None:
        self._event = event
        self._order = cache(lambda: tx.orders.get(event.order_key).order)

    def __call__(self, lot: Row) -> tuple[int, dict[str, Any]]:
        event, base = self._event, Base(lot["content"]["base"])
        amount = self._order().amount(base).minor
        refunded = refunded_part(self._order(), event.returned, base)
        due = clawed_back(lot["quantity"], refunded, amount, whole=event.whole)
        inputs = {"base": base, "refunded": str(refunded), "minor": amount, "whole": event.whole}
        return due, {"because": "refunded", **inputs}


def _change(
    tx: Transaction, entry: LogEntry, order_key: str, awards: Sequence[Award], target: Target | None = None
) -> None:
    store = Store(tx)
    lots = store.lots_of(entry.subject_id) if target is not None and entry.subject_id else []
    units = {award.unit for award in awards} | {lot["unit"] for lot in lots}
    if not units or entry.contact_id is None:
        return
    ids = tx.contacts.ids(entry.contact_id)
    existed = store.lock(ids, units)
    journal = Journal(tx, entry.key, entry)
    told: list[Event] = []
    for unit in sorted(units):
        work = _Unit(store, journal, entry.contact_id, ids, unit)
        if target is not None:
            told += work.take_back(order_key, [lot for lot in lots if lot["unit"] == unit], target)
        elif existed:
            work.wallet = Wallet(owed=store.owed(ids, unit, locked=True))
        told += work.post(order_key, [award for award in awards if award.unit == unit])
        work.settle()
    journal.write()
    for event in told:
        journal.tell(event, entry.contact_id)


@attrs.define(eq=False)
class _Unit:
    """One unit's share in what an order's event does.

    Args:
        store: where the wallet stands, locked.
        journal: takes the rows.
        contact_id: whose order it is.
        ids: every id of that contact.
        unit: the unit.
        wallet: what is known of the wallet so far.
    """

    store: Store
    journal: Journal
    contact_id: UUID
    ids: tuple[UUID, ...]
    unit: str
    wallet: Wallet = attrs.field(factory=Wallet)
    _last: UUID | None = None

    def post(self, order_key: str, awards: Sequence[Award]) -> list[PointsEarned]:
        rules: dict[str, int] = {}
        postings, lots = [], []
        for award in awards:
            if award.amount > LARGEST:
                raise ValueRefused(
                    f"rule {award.rule!r} awards {award.amount} {award.unit}; the ledger takes at most {LARGEST}"
                )
            rules[award.rule] = rules.get(award.rule, 0) + award.amount
            lot = self.journal.new_lot(self.contact_id, award.amount, award.lot)
            filled = earn(lot)
            content = {"rule": award.rule, "owner": award.owner, "base": award.base}
            self._last = self.journal.post(Kind.EARN, self.contact_id, self.unit, filled, content, lot=lot)
            postings += filled
            lots.append(lot)
        if self.wallet.owed:
            self.wallet = self.wallet.after(postings, *lots)
        if not rules:
            return []
        amount = sum(rules.values())
        return [PointsEarned(order_key=order_key, unit=self.unit, amount=amount, rules=rules)]

    def take_back(self, order_key: str, lots: Sequence[Row], target: Target) -> list[PointsClawedBack]:
        self.wallet = self.store.wallet(self.ids, self.unit, locked=True)
        clawed = self.store.clawed(self.ids, self.unit)
        taken, because = 0, ""
        for row in lots:
            before = clawed.get(row["id"], 0)
            wanted, inputs = target(row)
            if wanted > before:
                self._claw(row, wanted - before, {**inputs, "earned": row["quantity"], "before": before})
                taken, because = taken + wanted - before, inputs["because"]
        if not taken:
            return []
        return [PointsClawedBack(order_key=order_key, unit=self.unit, amount=taken, because=because)]

    def _claw(self, row: Row, amount: int, inputs: dict[str, Any]) -> None:
        held = {lot.id: lot for lot in self.wallet.lots}
        lot = held.get(row["id"]) or held_lot(row)
        postings = claw_back(lot, amount)
        content = {**inputs, "rule": row["content"]["rule"], "lot": str(lot.id)}
        self._last = self.journal.post(Kind.CLAW_BACK, lot.contact_id, self.unit, postings, content)
        self.wallet = self.wallet.after(postings)

    def settle(self) -> None:
        """Pay what is owed after everything else, so that it is paid out of new awards as well."""
        postings = settle(self.wallet, self.journal.now) if self.wallet.owed else []
        if postings and self._last is not None:
            self.journal.add(self._last, self.unit, postings)
