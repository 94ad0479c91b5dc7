"""Referrals in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import Table, bindparam, func, select, update

from crmkit import FOREVER, Transaction
from crmkit.sql import prepared
from crmkit_loyalty.locks import latest
from crmkit_loyalty.referrals.layout import CODES, REFERRALS
from crmkit_loyalty.referrals.referral import Referral, ReferralState


class ReferralStore:
    """Reads and writes codes and referrals.

    Args:
        tx: the transaction.
        locked: whether to read past its snapshot what the caller has locked.
    """

    def __init__(self, tx: Transaction, *, locked: bool = False) -> None:
        self._tx = tx
        self._locked = locked
        self._codes = tx.table(CODES)
        self.referrals = tx.table(REFERRALS)

    def code_of(self, contact_id: UUID) -> str | None:
        """Return the code that a contact has under one id, or None."""

        def build(codes: Table) -> Any:
            mine = codes.c.contact_id == bindparam("id", type_=codes.c.contact_id.type)
            return latest(self._tx, select(codes.c.code).where(mine), self._locked)

        statement = prepared(self._codes, f"of {self._locked} {self._tx.sql.database}", build)
        code = self._tx.sql.execute(statement, {"id": contact_id}).scalar()
        return None if code is None else str(code)

    def holder(self, code: str) -> UUID | None:
        """Return whose a code is, or None."""
        build = lambda codes: select(codes.c.contact_id).where(codes.c.code == bindparam("code"))  # noqa: E731
        found: UUID | None = self._tx.sql.execute(
            prepared(self._codes, "holder", build), {"code": code}
        ).scalar()
        return found

    def claim_code(self, code: str, contact_id: UUID) -> bool:
        """Give a contact a code unless it is taken or the contact has one."""
        row = {"code": code, "contact_id": contact_id, "made_at": self._tx.now}
        return self._tx.sql.claim(self._codes, row)

    def of_friend(self, contact_ids: Sequence[UUID]) -> list[Referral]:
        """Return by whom a contact was brought: one referral for each of its ids, at most."""
        return [one for id in contact_ids for one in self._read("contact_id", id)]

    def by(self, contact_ids: Sequence[UUID]) -> list[Referral]:
        """Return whom a contact brought, the oldest first."""
        found = [one for id in contact_ids for one in self._read("referrer_id", id)]
        return sorted(found, key=lambda one: one.id)

    def of_order(self, order_key: str) -> list[Referral]:
        """Return the referrals for which an order counts."""
        return self._read("order_key", order_key)

    def get(self, id: UUID) -> Referral:
        """Return a referral that there is."""
        return self._read("id", id)[0]

    def due(self, at: datetime, limit: int) -> list[UUID]:
        """Return the referrals whose hold has ended."""

        def build(referrals: Table) -> Any:
            c = referrals.c
            held = (c.state == ReferralState.HELD) & (
                c.hold_until <= bindparam("at", type_=c.hold_until.type)
            )
            return select(c.id).where(held).order_by(c.hold_until, c.id).limit(bindparam("limit"))

        statement = prepared(self.referrals, "due", build)
        return list(self._tx.sql.execute(statement, {"at": at, "limit": limit}).scalars())

    def change(self, referral: Referral, **changes: Any) -> Referral:
        """Write where a referral stands."""
        c = self.referrals.c
        self._tx.sql.execute(update(self.referrals).where(c.id == referral.id).values(**changes))
        return attrs.evolve(referral, **changes)

    def has_paid(self, contact_ids: Sequence[UUID]) -> bool:
        """Whether a contact has ever paid for an order."""
        orders = self._tx.table("orders")

        def build(orders: Table) -> Any:
            c = orders.c
            mine = c.contact_id.in_(bindparam("ids", expanding=True, type_=c.contact_id.type))
            paid = c.paid_at < bindparam("never", type_=c.paid_at.type)
            return select(func.count()).select_from(orders).where(mine & paid)

        statement = prepared(orders, "loyalty has paid", build)
        return bool(self._tx.sql.execute(statement, {"ids": list(contact_ids), "never": FOREVER}).scalar())

    def _read(self, column: str, value: object) -> list[Referral]:
        def build(referrals: Table) -> Any:
            mine = referrals.c[column] == bindparam("value", type_=referrals.c[column].type)
            return latest(self._tx, select(referrals).where(mine).order_by(referrals.c.id), self._locked)

        statement = prepared(self.referrals, f"by {column} {self._locked} {self._tx.sql.database}", build)
        return [Referral(**row) for row in self._tx.sql.execute(statement, {"value": value}).mappings()]
