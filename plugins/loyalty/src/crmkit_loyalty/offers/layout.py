"""The tables of offers and gifts."""

from __future__ import annotations

from sqlalchemy import MetaData, PrimaryKeyConstraint

from crmkit.sql import Id, Instant, Json, Minor, Text, column, index, table, unique

OFFERS, USES, GIFTS = "loyalty_offers", "loyalty_offer_uses", "loyalty_gifts"


def define_tables(metadata: MetaData) -> None:
    """Add the tables to the CRM's metadata."""
    table(
        metadata,
        OFFERS,
        column("name", Text(60)),
        # of two with one name the greater counts
        column("version", Minor()),
        column("content", Json(), holds="fact"),
        column("defined_at", Instant()),
        PrimaryKeyConstraint("name", "version"),
    )
    # rows are only inserted: what is given back is a row with the opposite sign
    table(
        metadata,
        USES,
        column("id", Id()),
        column("key", Text(255)),
        column("kind", Text(20)),
        column("offer", Text(60)),
        column("version", Minor()),
        column("contact_id", Id(), holds="subject"),
        column("times", Minor()),
        column("units", Minor()),
        # what it costs the shop, in minor units of the offer's currency
        column("cost", Minor()),
        column("order_key", Text(100)),
        column("at", Instant()),
        PrimaryKeyConstraint("id"),
        unique("key"),
        index("offer", "offer", "kind", "contact_id", "times", "units", "cost"),
        index("order", "order_key"),
        index("of", "contact_id", "id"),
    )
    table(
        metadata,
        GIFTS,
        column("id", Id()),
        column("key", Text(255)),
        column("contact_id", Id(), holds="subject"),
        column("what", Text(200), holds="personal"),
        column("why", Text(300), holds="personal"),
        column("cost", Minor()),
        # empty where nobody has said what it costs
        column("currency", Text(3)),
        column("actor", Text(100)),
        column("given_at", Instant()),
        column("cause_id", Id(), null=True),
        PrimaryKeyConstraint("id"),
        unique("key"),
        index("of", "contact_id", "given_at", "id"),
        erase="clear",
    )
