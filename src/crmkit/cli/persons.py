"""How commands name a contact, and tell values as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from crmkit.errors import NotFound

if TYPE_CHECKING:
    from crmkit.contacts import ContactPoint
    from crmkit.transaction import Transaction


def find_contact(tx: Transaction, text: str) -> UUID:
    """Return the id of the contact that a word on the command line names: an id, or one of its addresses.

    Args:
        tx: a transaction.
        text: a UUID, an email address, a phone number, or SYSTEM:ID of another system.

    Raises:
        NotFound: if there is no such contact.
    """
    try:
        return tx.contacts.get(UUID(text)).id
    except ValueError:
        found = tx.contacts.find(_point(text))
    if found is None:
        raise NotFound(f"no contact has the address {text!r}")
    return found.id


def _point(text: str) -> ContactPoint:
    from crmkit.contacts import ContactPoint

    if "@" in text:
        return ContactPoint.email(text.removeprefix("email:"))
    if text.startswith("+"):
        return ContactPoint.phone(text)
    system, colon, id = text.partition(":")
    if not colon:
        raise NotFound(f"{text!r} is neither an id nor an email address, a phone number (+...) or SYSTEM:ID")
    return ContactPoint.external(system, id)


def plain(value: Any) -> Any:
    """Return a value as data that can be printed as JSON; the end of time is null."""
    from collections.abc import Mapping
    from datetime import datetime

    import attrs

    from crmkit.clock import FOREVER

    if attrs.has(type(value)):
        return {field.name: plain(getattr(value, field.name)) for field in attrs.fields(type(value))}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return None if value == FOREVER else value.isoformat()
    return value if value is None or isinstance(value, (int, str)) else str(value)
