"""Tables of contacts and their addresses."""

from __future__ import annotations

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint

from crmkit.sql.tables import INFO, column, index, table
from crmkit.sql.types import Id, Instant, Json, Minor, Text


def add(metadata: MetaData) -> None:
    """Add them to the metadata."""
    table(
        metadata,
        "contacts",
        Column("id", Id(), primary_key=True, info={INFO: "subject"}),
        column("kind", Text(20)),
        column("name", Text(300), holds="personal"),
        column("given_name", Text(300), holds="personal"),
        column("family_name", Text(300), holds="personal"),
        column("honorific", Text(100), holds="personal"),
        column("formality", Text(20)),
        column("name_order", Text(20)),
        # the permission to use the first name: at the end of time where there is none
        column("first_name_at", Instant(), holds="personal"),
        column("first_name_by", Text(100), holds="personal"),
        column("first_name_how", Text(200), holds="personal"),
        column("birth_date", Text(10), holds="personal"),  # ISO 8601, or empty
        column("gender", Text(100), holds="personal"),
        column("business", Minor()),
        column("internal", Minor()),
        column("locale", Text(35)),
        column("zone", Text(64)),
        column("source", Text(100)),
        column("classification", Text(100)),
        column("stage", Text(20)),
        column("owner", Text(100)),
        column("created_at", Instant()),
        column("updated_at", Instant()),
        index("stage", "stage", "id"),
        index("owner", "owner", "id"),
    )
    table(
        metadata,
        "contact_points",
        column("kind", Text(20)),
        column("scope", Text(64)),
        column("key", Text(255), holds="personal"),
        # 0 is the contact that the point resolves to; others who share it count up
        column("rank", Minor()),
        column("contact_id", Id(), holds="subject"),
        column("ordinal", Minor()),
        column("value", Text(), holds="personal"),
        column("label", Text(60)),
        column("source", Text(100)),
        column("verified_at", Instant()),  # the end of time while nobody has tried
        column("is_primary", Minor()),
        column("parts", Json(), null=True, holds="personal"),  # of a postal address
        # those parts again that segments ask for; empty where unknown
        column("country", Text(2), holds="personal"),
        column("city", Text(300), holds="personal"),
        column("postcode", Text(300), holds="personal"),
        column("added_at", Instant()),
        PrimaryKeyConstraint("kind", "scope", "key", "rank"),
        index("of", "contact_id", "ordinal"),
    )
