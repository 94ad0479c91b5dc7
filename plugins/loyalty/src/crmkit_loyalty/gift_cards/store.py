"""Gift cards in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import Select, Table, bindparam, func, select

from crmkit import Money, Transaction
from crmkit.sql import prepared
from crmkit_loyalty.gift_cards.card import CardAccount, GiftCard, Move, MoveKind, totals
from crmkit_loyalty.gift_cards.layout import CARDS, MOVES
from crmkit_loyalty.keyed import Row
from crmkit_loyalty.locks import latest


class CardStore:
    """Reads and writes gift cards.

    Args:
        tx: the transaction.
        locked: whether to read past its snapshot what the caller has locked.
    """

    def __init__(self, tx: Transaction, *, locked: bool = False) -> None:
        self._tx = tx
        self._locked = locked
        self.cards = tx.table(CARDS)
        self.moves = tx.table(MOVES)

    def by_digest(self, digest: str) -> Row | None:
        """Return the row of the card whose code has a digest, or None."""
        return next(iter(self._rows(self.cards, "digest", digest)), None)

    def card(self, id: UUID) -> GiftCard | None:
        """Return a card as it stands, or None."""
        rows = self._rows(self.cards, "id", id)
        return self._folded(rows[0]) if rows else None

    def bought_with(self, order_key: str) -> list[GiftCard]:
        """Return the cards that were bought with an order, the oldest first."""
        return [self._folded(row) for row in self._rows(self.cards, "order_key", order_key)]

    def of(self, contact_ids: Sequence[UUID]) -> list[GiftCard]:
        """Return the cards of a contact, the oldest first."""
        rows = [row for id in contact_ids for row in self._rows(self.cards, "contact_id", id)]
        return [self._folded(row) for row in sorted(rows, key=lambda row: row["id"])]

    def moves_of(self, card_id: UUID) -> list[Move]:
        """Return every move of a card's money, the oldest first."""
        return [_move(row) for row in self._rows(self.moves, "card_id", card_id)]

    def paid_for(self, order_key: str) -> list[Move]:
        """Return the captures for an order and their restorations."""
        return [_move(row) for row in self._rows(self.moves, "order_key", order_key)]

    def lapsed(self, at: datetime, limit: int) -> list[UUID]:
        """Return ids of cards that have expired with money on them."""
        cards, m = self.cards.c, self.moves.c

        def build(table: Table) -> Any:
            incoming = select(func.coalesce(func.sum(m.amount), 0)).where(m.card_id == cards.id)
            outgoing = incoming.where(m.source == CardAccount.BALANCE).scalar_subquery()
            held = incoming.where(m.target == CardAccount.BALANCE).scalar_subquery() - outgoing
            found = select(cards.id).where(cards.expires_at <= bindparam("at", type_=cards.expires_at.type))
            return found.where(held > 0).order_by(cards.expires_at, cards.id).limit(bindparam("limit"))

        statement = prepared(self.cards, "lapsed", build)
        return list(self._tx.sql.execute(statement, {"at": at, "limit": limit}).scalars())

    def outstanding(self, currency: str, at: datetime) -> int:
        """Return what all cards of a currency that have not expired hold, in minor units."""
        cards, m = self.cards.c, self.moves.c

        def build(table: Table) -> Any:
            joined = self.moves.join(self.cards, cards.id == m.card_id)
            valid = (cards.currency == bindparam("currency")) & (
                cards.expires_at > bindparam("at", type_=cards.expires_at.type)
            )
            return (
                select(m.source, m.target, func.sum(m.amount).label("amount"))
                .select_from(joined)
                .where(valid)
                .group_by(m.source, m.target)
            )

        rows = self._tx.sql.execute(
            prepared(self.cards, "outstanding", build), {"currency": currency, "at": at}
        )
        return totals((row.source, row.target, int(row.amount)) for row in rows)[CardAccount.BALANCE]

    def write(self, moves: Iterable[Move]) -> None:
        """Insert moves whose keys are known to be new."""
        self._tx.sql.insert(self.moves, [attrs.asdict(move) for move in moves])

    def _folded(self, row: Row) -> GiftCard:
        moves, currency = self.moves_of(row["id"]), row["currency"]
        sums = totals((move.source, move.target, move.amount) for move in moves)
        return GiftCard(
            id=row["id"],
            key=row["key"],
            hint=row["hint"],
            face=Money(row["face"], currency),
            balance=Money(sums[CardAccount.BALANCE], currency),
            captured=Money(sums[CardAccount.CAPTURED], currency),
            disabled=any(move.kind is MoveKind.DISABLE for move in moves),
            contact_id=row["contact_id"],
            order_key=row["order_key"],
            line_id=row["line_id"],
            issued_at=row["issued_at"],
            expires_at=row["expires_at"],
        )

    def _rows(self, table: Table, column: str, value: object) -> list[Row]:
        def build(table: Table) -> Select[Any]:
            mine = table.c[column] == bindparam("value", type_=table.c[column].type)
            return latest(self._tx, select(table).where(mine).order_by(table.c.id), self._locked)

        statement = prepared(table, f"by {column} {self._locked} {self._tx.sql.database}", build)
        return [dict(row) for row in self._tx.sql.execute(statement, {"value": value}).mappings()]


def _move(row: Row) -> Move:
    return Move(**row)
