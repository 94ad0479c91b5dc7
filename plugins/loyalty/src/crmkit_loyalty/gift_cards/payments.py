"""What a gift card pays, and what of that goes back to it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import attrs

from crmkit import Event, LogEntry, Money, NotFound, Order, Transaction, ValueRefused
from crmkit_loyalty.gift_cards.card import (
    CardAccount,
    GiftCard,
    GiftCardShort,
    Move,
    MoveKind,
    StoredValueRefused,
    payable,
)
from crmkit_loyalty.gift_cards.events import GiftCardCaptured, GiftCardRestored
from crmkit_loyalty.gift_cards.store import CardStore
from crmkit_loyalty.keyed import key_of, once, stored
from crmkit_loyalty.locks import lock


class Payments:
    """Writes captures and their restorations.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._store = CardStore(tx, locked=True)

    def capture(self, card_id: UUID, amount: Money, order: Order, payment: str) -> Move:
        """Take money of a card for an order, unless that was done under this key."""
        self.lock([card_id], order.key)
        card, paid = self._card(card_id), self._paid(order.key)
        key = f"capture:{key_of(payment)}"
        move = self.move(key, MoveKind.CAPTURE, card, amount.minor, order_key=order.key)
        row, is_new = once(
            self._tx, self._store.moves, attrs.asdict(move), ("card_id", "amount", "order_key")
        )
        if is_new:  # the caller undoes it if it is refused
            self._refuse_stored_value(order, _same_currency(card, amount), paid)
            self._refuse_short(card, amount)
            event = GiftCardCaptured(card_id=card_id, amount=amount, order_key=order.key, payment=payment)
            self.tell(event, card)
        return Move(**row)

    def restore(self, payment: str, key: str, amount: Money | None) -> Move:
        """Give back what a capture took, unless that was done under this key."""
        capture = self._capture(payment)
        self.lock([capture.card_id], capture.order_key)
        card = self._card(capture.card_id)
        same = {"capture_id": capture.id} | ({"amount": amount.minor} if amount else {})
        if found := stored(self._tx, self._store.moves, f"restore:{key_of(key)}", same, locked=True):
            return Move(**found)
        paid = self._store.paid_for(capture.order_key)
        left = capture.amount - sum(move.amount for move in paid if move.capture_id == capture.id)
        minor = left if amount is None else _same_currency(card, amount).minor
        if not 1 <= minor <= left:
            wanted, rest = (Money(one, card.face.currency) for one in (minor, left))
            raise ValueRefused(f"payment {payment!r}: {wanted} cannot be given back, {rest} is left of it")
        return self.give_back(capture, minor, f"restore:{key}")

    def give_back(self, capture: Move, minor: int, key: str, cause: LogEntry | None = None) -> Move:
        """Give back a part of a capture of which at least as much is left; the caller holds the locks.

        A card that was disabled meanwhile does not get it: its purchase was given back already.
        """
        card = self._card(capture.card_id)
        target = CardAccount.DISABLED if card.disabled else CardAccount.BALANCE
        move = self.move(key, MoveKind.RESTORE, card, minor, order_key=capture.order_key, cause=cause)
        move = attrs.evolve(move, source=CardAccount.CAPTURED, target=target, capture_id=capture.id)
        self._store.write([move])
        payment = capture.key.removeprefix("capture:")
        event = GiftCardRestored(card_id=card.id, amount=Money(minor, card.face.currency), payment=payment)
        self.tell(event, card, cause)
        return move

    def refuse_stored_value(self, order: Order) -> None:
        """Refuse an order of which gift cards have paid more than what is no gift card.

        Raises:
            StoredValueRefused: if they have.
        """
        self._refuse_stored_value(order, Money(0, order.currency), self._paid(order.key))

    def lock(self, card_ids: list[UUID], order_key: str) -> None:
        """Lock cards, and what is paid for an order."""
        lock(self._tx, *(f"gift card:{id}" for id in card_ids), f"gift card order:{order_key}")

    def move(
        self,
        key: str,
        kind: MoveKind,
        card: GiftCard,
        minor: int,
        *,
        order_key: str = "",
        cause: LogEntry | None = None,
    ) -> Move:
        """Return a move out of a card's balance to where its kind leads."""
        return Move(
            id=self._tx.new_id(),
            key=key,
            kind=kind,
            card_id=card.id,
            source=CardAccount.BALANCE,
            target=_LEADS_TO[kind],
            amount=minor,
            order_key=order_key,
            at=cause.occurred_at if cause else self._tx.now,
            cause_id=cause.id if cause else None,
        )

    def tell(self, event: Event, card: GiftCard, cause: LogEntry | None = None) -> None:
        """Append an event about a card."""
        self._tx.events.append(event, contact_id=card.contact_id, subject_id=card.id, cause=cause)

    def _paid(self, order_key: str) -> int:
        """What gift cards have paid for an order and was not given back."""
        return sum(
            move.amount if move.kind is MoveKind.CAPTURE else -move.amount
            for move in self._store.paid_for(order_key)
        )

    def _refuse_stored_value(self, order: Order, amount: Money, paid: int) -> None:
        if amount.currency != order.currency:
            raise ValueRefused(f"{amount} cannot pay for order {order.key!r}, which is in {order.currency}")
        most, wanted = payable(order), Money(paid + amount.minor, order.currency)
        if wanted > most:
            raise StoredValueRefused(order.key, order.total, most, wanted)

    def _refuse_short(self, card: GiftCard, amount: Money) -> None:
        usable = card.usable(self._tx.now)
        if usable < amount:
            expired = f"it expired on {card.expires_at:%Y-%m-%d}" if self._tx.now >= card.expires_at else ""
            raise GiftCardShort(card, amount, usable, "it was disabled" if card.disabled else expired)

    def _card(self, id: UUID) -> GiftCard:
        found = self._store.card(id)
        if found is None:
            raise NotFound(f"no gift card has the id {id}")
        return found

    def _capture(self, payment: str) -> Move:
        found = stored(self._tx, self._store.moves, f"capture:{key_of(payment)}", {})
        if found is None:
            raise NotFound(f"no gift card paid under the key {payment!r}")
        return Move(**found)


_LEADS_TO = {
    MoveKind.CAPTURE: CardAccount.CAPTURED,
    MoveKind.RESTORE: CardAccount.BALANCE,
    MoveKind.DISABLE: CardAccount.DISABLED,
    MoveKind.EXPIRE: CardAccount.EXPIRED,
}


def positive(amount: Any) -> Money:
    """Return money above 0.

    Raises:
        ValueRefused: if it is none.
    """
    if not isinstance(amount, Money) or amount.minor <= 0:
        raise ValueRefused(f"amount is {amount!r}; it must be Money above 0")
    return amount


def _same_currency(card: GiftCard, amount: Money) -> Money:
    if amount.currency != card.face.currency:
        raise ValueRefused(f"{amount} cannot be taken from or given to a gift card in {card.face.currency}")
    return amount
