"""The ledger's statements, each built once for a CRM: only then is its compiled form found without a search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from sqlalchemy import Executable, Select, Table, and_, bindparam, func, or_, select
from sqlalchemy.dialects import mysql, postgresql, sqlite

from crmkit import Transaction
from crmkit_loyalty.ledger import Account
from crmkit_loyalty.tables import LOTS, POSTINGS, TRANSACTIONS, WALLETS

_HELD = (Account.ACTIVE, Account.DEBT)


@attrs.frozen(eq=False)
class Statements:
    """Builds statements; `count` is the number of contact ids, bound as `contact_0`, `contact_1` and so on.

    Args:
        wallets: the row that is locked, one for a contact and a unit.
        transactions: what was done.
        lots: units with one validity.
        postings: what each transaction moved.
        database: sqlite, postgresql or mariadb.
    """

    wallets: Table
    transactions: Table
    lots: Table
    postings: Table
    database: str

    @classmethod
    def of(cls, tx: Transaction) -> Statements:
        """Return the builder for a transaction's tables and database."""
        tables = tx.crm.tables
        return cls(tables[WALLETS], tables[TRANSACTIONS], tables[LOTS], tables[POSTINGS], tx.sql.database)

    def get(self, name: str, build: Callable[[Statements], Any]) -> Any:
        """Return the statement of that name, built by `build` at the first time."""
        built: dict[tuple[str, str], Any] = self.wallets.info.setdefault("loyalty", {})
        key = self.database, name
        if key not in built:
            built[key] = build(self)
        return built[key]

    def touch(self) -> Executable:
        """Open a wallet or count up its revision, which locks its row."""
        wallets, key = self.wallets, ["contact_id", "unit"]
        more = {"revision": wallets.c.revision + 1}
        if self.database == "mariadb":
            made = mysql.insert(wallets).on_duplicate_key_update(more)
            return made.execution_options(preserve_rowcount=True)
        insert = sqlite.insert if self.database == "sqlite" else postgresql.insert
        return (
            insert(wallets).on_conflict_do_update(index_elements=key, set_=more).returning(wallets.c.revision)
        )

    def by_key(self, locked: bool) -> Select[Any]:
        """Read the transaction with a key."""
        statement = select(self.transactions).where(self.transactions.c.key == bindparam("key"))
        return statement.with_for_update(read=True) if locked else statement

    def postings_of(self) -> Select[Any]:
        """Read the postings of a transaction."""
        p = self.postings.c
        statement = select(p.account, p.amount, p.contact_id, p.lot_id).order_by(p.n)
        return self.latest(statement.where(p.transaction_id == bindparam("id")))

    def lots_of(self) -> Select[Any]:
        """Read the lots that an order gave, with the content of their transactions."""
        lots, transactions = self.lots, self.transactions
        joined = lots.join(transactions, transactions.c.id == lots.c.transaction_id)
        statement = select(lots, transactions.c.content).select_from(joined).order_by(lots.c.id)
        return self.latest(statement.where(lots.c.subject_id == bindparam("order_id")))

    def every(self, count: int) -> Select[Any]:
        """Read lots with what is left of each."""
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

    def held(self, count: int) -> Select[Any]:
        """Read the lots that have something left."""
        return self.every(count).having(func.sum(self.postings.c.amount) > 0)

    def owed(self, count: int) -> Select[Any]:
        """Read the debts."""
        p = self.postings.c
        statement = select(p.contact_id, func.sum(p.amount).label("amount"))
        return statement.where(self._in(Account.DEBT, count)).group_by(p.contact_id)

    def clawed(self, count: int) -> Select[Any]:
        """Read what was clawed back, by the lot of the award."""
        p = self.postings.c
        statement = select(p.lot_id, func.sum(p.amount).label("amount"))
        return statement.where(self._in(Account.CLAWED, count)).group_by(p.lot_id)

    def balance(self, count: int) -> Select[Any]:
        """Sum lots that have not expired, and debts."""
        p, lots = self.postings.c, self.lots
        live = or_(p.account == Account.DEBT, lots.c.expires_at > bindparam("at"))
        mine = and_(_any(p.contact_id, count), p.unit == bindparam("unit"), p.account.in_(_HELD))
        statement = select(func.sum(p.amount)).select_from(
            self.postings.outerjoin(lots, lots.c.id == p.lot_id)
        )
        return statement.where(mine, live)

    def outstanding(self) -> Select[Any]:
        """Sum everybody's lots that have not expired."""
        p, lots = self.postings.c, self.lots
        live = and_(p.account == Account.ACTIVE, lots.c.expires_at > bindparam("at"))
        statement = select(func.sum(p.amount)).select_from(self.postings.join(lots, lots.c.id == p.lot_id))
        return statement.where(p.unit == bindparam("unit"), live)

    def sums(self) -> Select[Any]:
        """Sum each account."""
        p = self.postings.c
        statement = select(p.account, func.sum(p.amount).label("amount")).group_by(p.account)
        return statement.where(p.unit == bindparam("unit"))

    def statement(self, count: int, paged: bool, crossed: bool) -> Select[Any]:
        """Read a contact's transactions, newest first, each with the change that it made of the balance.

        Args:
            count: of contact ids.
            paged: whether from an edge on.
            crossed: whether lots of the contact may have been spent by another one, with which it was merged once.
        """
        c, p = self.transactions.c, self.postings.c
        mine = and_(p.transaction_id == c.id, p.account.in_(_HELD), _any(p.contact_id, count))
        change = select(func.coalesce(func.sum(p.amount), 0)).where(mine).scalar_subquery()
        statement = select(self.transactions, change.label("change"))
        if crossed:
            touched = self._touched(count).subquery()
            statement = statement.join(touched, touched.c.id == c.id)
        else:
            statement = statement.where(_any(c.contact_id, count), c.unit == bindparam("unit"))
        if paged:
            at, id = bindparam("at", type_=c.effective_at.type), bindparam("id", type_=c.id.type)
            statement = statement.where(or_(c.effective_at < at, and_(c.effective_at == at, c.id < id)))
        return statement.order_by(c.effective_at.desc(), c.id.desc()).limit(bindparam("limit"))

    def _touched(self, count: int) -> Any:
        c, p = self.transactions.c, self.postings.c
        own = select(c.id.label("id")).where(_any(c.contact_id, count), c.unit == bindparam("unit"))
        theirs = select(p.transaction_id.label("id")).where(
            _any(p.contact_id, count), p.unit == bindparam("unit"), p.account.in_(_HELD)
        )
        return own.union(theirs)

    def latest(self, statement: Select[Any]) -> Select[Any]:
        """Return the statement so that it reads what is committed, whatever the transaction's snapshot shows."""
        # PostgreSQL refuses a stale snapshot when the wallet is touched; MariaDB must be told to look past it
        return statement.with_for_update(read=True) if self.database == "mariadb" else statement

    def _in(self, account: Account, count: int) -> Any:
        p = self.postings.c
        return and_(_any(p.contact_id, count), p.unit == bindparam("unit"), p.account == account)


def _any(column: Any, count: int) -> Any:
    names = [bindparam(f"contact_{n}", type_=column.type) for n in range(count)]
    return column == names[0] if count == 1 else column.in_(names)
