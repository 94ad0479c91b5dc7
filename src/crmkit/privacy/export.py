"""Everything that is recorded of a person, as plain data: the answer to an access request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from crmkit.clock import FOREVER
from crmkit.sql.persons import Person, person, rows_of
from crmkit.sql.privacy import Declared, declarations, holds
from crmkit.sql.types import Instant

if TYPE_CHECKING:
    from crmkit.contacts import Contact
    from crmkit.transaction import Transaction

#: The form of an export; counts up when its shape changes.
FORMAT = 1

#: Told first, in this order; the tables of details and plugins follow by name.
_FIRST = ("contacts", "contact_points", "events", "orders", "deliveries")


def export(tx: Transaction, contact_id: UUID) -> dict[str, Any]:
    """Return everything that is recorded of a contact.

    Args:
        tx: the transaction.
        contact_id: whose.

    Raises:
        NotFound: if there is no such contact.
    """
    contact = tx.contacts.get(contact_id)
    ids = tx.contacts.ids(contact_id)
    whose = person(tx.sql, ids, addresses=addresses_of(contact), own=True)
    tables = {one.name: _table(tx, one, whose) for one in sorted(declarations(tx.sql.tables), key=_place)}
    _tell_events(tables)
    return {
        "format": FORMAT,
        "exported_at": _plain(tx.now),
        "contact": {
            "id": str(contact.id),
            "name": contact.name,
            "points": [str(one) for one in contact.points],
        },
        "ids": [str(id) for id in ids],
        "tables": {name: rows for name, rows in tables.items() if rows},
    }


def addresses_of(contact: Contact | None) -> set[str]:
    """Return the addresses of a contact in both their forms."""
    points = contact.points if contact is not None else ()
    return {text for point in points for text in (point.key, point.value)}


def _place(one: Declared) -> tuple[int, bool, str]:
    first = _FIRST.index(one.name) if one.name in _FIRST else len(_FIRST)
    return first, not one.name.startswith("contact"), one.name


def _table(tx: Transaction, one: Declared, whose: Person) -> list[dict[str, Any]]:
    told = [column for column in one.table.columns if holds(column) != "digest"]
    ends = {column.name for column in told if isinstance(column.type, Instant)}
    return [
        {
            column.name: None
            if column.name in ends and getattr(row, column.name) == FOREVER
            else _plain(getattr(row, column.name))
            for column in told
        }
        for row in rows_of(tx.sql, one, whose)
    ]


def _tell_events(tables: dict[str, list[dict[str, Any]]]) -> None:
    """Put what is personal of events beside their facts, and tell them in the order in which they happened."""
    personal = {row["event_id"]: row["data"] for row in tables.pop("event_personal", [])}
    for event in tables.get("events", []):
        event["data"] = {**event["data"], **personal.get(event["id"], {})}
        del event["digest"]
    tables.get("events", []).sort(key=lambda event: (event["occurred_at"], event["id"]))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
