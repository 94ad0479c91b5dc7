"""The same rows, written by hand: SQLAlchemy Core, plain column types, no framework in between."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from places import Place
from shop import BODY, Sale
from sqlalchemy import Connection, Executable, MetaData, Select, Table, bindparam, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from crmkit.clock import IdSource, micros

END_OF_TIME = 253402300799999999

to_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


class Award(NamedTuple):
    """Points that a rule gives."""

    points: int
    rule: str
    owner: str
    inputs: dict[str, Any]


def named(id: Any) -> str:
    """Return an id as text; SQLite answers its bytes."""
    return str(id if isinstance(id, UUID) else UUID(bytes=id))


class Hand:
    """A shop's own data layer over tables of the same shape, read from the database as they are.

    Args:
        place: where the tables stand.
        categories: what is rewarded beside the total, by the names of the rules.
        clock: gives the present instant.
        once: whether statements are built once, which is as fast as Core goes, or where they are used, which is
            how most people write.
    """

    def __init__(
        self,
        place: Place,
        categories: Mapping[str, str] | None = None,
        clock: Callable[[], datetime] | None = None,
        *,
        once: bool = True,
    ) -> None:
        self.engine = place.engine
        self.categories = categories or {}
        self.clock = clock or (lambda: datetime.now(UTC))
        ids = IdSource(self.clock)
        self.new_id: Callable[[], Any] = (lambda: ids().bytes) if place.database == "sqlite" else ids
        metadata = MetaData()
        metadata.reflect(self.engine)
        self.table: dict[str, Table] = {
            name.removeprefix("crm_"): table for name, table in metadata.tables.items()
        }
        self._once = once
        self._built: dict[str, Any] = {}

    def statement(self, name: str, build: Callable[[], Any]) -> Any:
        """Return a statement, built at its first use or at each use."""
        if not self._once:
            return build()
        if name not in self._built:
            self._built[name] = build()
        return self._built[name]

    def insert(self, name: str) -> Any:
        """Return the insert into a table."""
        return self.statement(f"insert {name}", lambda: insert(self.table[name]))

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Give a connection in a transaction that may write."""
        with self.engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    def record(self, sale: Sale) -> None:
        """Write a paid order with everything that follows from it."""
        with self.begin() as connection:
            self._record(connection, sale)

    def _record(self, connection: Connection, sale: Sale) -> None:
        contact = connection.execute(self.contact_by_email, {"email": sale.email.casefold()}).one()
        now, at = micros(self.clock()), micros(sale.at)
        order_id, recorded_id, paid_id = self.new_id(), self.new_id(), self.new_id()
        awards = self._awards(sale)
        total = sum(line.total for line in sale.lines)
        connection.execute(
            self.insert("orders"),
            {
                "id": order_id,
                "key": sale.number,
                "contact_id": contact.id,
                "state": "paid",
                "currency": "GBP",
                "total": total,
                "refunded": 0,
                "placed_at": at,
                "paid_at": at,
                "shipped_at": END_OF_TIME,
                "cancelled_at": END_OF_TIME,
                "lines_event_id": recorded_id,
            },
        )
        shared = {
            "version": 1,
            "contact_id": contact.id,
            "subject_id": order_id,
            "actor": "system",
            "occurred_at": at,
            "recorded_at": now,
            "digest": "",  # nothing in them is personal
        }
        paid = {
            "amount": [total, "GBP"],
            "awards": [
                {"amount": award.points, "inputs": award.inputs, "owner": award.owner, "rule": award.rule}
                for award in awards
            ],
            "order_key": sale.number,
        }
        connection.execute(
            self.insert("events"),
            [
                {
                    **shared,
                    "id": recorded_id,
                    "type": "OrderRecorded",
                    "key": f"order:{sale.number}",
                    "cause_id": None,
                    "data": to_json({"order": self._order(sale, contact.id), "state": "paid"}),
                },
                {
                    **shared,
                    "id": paid_id,
                    "type": "OrderPaid",
                    "key": f"order:{sale.number}:paid",
                    "cause_id": recorded_id,
                    "data": to_json(paid),
                },
            ],
        )
        cause = {**shared, "cause_id": paid_id, "subject_id": order_id}
        self._post(connection, sale, awards, cause)
        self._thank(connection, sale, contact, now)

    @property
    def contact_by_email(self) -> Any:
        """The statement that finds a customer."""
        return self.statement("contact by email", self._contact_by_email)

    def _contact_by_email(self) -> Select[Any]:
        contacts, points = self.table["contacts"].c, self.table["contact_points"].c
        joined = self.table["contacts"].join(self.table["contact_points"], points.contact_id == contacts.id)
        return (
            select(contacts.id, contacts.name, contacts.locale, points.value)
            .select_from(joined)
            .where(points.kind == "email", points.scope == "", points.rank == 0)
            .where(points.key == bindparam("email"))
        )

    def _awards(self, sale: Sale) -> list[Award]:
        spent = sum(line.total for line in sale.lines)
        inputs = {
            "base": "goods",
            "currency": "GBP",
            "exponent": 2,
            "minor": spent,
            "rate": "1",
            "rounding": "floor",
        }
        awards = [Award(spent // 100, "points-per-unit@1", "loyalty", inputs)]
        for name, category in self.categories.items():
            spent = sum(line.total for line in sale.lines if line.category == category)
            if spent >= 100:
                inputs = {"category": category, "minor": spent}
                awards.append(Award(spent // 100, f"{name}@1", "shop", inputs))
        return awards

    def _post(
        self, connection: Connection, sale: Sale, awards: Sequence[Award], cause: dict[str, Any]
    ) -> None:
        contact_id, at, now = cause["contact_id"], cause["occurred_at"], cause["recorded_at"]
        wallet = {"contact_id": contact_id, "unit": "points", "revision": 1, "opened_at": now}
        revision = connection.execute(self.touch_wallet, wallet).scalar_one()
        if revision > 1 and connection.execute(self.debt, {"contact_id": contact_id}).scalar():
            raise NotImplementedError("nobody owes points in this shop; else they would be paid here")
        transactions, lots, postings = [], [], []
        for number, award in enumerate(awards, 1):
            transaction_id, lot_id = self.new_id(), self.new_id()
            key = f"order:{sale.number}:paid"
            transactions.append(
                {
                    "id": transaction_id,
                    "key": key if number == 1 else f"{number}:{key}",
                    "kind": "earn",
                    "contact_id": contact_id,
                    "unit": "points",
                    "effective_at": at,
                    "recorded_at": now,
                    "cause_id": cause["cause_id"],
                    "subject_id": cause["subject_id"],
                    "content": to_json({"base": "goods", "owner": award.owner, "rule": award.rule}),
                }
            )
            lots.append(
                {
                    "id": lot_id,
                    "contact_id": contact_id,
                    "unit": "points",
                    "quantity": award.points,
                    "transaction_id": transaction_id,
                    "subject_id": cause["subject_id"],
                    "active_from": at,
                    "expires_at": END_OF_TIME,
                    "qualifying": 1,
                }
            )
            for n, account, whose, amount in (
                (1, "issuance", contact_id, -award.points),
                (2, "active", contact_id, award.points),
            ):
                postings.append(
                    {
                        "transaction_id": transaction_id,
                        "n": n,
                        "contact_id": whose,
                        "unit": "points",
                        "account": account,
                        "lot_id": lot_id,
                        "amount": amount,
                    }
                )
        connection.execute(self.insert("loyalty_transactions"), transactions)
        connection.execute(self.insert("loyalty_lots"), lots)
        connection.execute(self.insert("loyalty_postings"), postings)
        id = self.new_id()
        earned = {
            "amount": sum(award.points for award in awards),
            "order_key": sale.number,
            "rules": {award.rule: award.points for award in awards},
            "unit": "points",
        }
        event = {
            "id": id,
            "type": "PointsEarned",
            "key": f"PointsEarned:{named(id)}",
            "data": to_json(earned),
        }
        connection.execute(self.insert("events"), cause | event)

    @property
    def touch_wallet(self) -> Any:
        """The statement that locks a wallet."""
        return self.statement("touch wallet", self._touch_wallet)

    def _touch_wallet(self) -> Executable:
        wallets = self.table["loyalty_wallets"]
        make = sqlite.insert if self.engine.dialect.name == "sqlite" else postgresql.insert
        return (
            make(wallets)
            .on_conflict_do_update(
                index_elements=["contact_id", "unit"], set_={"revision": wallets.c.revision + 1}
            )
            .returning(wallets.c.revision)
        )

    @property
    def debt(self) -> Any:
        """The statement that tells what somebody owes; the locked wallet keeps it from changing meanwhile."""
        return self.statement("debt", self._debt)

    def _debt(self) -> Select[Any]:
        c = self.table["loyalty_postings"].c
        owed = c.contact_id == bindparam("contact_id"), c.unit == "points", c.account == "debt"
        return select(func.sum(c.amount)).where(*owed)

    def _order(self, sale: Sale, contact_id: Any) -> dict[str, Any]:
        return {
            "channel": "web",
            "contact_id": named(contact_id),
            "currency": "GBP",
            "key": sale.number,
            "lines": [
                {
                    "category": line.category,
                    "id": str(number),
                    "name": line.name,
                    "quantity": line.quantity,
                    "sku": line.sku,
                    "total": line.total,
                }
                for number, line in enumerate(sale.lines, 1)
            ],
            "placed_at": micros(sale.at),
        }

    def _thank(self, connection: Connection, sale: Sale, contact: Any, now: int) -> None:
        connection.execute(
            self.insert("deliveries"),
            self.delivery(
                key=f"thanks:{sale.number}",
                topic="thank-you",
                contact=contact,
                now=now,
                content={"subject": f"Your order {sale.number}", "text": BODY},
            ),
        )

    def delivery(
        self, *, key: str, topic: str, contact: Any, now: int, content: dict[str, str]
    ) -> dict[str, Any]:
        """Return the row of a message to a contact."""
        return {
            "id": self.new_id(),
            "key": key,
            "channel": "nothing",
            "recipient": named(contact.id) if contact.id else contact.value,
            "address": contact.value,
            "contact_id": contact.id,
            "topic": topic,
            "purpose": "service",
            "repeat": "at_least_once",
            "state": "queued",
            "due_at": now,
            "expires_at": END_OF_TIME,
            "queued_at": now,
            "attempt": 0,
            "claim": None,
            "reason": "",
            "provider_id": "",
            "name": contact.name,
            "locale": contact.locale,
            "content": to_json(content),
        }
