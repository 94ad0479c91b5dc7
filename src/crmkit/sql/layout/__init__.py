"""The core's tables, one module for each part of the core."""

from __future__ import annotations

from sqlalchemy import MetaData

from crmkit.sql.layout import (
    bookkeeping,
    consents,
    contacts,
    details,
    duplicates,
    hosts,
    imports,
    log,
    merges,
    orders,
    outbox,
    privacy,
    segments,
)

PARTS = (
    bookkeeping,
    contacts,
    details,
    hosts,
    imports,
    merges,
    log,
    orders,
    outbox,
    privacy,
    segments,
    consents,
    duplicates,
)


def core_tables(metadata: MetaData) -> None:
    """Add the core's tables to the metadata."""
    for part in PARTS:
        part.add(metadata)
