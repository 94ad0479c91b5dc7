"""The ledger in SQL: wallets are locked, transactions are inserted, everything else is a fold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, Select, Table, and_, bindparam, func, or_, select
from sqlalchemy.dialects import mysql, postgresql, sqlite

from crmkit import Transaction
from crmkit_loyalty.ledger import Account, HeldLot, Posting, Wallet
from crmkit_loyalty.tables import LOTS, POSTINGS, TRANSACTIONS, WALLETS

Row = Mapping[str, Any]

_HELD = (Account.ACTIVE, Account.DEBT)


class Store:
    """Reads and writes the ledger; statements are built once for each CRM.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.transactions, self.lots = tx.table(TRANSACTIONS), tx.table(LOTS)
        self.postings, self.wallets = tx.table(POSTINGS), tx.table(WALLETS)

    def lock(self, contact_ids: Iterable[UUID], units: Collection[str]) -> bool:
        """Lock wallets in order until the transaction ends; say whether any of them existed before.

        Args:
            contact_ids: whose.
            units: of which units.
        """
        existed = False
        touch = self._built("touch", self._touch)
        for contact_id in sorted(contact_ids):
            for unit in sorted(units):
                row = {"contact_id": contact_id, "unit": unit, "revision": 1, "opened_at": self._tx.now}
                done = self._tx.sql.execute(touch, row)
                # MariaDB counts an inserted row as 1 and an updated one as 2
                existed |= (done.rowcount if self._tx.sql.database == "mariadb" else done.scalar_one()) > 1
        return existed

    def write(self, transactions: Sequence[Row], lots: Sequence[Row], postings: Sequence[Row]) -> None:
        """Insert rows; the transactions' keys are known to be new, or the caller is wrong."""
        self._tx.sql.insert(self.transactions, transactions)
        self._tx.sql.insert(self.lots, lots)
        self._tx.sql.insert(self.postings, postings)

    def claim(self, transaction: Row) -> bool:
        """Insert a transaction unless its key is taken; say whether it was inserted."""
        return self._tx.sql.claim(self.transactions, transaction)

    def by_key(self, key: str, *, locked: bool = False) -> Row | None:
        """Return the transaction with that key, or None; `locked` reads past the transaction's snapshot."""
        statement = self._built(f"by key {locked}", lambda: self._by_key(locked))
        row = self._tx.sql.execute(statement, {"key": key}).mappings().first()
        return None if row is None else dict(row)

    def postings_of(self, transaction_id: UUID) -> list[Posting]:
        """Return what a transaction posted, in the order in which it did."""
        rows = self._tx.sql.execute(self._built("postings of", self._postings_of), {"id": transaction_id})
        return [Posting(Account(row.account), row.amount, row.contact_id, row.lot_id) for row in rows]

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
        name, build = ("every", self._every) if emptied else ("held", self._held)
        rows = self._fold(name, build, contact_ids, unit, locked).mappings()
        lots = tuple(held_lot(row, left=row["left"]) for row in rows)
        return Wallet(lots, self.owed(contact_ids, unit, locked=locked))

    def owed(self, contact_ids: Sequence[UUID], unit: str, *, locked: bool = False) -> dict[UUID, int]:
        """Return what is owed under each of some ids; those that owe nothing are left out."""
        rows = self._fold("owed", self._owed, contact_ids, unit, locked)
        return {row.contact_id: -row.amount for row in rows if row.amount}

    def clawed(self, contact_ids: Sequence[UUID], unit: str) -> dict[UUID, int]:
        """Return what was clawed back so far, by the lot of the award; the wallets are locked."""
        rows = self._fold("clawed", self._clawed, contact_ids, unit, True)
        return {row.lot_id: row.amount for row in rows}

    def lots_of(self, order_id: UUID) -> list[Row]:
        """Return the lots that an order gave, oldest first, each with its award's `content`."""
        rows = self._tx.sql.execute(self._built("lots of", self._lots_of), {"order_id": order_id})
        return [dict(row) for row in rows.mappings()]

    def balance(self, contact_ids: Sequence[UUID], unit: str, at: datetime) -> int:
        """Return the units in lots that have not expired, minus what is owed."""
        count = len(contact_ids)
        statement = self._built(f"balance {count}", lambda: self._balance(count))
        return self._tx.sql.execute(statement, {"unit": unit, "at": at, **_ids(contact_ids)}).scalar() or 0

    def outstanding(self, unit: str, at: datetime) -> int:
        """Return all units in lots that have not expired."""
        statement = self._built("outstanding", self._outstanding)
        return self._tx.sql.execute(statement, {"unit": unit, "at": at}).scalar() or 0

    def sums(self, unit: str) -> dict[Account, int]:
        """Return the sum of each account that has postings."""
        rows = self._tx.sql.execute(self._built("sums", self._sums), {"unit": unit}).mappings()
        return {Account(row["account"]): row["amount"] for row in rows}

    def statement(
        self, contact_ids: Sequence[UUID], unit: str, limit: int, before: tuple[datetime, UUID] | None
    ) -> list[Row]:
        """Return the latest transactions first, from just before (instant, id) on, each with its `change`."""
        count, paged = len(contact_ids), before is not None
        statement = self._built(f"statement {count} {paged}", lambda: self._statement(count, paged))
        edge = {"at": before[0], "id": before[1]} if before is not None else {}
        values = {"unit": unit, "limit": limit, **edge, **_ids(contact_ids)}
        return [dict(row) for row in self._tx.sql.execute(statement, values).mappings()]

    def _fold(
        self, name: str, build: Callable[[int], Select[Any]], ids: Sequence[UUID], unit: str, locked: bool
    ) -> Any:
        def made() -> Select[Any]:
            return self._latest(build(len(ids))) if locked else build(len(ids))

        statement = self._built(f"{name} {len(ids)} {locked}", made)
        return self._tx.sql.execute(statement, {"unit": unit, **_ids(ids)})

    def _by_key(self, locked: bool) -> Select[Any]:
        statement = select(self.transactions).where(self.transactions.c.key == bindparam("key"))
        return statement.with_for_update(read=True) if locked else statement

    def _postings_of(self) -> Select[Any]:
        p = self.postings.c
        statement = select(p.account, p.amount, p.contact_id, p.lot_id).order_by(p.n)
        return self._latest(statement.where(p.transaction_id == bindparam("id")))

    def _lots_of(self) -> Select[Any]:
        lots, transactions = self.lots, self.transactions
        joined = lots.join(transactions, transactions.c.id == lots.c.transaction_id)
        statement = select(lots, transactions.c.content).select_from(joined).order_by(lots.c.id)
        return self._latest(statement.where(lots.c.subject_id == bindparam("order_id")))

    def _balance(self, count: int) -> Select[Any]:
        p, lots = self.postings.c, self.lots
        live = and_(p.account == Account.ACTIVE, lots.c.expires_at > bindparam("at"))
        mine = and_(_any(p.contact_id, count), p.unit == bindparam("unit"))
        statement = select(func.sum(p.amount)).select_from(self.postings.outerjoin(lots, lots.c.id == p.lot_id))
        # the second condition on the account is for the index
        return statement.where(mine, p.account.in_(_HELD), or_(p.account == Account.DEBT, live))

    def _outstanding(self) -> Select[Any]:
        p, lots = self.postings.c, self.lots
        live = and_(p.account == Account.ACTIVE, lots.c.expires_at > bindparam("at"))
        statement = select(func.sum(p.amount)).select_from(self.postings.join(lots, lots.c.id == p.lot_id))
        return statement.where(p.unit == bindparam("unit"), live)

    def _sums(self) -> Select[Any]:
        p = self.postings.c
        statement = select(p.account, func.sum(p.amount).label("amount")).group_by(p.account)
        return statement.where(p.unit == bindparam("unit"))

    def _statement(self, count: int, paged: bool) -> Select[Any]:
        c, p = self.transactions.c, self.postings.c
        mine = and_(p.transaction_id == c.id, p.account.in_(_HELD))
        change = select(func.coalesce(func.sum(p.amount), 0)).where(mine).scalar_subquery()
        statement = select(self.transactions, change.label("change"))
        statement = statement.where(_any(c.contact_id, count), c.unit == bindparam("unit"))
        if paged:
            at, id = bindparam("at"), bindparam("id")
            statement = statement.where(or_(c.effective_at < at, and_(c.effective_at == at, c.id < id)))
        return statement.order_by(c.effective_at.desc(), c.id.desc()).limit(bindparam("limit"))

    def _every(self, count: int) -> Select[Any]:
        p, lots = self.postings.c, self.lots.c
        columns = (
            lots.id,
            lots.contact_id,
            lots.quantity,
            lots.active_from,
            lots.expires_at,
            lots.subject_id,
        )
        statement = select(*columns, func.sum(p.amount).label("left"))
        statement = statement.select_from(self.postings.join(self.lots, lots.id == p.lot_id))
        return statement.where(self._in(Account.ACTIVE, count)).group_by(*columns)

    def _held(self, count: int) -> Select[Any]:
        return self._every(count).having(func.sum(self.postings.c.amount) > 0)

    def _owed(self, count: int) -> Select[Any]:
        p = self.postings.c
        statement = select(p.contact_id, func.sum(p.amount).label("amount"))
        return statement.where(self._in(Account.DEBT, count)).group_by(p.contact_id)

    def _clawed(self, count: int) -> Select[Any]:
        p = self.postings.c
        statement = select(p.lot_id, func.sum(p.amount).label("amount"))
        return statement.where(self._in(Account.CLAWED, count)).group_by(p.lot_id)

    def _in(self, account: Account, count: int) -> Any:
        p = self.postings.c
        return and_(_any(p.contact_id, count), p.unit == bindparam("unit"), p.account == account)

    def _latest(self, statement: Select[Any]) -> Select[Any]:
        # PostgreSQL refuses a stale snapshot when the wallet is touched; MariaDB must be told to look past it
        return statement.with_for_update(read=True) if self._tx.sql.database == "mariadb" else statement

    def _touch(self) -> Executable:
        wallets, key = self.wallets, ["contact_id", "unit"]
        more = {"revision": wallets.c.revision + 1}
        if self._tx.sql.database == "mariadb":
            made = mysql.insert(wallets).on_duplicate_key_update(more)
            return made.execution_options(preserve_rowcount=True)
        insert = sqlite.insert if self._tx.sql.database == "sqlite" else postgresql.insert
        return (
            insert(wallets).on_conflict_do_update(index_elements=key, set_=more).returning(wallets.c.revision)
        )

    def _built(self, name: str, build: Callable[[], Any]) -> Any:
        return _cached(self.wallets, f"{name} {self._tx.sql.database}", build)


def held_lot(row: Row, *, left: int = 0) -> HeldLot:
    """Return the lot that a row describes."""
    return HeldLot(
        id=row["id"],
        contact_id=row["contact_id"],
        quantity=row["quantity"],
        left=left,
        active_from=row["active_from"],
        expires_at=row["expires_at"],
        order_id=row["subject_id"],
    )


def _cached(table: Table, name: str, build: Callable[[], Any]) -> Any:
    statements: dict[str, Any] = table.info.setdefault("statements", {})
    if name not in statements:
        statements[name] = build()
    return statements[name]


def _any(column: Any, count: int) -> Any:
    names = [bindparam(f"contact_{n}", type_=column.type) for n in range(count)]
    return column == names[0] if count == 1 else column.in_(names)


def _ids(contact_ids: Sequence[UUID]) -> dict[str, UUID]:
    return {f"contact_{n}": contact_id for n, contact_id in enumerate(contact_ids)}
