"""Loyalty(tx): what a contact has, and how it is spent."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from crmkit import Lot, NotFound, Transaction
from crmkit_loyalty import giving, reservations, spending
from crmkit_loyalty.audit import faults, rebuild
from crmkit_loyalty.configured import settings_of
from crmkit_loyalty.entries import Entry, Totals, entry_of
from crmkit_loyalty.explain import explain
from crmkit_loyalty.ledger import Account, HeldLot, Kind, Reservation, Wallet
from crmkit_loyalty.passing import passed, passing
from crmkit_loyalty.store import Store


class Loyalty:
    """Answers for the ledger, and spends from it.

    Args:
        tx: a transaction of a CRM that has the loyalty plugin.

    Raises:
        ConfigError: if it has not.
    """

    def __init__(self, tx: Transaction) -> None:
        settings_of(tx, "Loyalty")
        self._tx = tx
        self._store = Store(tx)

    def balance(self, contact_id: UUID, unit: str = "points") -> int:
        """Return what a contact holds, on hold and reserved included, minus what it owes; it may be negative."""
        return self._store.balance(self._tx.contacts.ids(contact_id), unit, self._tx.now)

    def spendable(self, contact_id: UUID, unit: str = "points") -> int:
        """Return how many units a contact may spend now; whoever owes may spend nothing."""
        return self._wallet(contact_id, unit).spendable(self._tx.now)

    def lots(self, contact_id: UUID, unit: str = "points") -> list[HeldLot]:
        """Return the lots with units left that have not expired, in the order in which they will be spent."""
        open_ = [lot for lot in self._wallet(contact_id, unit).lots if lot.left]
        return sorted(open_, key=lambda lot: (lot.expires_at, lot.id))

    def reservations(self, contact_id: UUID, unit: str = "points") -> list[Reservation]:
        """Return the reservations that may still be committed, those first that run out first."""
        found = self._wallet(contact_id, unit).reservations
        return sorted(found, key=lambda one: (one.until, one.id))

    def statement(
        self, contact_id: UUID, unit: str = "points", *, limit: int = 50, before: Entry | None = None
    ) -> list[Entry]:
        """Return what was posted for a contact, newest first.

        Args:
            contact_id: whose.
            unit: of which unit.
            limit: at most how many entries.
            before: the last entry of the page before.
        """
        edge = (before.at, before.id) if before else None
        crossed = bool(self._tx.merges.history(contact_id, limit=1))
        ids = self._tx.contacts.ids(contact_id)
        rows = self._store.statement(ids, unit, limit, edge, crossed=crossed)
        return [entry_of(row, row["change"]) for row in rows]

    def outstanding(self, unit: str = "points") -> int:
        """Return how many units all contacts hold together; what some owe is not set against it."""
        return self._store.outstanding(unit, self._tx.now)

    def totals(self, unit: str = "points") -> Totals:
        """Return the sums of the accounts as they are posted."""
        sums = self._store.sums(unit)
        return Totals(
            issued=-sums.get(Account.ISSUANCE, 0),
            pending=sums.get(Account.PENDING, 0),
            active=sums.get(Account.ACTIVE, 0),
            reserved=sums.get(Account.RESERVED, 0),
            owed=-sums.get(Account.DEBT, 0),
            redeemed=sums.get(Account.REDEEMED, 0),
            clawed=sums.get(Account.CLAWED, 0),
            expired=sums.get(Account.EXPIRED, 0),
        )

    def redeem(
        self, contact_id: UUID, amount: int, key: str, reason: str = "", *, unit: str = "points"
    ) -> Entry:
        """Spend units, those that expire soonest first; a repeated call returns the stored entry.

        Args:
            contact_id: whose.
            amount: how many, from 1 on.
            key: names this redemption for ever.
            reason: the shop's words.
            unit: of which unit.

        Raises:
            InsufficientPoints: if fewer may be spent; nothing is taken.
            KeyConflict: if the key stands for another redemption or reservation.
        """
        return spending.redeem(self._tx, contact_id, amount, key, reason, unit)

    def cancel_redemption(self, key: str) -> Entry:
        """Undo a redemption: exactly what was spent goes back to the lots it came from, once.

        A repeated call returns the stored entry. What comes back to a lot that has expired since has expired,
        unless `returned_expiry` says "new".

        Args:
            key: the redemption's key, or that of a reservation that was committed.

        Raises:
            NotFound: if there is no such redemption.
        """
        return spending.cancel_redemption(self._tx, key)

    def reserve(
        self,
        contact_id: UUID,
        amount: int,
        key: str,
        ttl: timedelta,
        reason: str = "",
        *,
        unit: str = "points",
    ) -> Entry:
        """Set units aside for a redemption that is to be committed; a repeated call returns the stored entry.

        They stay part of the balance, and nobody else may spend them.

        Args:
            contact_id: whose.
            amount: how many, from 1 on.
            key: names this redemption for ever: the same names as those of `redeem`.
            ttl: for how long, in whole seconds; then they are free again.
            reason: the shop's words.
            unit: of which unit.

        Raises:
            InsufficientPoints: if fewer may be spent.
            KeyConflict: if the key stands for another redemption or reservation.
        """
        return reservations.reserve(self._tx, contact_id, amount, key, ttl, reason, unit)

    def commit(self, key: str) -> Entry:
        """Spend what was reserved; a repeated call returns the stored entry.

        Args:
            key: the reservation's.

        Raises:
            NotFound: if there is no such reservation.
            ReservationEnded: if it was released, or its time is over.
        """
        return reservations.commit(self._tx, key)

    def release(self, key: str) -> Entry:
        """Give up what was reserved; called again, or after its time, it returns the stored entry.

        Args:
            key: the reservation's.

        Raises:
            NotFound: if there is no such reservation.
            ReservationEnded: if it was committed.
        """
        return reservations.release(self._tx, key)

    def grant(
        self,
        contact_id: UUID,
        amount: int,
        key: str,
        reason: str = "",
        *,
        unit: str = "points",
        lot: Lot = Lot(),  # noqa: B008 - frozen
    ) -> Entry:
        """Give units by hand, with a reason; a repeated call returns the stored entry.

        Args:
            contact_id: to whom.
            amount: how many, from 1 on.
            key: names this grant for ever.
            reason: the shop's words.
            unit: of which unit.
            lot: when they may be spent.

        Raises:
            NotFound: if there is no such contact.
            KeyConflict: if the key stands for another grant.
        """
        return giving.give(self._tx, Kind.GRANT, contact_id, amount, key, reason, unit, lot)

    def open(
        self,
        contact_id: UUID,
        amount: int,
        key: str,
        reason: str = "",
        *,
        unit: str = "points",
        lot: Lot = Lot(),  # noqa: B008 - frozen
    ) -> Entry:
        """Take over a balance from another programme; arguments and errors are those of `grant`."""
        return giving.give(self._tx, Kind.OPEN, contact_id, amount, key, reason, unit, lot)

    def adjust(
        self,
        contact_id: UUID,
        amount: int,
        key: str,
        reason: str,
        *,
        unit: str = "points",
        lot: Lot = Lot(),  # noqa: B008 - frozen
    ) -> Entry:
        """Correct a balance by hand; the transaction's actor is recorded. A repeated call returns the stored entry.

        Args:
            contact_id: whose.
            amount: how many units come in, or minus those that go.
            key: names this adjustment for ever.
            reason: why, in words.
            unit: of which unit.
            lot: when units that come in may be spent.

        Raises:
            NotFound: if there is no such contact.
            InsufficientPoints: if more are to go than may be spent, and `negative_adjustments` is "held".
            KeyConflict: if the key stands for another adjustment, or one by another actor.
        """
        return giving.adjust(self._tx, contact_id, amount, key, reason, unit, lot)

    def transfer(
        self,
        contact_id: UUID,
        to: UUID,
        amount: int,
        key: str,
        reason: str = "",
        *,
        unit: str = "points",
    ) -> Entry:
        """Hand units to another contact, those that expire soonest first; they expire there when they would have.

        A repeated call returns the stored entry.

        Args:
            contact_id: who has them.
            to: who gets them.
            amount: how many, from 1 on.
            key: names this transfer for ever.
            reason: the shop's words.
            unit: of which unit.

        Raises:
            InsufficientPoints: if fewer may be spent.
            NotFound: if there is no such contact as `to`.
            ValueRefused: if both are one contact.
            KeyConflict: if the key stands for another transfer.
        """
        return giving.transfer(self._tx, contact_id, to, amount, key, reason, unit)

    def explain(self, key: str) -> str:
        """Return in words how an entry came about, its arithmetic computed again from the recorded inputs.

        Args:
            key: the entry's key; that of an order's first award is `order:<number>:paid`.

        Raises:
            NotFound: if the ledger has no such key.
        """
        row = self._store.by_key(key)
        if row is None:
            raise NotFound(f"the ledger has no transaction with the key {key!r}")
        return explain(self._tx, row, self._store.postings_of(row["id"]))

    def verify(self) -> list[str]:
        """Return what is wrong with the ledger, one text each; it reads all of it."""
        return faults(self._tx)

    def rebuild(self, contact_id: UUID, unit: str = "points") -> int:
        """Set up anew what is kept beside a contact's postings: the timers of its lots and reservations.

        Args:
            contact_id: whose.
            unit: of which unit.
        """
        return rebuild(self._tx, contact_id, unit)

    def _wallet(self, contact_id: UUID, unit: str) -> Wallet:
        """The wallet as time has made it, whether or not that is posted."""
        wallet = self._store.wallet(self._tx.contacts.ids(contact_id), unit)
        return passed(wallet, passing(wallet, self._tx.now))
