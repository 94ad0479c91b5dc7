"""Offers and gifts in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import Table, bindparam, func, select

from crmkit import FOREVER, Money, Transaction
from crmkit.sql import prepared
from crmkit_loyalty.locks import latest
from crmkit_loyalty.offers.layout import OFFERS, USES
from crmkit_loyalty.offers.offer import Offer, Usage, Use


class OfferStore:
    """Reads and writes offers and their uses.

    Args:
        tx: the transaction.
        locked: whether to read past its snapshot what the caller has locked.
    """

    def __init__(self, tx: Transaction, *, locked: bool = False) -> None:
        self._tx = tx
        self._locked = locked
        self.offers = tx.table(OFFERS)
        self.uses = tx.table(USES)

    def offer(self, name: str, version: int | None = None) -> Offer | None:
        """Return an offer by its name, the latest version unless one is named; or None."""

        def build(offers: Table) -> Any:
            mine = offers.c.name == bindparam("name")
            mine = mine if version is None else mine & (offers.c.version == bindparam("version"))
            last = select(offers.c.content).where(mine).order_by(offers.c.version.desc()).limit(1)
            return latest(self._tx, last, self._locked)

        statement = prepared(
            self.offers, f"one {version is None} {self._locked} {self._tx.sql.database}", build
        )
        values = {"name": name} | ({} if version is None else {"version": version})
        content = self._tx.sql.execute(statement, values).scalar()
        return None if content is None else _offer(content)

    def define(self, offer: Offer) -> bool:
        """Write an offer unless there is one of its name and version."""
        row = {
            "name": offer.name,
            "version": offer.version,
            "content": _content(offer),
            "defined_at": self._tx.now,
        }
        return self._tx.sql.claim(self.offers, row)

    def used(self, offer: str, contact_ids: Sequence[UUID] | None = None) -> Usage:
        """Return how much of an offer everybody, or one contact, has used."""

        def build(uses: Table) -> Any:
            c = uses.c
            mine = (c.offer == bindparam("offer")) & c.kind.in_(("redeem", "release"))
            if contact_ids is not None:
                mine = mine & c.contact_id.in_(bindparam("ids", expanding=True, type_=c.contact_id.type))
            sums = [func.coalesce(func.sum(one), 0) for one in (c.times, c.units, c.cost)]
            return latest(self._tx, select(*sums).where(mine), self._locked)

        statement = prepared(
            self.uses, f"used {contact_ids is None} {self._locked} {self._tx.sql.database}", build
        )
        values = {"offer": offer} | ({} if contact_ids is None else {"ids": list(contact_ids)})
        sums = [int(one) for one in self._tx.sql.execute(statement, values).one()]
        return Usage(*sums)

    def is_granted(self, offer: str, contact_ids: Sequence[UUID]) -> bool:
        """Whether an offer was granted to a contact."""
        return any(use.kind == "grant" and use.offer == offer for use in self.of(contact_ids))

    def of(self, contact_ids: Sequence[UUID]) -> list[Use]:
        """Return what was granted to a contact, used and given back, the oldest first."""

        def build(uses: Table) -> Any:
            mine = uses.c.contact_id.in_(bindparam("ids", expanding=True, type_=uses.c.contact_id.type))
            return latest(self._tx, select(uses).where(mine).order_by(uses.c.id), self._locked)

        statement = prepared(self.uses, f"of {self._locked} {self._tx.sql.database}", build)
        return [Use(**row) for row in self._tx.sql.execute(statement, {"ids": list(contact_ids)}).mappings()]

    def of_order(self, order_key: str) -> list[Use]:
        """Return the uses for an order that were not given back yet."""

        def build(uses: Table) -> Any:
            return latest(
                self._tx,
                select(uses).where(uses.c.order_key == bindparam("key")).order_by(uses.c.id),
                self._locked,
            )

        statement = prepared(self.uses, f"of order {self._locked} {self._tx.sql.database}", build)
        found = [Use(**row) for row in self._tx.sql.execute(statement, {"key": order_key}).mappings()]
        released = {use.key.removeprefix("release:") for use in found if use.kind == "release"}
        return [
            use for use in found if use.kind == "redeem" and use.key.removeprefix("redeem:") not in released
        ]


def _content(offer: Offer) -> Mapping[str, Any]:
    found = attrs.asdict(offer, recurse=False)
    return found | {
        "budget": None if offer.budget is None else [offer.budget.minor, offer.budget.currency],
        "margin_floor": None if offer.margin_floor is None else str(offer.margin_floor),
        "from_at": None if offer.from_at is None else offer.from_at.isoformat(),
        "until_at": None if offer.until_at == FOREVER else offer.until_at.isoformat(),
        "over": offer.over.value,
    }


def _offer(content: Mapping[str, Any]) -> Offer:
    budget, begin, end = content["budget"], content["from_at"], content["until_at"]
    read = {
        "budget": None if budget is None else Money(*budget),
        "from_at": None if begin is None else datetime.fromisoformat(begin),
        "until_at": FOREVER if end is None else datetime.fromisoformat(end),
    }
    return Offer(**{**content, **read})
