"""Tables of the outbox."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint

from crmkit.messages import DeliveryState
from crmkit.sql.tables import column, index, table, unique
from crmkit.sql.types import Id, Instant, Json, Minor, Text

#: The reason of deliveries that an erasure ended.
BY_ERASURE = "erased"
#: What the recipient of one begins with that went to an address alone.
PSEUDONYM = "erased:"


def _pseudonym(row: Any) -> str:
    """Return what stays of a recipient: the contact's id, or nothing but the uniqueness of the key."""
    return str(row.contact_id) if row.recipient == str(row.contact_id) else f"{PSEUDONYM}{row.id}"


def _reason(row: Any) -> str:
    """Return why a delivery of somebody who was erased came to its end, where the erasure ended it."""
    return BY_ERASURE if row.state in (DeliveryState.SUPPRESSED, DeliveryState.UNKNOWN) else ""


def add(metadata: MetaData) -> None:
    """Add them to the metadata."""
    table(
        metadata,
        "deliveries",
        Column("id", Id(), primary_key=True),
        column("key", Text(200)),
        column("channel", Text(30)),
        # the contact's id, or the address where one was named: who hears of a key, whatever address is in use
        column("recipient", Text(320), holds="address", erased=_pseudonym),
        column("address", Text(320), holds="personal"),
        column("contact_id", Id(), null=True, holds="subject"),
        column("topic", Text(100)),
        column("purpose", Text(60)),
        column("repeat", Text(20)),
        column("state", Text(20)),
        # the next instant at which a worker may look at it; the end of time once settled or held
        column("due_at", Instant()),
        column("expires_at", Instant()),
        column("queued_at", Instant()),
        column("attempt", Minor()),
        column("claim", Id(), null=True),
        # providers repeat the address, and more
        column("reason", Text(), holds="personal", erased=_reason),
        column("provider_id", Text(300), holds="personal"),
        column("name", Text(300), holds="personal"),
        column("locale", Text(35)),
        column("content", Json(), holds="personal"),
        unique("key", "channel", "recipient"),
        index("due", "due_at", "id"),
        index("state", "state", "queued_at", "id"),
        index("of", "contact_id", "queued_at", "id"),
        index("to", "recipient"),
        erase="clear",
    )
    table(
        metadata,
        "pauses",
        column("channel", Text(30)),
        column("scope", Text(20)),
        column("value", Text(320), holds="address"),  # where one address has to wait
        column("until", Instant()),
        column("reason", Text(), holds="personal"),
        PrimaryKeyConstraint("channel", "scope", "value"),
        index("of", "value"),
    )
