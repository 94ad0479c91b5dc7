"""The tables of gift cards: a row for each card, and a row for each move of its money; rows are only inserted."""

from __future__ import annotations

from sqlalchemy import MetaData, PrimaryKeyConstraint

from crmkit.sql import Id, Instant, Minor, Text, column, index, table, unique

CARDS, MOVES = "loyalty_gift_cards", "loyalty_gift_card_moves"


def define_tables(metadata: MetaData) -> None:
    """Add the tables to the CRM's metadata."""
    table(
        metadata,
        CARDS,
        column("id", Id()),
        column("key", Text(200)),
        # of the code, which stands nowhere
        column("digest", Text(64)),
        # its last characters, by which staff and bearer talk about it
        column("hint", Text(4)),
        column("contact_id", Id(), null=True, holds="subject"),
        # the order and the line with which it was bought, if it was
        column("order_key", Text(100)),
        column("line_id", Text(50)),
        column("currency", Text(3)),
        column("face", Minor()),
        column("issued_at", Instant()),
        column("expires_at", Instant()),
        PrimaryKeyConstraint("id"),
        unique("key"),
        unique("digest"),
        index("bought", "order_key", "id"),
        index("of", "contact_id", "id"),
        index("expiry", "expires_at", "id"),
    )
    # a move takes from one account and gives to another, so that all of them always add up to zero
    table(
        metadata,
        MOVES,
        column("id", Id()),
        column("key", Text(255)),
        column("kind", Text(20)),
        column("card_id", Id(), of=CARDS),
        column("source", Text(20)),
        column("target", Text(20)),
        column("amount", Minor()),
        # the order that was paid
        column("order_key", Text(100)),
        # of a restoration: the capture that it takes back
        column("capture_id", Id(), null=True),
        column("at", Instant()),
        column("cause_id", Id(), null=True),
        PrimaryKeyConstraint("id"),
        unique("key"),
        index("card", "card_id", "id"),
        index("paid", "order_key", "id"),
    )
