"""The ledger in SQL: wallets are locked, transactions are inserted, everything else is a fold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select

from crmkit import Transaction
from crmkit_loyalty.configured import settings_of
from crmkit_loyalty.ledger import Account, HeldLot, Kind, Posting, Reservation, Wallet
from crmkit_loyalty.passing import unused
from crmkit_loyalty.statements import Statements

Row = Mapping[str, Any]


class Store:
    """Reads and writes the ledger.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._statements = Statements.of(tx)
        self._settings = settings_of(tx, "Loyalty")

    def lock(self, contact_ids: Iterable[UUID], units: Collection[str]) -> bool:
        """Lock wallets in order until the transaction ends; say whether any of them existed before.

        Args:
            contact_ids: whose.
            units: of which units.
        """
        existed = False
        touch = self._statements.get("touch", Statements.touch)
        for contact_id in sorted(contact_ids):
            for unit in sorted(units):
                row = {"contact_id": contact_id, "unit": unit, "revision": 1, "opened_at": self._tx.now}
                done = self._tx.sql.execute(touch, row)
                # MariaDB counts an inserted row as 1 and an updated one as 2
                existed |= (done.rowcount if self._tx.sql.database == "mariadb" else done.scalar_one()) > 1
        return existed

    def write(
        self,
        transactions: Sequence[Row],
        lots: Sequence[Row],
        postings: Sequence[Row],
        timers: Sequence[Row] = (),
    ) -> None:
        """Insert rows; the transactions' keys are known to be new, or the caller is wrong."""
        self._tx.sql.insert(self._statements.transactions, transactions)
        self._tx.sql.insert(self._statements.lots, lots)
        self._tx.sql.insert(self._statements.postings, postings)
        self._tx.sql.insert(self._statements.timers, timers)

    def claim(self, transaction: Row) -> bool:
        """Insert a transaction unless its key is taken; say whether it was inserted."""
        return self._tx.sql.claim(self._statements.transactions, transaction)

    def by_key(self, key: str, *, locked: bool = False) -> Row | None:
        """Return the transaction with that key, or None; `locked` reads past the transaction's snapshot."""
        rows = self._rows(f"by key {locked}", lambda s: s.by_key(locked), {"key": key})
        return next(iter(rows), None)

    def postings_of(self, transaction_id: UUID) -> list[Posting]:
        """Return what a transaction posted, in the order in which it did."""
        rows = self._rows("postings of", Statements.postings_of, {"id": transaction_id})
        return [
            Posting(Account(row["account"]), row["amount"], row["contact_id"], row["lot_id"]) for row in rows
        ]

    def lots_of(self, order_id: UUID) -> list[Row]:
        """Return the lots that an order gave, oldest first, each with its award's `content`."""
        return self._rows("lots of", Statements.lots_of, {"order_id": order_id})

    def wallet(
        self, contact_ids: Sequence[UUID], unit: str, *, locked: bool = False, emptied: bool = False
    ) -> Wallet:
        """Return what is held and owed under some ids.

        Args:
            contact_ids: whose.
            unit: of which unit.
            locked: whether to read past the transaction's snapshot; the wallets are locked.
            emptied: whether lots with nothing left are wanted as well.
        """
        build = Statements.every if emptied else Statements.held
        lots = tuple(held_lot(row) for row in self._fold(build, contact_ids, unit, locked))
        if self._settings.inactivity_days is not None:
            active_at = self._active_at(contact_ids, unit, locked)
            lots = unused(lots, active_at, self._settings.inactivity_days)
        aside = any(lot.reserved for lot in lots)
        reservations = self._reservations(contact_ids, unit, locked) if aside else ()
        return Wallet(lots, self.owed(contact_ids, unit, locked=locked), reservations)

    def _active_at(self, contact_ids: Sequence[UUID], unit: str, locked: bool) -> datetime | None:
        def build(statements: Statements, count: int) -> Select[Any]:
            return statements.active_at(count, self._settings.activity)

        rows = self._fold(build, contact_ids, unit, locked, f"active {sorted(self._settings.activity)}")
        return rows[0]["effective_at"] if rows else None

    def _reservations(self, contact_ids: Sequence[UUID], unit: str, locked: bool) -> tuple[Reservation, ...]:
        found: dict[UUID, list[Row]] = {}
        for row in self._fold(Statements.open, contact_ids, unit, locked):
            found.setdefault(row["id"], []).append(row)
        return tuple(_reservation(rows) for rows in found.values())

    def owed(self, contact_ids: Sequence[UUID], unit: str, *, locked: bool = False) -> dict[UUID, int]:
        """Return what is owed under each of some ids; those that owe nothing are left out."""
        rows = self._fold(Statements.owed, contact_ids, unit, locked)
        return {row["contact_id"]: -row["amount"] for row in rows if row["amount"]}

    def gone(self, contact_ids: Sequence[UUID], unit: str) -> dict[tuple[UUID, Account], int]:
        """Return what was clawed back and what has lapsed, by the lot of the award; the wallets are locked."""
        rows = self._fold(Statements.gone, contact_ids, unit, True)
        return {(row["lot_id"], Account(row["account"])): row["amount"] for row in rows}

    def due(self, limit: int) -> list[Row]:
        """Return the first timers that are due.

        Args:
            limit: at most how many.
        """
        return self._rows("due", Statements.due, {"now": self._tx.now, "limit": limit})

    def stop(self, timers: Iterable[tuple[UUID, Kind]]) -> int:
        """Delete timers, by id and kind; return how many there were."""
        statement = self._statements.get("stop", Statements.stop)
        given = [{"timer": id, "what": kind} for id, kind in timers]
        return sum(self._tx.sql.execute(statement, one).rowcount for one in given)

    def defer(self, id: UUID, kind: Kind, at: datetime) -> None:
        """Set a timer to a later instant."""
        statement = self._statements.get("defer", Statements.defer)
        self._tx.sql.execute(statement, {"timer": id, "what": kind, "later": at})

    def remind(self, timers: Iterable[Row]) -> None:
        """Add timers, but for those that there are."""
        for timer in timers:
            self._tx.sql.claim(self._statements.timers, timer)

    def balance(self, contact_ids: Sequence[UUID], unit: str, at: datetime) -> int:
        """Return the units in lots that have not expired, minus what is owed."""
        if self._settings.inactivity_days is not None:
            return self.wallet(contact_ids, unit).balance(at)
        count = len(contact_ids)
        return self._sum(
            f"balance {count}", lambda s: s.balance(count), {"unit": unit, "at": at, **_ids(contact_ids)}
        )

    def outstanding(self, unit: str, at: datetime) -> int:
        """Return all units in lots that have not expired."""
        return self._sum("outstanding", Statements.outstanding, {"unit": unit, "at": at})

    def sums(self, unit: str) -> dict[Account, int]:
        """Return the sum of each account that has postings."""
        rows = self._rows("sums", Statements.sums, {"unit": unit})
        return {Account(row["account"]): row["amount"] for row in rows}

    def statement(
        self,
        contact_ids: Sequence[UUID],
        unit: str,
        limit: int,
        before: tuple[datetime, UUID] | None,
        *,
        crossed: bool = False,
    ) -> list[Row]:
        """Return the latest transactions first, from just before (instant, id) on, each with its `change`.

        Args:
            contact_ids: whose.
            unit: of which unit.
            limit: at most how many.
            before: the edge, if any.
            crossed: whether others, with whom the contact was merged once, may have spent lots of it.
        """
        count, paged = len(contact_ids), before is not None
        edge = {"at": before[0], "id": before[1]} if before is not None else {}
        values = {"unit": unit, "limit": limit, **edge, **_ids(contact_ids)}
        return self._rows(
            f"statement {count} {paged} {crossed}", lambda s: s.statement(count, paged, crossed), values
        )

    def _fold(
        self,
        build: Callable[[Statements, int], Select[Any]],
        ids: Sequence[UUID],
        unit: str,
        locked: bool,
        name: str = "",
    ) -> list[Row]:
        def made(statements: Statements) -> Select[Any]:
            statement = build(statements, len(ids))
            return statements.latest(statement) if locked else statement

        name = name or build.__name__
        return self._rows(f"{name} {len(ids)} {locked}", made, {"unit": unit, **_ids(ids)})

    def _rows(self, name: str, build: Callable[[Statements], Any], values: Row) -> list[Row]:
        result = self._tx.sql.execute(self._statements.get(name, build), values)
        return [dict(row) for row in result.mappings()]

    def _sum(self, name: str, build: Callable[[Statements], Any], values: Row) -> int:
        return self._tx.sql.execute(self._statements.get(name, build), values).scalar() or 0


def held_lot(row: Row) -> HeldLot:
    """Return the lot that a row describes, with what the row has of it."""
    return HeldLot(
        id=row["id"],
        contact_id=row["contact_id"],
        quantity=row["quantity"],
        active_from=row["active_from"],
        expires_at=row["expires_at"],
        order_id=row["subject_id"],
        qualifying=bool(row["qualifying"]),
        active=int(row.get(Account.ACTIVE, 0)),
        pending=int(row.get(Account.PENDING, 0)),
        reserved=int(row.get(Account.RESERVED, 0)),
    )


def _reservation(rows: Sequence[Row]) -> Reservation:
    first = rows[0]
    parts = (Posting(Account.RESERVED, row["amount"], row["of"], row["lot_id"]) for row in rows)
    return Reservation(
        id=first["id"],
        key=first["key"].removeprefix("redeem:"),
        contact_id=first["contact_id"],
        until=first["at"],
        parts=tuple(parts),
    )


def _ids(contact_ids: Sequence[UUID]) -> dict[str, UUID]:
    return {f"contact_{n}": contact_id for n, contact_id in enumerate(contact_ids)}
