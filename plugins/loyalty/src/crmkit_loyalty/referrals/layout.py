"""The tables of referrals."""

from __future__ import annotations

from sqlalchemy import MetaData, PrimaryKeyConstraint

from crmkit.sql import Id, Instant, Text, column, index, table, unique

CODES, REFERRALS = "loyalty_referral_codes", "loyalty_referrals"


def define_tables(metadata: MetaData) -> None:
    """Add the tables to the CRM's metadata."""
    table(
        metadata,
        CODES,
        column("code", Text(20)),
        column("contact_id", Id(), holds="subject"),
        column("made_at", Instant()),
        PrimaryKeyConstraint("code"),
        unique("contact_id"),
        merge="survivor",
    )
    table(
        metadata,
        REFERRALS,
        column("id", Id()),
        column("key", Text(200)),
        # who was brought, and who brought it
        column("contact_id", Id(), holds="subject"),
        column("referrer_id", Id(), holds="subject"),
        column("state", Text(20)),
        column("claimed_at", Instant()),
        # an order counts that is paid before
        column("until_at", Instant()),
        # the order that counts, and when it is certain that it is kept; empty and the end of time until then
        column("order_key", Text(100)),
        column("hold_until", Instant()),
        PrimaryKeyConstraint("id"),
        unique("key"),
        # whoever was brought was brought by one
        unique("contact_id"),
        index("by", "referrer_id", "id"),
        index("held", "state", "hold_until", "id"),
        index("order", "order_key"),
    )
