"""Contacts that stand outside the CRM's tables are cleared through their store."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import attrs

from crmkit.contacts import Contact

if TYPE_CHECKING:
    from crmkit.transaction import Transaction

#: The fields of a contact that say who it is.
PERSONAL_FIELDS = ("name", "given_name", "family_name", "honorific", "first_name", "birth_date", "gender")

_EMPTY = {field.name: field.default for field in attrs.fields(Contact) if field.name in PERSONAL_FIELDS}


def clear_contact(tx: Transaction, contact_id: UUID) -> tuple[str, ...]:
    """Clear a contact in its store; return what the store's owner has to clear.

    A store over a table of the host has a `clear` of its own, which names columns. Of any other that cannot be
    written the fields are named.

    Args:
        tx: the transaction.
        contact_id: one id of the contact.
    """
    store = tx.crm.store
    clear = getattr(store, "clear", None)
    if clear is not None:
        left: tuple[str, ...] = clear(tx, contact_id)
        return left
    contact = store.get(tx, [contact_id]).get(contact_id)
    if contact is None:
        return ()
    filled = {name: empty for name, empty in _EMPTY.items() if getattr(contact, name) != empty}
    if not store.capabilities.writable:
        return tuple(filled) + (("points",) if contact.points else ())
    for point in contact.points:
        store.remove_point(tx, contact_id, point)
    if filled:
        store.update(tx, contact_id, filled)
    return ()
