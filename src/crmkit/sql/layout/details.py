"""Tables of what is known about a contact besides its fields and addresses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint

from crmkit.sql.tables import column, index, table, unique
from crmkit.sql.types import Id, Instant, Json, Minor, Text


def latest_preferences(rows: Sequence[Any]) -> Sequence[Any]:
    """Return of several persons' preferences that were merged the latest for each kind and value."""
    found = {(row.kind, row.value): row for row in sorted(rows, key=lambda row: (row.set_at, row.contact_id))}
    return list(found.values())


def latest_values(rows: Sequence[Any]) -> Sequence[Any]:
    """Return of several persons' custom fields that were merged, for each field those of whom has the latest."""
    last = {row.field: row.contact_id for row in sorted(rows, key=lambda row: (row.set_at, row.contact_id))}
    return [row for row in rows if last[row.field] == row.contact_id]


def add(metadata: MetaData) -> None:
    """Add them to the metadata."""
    _words(metadata)
    _notes(metadata)
    _facts(metadata)
    _stages(metadata)


def _words(metadata: MetaData) -> None:
    table(
        metadata,
        "contact_tags",
        column("contact_id", Id(), holds="subject"),
        column("tag", Text(100), holds="personal"),  # its case folded
        column("added_at", Instant()),
        PrimaryKeyConstraint("contact_id", "tag"),
        index("tag", "tag", "contact_id"),
        erase="delete",
    )
    table(
        metadata,
        "contact_preferences",
        column("contact_id", Id(), holds="subject"),
        column("kind", Text(20)),
        column("value", Text(200), holds="personal"),
        column("liking", Text(20)),
        column("confidence", Minor()),  # per cent
        column("source", Text(100)),
        column("set_at", Instant()),
        PrimaryKeyConstraint("contact_id", "kind", "value"),
        index("value", "kind", "value", "contact_id"),
        merge=latest_preferences,
        erase="delete",
    )
    # the fields that the host and plugins declare: one row a field, of a set one row a member. Texts, members and
    # dates (ISO 8601) stand in `text`, the others as whole numbers in `number`: decimals scaled, instants as
    # microseconds since 1970, booleans as 0 and 1
    table(
        metadata,
        "contact_values",
        column("contact_id", Id(), holds="subject"),
        column("field", Text(100)),
        column("place", Minor()),  # 0, or of a set's member its number from 1 on
        column("text", Text(500), holds="personal"),
        column("number", Minor(), holds="personal"),
        column("set_at", Instant()),
        PrimaryKeyConstraint("contact_id", "field", "place"),
        index("text", "field", "text", "contact_id"),
        index("number", "field", "number", "contact_id"),
        merge=latest_values,
        erase="delete",
    )


def _notes(metadata: MetaData) -> None:
    # one row a version; the one that stands lasts until the end of time
    table(
        metadata,
        "contact_notes",
        Column("id", Id(), primary_key=True),
        column("note_id", Id()),
        column("number", Minor()),
        column("contact_id", Id(), holds="subject"),
        column("kind", Text(20)),
        column("text", Text(), holds="personal"),
        column("details", Json(), holds="personal"),
        column("about_id", Id(), null=True),
        column("author", Text(100)),
        column("noted_at", Instant()),
        column("written_at", Instant()),
        column("until", Instant()),
        unique("note_id", "number"),
        index("of", "contact_id", "until", "noted_at", "id"),
        index("about", "about_id", "until", "id"),
        erase="delete",
    )


def _facts(metadata: MetaData) -> None:
    table(
        metadata,
        "contact_relations",
        Column("id", Id(), primary_key=True),
        column("contact_id", Id(), holds="subject"),
        column("kind", Text(60)),
        # the other side: a contact, or the zero id and a name
        column("other_id", Id(), holds="subject"),
        column("other_name", Text(300), holds="personal"),
        column("source", Text(100)),
        column("began_on", Text(10)),  # ISO 8601, or empty
        column("added_at", Instant()),
        column("ended_at", Instant()),
        index("of", "contact_id", "ended_at", "id"),
        index("other", "other_id", "ended_at", "id"),
        erase="delete",
    )
    table(
        metadata,
        "contact_facts",
        Column("id", Id(), primary_key=True),
        column("contact_id", Id(), holds="subject"),
        column("text", Text(500), holds="personal"),
        column("on_date", Text(10), holds="personal"),  # ISO 8601, or empty
        column("source", Text(100)),
        column("privacy", Text(20)),
        column("purpose", Text(60)),
        column("added_at", Instant()),
        index("of", "contact_id", "on_date", "id"),
        index("date", "on_date", "id"),
        erase="delete",
    )
    table(
        metadata,
        "order_roles",
        column("order_id", Id()),
        column("role", Text(20)),
        column("contact_id", Id(), holds="subject"),
        column("since", Instant()),
        PrimaryKeyConstraint("order_id", "role", "contact_id"),
        index("of", "contact_id", "since", "order_id"),
    )


def _stages(metadata: MetaData) -> None:
    # when the rule has to look at a contact again, and since when staff's word holds
    table(
        metadata,
        "contact_stages",
        Column("contact_id", Id(), primary_key=True, info={"crmkit": "subject"}),
        column("kept_at", Instant()),  # the end of time where the rule decided
        column("due_at", Instant()),
        index("due", "due_at", "contact_id"),
        merge="survivor",
    )
