"""What the life of an order does to the ledger: awards are posted, taken back, posted anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID

import attrs

from crmkit import (
    Award,
    Base,
    Effect,
    Event,
    LogEntry,
    OrderAmended,
    OrderCancelled,
    OrderPaid,
    OrderRefunded,
    RewardsDecided,
    Transaction,
    ValueRefused,
)
from crmkit_loyalty.configured import settings_of
from crmkit_loyalty.events import PointsClawedBack, PointsEarned
from crmkit_loyalty.issuing import issue, revoke
from crmkit_loyalty.journal import Journal
from crmkit_loyalty.ledger import (
    LARGEST,
    Account,
    Kind,
    Wallet,
    clawed_back,
    refunded_lines,
    refunded_part,
)
from crmkit_loyalty.moves import claw_back, earn, settle
from crmkit_loyalty.store import Row, Store, held_lot
from crmkit_loyalty.touch import touched
from crmkit_loyalty.usage import order_happening, undo, use

#: Answers how much of the award that filled a lot is to be taken back in all, and how that was computed.
Target = Callable[[Row], tuple[int, dict[str, Any]]]


def on_paid(tx: Transaction, entry: LogEntry) -> None:
    """Post the awards of an order that was paid, whichever plugin's rule granted them."""
    event = entry.event
    assert isinstance(event, OrderPaid)
    _grant(tx, entry, order_happening(event.order_key), event.awards)
    _change(tx, entry, event.order_key, event.awards)


def on_decided(tx: Transaction, entry: LogEntry) -> None:
    """Post the awards for something else that happened."""
    event = entry.event
    assert isinstance(event, RewardsDecided)
    of_order = event.trigger.startswith("order.")
    happening = order_happening(event.key) if of_order else entry.key
    _grant(tx, entry, happening, event.awards)
    # what a refund earns is none of what further refunds take back
    keeps = event.trigger == "order.refunded"
    _change(tx, entry, event.key if of_order else "", event.awards, keeps=keeps)


def on_amended(tx: Transaction, entry: LogEntry) -> None:
    """Take back what the order's awards still stand for, and post the new ones."""
    event = entry.event
    assert isinstance(event, OrderAmended)
    _undo(tx, entry, event.order.key, "amended")
    _grant(tx, entry, order_happening(event.order.key), event.awards)
    _change(tx, entry, event.order.key, event.awards, _everything("amended"))


def on_refunded(tx: Transaction, entry: LogEntry) -> None:
    """Take back the part of each award that its base was given back."""
    event = entry.event
    assert isinstance(event, OrderRefunded)
    if event.whole:
        _undo(tx, entry, event.order_key, "refunded")
    _change(tx, entry, event.order_key, (), _Proportion(tx, event))


def on_cancelled(tx: Transaction, entry: LogEntry) -> None:
    """Take back every award of the order."""
    event = entry.event
    assert isinstance(event, OrderCancelled)
    _undo(tx, entry, event.order_key, "cancelled")
    _change(tx, entry, event.order_key, (), _everything("cancelled"))


def _grant(tx: Transaction, entry: LogEntry, happening: str, awards: Sequence[Award]) -> None:
    if awards:
        use(tx, entry, happening, awards)
        issue(tx, entry, awards)


def _undo(tx: Transaction, entry: LogEntry, order_key: str, because: str) -> None:
    undo(tx, order_happening(order_key))
    revoke(tx, entry, because)


def _everything(because: str) -> Target:
    return lambda lot: (lot["quantity"], {"because": because})


class _Proportion:
    """Takes back in proportion to what was refunded of an award's base, of what was earned at the time."""

    def __init__(self, tx: Transaction, event: OrderRefunded) -> None:
        self._event = event
        self._order = cache(lambda: tx.orders.get(event.order_key).order)

    def __call__(self, lot: Row) -> tuple[int, dict[str, Any]]:
        event, content = self._event, lot["content"]
        if content.get("lines"):
            return self._of_lines(lot["quantity"], content["lines"])
        base = Base(content["base"])
        amount = self._order().amount(base).minor
        refunded = refunded_part(self._order(), event.returned, base)
        due = clawed_back(lot["quantity"], refunded, amount, whole=event.whole)
        inputs = {"base": base, "refunded": str(refunded), "minor": amount, "whole": event.whole}
        return due, {"because": "refunded", **inputs}

    def _of_lines(self, quantity: int, lines: Mapping[str, int]) -> tuple[int, dict[str, Any]]:
        """Take back what was earned by lines in the proportion in which each of these was given back."""
        event = self._event
        gone = refunded_lines(self._order(), event.returned, lines)
        inputs = {"refunded": str(gone), "minor": quantity, "whole": event.whole}
        return clawed_back(quantity, gone, quantity, whole=event.whole), {"because": "refunded", **inputs}


def _change(
    tx: Transaction,
    entry: LogEntry,
    order_key: str,
    awards: Sequence[Award],
    target: Target | None = None,
    *,
    keeps: bool = False,
) -> None:
    awards = [award for award in awards if award.effect is Effect.POINTS]
    if target is None and not awards:
        return
    store = Store(tx)
    lots = store.lots_of(entry.subject_id) if target is not None and entry.subject_id else []
    units = {award.unit for award in awards} | {lot["unit"] for lot in lots}
    if not units or entry.contact_id is None:
        return
    ids = tx.contacts.ids(entry.contact_id)
    existed = store.lock(ids, units)
    idle = settings_of(tx, "Loyalty").inactivity_days is not None
    journal = Journal(tx, entry.key, entry)
    journal.order_id = None if keeps else journal.order_id
    told: list[Event] = []
    for unit in sorted(units):
        work = _Unit(store, journal, entry.contact_id, ids, unit)
        if target is not None:
            work.wallet = touched(tx, store, ids, unit)
            told += work.take_back(order_key, [lot for lot in lots if lot["unit"] == unit], target)
        elif existed and (idle or store.owed(ids, unit, locked=True)):
            # before what is earned moves the end of the rest, or pays a debt with what ends sooner
            work.wallet = touched(tx, store, ids, unit)
        told += work.post(order_key, [award for award in awards if award.unit == unit])
        work.settle()
    journal.write()
    for event in told:
        journal.tell(event, entry.contact_id)


def _content(award: Award) -> dict[str, Any]:
    content: dict[str, Any] = {"rule": award.rule, "owner": award.owner, "base": award.base}
    more = {"programme": award.programme, "lines": dict(award.lines)}
    return content | {name: value for name, value in more.items() if value}


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
            filled = earn(lot, self.journal.now)
            content = _content(award)
            self._last = self.journal.post(Kind.EARN, self.contact_id, self.unit, filled, content, lots=[lot])
            postings += filled
            lots.append(lot)
        if self.wallet.owed:
            self.wallet = self.wallet.after(postings, *lots)
        if not rules:
            return []
        amount = sum(rules.values())
        return [PointsEarned(order_key=order_key, unit=self.unit, amount=amount, rules=rules)]

    def take_back(self, order_key: str, lots: Sequence[Row], target: Target) -> list[PointsClawedBack]:
        gone = self.store.gone(self.ids, self.unit)
        taken, because = 0, ""
        for row in lots:
            before = gone.get((row["id"], Account.CLAWED), 0)
            expired = gone.get((row["id"], Account.EXPIRED), 0)
            wanted, inputs = target(row)
            if wanted > before:
                inputs = {**inputs, "earned": row["quantity"], "before": before}
                self._claw(row, wanted - before, expired, inputs)
                taken, because = taken + wanted - before, inputs["because"]
        if not taken:
            return []
        return [PointsClawedBack(order_key=order_key, unit=self.unit, amount=taken, because=because)]

    def _claw(self, row: Row, amount: int, expired: int, inputs: dict[str, Any]) -> None:
        held = {lot.id: lot for lot in self.wallet.lots}
        lot = attrs.evolve(held.get(row["id"]) or held_lot(row), expired=expired)
        postings = claw_back(lot, amount)
        content = {**inputs, "rule": row["content"]["rule"], "lot": str(lot.id)}
        self._last = self.journal.post(Kind.CLAW_BACK, lot.contact_id, self.unit, postings, content)
        self.wallet = self.wallet.after(postings)

    def settle(self) -> None:
        """Pay what is owed after everything else, so that it is paid out of new awards as well."""
        postings = settle(self.wallet, self.journal.now) if self.wallet.owed else []
        if postings and self._last is not None:
            self.journal.add(self._last, self.unit, postings)
