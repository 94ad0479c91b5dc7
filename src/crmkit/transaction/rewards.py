"""tx.rewards: the rules decide over what happened, or over what would."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from crmkit import codec
from crmkit.clock import ending
from crmkit.contacts import Contact
from crmkit.errors import KeyConflict, RetryTransaction, TransactionError, ValueRefused
from crmkit.events import LogEntry, RewardsDecided
from crmkit.orders import Order
from crmkit.rewards import Asked, Decision, Facts, Standing, Used, nothing_used
from crmkit.sql import orders as rows
from crmkit.text import clean
from crmkit.transaction.outcomes import RewardOutcome

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction

TRIGGER_LIMIT, KEY_LIMIT = 60, 100
#: What the payment and the later steps of an order set off; `tx.orders` does.
OF_ORDERS = "order."


class Rewards:
    """Lets the reward rules decide; what they grant is posted by whoever reacts to the event.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def happened(
        self,
        trigger: str,
        contact_id: UUID,
        *,
        key: str,
        payload: Mapping[str, Any] | None = None,
        at: datetime | None = None,
    ) -> RewardOutcome:
        """Let the rules decide about something that happened to a contact; the same key again decides nothing.

        Appends `RewardsDecided`.

        Args:
            trigger: what happened, such as "member.birthday" or "review.approved"; rules name it.
            contact_id: to whom.
            key: names it for ever among what happened of this trigger to this contact, such as "birthday:2026".
            payload: plain data about it, for conditions over `event.*`.
            at: when; now by default.

        Raises:
            NotFound: if there is no such contact.
            KeyConflict: if the key stands for another payload.
            ValueRefused: if the trigger is one of an order, which `tx.orders` sets off.
        """
        trigger = clean(trigger, "trigger", limit=TRIGGER_LIMIT, empty=False)
        if trigger.startswith(OF_ORDERS):
            raise ValueRefused(
                f"trigger {trigger!r} is one of an order; take the order's step with tx.orders"
            )
        key = clean(key, "key", limit=KEY_LIMIT, empty=False)
        contact, plain = self._tx.contacts.get(contact_id), codec.plain(payload or {})
        if stored := self._stored(trigger, contact, key, plain):
            return stored
        at = self._tx.now if at is None else ending(at, "at")
        decision = self.decide(trigger, contact, at=at, key=key, payload=plain)
        event = RewardsDecided(
            trigger=trigger, key=key, awards=decision.awards, refusals=decision.refusals, payload=plain
        )
        name = _event_key(trigger, contact.id, key)
        try:
            with self._tx.sql.isolated():
                entry = self._tx.events.append(event, key=name, contact_id=contact_id, occurred_at=at)
                failures = self._tx.reactions.failed(decision, name, contact_id)
        except KeyConflict:  # somebody else told of it meanwhile, and the rules decided otherwise
            if stored := self._stored(trigger, contact, key, plain):
                return stored
            raise RetryTransaction(
                f"{name!r} was written by a transaction that this one cannot see yet"
            ) from None
        return _outcome(entry, failures=failures)

    def simulate(self, order: Order, *, trigger: str = "order.paid", at: datetime | None = None) -> Decision:
        """Return what the rules would decide if the order were recorded now, and change nothing.

        Args:
            order: what would be ordered, and by whom.
            trigger: what would happen to it.
            at: when; when the order was placed by default.
        """
        at = order.placed_at if at is None else ending(at, "at")
        found: list[Decision] = []
        try:
            with self._tx.sql.isolated(), self._tx.reactions.only(()):
                kept, contact = self._tx.orders.as_recorded(order)
                found.append(self.decide(trigger, contact, at=at, order=kept, key=order.key))
                raise _Undone
        except _Undone:
            return found[0]

    def decide(
        self,
        trigger: str,
        contact: Contact | None,
        *,
        at: datetime,
        order: Order | None = None,
        key: str = "",
        payload: Mapping[str, Any] | None = None,
        owners: Collection[str] | None = None,
    ) -> Decision:
        """Return what the rules decide; it reads what they declared to read, and nothing where nobody asks.

        Args:
            trigger: what happened.
            contact: to whom; about nobody nothing is decided.
            at: when.
            order: the order it is about, if any.
            key: names it for ever.
            payload: plain data about it.
            owners: whose rules decide; None for all.
        """
        registry, rules = self._tx.crm.registry, self.concerned(trigger, owners)
        if contact is None or not rules:
            return Decision()
        facts = Facts(
            trigger=trigger,
            at=at,
            order=order,
            contact=contact,
            key=key,
            payload=payload or {},
            zone=contact.zone,
            **self._read(rules, contact, order, at),
        )
        return registry.rulebook.decide(facts, registry.vetoes, self._usage, owners=owners)

    def concerned(self, trigger: str, owners: Collection[str] | None = None) -> Sequence[Standing]:
        """Return the rules that are about a trigger.

        Args:
            trigger: what happened.
            owners: whose rules; None for all.
        """
        on = self._tx.crm.registry.rulebook.on(trigger)
        return on if owners is None else [one for one in on if one.owner in owners]

    def _read(
        self, rules: Sequence[Standing], contact: Contact, order: Order | None, at: datetime
    ) -> dict[str, Any]:
        reads = {name for one in rules for name in one.reads}
        fields = {name for one in rules for name in one.fields}
        besides, found = order.key if order is not None else "", dict[str, Any]()
        if "orders.count" in reads:
            count = rows.count_orders(self._tx.sql, contact.ids, besides=besides)
            found["counters"] = {"orders.count": count}
        if "orders.placed" in reads:
            found["history"] = rows.placed(self._tx.sql, contact.ids, besides=besides, until=at)
        if fields:
            found["fields"] = self._fields(contact, sorted(fields), at)
        return found

    def _fields(self, contact: Contact, names: Sequence[str], at: datetime) -> Mapping[str, object]:
        """Return what a contact's fields hold; where a plugin fails to say, all are missing, and it is recorded."""
        from crmkit.transaction.questions import fields_of_contact  # brings in what few transactions need

        try:
            with self._tx.sql.isolated():
                return fields_of_contact(self._tx, contact, names, at)
        except TransactionError:
            raise
        except (Exception, SystemExit) as error:
            known = self._tx.crm.registry.fields
            owner = next((known[name].owner for name in names if name in known), "core")
            what = f"fields {', '.join(names)}"
            self._tx.reactions.fail(owner, what, str(contact.id), error, contact.id)
            return {}

    def _usage(self, asked: Sequence[Asked]) -> Mapping[Asked, Used]:
        ledger = self._tx.crm.registry.ledger
        return nothing_used(asked) if ledger is None else ledger.value.used(self._tx, asked)

    def _stored(
        self, trigger: str, contact: Contact, key: str, payload: Mapping[str, Any]
    ) -> RewardOutcome | None:
        # also under the ids of contacts that were merged into this one: it happened once
        keys = [_event_key(trigger, id, key) for id in contact.ids]
        found = (self._tx.events.by_key(name, locked=True) for name in keys)
        stored = next((entry for entry in found if entry is not None), None)
        if stored is None:
            return None
        event = stored.event
        assert isinstance(event, RewardsDecided)
        if not stored.erased and event.payload != payload:
            raise KeyConflict(stored.key, stored=event.payload, given=payload)
        return _outcome(stored, replayed=True)


class _Undone(Exception):
    """What was written in order to find out is undone."""


def _event_key(trigger: str, contact_id: UUID, key: str) -> str:
    return f"reward:{trigger}:{contact_id}:{key}"


def _outcome(entry: LogEntry, *, failures: Iterable[Any] = (), replayed: bool = False) -> RewardOutcome:
    event = entry.event
    assert isinstance(event, RewardsDecided)
    return RewardOutcome(
        entry=entry,
        contact_id=entry.contact_id,
        awards=event.awards,
        refusals=event.refusals,
        failures=tuple(failures),
        replayed=replayed,
    )
