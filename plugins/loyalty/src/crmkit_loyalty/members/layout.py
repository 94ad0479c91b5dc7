"""The table of memberships."""

from __future__ import annotations

from typing import Any

from sqlalchemy import MetaData, PrimaryKeyConstraint

from crmkit.sql import Id, Instant, Text, column, index, table, unique

MEMBERS = "loyalty_members"


def _pseudonym(row: Any) -> str:
    """Return what erasure leaves of a number: something that is as unique."""
    return str(row.id)


def define_tables(metadata: MetaData) -> None:
    """Add the table to the CRM's metadata."""
    table(
        metadata,
        MEMBERS,
        column("id", Id()),
        column("contact_id", Id(), holds="subject"),
        column("number", Text(40), holds="personal", erased=_pseudonym),
        column("joined_at", Instant()),
        # the end of time while it lasts: at most one membership of a contact does
        column("left_at", Instant()),
        PrimaryKeyConstraint("id"),
        unique("number"),
        unique("contact_id", "left_at"),
        index("lasting", "left_at", "id"),
        merge="survivor",
        erase="clear",
    )
