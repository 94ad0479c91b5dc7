"""What reward rules are told of besides orders, each happening once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import MetaData, PrimaryKeyConstraint, Table, bindparam, select

from crmkit import Transaction
from crmkit.sql import Id, Instant, Text, column, prepared, table
from crmkit_loyalty.locks import latest, lock

TOLD = "loyalty_happenings"


def define_tables(metadata: MetaData) -> None:
    """Add the table to the CRM's metadata."""
    table(
        metadata,
        TOLD,
        column("contact_id", Id(), holds="subject"),
        column("name", Text(40)),
        column("key", Text(100)),
        column("at", Instant()),
        PrimaryKeyConstraint("contact_id", "name", "key"),
    )


def tell(
    tx: Transaction,
    trigger: str,
    contact_id: UUID,
    *,
    key: str,
    payload: Mapping[str, Any],
    at: datetime | None = None,
) -> bool:
    """Let the rules decide what a happening earns, unless that was done for any id of the contact.

    Args:
        tx: the transaction.
        trigger: what happened, such as "tier.changed".
        contact_id: to whom.
        key: names the happening for ever, for this contact and trigger.
        payload: plain data.
        at: when; now by default.
    """
    others = [id for id in tx.contacts.ids(contact_id) if id != contact_id]
    if others:
        lock(tx, *(f"told {trigger}:{id}" for id in (contact_id, *others)))
        if any(_told(tx, id, trigger, key) for id in others):
            return False
    row = {"contact_id": contact_id, "name": trigger, "key": key, "at": at or tx.now}
    if not tx.sql.claim(tx.table(TOLD), row):
        return False
    tx.rewards.happened(trigger, contact_id, key=key, payload=payload, at=at)
    return True


def _told(tx: Transaction, contact_id: UUID, trigger: str, key: str) -> bool:
    def build(told: Table) -> Any:
        mine = told.c.contact_id == bindparam("id", type_=told.c.contact_id.type)
        same = (told.c.name == bindparam("name")) & (told.c.key == bindparam("key"))
        return latest(tx, select(told.c.at).where(mine & same), True)

    statement = prepared(tx.table(TOLD), f"told {tx.sql.database}", build)
    return tx.sql.execute(statement, {"id": contact_id, "name": trigger, "key": key}).first() is not None
