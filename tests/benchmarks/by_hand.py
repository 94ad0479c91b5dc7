"""The same rows, written by hand: SQLAlchemy Core, plain column types, no framework in between."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from crmkit.clock import IdSource, micros
from places import Place
from shop import BODY, Sale
from sqlalchemy import Connection, MetaData, Table, and_, insert, select

END_OF_TIME = 253402300799999999

_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


class HandRule(NamedTuple):
    """A point for each pound spent in one category."""

    name: str
    category: str


class Hand:
    """A shop's own data layer over tables of the same shape, read from the database as they are.

    Args:
        place: where the tables stand.
        rules: what is rewarded.
        clock: gives the present instant.
    """

    def __init__(
        self, place: Place, rules: Sequence[HandRule] = (), clock: Callable[[], datetime] | None = None
    ) -> None:
        self.engine = place.engine
        self.rules = rules
        self.clock = clock or (lambda: datetime.now(UTC))
        ids = IdSource(self.clock)
        self.new_id: Callable[[], Any] = (lambda: ids().bytes) if place.database == "sqlite" else ids
        metadata = MetaData()
        metadata.reflect(self.engine)
        self.table: dict[str, Table] = {
            name.removeprefix("crm_"): table for name, table in metadata.tables.items()
        }

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
        contact = self._contact(connection, sale.email)
        now, at = micros(self.clock()), micros(sale.at)
        order_id, recorded_id, paid_id = self.new_id(), self.new_id(), self.new_id()
        awards = self._awards(sale)
        total = sum(line.total for line in sale.lines)
        connection.execute(
            insert(self.table["orders"]),
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
        }
        paid = {"amount": [total, "GBP"], "awards": awards, "order_key": sale.number}
        connection.execute(
            insert(self.table["events"]),
            [
                {
                    **shared,
                    "id": recorded_id,
                    "type": "OrderRecorded",
                    "key": f"order:{sale.number}",
                    "cause_id": None,
                    "data": _json({"order": self._order(sale, contact.id), "state": "paid"}),
                },
                {
                    **shared,
                    "id": paid_id,
                    "type": "OrderPaid",
                    "key": f"order:{sale.number}:paid",
                    "cause_id": recorded_id,
                    "data": _json(paid),
                },
            ],
        )
        self._thank(connection, sale, contact, now)

    def _contact(self, connection: Connection, email: str) -> Any:
        contacts, points = self.table["contacts"], self.table["contact_points"]
        query = (
            select(contacts.c.id, contacts.c.name, contacts.c.locale, points.c.value)
            .join(points, points.c.contact_id == contacts.c.id)
            .where(
                and_(
                    points.c.kind == "email",
                    points.c.scope == "",
                    points.c.key == email.casefold(),
                    points.c.rank == 0,
                )
            )
        )
        return connection.execute(query).one()

    def _awards(self, sale: Sale) -> list[dict[str, Any]]:
        awards = []
        for rule in self.rules:
            spent = sum(line.total for line in sale.lines if line.category == rule.category)
            if spent >= 100:
                awards.append(
                    {
                        "amount": spent // 100,
                        "inputs": {"category": rule.category, "minor": spent},
                        "owner": "shop",
                        "rule": f"{rule.name}@1",
                    }
                )
        return awards

    def _order(self, sale: Sale, contact_id: Any) -> dict[str, Any]:
        return {
            "channel": "web",
            "contact_id": str(contact_id if isinstance(contact_id, UUID) else UUID(bytes=contact_id)),
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
            insert(self.table["deliveries"]),
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
            "address": contact.value,
            "contact_id": contact.id,
            "topic": topic,
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
            "content": _json(content),
        }
