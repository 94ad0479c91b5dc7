"""The ledger's statements, each built once for a CRM: only then is its compiled form found without a search."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import attrs
from sqlalchemy import (
    Executable,
    Select,
    Table,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite

from crmkit import Transaction
from crmkit_loyalty.ledger import COUNTED, HELD, Account, Kind
from crmkit_loyalty.tables import LOTS, POSTINGS, TIMERS, TRANSACTIONS, WALLETS


@attrs.frozen(eq=False)
class Statements:
    """Builds statements; `count` is the number of contact ids, bound as `contact_0`, `contact_1` and so on.

    Args:
        wallets: the row that is locked, one for a contact and a unit.
        transactions: what was done.
        lots: units with one validity.
        postings: what each transaction moved.
        timers: what time is going to do.
        database: sqlite, postgresql or mariadb.
    """

    wallets: Table
    transactions: Table
    lots: Table
    postings: Table
    timers: Table
    database: str

    @classmethod
    def of(cls, tx: Transaction) -> Statements:
        """Return the builder for a transaction's tables and database."""
        tables = tx.crm.tables
        return cls(
            tables[WALLETS],
            tables[TRANSACTIONS],
            tables[LOTS],
            tables[POSTINGS],
            tables[TIMERS],
            tx.sql.database,
        )

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
            lots.qualifying,
        )
        kept = [func.sum(case((p.account == one, p.amount), else_=0)).label(one.value) for one in HELD]
        statement = select(*columns, *kept)
        statement = statement.select_from(self.postings.join(self.lots, lots.id == p.lot_id))
        return statement.where(self._mine(count), p.account.in_(HELD)).group_by(*columns)

    def held(self, count: int) -> Select[Any]:
        """Read the lots that have something left, set aside or not."""
        return self.every(count).having(func.sum(self.postings.c.amount) > 0)

    def owed(self, count: int) -> Select[Any]:
        """Read the debts."""
        p = self.postings.c
        statement = select(p.contact_id, func.sum(p.amount).label("amount"))
        return statement.where(self._in(Account.DEBT, count)).group_by(p.contact_id)

    def gone(self, count: int) -> Select[Any]:
        """Read what was clawed back and what has lapsed, by the lot of the award."""
        p = self.postings.c
        statement = select(p.lot_id, p.account, func.sum(p.amount).label("amount"))
        gone = p.account.in_((Account.CLAWED, Account.EXPIRED)), p.lot_id.is_not(None)
        return statement.where(self._mine(count), *gone).group_by(p.lot_id, p.account)

    def open(self, count: int) -> Select[Any]:
        """Read the reservations that have lots of these contacts and that nobody has ended, part by part."""
        p, c, timers = self.postings.c, self.transactions.c, self.timers.c
        aside = self.postings.alias("aside")
        mine = select(p.transaction_id).where(self._in(Account.RESERVED, count)).distinct().subquery()
        joined = (
            mine.join(self.timers, and_(timers.id == mine.c.transaction_id, timers.kind == Kind.RELEASE))
            .join(self.transactions, c.id == timers.id)
            .join(aside, and_(aside.c.transaction_id == c.id, aside.c.account == Account.RESERVED))
        )
        part = (aside.c.amount, aside.c.contact_id.label("of"), aside.c.lot_id)
        return (
            select(c.id, c.key, c.contact_id, timers.at, *part).select_from(joined).order_by(c.id, aside.c.n)
        )

    def active_at(self, count: int, kinds: Collection[Kind]) -> Select[Any]:
        """Read when a contact last did something of some kinds."""
        c = self.transactions.c
        mine = _any(c.contact_id, count), c.unit == bindparam("unit"), c.kind.in_(sorted(kinds))
        return select(c.effective_at).where(*mine).order_by(c.effective_at.desc(), c.id.desc()).limit(1)

    def due(self) -> Select[Any]:
        """Read the timers that are due, the first ones first."""
        timers, at = self.timers.c, bindparam("now", type_=self.timers.c.at.type)
        statement = select(self.timers).where(timers.at <= at).order_by(timers.at, timers.id)
        return statement.limit(bindparam("limit"))

    def stop(self) -> Executable:
        """Delete a timer."""
        timers = self.timers.c
        return delete(self.timers).where(timers.id == bindparam("timer"), timers.kind == bindparam("what"))

    def defer(self) -> Executable:
        """Set a timer to a later instant."""
        timers = self.timers.c
        which = timers.id == bindparam("timer"), timers.kind == bindparam("what")
        return update(self.timers).where(*which).values(at=bindparam("later", type_=timers.at.type))

    def balance(self, count: int) -> Select[Any]:
        """Sum lots that have not expired, and debts."""
        p, lots = self.postings.c, self.lots
        live = or_(p.account == Account.DEBT, lots.c.expires_at > bindparam("at"))
        statement = select(func.sum(p.amount)).select_from(
            self.postings.outerjoin(lots, lots.c.id == p.lot_id)
        )
        return statement.where(self._mine(count), p.account.in_(COUNTED), live)

    def outstanding(self) -> Select[Any]:
        """Sum everybody's lots that have not expired."""
        p, lots = self.postings.c, self.lots
        live = and_(p.account.in_(HELD), lots.c.expires_at > bindparam("at"))
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
        mine = and_(p.transaction_id == c.id, p.account.in_(COUNTED), _any(p.contact_id, count))
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
        theirs = select(p.transaction_id.label("id")).where(self._mine(count), p.account.in_(COUNTED))
        return own.union(theirs)

    def latest(self, statement: Select[Any]) -> Select[Any]:
        """Return the statement so that it reads what is committed, whatever the transaction's snapshot shows."""
        # PostgreSQL refuses a stale snapshot when the wallet is touched; MariaDB must be told to look past it
        return statement.with_for_update(read=True) if self.database == "mariadb" else statement

    def _in(self, account: Account, count: int) -> Any:
        return and_(self._mine(count), self.postings.c.account == account)

    def _mine(self, count: int) -> Any:
        p = self.postings.c
        return and_(_any(p.contact_id, count), p.unit == bindparam("unit"))


def _any(column: Any, count: int) -> Any:
    names = [bindparam(f"contact_{n}", type_=column.type) for n in range(count)]
    return column == names[0] if count == 1 else column.in_(names)
