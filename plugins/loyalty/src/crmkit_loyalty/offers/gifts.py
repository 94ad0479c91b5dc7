"""GiftLog(tx): who was given what, when, why, by whom, and at what cost."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import Table, bindparam, select

from crmkit import LogEntry, Money, Transaction, ValueRefused
from crmkit.sql import prepared
from crmkit_loyalty.configured import settings_of
from crmkit_loyalty.keyed import Row, key_of, once
from crmkit_loyalty.offers.events import GiftGiven
from crmkit_loyalty.offers.layout import GIFTS

WHAT_LIMIT, WHY_LIMIT = 200, 300


@attrs.frozen(kw_only=True)
class Gift:
    """Something that was given to a contact.

    Args:
        id: its id.
        key: names it for ever.
        contact_id: to whom.
        what: what it was.
        why: the occasion.
        cost: what it cost, or None if nobody has said.
        actor: who gave it.
        given_at: when.
        cause_id: the event that caused it, if any.
    """

    id: UUID
    key: str
    contact_id: UUID
    what: str
    why: str
    cost: Money | None
    actor: str
    given_at: datetime
    cause_id: UUID | None = None


class GiftLog:
    """Keeps what was given.

    Args:
        tx: a transaction of a CRM that has the loyalty plugin.

    Raises:
        ConfigError: if it has not.
    """

    def __init__(self, tx: Transaction) -> None:
        settings_of(tx, "GiftLog")
        self._tx = tx
        self._gifts = tx.table(GIFTS)

    def record(
        self,
        contact_id: UUID,
        what: str,
        key: str,
        *,
        why: str = "",
        cost: Money | None = None,
        at: datetime | None = None,
        cause: LogEntry | None = None,
    ) -> Gift:
        """Write down that something was given; a repeated call returns the stored gift.

        Args:
            contact_id: to whom.
            what: what it is, 1 to 200 characters.
            key: names this gift for ever.
            why: the occasion, up to 300 characters.
            cost: what it cost, if that is known.
            at: when; now by default.
            cause: the event that caused it, if any.

        Raises:
            NotFound: if there is no such contact.
            KeyConflict: if the key stands for another gift.
        """
        if not 1 <= len(what) <= WHAT_LIMIT or len(why) > WHY_LIMIT:
            raise ValueRefused(
                f"a gift says what it is in 1 to {WHAT_LIMIT} characters and why in at most {WHY_LIMIT}, not "
                f"{len(what)} and {len(why)}"
            )
        self._tx.contacts.get(contact_id)
        id = self._tx.new_id()
        row = {
            "id": id,
            "key": key_of(key),
            "contact_id": contact_id,
            "what": what,
            "why": why,
            "cost": cost.minor if cost else 0,
            "currency": cost.currency if cost else "",
            "actor": self._tx.actor,
            "given_at": at or self._tx.now,
            "cause_id": cause.id if cause else None,
        }
        with self._tx.sql.isolated():
            found, is_new = once(self._tx, self._gifts, row, ("contact_id", "cost", "currency"))
            if is_new:
                event = GiftGiven(key=key, cost=cost, what=what, why=why)
                self._tx.events.append(
                    event, contact_id=contact_id, subject_id=id, cause=cause, occurred_at=at
                )
        return _gift(found)

    def of(self, contact_id: UUID, *, limit: int = 100) -> list[Gift]:
        """Return what a contact was given, the latest first.

        Args:
            contact_id: any of its ids.
            limit: at most how many.
        """

        def build(gifts: Table) -> Any:
            c = gifts.c
            mine = c.contact_id == bindparam("id", type_=c.contact_id.type)
            return (
                select(gifts).where(mine).order_by(c.given_at.desc(), c.id.desc()).limit(bindparam("limit"))
            )

        statement = prepared(self._gifts, "of", build)
        found = [
            _gift(dict(row))
            for id in self._tx.contacts.ids(contact_id)
            for row in self._tx.sql.execute(statement, {"id": id, "limit": limit}).mappings()
        ]
        return sorted(found, key=lambda gift: (gift.given_at, gift.id), reverse=True)[:limit]


def _gift(row: Row) -> Gift:
    values = {name: value for name, value in row.items() if name not in ("cost", "currency")}
    cost = Money(row["cost"], row["currency"]) if row["currency"] else None
    return Gift(**values, cost=cost)
