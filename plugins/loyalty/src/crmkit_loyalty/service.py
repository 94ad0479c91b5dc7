"""Loyalty(tx): what a contact has, and how it is spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from crmkit import (
    ConfigError,
    Event,
    KeyConflict,
    Lot,
    NotFound,
    RetryTransaction,
    Transaction,
    ValueRefused,
)
from crmkit_loyalty.entries import Entry, InsufficientPoints, Totals, entry_of
from crmkit_loyalty.events import PointsGranted, PointsRedeemed, PointsReturned
from crmkit_loyalty.explain import explain
from crmkit_loyalty.journal import Journal, Kind
from crmkit_loyalty.ledger import LARGEST, Account, HeldLot, Posting, earn, give_back, redeem, settle
from crmkit_loyalty.store import Store
from crmkit_loyalty.tables import WALLETS

KEY_LIMIT = 200


class Loyalty:
    """Answers for the ledger, and spends from it.

    Args:
        tx: a transaction of a CRM that has the loyalty plugin.

    Raises:
        ConfigError: if it has not.
    """

    def __init__(self, tx: Transaction) -> None:
        if WALLETS not in tx.crm.tables:
            raise ConfigError("Loyalty(tx) needs the loyalty plugin: CRM(url, plugins=['loyalty'])")
        self._tx = tx
        self._store = Store(tx)

    def balance(self, contact_id: UUID, unit: str = "points") -> int:
        """Return what a contact holds, not yet active units included, minus what it owes; it may be negative."""
        return self._store.balance(self._tx.contacts.ids(contact_id), unit, self._tx.now)

    def spendable(self, contact_id: UUID, unit: str = "points") -> int:
        """Return how many units a contact may spend now; whoever owes may spend nothing."""
        return self._store.wallet(self._tx.contacts.ids(contact_id), unit).spendable(self._tx.now)

    def lots(self, contact_id: UUID, unit: str = "points") -> list[HeldLot]:
        """Return the lots with units left that have not expired, in the order in which they will be spent."""
        held = self._store.wallet(self._tx.contacts.ids(contact_id), unit).lots
        open_ = [lot for lot in held if self._tx.now < lot.expires_at]
        return sorted(open_, key=lambda lot: (lot.expires_at, lot.id))

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
        """Return the sums of the accounts; units that expired count as active until that is posted."""
        sums = self._store.sums(unit)
        return Totals(
            issued=-sums.get(Account.ISSUANCE, 0),
            active=sums.get(Account.ACTIVE, 0),
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
            KeyConflict: if the key stands for another redemption.
        """
        content = {"amount": _amount(amount), "reason": reason}
        journal = Journal(self._tx, f"redeem:{_key(key)}")
        ids = self._tx.contacts.ids(contact_id)
        with self._tx.sql.isolated():
            if stored := self._again(journal, ids, unit, content):
                return stored
            wallet = self._store.wallet(ids, unit, locked=True)
            spendable = wallet.spendable(journal.now)
            if spendable < amount:
                raise InsufficientPoints(contact_id, unit, amount, spendable)
            postings = redeem(wallet, contact_id, amount, journal.now)
            journal.post(Kind.REDEEM, contact_id, unit, postings, content)
            event = PointsRedeemed(key=key, unit=unit, amount=amount, reason=reason)
            return self._written(journal, postings, event, ids)

    def cancel_redemption(self, key: str) -> Entry:
        """Undo a redemption: exactly what was spent goes back to the lots it came from, once.

        A repeated call returns the stored entry. Units whose lot has expired since are given back to it, and
        cannot be spent.

        Args:
            key: the redemption's key.

        Raises:
            NotFound: if there is no such redemption.
        """
        spent = self._store.by_key(f"redeem:{_key(key)}", locked=True)
        if spent is None:
            raise NotFound(f"there is no redemption with the key {key!r}")
        contact_id, unit = spent["contact_id"], spent["unit"]
        content = {"amount": spent["content"]["amount"], "redemption": str(spent["id"])}
        journal = Journal(self._tx, f"return:{key}")
        returned = give_back(self._store.postings_of(spent["id"]))
        # its lots may belong to somebody with whom the contact was merged when it spent them
        people = {self._tx.contacts.ids(id) for id in {contact_id, *(p.contact_id for p in returned)}}
        ids = tuple(id for family in people for id in family)
        with self._tx.sql.isolated():
            if stored := self._again(journal, ids, unit, content):
                return stored
            for family in sorted(people):
                theirs = [posting for posting in returned if posting.contact_id in family]
                wallet = self._store.wallet(family, unit, locked=True, emptied=True).after(theirs)
                returned += settle(wallet, journal.now)
            journal.post(Kind.RETURN, contact_id, unit, returned, content)
            event = PointsReturned(key=key, unit=unit, amount=content["amount"])
            return self._written(journal, returned, event, ids)

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
        ids = self._tx.contacts.ids(self._tx.contacts.get(contact_id).id)
        journal = Journal(self._tx, f"grant:{_key(key)}")
        new = journal.new_lot(contact_id, _amount(amount), lot)
        content = {
            "amount": amount,
            "reason": reason,
            "lot": [str(lot.active_from or ""), str(lot.expires_at)],
        }
        with self._tx.sql.isolated():
            if stored := self._again(journal, ids, unit, content):
                return stored
            wallet = self._store.wallet(ids, unit, locked=True).after(earn(new), new)
            postings = [*earn(new), *settle(wallet, journal.now)]
            journal.post(Kind.GRANT, contact_id, unit, postings, content, lot=new)
            event = PointsGranted(key=key, unit=unit, amount=amount, reason=reason)
            return self._written(journal, postings, event, ids)

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

    def _again(
        self, journal: Journal, ids: Sequence[UUID], unit: str, content: Mapping[str, Any]
    ) -> Entry | None:
        self._store.lock(ids, [unit])
        return self._stored(journal.key, ids, unit, content)

    def _written(
        self, journal: Journal, postings: Sequence[Posting], event: Event, ids: Sequence[UUID]
    ) -> Entry:
        given = entry_of(journal.first, _change(postings))
        if journal.claim():
            journal.tell(event, given.contact_id)
            return given
        stored = self._stored(given.key, ids, given.unit, given.content, locked=True)
        if stored is None:
            raise RetryTransaction(
                f"key {given.key!r} was written by a transaction that this one cannot see yet"
            )
        return stored

    def _stored(
        self, key: str, ids: Sequence[UUID], unit: str, content: Mapping[str, Any], *, locked: bool = False
    ) -> Entry | None:
        row = self._store.by_key(key, locked=locked)
        if row is None:
            return None
        found = entry_of(row, _change(self._store.postings_of(row["id"])))
        if "reason" not in found.content:  # the contact was erased, and the shop's words with it
            content = {name: value for name, value in content.items() if name != "reason"}
        if found.contact_id not in ids or found.unit != unit or found.content != content:
            raise KeyConflict(
                key, stored=found, given={"contact_id": ids[0], "unit": unit, "content": content}
            )
        return found


def _change(postings: Sequence[Posting]) -> int:
    return sum(p.amount for p in postings if p.account in (Account.ACTIVE, Account.DEBT))


def _amount(value: object) -> int:
    if type(value) is not int or not 1 <= value <= LARGEST:
        raise ValueRefused(f"amount is {value!r}; it must be a whole number from 1 to {LARGEST}")
    return value


def _key(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= KEY_LIMIT:
        raise ValueRefused(f"key is {value!r}; it must be a text of 1 to {KEY_LIMIT} characters")
    return value
