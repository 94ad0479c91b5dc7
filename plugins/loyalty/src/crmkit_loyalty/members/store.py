"""Memberships in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import Table, bindparam, select, update

from crmkit import FOREVER, Transaction
from crmkit.sql import prepared
from crmkit_loyalty.members.layout import MEMBERS


@attrs.frozen(kw_only=True)
class Membership:
    """That a contact is, or was, a member.

    Args:
        id: its id.
        contact_id: under which of the contact's ids it stands.
        number: the member's number.
        joined_at: since when.
        left_at: until before when; the end of time while it lasts.
    """

    id: UUID
    contact_id: UUID
    number: str = attrs.field(repr=False)
    joined_at: datetime
    left_at: datetime = FOREVER

    @property
    def lasts(self) -> bool:
        """Whether it has not ended."""
        return self.left_at == FOREVER


class MemberStore:
    """Reads and writes memberships.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._members = tx.table(MEMBERS)

    def lasting(self, contact_ids: Sequence[UUID], *, locked: bool = False) -> Membership | None:
        """Return the membership of a contact that lasts, or None; `locked` reads past the snapshot."""

        def build(members: Table) -> Any:
            c = members.c
            mine = c.contact_id == bindparam("id", type_=c.contact_id.type)
            statement = select(members).where(mine & (c.left_at == bindparam("never", type_=c.left_at.type)))
            return statement.with_for_update(read=True) if locked else statement

        statement = prepared(self._members, f"lasting {locked}", build)
        for id in contact_ids:
            row = self._tx.sql.execute(statement, {"id": id, "never": FOREVER}).mappings().first()
            if row is not None:
                return Membership(**row)
        return None

    def by_number(self, number: str) -> Membership | None:
        """Return the membership with a number, or None."""
        build = lambda members: select(members).where(members.c.number == bindparam("number"))  # noqa: E731
        row = (
            self._tx.sql.execute(prepared(self._members, "number", build), {"number": number})
            .mappings()
            .first()
        )
        return None if row is None else Membership(**row)

    def claim(self, membership: Membership) -> bool:
        """Insert a membership unless its number is taken or the contact has one that lasts."""
        return self._tx.sql.claim(self._members, attrs.asdict(membership))

    def end(self, membership_id: UUID, at: datetime) -> None:
        """End a membership."""
        c = self._members.c
        self._tx.sql.execute(update(self._members).where(c.id == membership_id).values(left_at=at))

    def page(self, after: UUID | None, limit: int) -> list[Membership]:
        """Return memberships that last, in the order of their ids."""

        def build(members: Table) -> Any:
            c = members.c
            lasting = select(members).where(c.left_at == bindparam("never", type_=c.left_at.type))
            lasting = lasting if after is None else lasting.where(c.id > bindparam("after", type_=c.id.type))
            return lasting.order_by(c.id).limit(bindparam("limit"))

        statement = prepared(self._members, f"page {after is None}", build)
        values = {"never": FOREVER, "limit": limit} | ({} if after is None else {"after": after})
        return [Membership(**row) for row in self._tx.sql.execute(statement, values).mappings()]
