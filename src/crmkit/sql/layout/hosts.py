"""The table that says which contact a row of the host's own table is."""

from __future__ import annotations

from sqlalchemy import Column, MetaData

from crmkit.sql.tables import INFO, column, table, unique
from crmkit.sql.types import Id, Text


def add(metadata: MetaData) -> None:
    """Add it to the metadata."""
    # one row for each contact of a mapped store that the CRM has written something about
    table(
        metadata,
        "contact_hosts",
        Column("contact_id", Id(), primary_key=True, info={INFO: "subject"}),
        column("store", Text(60)),
        column("pk", Text(255), holds="fact"),  # of the host's row, as text
        unique("store", "pk"),
        erase="keep",  # the host's row may outlive the erasure, and must go on being this contact
    )
