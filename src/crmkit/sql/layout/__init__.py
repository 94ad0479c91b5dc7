"""The core's tables, one module for each part of the core."""

from __future__ import annotations

from sqlalchemy import MetaData

from crmkit.sql.layout import bookkeeping, contacts, log, merges, orders, outbox

PARTS = (
    bookkeeping,
    contacts,
    merges,
    log,
    orders,
    outbox,
)


def core_tables(metadata: MetaData) -> None:
    """Add the core's tables to the metadata."""
    for part in PARTS:
        part.add(metadata)
