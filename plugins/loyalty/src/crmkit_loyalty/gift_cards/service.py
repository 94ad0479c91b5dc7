"""GiftCards(tx): issued with a code that is shown once, spent in parts, given back when a payment is."""

from __future__ import annotations

from datetime import datetime
from hmac import compare_digest
from uuid import UUID

import attrs

from crmkit import FOREVER, LogEntry, Money, NotFound, Order, Transaction
from crmkit_loyalty.codes import grouped, random_code, typed
from crmkit_loyalty.configured import settings_of
from crmkit_loyalty.gift_cards.card import CardAccount, GiftCard, Move, MoveKind
from crmkit_loyalty.gift_cards.events import GiftCardDisabled, GiftCardIssued
from crmkit_loyalty.gift_cards.payments import Payments, positive
from crmkit_loyalty.gift_cards.store import CardStore
from crmkit_loyalty.keyed import Row, key_of, once
from crmkit_loyalty.locks import lock
from crmkit_loyalty.periods import months_later

CODE_LENGTH = 16


@attrs.frozen(kw_only=True)
class Issued:
    """A gift card, and its code if it was issued just now.

    Args:
        card: the card.
        code: what the bearer types; empty when the issue was repeated: it stands nowhere.
    """

    card: GiftCard
    code: str = attrs.field(repr=False)


class GiftCards:
    """Issues gift cards and pays with them; every write takes a key, so that it can be repeated safely.

    Args:
        tx: a transaction of a CRM that has the loyalty plugin.

    Raises:
        ConfigError: if it has not.
    """

    def __init__(self, tx: Transaction) -> None:
        self._settings = settings_of(tx, "GiftCards")
        self._tx = tx
        self._store = CardStore(tx)
        self._locked = CardStore(tx, locked=True)
        self._payments = Payments(tx)

    def issue(
        self,
        face: Money,
        key: str,
        *,
        contact_id: UUID | None = None,
        order_key: str = "",
        line_id: str = "",
        expires_at: datetime | None = None,
    ) -> Issued:
        """Issue a gift card; a repeated call returns the card without its code, which is told only once.

        Args:
            face: what it is worth.
            key: names this issue for ever.
            contact_id: whose it is, if that is known; it can be spent by whoever has the code.
            order_key: the order with which it was bought; its refund disables the card.
            line_id: the line of that order.
            expires_at: until before when it is valid; by default as the settings say.

        Raises:
            NotFound: if there is no such contact or order.
            KeyConflict: if the key stands for another card.
            StoredValueRefused: if the order was paid with gift cards to more than its other lines cost.
        """
        if contact_id is not None:
            self._tx.contacts.get(contact_id)
        code, now = random_code(CODE_LENGTH), self._tx.now
        row = {
            "id": self._tx.new_id(),
            "key": key_of(key),
            "digest": self._digest(code),
            "hint": code[-4:],
            "contact_id": contact_id,
            "order_key": order_key,
            "line_id": line_id,
            "currency": positive(face).currency,
            "face": face.minor,
            "issued_at": now,
            "expires_at": expires_at or self._expiry(now),
        }
        with self._tx.sql.isolated():
            same = ("contact_id", "order_key", "line_id", "currency", "face")
            kept, is_new = once(self._tx, self._store.cards, row, same)
            if is_new:
                self._fill(row, face)
            card = self._found(self._locked.card(kept["id"]), kept["id"])
            return Issued(card=card, code=grouped(code) if is_new else "")

    def find(self, code: str) -> GiftCard:
        """Return the card with a code.

        Args:
            code: as somebody typed it; small letters, spaces and hyphens do not matter.

        Raises:
            NotFound: if there is none; the message is the same whatever is wrong with the code.
        """
        given = typed(code, CODE_LENGTH)
        digest = self._digest(given)
        row = self._store.by_digest(digest) if given else None
        if row is None or not compare_digest(row["digest"], digest):
            raise NotFound("there is no gift card with this code")
        return self.get(row["id"])

    def get(self, card_id: UUID) -> GiftCard:
        """Return a card by its id.

        Raises:
            NotFound: if there is none.
        """
        return self._found(self._store.card(card_id), card_id)

    def of(self, contact_id: UUID) -> list[GiftCard]:
        """Return the cards of a contact, the oldest first."""
        return self._store.of(self._tx.contacts.ids(contact_id))

    def balance(self, code: str) -> Money:
        """Return what the card with a code can pay now."""
        return self.find(code).usable(self._tx.now)

    def statement(self, card_id: UUID) -> list[Move]:
        """Return every move of a card's money, the oldest first."""
        return self._store.moves_of(card_id)

    def outstanding(self, currency: str) -> Money:
        """Return what all cards of a currency can pay together."""
        return Money(self._store.outstanding(currency, self._tx.now), currency)

    def capture(self, code: str, amount: Money, order: Order, key: str) -> Move:
        """Pay for an order, in part or whole; a repeated call returns the stored capture.

        Args:
            code: the card's.
            amount: how much, above 0.
            order: as it is to be paid; of its gift cards a gift card pays none.
            key: names this payment for ever.

        Raises:
            NotFound: if there is no such card.
            GiftCardShort: if it cannot pay as much; nothing is taken.
            StoredValueRefused: if gift cards would pay more than the order's other lines cost.
            KeyConflict: if the key stands for another payment.
        """
        card = self.find(code)
        with self._tx.sql.isolated():
            return self._payments.capture(card.id, positive(amount), order, key)

    def restore(self, payment: str, key: str, amount: Money | None = None) -> Move:
        """Give back what a card paid; a repeated call returns the stored restoration.

        Args:
            payment: the key of the capture.
            key: names this restoration for ever.
            amount: how much; by default all that was not given back yet.

        Raises:
            NotFound: if there is no such payment.
            ValueRefused: if more would be given back than was paid.
            KeyConflict: if the key stands for another restoration.
        """
        with self._tx.sql.isolated():
            return self._payments.restore(payment, key, None if amount is None else positive(amount))

    def disable(
        self, card_id: UUID, *, because: str = "by hand", reason: str = "", cause: LogEntry | None = None
    ) -> GiftCard:
        """Let a card buy nothing any more; what it paid for stands. Doing it again changes nothing.

        Args:
            card_id: which.
            because: what happened to its purchase.
            reason: the shop's words.
            cause: the event that caused it, if any.

        Raises:
            NotFound: if there is no such card.
        """
        with self._tx.sql.isolated():
            lock(self._tx, f"gift card:{card_id}")
            card = self._found(self._locked.card(card_id), card_id)
            if not card.disabled:
                lost, key = card.balance, f"disable:{card_id}"
                self._store.write([self._payments.move(key, MoveKind.DISABLE, card, lost.minor, cause=cause)])
                event = GiftCardDisabled(
                    card_id=card_id, lost=lost, spent=card.captured, because=because, reason=reason
                )
                self._payments.tell(event, card, cause)
        return self._found(self._locked.card(card_id), card_id)

    def expire(self, card_id: UUID) -> Money:
        """Post what has lapsed of a card; return how much. What a card can pay does not depend on it."""
        with self._tx.sql.isolated():
            lock(self._tx, f"gift card:{card_id}")
            card = self._found(self._locked.card(card_id), card_id)
            if self._tx.now < card.expires_at or not card.balance.minor:
                return Money(0, card.face.currency)
            # what is given back to a card that has lapsed lapses as well
            key = f"expire:{len(self._locked.moves_of(card_id))}:{card_id}"
            self._store.write([self._payments.move(key, MoveKind.EXPIRE, card, card.balance.minor)])
            return card.balance

    def _found(self, card: GiftCard | None, card_id: UUID) -> GiftCard:
        if card is None:
            raise NotFound(f"no gift card has the id {card_id}")
        return card

    def _fill(self, row: Row, face: Money) -> None:
        if row["order_key"]:
            self._payments.lock([], row["order_key"])
            order = self._tx.orders.get(row["order_key"]).order
            self._payments.refuse_stored_value(order)
        move = Move(
            id=self._tx.new_id(),
            key=f"issue:{row['id']}",
            kind=MoveKind.ISSUE,
            card_id=row["id"],
            source=CardAccount.ISSUED,
            target=CardAccount.BALANCE,
            amount=face.minor,
            at=row["issued_at"],
        )
        self._store.write([move])
        event = GiftCardIssued(card_id=row["id"], face=face, order_key=row["order_key"])
        self._tx.events.append(event, contact_id=row["contact_id"], subject_id=row["id"])

    def _digest(self, code: str) -> str:
        return self._tx.digest("gift card", code).hex()

    def _expiry(self, at: datetime) -> datetime:
        months = self._settings.gift_cards.months
        return FOREVER if months is None else months_later(at, months, self._settings.zone)
