"""tx.orders: the life of an order, and what each step of it sets off.

placed ── paid ── shipped
  │        │         │          refund: paid or shipped, until nothing is left
  └────────┴─ cancelled          amend: until it is shipped, refunded or cancelled
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs

from crmkit import codec
from crmkit.clock import FOREVER, ending
from crmkit.contacts import Contact
from crmkit.errors import KeyConflict, NotFound, TransitionRefused, ValueRefused
from crmkit.events import (
    Event,
    LogEntry,
    OrderAmended,
    OrderCancelled,
    OrderPaid,
    OrderRecorded,
    OrderRefunded,
    OrderShipped,
    RewardsDecided,
)
from crmkit.money import Money
from crmkit.orders import (
    KEY_LIMIT,
    TEXT_LIMIT,
    Order,
    OrderLine,
    OrderState,
    Refund,
    Returned,
    add_returns,
    is_whole,
    split_refund,
)
from crmkit.rewards import Decision
from crmkit.sql import orders as rows
from crmkit.sql.orders import OrderRow
from crmkit.text import clean
from crmkit.transaction.order_rewards import OrderRewards
from crmkit.transaction.outcomes import OrderOutcome, OrderRecord
from crmkit.transaction.reactions import Failure
from crmkit.transaction.roles import OrderRoles

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction

#: A step's effects: None for all, or the names of the plugins whose rules and reactions run.
Effects = Collection[str] | None


class Orders(OrderRoles):
    """Records orders and what becomes of them; every step is keyed, so that it can be repeated safely.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._rewards = OrderRewards(tx)

    def record(
        self,
        order: Order,
        *,
        state: OrderState | str = OrderState.PLACED,
        history: bool = False,
        effects: Collection[str] = (),
    ) -> OrderOutcome:
        """Record an order; recording the same order again returns the stored outcome.

        Resolves the contact, appends `OrderRecorded` (and `OrderPaid`), lets the rules decide, runs reactions.

        Args:
            order: what was ordered, and by whom.
            state: "placed", or "paid" if the money has come in.
            history: whether this takes over the past: nothing is awarded, sent or set off.
            effects: with `history`, the plugins whose rules and reactions run all the same.

        Raises:
            KeyConflict: if the order number stands for another order.
            NotFound: if `order.contact_id` is unknown.
            ValueRefused: if the order is older than `max_effect_age` and not history.
        """
        state = OrderState(state)
        if state not in (OrderState.PLACED, OrderState.PAID):
            raise ValueRefused(f"an order is recorded as 'placed' or 'paid', not {state.value!r}")
        run = self._effects(history, effects)
        if self._too_old(order.placed_at, run):
            if rows.read_order(self._tx.sql, order.key) is not None:
                return self._replayed_record(order, state)
            raise self._age(f"order {order.key!r}, placed", order.placed_at)
        contact = self._buyer(order)
        admits = contact is None and (order.points or order.name)
        if admits and rows.read_order(self._tx.sql, order.key) is not None:
            return self._replayed_record(order, state)
        try:
            with self._tx.sql.isolated():
                return self._record(order, state, contact or self._admitted(order), run)
        except _Recorded:
            return self._replayed_record(order, state)

    def paid(self, key: str, *, at: datetime | None = None, history: bool = False) -> OrderOutcome:
        """Record that an order was paid; the rules decide and the reactions run.

        Args:
            key: the order number.
            at: when; now by default.
            history: as for `record`.
        """
        row, at, run = self._step(key, at, history)
        if row.is_paid:
            return self._stored(row, step_key(row.key, "paid"))
        self._allow(row, "paid", at, run, row.state in (OrderState.PLACED, OrderState.SHIPPED))
        order = self._order(row)
        decision = self._rewards.paid(order, at, self._contact(row), run)
        state = OrderState.SHIPPED if row.shipped_at != FOREVER else OrderState.PAID
        event = OrderPaid(
            order_key=row.key, amount=order.total, awards=decision.awards, refusals=decision.refusals
        )
        entry = self._entry(row, event, step_key(row.key, "paid"), at)
        return self._take(row, {"state": state, "paid_at": at}, entry, run, decision)

    def shipped(
        self, key: str, *, at: datetime | None = None, tracking: str = "", history: bool = False
    ) -> OrderOutcome:
        """Record that an order left the house.

        Args:
            key: the order number.
            at: when; now by default.
            tracking: the carrier's number.
            history: as for `record`.
        """
        row, at, run = self._step(key, at, history)
        event = OrderShipped(order_key=row.key, tracking=clean(tracking, "tracking", limit=TEXT_LIMIT))
        event_key = step_key(row.key, "shipped")
        if row.shipped_at != FOREVER:
            return self._stored(row, event_key, event)
        self._allow(row, "shipped", at, run, row.state in (OrderState.PLACED, OrderState.PAID))
        changes = {"state": OrderState.SHIPPED, "shipped_at": at}
        return self._take(row, changes, self._entry(row, event, event_key, at), run)

    def amend(
        self,
        key: str,
        lines: Sequence[OrderLine],
        *,
        amendment: str,
        at: datetime | None = None,
        history: bool = False,
    ) -> OrderOutcome:
        """Replace the lines of an order that is not shipped; of a paid one the awards are decided anew.

        Args:
            key: the order number.
            lines: all lines as they are to be.
            amendment: the shop's id of this change, unique within the order.
            at: when; now by default.
            history: as for `record`.
        """
        row, at, run = self._step(key, at, history)
        before = self._order(row)
        order = attrs.evolve(before, lines=tuple(lines))
        if order.currency != before.currency:
            raise ValueRefused(
                f"order {key!r} is in {before.currency}; it cannot be amended to {order.currency}"
            )
        amendment = clean(amendment, "amendment", limit=KEY_LIMIT, empty=False)
        event_key = step_key(row.key, "amend", amendment)
        if stored := self._tx.events.by_key(event_key, locked=True):
            if not isinstance(stored.event, OrderAmended) or stored.event.order != order:
                raise KeyConflict(event_key, stored=stored.event, given=order)
            return self._outcome(row, stored, replayed=True)
        open_ = row.state in (OrderState.PLACED, OrderState.PAID)
        self._allow(row, "amended", at, run, open_ and not self._returned(row))
        decision = Decision()
        if row.is_paid:
            decision = self._rewards.paid_anew(row, order, at, self._contact(row), run)
        event = OrderAmended(order=order, awards=decision.awards, refusals=decision.refusals)
        entry = self._entry(row, event, event_key, at)
        return self._take(row, {"total": order.total.minor, "lines_event_id": entry.id}, entry, run, decision)

    def refund(
        self, key: str, refund: Refund, *, at: datetime | None = None, history: bool = False
    ) -> OrderOutcome:
        """Record money given back.

        Args:
            key: the order number.
            refund: whole, by line or by amount.
            at: when; now by default.
            history: as for `record`.

        Raises:
            ValueRefused: if more would be given back than was paid.
        """
        row, at, run = self._step(key, at, history)
        event_key = step_key(row.key, "refund", refund.key)
        order, before = self._order(row), self._returned(row)
        if stored := self._tx.events.by_key(event_key, locked=True):
            return self._replayed_refund(row, order, stored, refund)
        self._allow(row, "refunded", at, run, row.is_paid and row.state is not OrderState.CANCELLED)
        parts = split_refund(order, before, refund)
        amount = sum(part.minor for part in parts.values())
        returned = add_returns(before, parts)
        event = OrderRefunded(
            order_key=row.key,
            refund_key=refund.key,
            amount=Money(amount, order.currency),
            parts=parts,
            returned=returned,
            whole=is_whole(order, returned),
            reason=refund.reason,
        )
        state = OrderState.REFUNDED if event.whole else row.state
        changes = {"state": state, "refunded": row.refunded + amount}
        return self._take(row, changes, self._entry(row, event, event_key, at), run)

    def cancel(
        self, key: str, *, reason: str = "", at: datetime | None = None, history: bool = False
    ) -> OrderOutcome:
        """Record that an order was cancelled before it was shipped; what was paid for it is given back.

        Args:
            key: the order number.
            reason: the shop's words.
            at: when; now by default.
            history: as for `record`.
        """
        row, at, run = self._step(key, at, history)
        event = OrderCancelled(order_key=row.key, reason=clean(reason, "reason", limit=TEXT_LIMIT))
        event_key = step_key(row.key, "cancel")
        if row.state is OrderState.CANCELLED:
            return self._stored(row, event_key, event)
        self._allow(row, "cancelled", at, run, row.state in (OrderState.PLACED, OrderState.PAID))
        changes = {"state": OrderState.CANCELLED, "cancelled_at": at}
        given_back = {"refunded": row.total} if row.is_paid else {}
        return self._take(row, changes | given_back, self._entry(row, event, event_key, at), run)

    def get(self, key: str) -> OrderRecord:
        """Return an order as it stands.

        Raises:
            NotFound: if no order has that number.
        """
        row = self._row(key, lock=False)
        entries = self._tx.events.of_subject(row.id)
        decided = [e.event for e in entries if isinstance(e.event, (OrderPaid, OrderAmended))]
        return OrderRecord(
            id=row.id,
            order=self._order(row, locked=False),
            contact_id=row.contact_id,
            state=row.state,
            refunded=Money(row.refunded, row.currency),
            paid_at=_or_none(row.paid_at),
            shipped_at=_or_none(row.shipped_at),
            cancelled_at=_or_none(row.cancelled_at),
            returned=_returned(entries),
            awards=decided[-1].awards if decided else (),
        )

    def history(self, key: str) -> list[LogEntry]:
        """Return every event of an order, oldest first."""
        return self._tx.events.of_subject(self._row(key, lock=False).id)

    def _record(self, order: Order, state: OrderState, contact: Contact | None, run: Effects) -> OrderOutcome:
        tx, at = self._tx, order.placed_at
        kept = order.without_buyer(self._addressed(order, contact))
        paid = state is OrderState.PAID
        decision = self._rewards.paid(kept, at, contact, run) if paid else Decision()
        order_id, contact_id = tx.new_id(), kept.contact_id
        recorded = tx.events.entry(
            OrderRecorded(order=kept, state=state),
            key=step_key(order.key),
            contact_id=contact_id,
            subject_id=order_id,
            occurred_at=at,
        )
        row = OrderRow(
            id=order_id,
            key=order.key,
            contact_id=contact_id,
            state=state,
            currency=kept.currency,
            total=kept.total.minor,
            placed_at=at,
            paid_at=at if state is OrderState.PAID else FOREVER,
            lines_event_id=recorded.id,
        )
        if not rows.claim_order(tx.sql, row):
            raise _Recorded
        entries = [recorded]
        if state is OrderState.PAID:
            event = OrderPaid(
                order_key=order.key, amount=kept.total, awards=decision.awards, refusals=decision.refusals
            )
            entries.append(self._entry(row, event, step_key(order.key, "paid"), at, cause=recorded))
        failures = tx.reactions.failed(decision, recorded.key, contact_id)
        with tx.contacts.known(contact):
            tx.events.append_new([*entries, *self._related(kept, row, recorded)], run)
        return self._outcome(row, entries[-1], failures=failures + tx.reactions.told())

    def _replayed_record(self, order: Order, state: OrderState) -> OrderOutcome:
        row = rows.claimed_order(self._tx.sql, order.key)
        entries = {entry.key: entry for entry in self._tx.events.of_subject(row.id, locked=True)}
        stored = entries[step_key(order.key)].event
        assert isinstance(stored, OrderRecorded)
        owner = order.contact_id or stored.order.contact_id
        if owner != stored.order.contact_id and stored.order.contact_id is not None:
            # recorded under one id of a contact, repeated under another
            is_one = owner in self._tx.contacts.ids(stored.order.contact_id)
            owner = stored.order.contact_id if is_one else owner
        given = OrderRecorded(order=order.without_buyer(owner), state=state)
        if stored != given:
            raise KeyConflict(step_key(order.key), stored=stored, given=given)
        last = entries.get(step_key(order.key, "paid")) if state is OrderState.PAID else None
        return self._outcome(row, last or entries[step_key(order.key)], replayed=True)

    def _replayed_refund(self, row: OrderRow, order: Order, stored: LogEntry, refund: Refund) -> OrderOutcome:
        event = stored.event
        assert isinstance(event, OrderRefunded)
        earlier = _minus(event.returned, event.parts)
        said = stored.erased or event.reason == refund.reason
        if not said or split_refund(order, earlier, refund) != dict(event.parts):
            raise KeyConflict(stored.key, stored=event, given=refund)
        return self._outcome(row, stored, self._rewards.before(stored), replayed=True)

    def _buyer(self, order: Order) -> Contact | None:
        if order.contact_id is not None:
            return self._tx.contacts.get(order.contact_id)
        return self._tx.contacts.resolve(order.points) if order.points else None

    def _addressed(self, order: Order, contact: Contact | None) -> UUID | None:
        if contact is None or order.contact_id is not None:
            return order.contact_id
        return self._tx.contacts.addressed(contact, order.points)

    def _admitted(self, order: Order) -> Contact | None:
        if not order.points and not order.name:
            return None
        return self._tx.contacts.admit(order.points, name=order.name, at=order.placed_at)

    def as_recorded(self, order: Order) -> tuple[Order, Contact | None]:
        """Return an order as it is kept, and whose it is; who is not known yet is added."""
        contact = self._buyer(order) or self._admitted(order)
        return order.without_buyer(self._addressed(order, contact)), contact

    def _step(self, key: str, at: datetime | None, history: bool) -> tuple[OrderRow, datetime, Effects]:
        at = self._tx.now if at is None else ending(at, "at")
        return self._row(key, lock=True), at, self._effects(history, ())

    def _effects(self, history: bool, effects: Collection[str]) -> Effects:
        if history:
            crm = self._tx.crm  # the rules of programmes are the host's
            enabled = {one.name for one in crm.plugins} | {one.owner for one in crm.registry.rules}
            if unknown := set(effects) - enabled:
                raise ValueRefused(f"effects name {sorted(unknown)}; enabled plugins are {sorted(enabled)}")
            return frozenset(effects)
        if effects:
            raise ValueRefused("effects are named only with history=True; without it all of them run")
        return None

    def _too_old(self, at: datetime, run: Effects) -> bool:
        return run is None and self._tx.now - at > self._tx.crm.settings.max_effect_age

    def _age(self, what: str, at: datetime) -> ValueRefused:
        age, limit = self._tx.now - at, self._tx.crm.settings.max_effect_age
        return ValueRefused(
            f"{what} on {at.isoformat()}, is {age.days} days old, more than max_effect_age of {limit.days}; "
            "to take over the past without mails and points pass history=True, to let it have its effects "
            "raise settings={'core': {'max_effect_age': timedelta(...)}}"
        )

    def _row(self, key: str, *, lock: bool) -> OrderRow:
        row = rows.read_order(self._tx.sql, clean(key, "order key", limit=KEY_LIMIT, empty=False), lock=lock)
        if row is None:
            raise NotFound(f"no order has the number {key!r}")
        return row

    def _order(self, row: OrderRow, *, locked: bool = True) -> Order:
        # a step holds the order's lock, but its snapshot may be older than the last amendment
        entry = self._tx.events.get(row.lines_event_id, locked=locked)
        assert entry is not None and isinstance(entry.event, (OrderRecorded, OrderAmended))
        return entry.event.order

    def _contact(self, row: OrderRow) -> Contact | None:
        if row.contact_id is None:
            return None
        return self._tx.contacts.get_many([row.contact_id]).get(row.contact_id)

    def _returned(self, row: OrderRow) -> Mapping[str, Returned]:
        return _returned(self._tx.events.of_subject(row.id, locked=True))

    def _allow(self, row: OrderRow, step: str, at: datetime, run: Effects, allowed: bool) -> None:
        if not allowed:
            raise TransitionRefused(
                f"order {row.key!r} is {row.state.value}"
                + (f", {Money(row.refunded, row.currency)} of it refunded" if row.refunded else "")
                + f"; it cannot be {step}"
            )
        if self._too_old(at, run):  # asked only now: a step that is repeated is never too old
            raise self._age(f"the step of order {row.key!r}, taken", at)

    def _entry(
        self, row: OrderRow, event: Event, key: str, at: datetime, cause: LogEntry | None = None
    ) -> LogEntry:
        return self._tx.events.entry(
            event, key=key, contact_id=row.contact_id, subject_id=row.id, occurred_at=at, cause=cause
        )

    def _take(
        self,
        row: OrderRow,
        changes: Mapping[str, Any],
        entry: LogEntry,
        run: Effects,
        decision: Decision = Decision(),  # noqa: B008 - frozen
    ) -> OrderOutcome:
        with self._tx.sql.isolated():
            rows.update_order(self._tx.sql, row.id, changes)
            failures = self._tx.reactions.failed(decision, entry.key, row.contact_id)
            self._tx.events.append_new([entry], run)
            decided = self._rewards.after(entry, lambda: self._order(row), lambda: self._contact(row), run)
        failures += self._tx.reactions.told()
        return self._outcome(attrs.evolve(row, **changes), entry, decided, failures=failures)

    def _stored(self, row: OrderRow, key: str, given: Event | None = None) -> OrderOutcome:
        stored = self._tx.events.by_key(key, locked=True)
        if stored is None:
            # recorded as paid in one step with an event of the same key, or by another transaction
            raise TransitionRefused(f"order {row.key!r} has no event {key!r}")
        if given is not None and stored.event != given and not (stored.erased and codec.same(stored, given)):
            raise KeyConflict(key, stored=stored.event, given=given)
        return self._outcome(row, stored, self._rewards.before(stored), replayed=True)

    def _outcome(
        self,
        row: OrderRow,
        entry: LogEntry,
        decided_in: LogEntry | None = None,
        *,
        failures: tuple[Failure, ...] = (),
        replayed: bool = False,
    ) -> OrderOutcome:
        event = entry.event if decided_in is None else decided_in.event
        decides = isinstance(event, (OrderPaid, OrderAmended, RewardsDecided))
        decided: Any = event if decides else Decision()
        return OrderOutcome(
            order_id=row.id,
            contact_id=row.contact_id,
            state=row.state,
            entry=entry,
            awards=decided.awards,
            refusals=decided.refusals,
            failures=failures,
            replayed=replayed,
        )


class _Recorded(Exception):
    """The order was recorded before: what was written for it meanwhile is undone."""


def _returned(entries: Sequence[LogEntry]) -> Mapping[str, Returned]:
    # a sum, not the last one's `returned`: ids made by several processes tell no order
    total: Mapping[str, Returned] = {}
    for entry in entries:
        if isinstance(entry.event, OrderRefunded):
            total = add_returns(total, entry.event.parts)
    return total


def _minus(total: Mapping[str, Returned], parts: Mapping[str, Returned]) -> dict[str, Returned]:
    negative = {id: Returned(-part.quantity, -part.minor) for id, part in parts.items()}
    return {id: part for id, part in add_returns(total, negative).items() if part != Returned()}


def _or_none(value: datetime) -> datetime | None:
    return None if value == FOREVER else value


def step_key(order_key: str, *step: str) -> str:
    """Return the key of an order's event; an order number's own colons are escaped, so that no two keys meet."""
    return ":".join(("order", order_key.replace("%", "%25").replace(":", "%3A"), *step))
