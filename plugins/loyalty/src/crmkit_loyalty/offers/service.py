"""Offers(tx): defined with limits, granted to members, used once a key, given back once."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import attrs

from crmkit import (
    KeyConflict,
    LogEntry,
    Money,
    NotFound,
    OrderCancelled,
    Over,
    Reaction,
    Transaction,
    ValueRefused,
)
from crmkit_loyalty.configured import settings_of
from crmkit_loyalty.keyed import by_key, key_of, once, stored
from crmkit_loyalty.locks import lock
from crmkit_loyalty.offers.events import OfferRedeemed, OfferReleased
from crmkit_loyalty.offers.offer import Offer, OfferRefused, Usage, Use, Wanted, decide
from crmkit_loyalty.offers.store import OfferStore


class Offers:
    """Keeps offers and what is used of them.

    Args:
        tx: a transaction of a CRM that has the loyalty plugin.

    Raises:
        ConfigError: if it has not.
    """

    def __init__(self, tx: Transaction) -> None:
        settings_of(tx, "Offers")
        self._tx = tx
        self._store = OfferStore(tx)
        self._locked = OfferStore(tx, locked=True)

    def define(self, offer: Offer) -> Offer:
        """Record an offer, or a new version of one; the same one again changes nothing.

        Args:
            offer: as it is to be.

        Raises:
            KeyConflict: if this version says something else already.
        """
        if not self._store.define(offer):
            found = self._store.offer(offer.name, offer.version)
            if found != offer:
                raise KeyConflict(f"{offer.name}@{offer.version}", stored=found, given=offer)
        return offer

    def get(self, name: str) -> Offer:
        """Return the latest version of an offer.

        Raises:
            NotFound: if there is none of that name.
        """
        found = self._store.offer(name)
        if found is None:
            raise NotFound(f"there is no offer {name!r}")
        return found

    def used(self, name: str, contact_id: UUID | None = None) -> Usage:
        """Return how much of an offer everybody, or one contact, has used."""
        ids = None if contact_id is None else self._tx.contacts.ids(contact_id)
        return self._store.used(name, ids)

    def of(self, contact_id: UUID) -> list[Use]:
        """Return what was granted to a contact, used and given back, the oldest first."""
        return self._store.of(self._tx.contacts.ids(contact_id))

    def grant(self, name: str, contact_id: UUID, key: str) -> Use:
        """Let a contact use an offer that only those may use to whom it was granted.

        Args:
            name: the offer's.
            contact_id: who.
            key: names this grant for ever.

        Raises:
            NotFound: if there is no such offer or contact.
            KeyConflict: if the key stands for another grant.
        """
        offer = self.get(name)
        self._tx.contacts.get(contact_id)
        row = attrs.asdict(self._use(offer, contact_id, f"grant:{key_of(key)}", "grant"))
        return Use(**once(self._tx, self._store.uses, row, ("offer", "contact_id"))[0])

    def redeem(
        self,
        name: str,
        contact_id: UUID,
        key: str,
        *,
        cost: Money,
        units: int = 0,
        order_key: str = "",
        price: Money | None = None,
        margin: Money | None = None,
    ) -> Use | None:
        """Use an offer; a repeated call returns the stored use. What costs and gives nothing uses nothing: None.

        Args:
            name: the offer's.
            contact_id: who uses it.
            key: names this use for ever.
            cost: what it costs the shop.
            units: units that it gives.
            order_key: the order, whose cancelling gives the use back.
            price: what the customer would pay for the order without it, where the offer has a margin floor.
            margin: what the shop would keep of that.

        Raises:
            NotFound: if there is no such offer.
            OfferRefused: naming the limit that is in the way; nothing is used.
            KeyConflict: if the key stands for another use.
        """
        if cost.minor < 0 or type(units) is not int or units < 0:
            raise ValueRefused(
                f"a use of offer {name!r} costs {cost} and gives {units!r}; neither may be below 0"
            )
        ids, name_key = self._tx.contacts.ids(contact_id), f"redeem:{key_of(key)}"
        with self._tx.sql.isolated():
            offer = self.get(name)
            self._lock(offer, ids)
            given: dict[str, object] = {"offer": name, "contact_id": contact_id, "order_key": order_key}
            if offer.over is Over.REFUSE:
                given |= {"cost": cost.minor, "units": units}
            if found := stored(self._tx, self._store.uses, name_key, given, locked=True):
                return Use(**found)
            if not cost.minor and not units:
                return None
            wanted = Wanted(cost=cost, units=units, price=price, margin=margin)
            use = self._decided(offer, wanted, self._use(offer, contact_id, name_key, "redeem", order_key))
            self._tx.sql.insert(self._store.uses, [attrs.asdict(use)])
            event = OfferRedeemed(offer=name, key=key, cost=Money(use.cost, cost.currency), units=use.units)
            self._tx.events.append(event, contact_id=contact_id, subject_id=use.id)
        return use

    def release(self, key: str, cause: LogEntry | None = None) -> Use:
        """Give a use back, once; a repeated call returns what was written then.

        Args:
            key: of the use.
            cause: the event that caused it, if any.

        Raises:
            NotFound: if there is no such use.
        """
        found = by_key(self._tx, self._store.uses, f"redeem:{key_of(key)}", locked=True)
        if found is None:
            raise NotFound(f"no offer was used under the key {key!r}")
        used = Use(**found)
        with self._tx.sql.isolated():
            self._lock(self.get(used.offer), self._tx.contacts.ids(used.contact_id))
            back = attrs.evolve(
                used,
                id=self._tx.new_id(),
                key=f"release:{key}",
                kind="release",
                times=-used.times,
                units=-used.units,
                cost=-used.cost,
                at=self._tx.now,
            )
            row, is_new = once(self._tx, self._store.uses, attrs.asdict(back), ("offer", "contact_id"))
            if is_new:
                event = OfferReleased(offer=used.offer, key=key)
                self._tx.events.append(event, contact_id=used.contact_id, subject_id=used.id, cause=cause)
        return Use(**row)

    def _decided(self, offer: Offer, wanted: Wanted, use: Use) -> Use:
        """Return a use with what the offer gives for it; the caller holds the locks."""
        ids = self._tx.contacts.ids(use.contact_id)
        if offer.granted_only and not self._locked.is_granted(offer.name, ids):
            raise OfferRefused(offer.name, f"it was not granted to contact {use.contact_id}")
        everybody, mine = self._locked.used(offer.name), self._locked.used(offer.name, ids)
        found = decide(offer, wanted, everybody, mine, self._tx.now)
        return attrs.evolve(use, times=1, units=found.units, cost=found.cost.minor)

    def _lock(self, offer: Offer, contact_ids: Sequence[UUID]) -> None:
        """Lock what the limits of an offer are about: all of it only where all share a limit."""
        shared = offer.budget is not None or offer.units is not None
        names = [f"offer:{offer.name}"] if shared else []
        lock(self._tx, *names, *(f"offer:{offer.name}:{id}" for id in contact_ids))

    def _use(self, offer: Offer, contact_id: UUID, key: str, kind: str, order_key: str = "") -> Use:
        return Use(
            id=self._tx.new_id(),
            key=key,
            kind=kind,
            offer=offer.name,
            version=offer.version,
            contact_id=contact_id,
            order_key=order_key,
            at=self._tx.now,
        )


def reactions() -> list[Reaction]:
    """Return what gives uses back."""
    return [Reaction(OrderCancelled, on_cancelled, essential=True)]


def on_cancelled(tx: Transaction, entry: LogEntry) -> None:
    """Give back what was used for an order that was cancelled."""
    event = entry.event
    assert isinstance(event, OrderCancelled)
    for use in OfferStore(tx, locked=True).of_order(event.order_key):
        Offers(tx).release(use.key.removeprefix("redeem:"), entry)
