"""What expressions may ask of memberships."""

from __future__ import annotations

from crmkit import FOREVER, Field, FieldType, RowColumn
from crmkit_loyalty.members.layout import MEMBERS

JOINED = Field(
    "member.joined_at",
    FieldType.INSTANT,
    doc="Since when the contact is a member; missing for whoever is none.",
    source=RowColumn(MEMBERS, "joined_at", where={"left_at": FOREVER}),
)
