"""The ledger's tables: transactions, lots and postings are only ever inserted.

A wallet's count of revisions and the timers are no part of the ledger: they lock, and they remind.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import MetaData, PrimaryKeyConstraint

from crmkit.sql import Id, Instant, Json, Minor, Text, column, index, table, unique
from crmkit_loyalty import usage

WALLETS, TRANSACTIONS, LOTS, POSTINGS, TIMERS = (
    f"loyalty_{name}" for name in ("wallets", "transactions", "lots", "postings", "timers")
)


def _arithmetic(row: Any) -> dict[str, Any]:
    """Return what erasure leaves of a transaction's content: all but the shop's words."""
    return {name: value for name, value in row.content.items() if name != "reason"}


def define_tables(metadata: MetaData) -> None:
    """Add the ledger's tables to the CRM's metadata."""
    table(
        metadata,
        WALLETS,
        column("contact_id", Id(), holds="subject"),
        column("unit", Text(30)),
        # counts up with each write, so that two transactions never work on the same wallet unseen
        column("revision", Minor()),
        column("opened_at", Instant()),
        PrimaryKeyConstraint("contact_id", "unit"),
        merge="survivor",
    )
    table(
        metadata,
        TRANSACTIONS,
        column("id", Id()),
        column("key", Text(255)),
        column("kind", Text(20)),
        column("contact_id", Id(), holds="subject"),
        column("unit", Text(30)),
        column("effective_at", Instant()),
        column("recorded_at", Instant()),
        # the event that caused it, if any
        column("cause_id", Id(), null=True),
        # the order that it is about, if any
        column("subject_id", Id(), null=True),
        # the shop's words are the person's, the arithmetic is the ledger's
        column("content", Json(), holds="personal", erased=_arithmetic),
        PrimaryKeyConstraint("id"),
        unique("key"),
        index("statement", "contact_id", "unit", "effective_at", "id"),
    )
    _holdings(metadata)


def _holdings(metadata: MetaData) -> None:
    table(
        metadata,
        LOTS,
        column("id", Id()),
        column("contact_id", Id(), holds="subject"),
        column("unit", Text(30)),
        column("quantity", Minor()),
        column("transaction_id", Id()),
        column("subject_id", Id(), null=True),
        column("active_from", Instant()),
        column("expires_at", Instant()),
        # whether its units count towards tiers: 1 or 0
        column("qualifying", Minor()),
        PrimaryKeyConstraint("id"),
        index("subject", "subject_id"),
    )
    table(
        metadata,
        POSTINGS,
        column("transaction_id", Id()),
        column("n", Minor()),
        column("contact_id", Id(), holds="subject"),
        column("unit", Text(30)),
        column("account", Text(20)),
        column("lot_id", Id(), null=True),
        column("amount", Minor()),
        PrimaryKeyConstraint("transaction_id", "n"),
        index("wallet", "contact_id", "unit", "account", "lot_id", "amount"),
    )
    _timers(metadata)
    usage.define_tables(metadata)


def _timers(metadata: MetaData) -> None:
    """What time is going to do: a row goes once it is done, and all of them follow from the ledger."""
    table(
        metadata,
        TIMERS,
        # of a lot, or of the transaction that reserved
        column("id", Id()),
        # activate, expire or release
        column("kind", Text(20)),
        column("contact_id", Id(), holds="subject"),
        column("unit", Text(30)),
        column("at", Instant()),
        PrimaryKeyConstraint("id", "kind"),
        index("due", "at", "id"),
        index("wallet", "contact_id", "unit"),
    )
