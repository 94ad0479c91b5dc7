"""What expressions may ask of tiers."""

from __future__ import annotations

from crmkit import NOW, Condition, Field, FieldType, RowColumn
from crmkit_loyalty.tiers.layout import SPANS

#: As `Tiers.of` has it.
TIER = Field(
    "member.tier",
    FieldType.TEXT,
    doc="The name of the tier that the contact has; missing for whoever has none.",
    source=RowColumn(
        SPANS,
        "tier",
        where=(Condition("from_at", "<=", NOW), Condition("until_at", ">", NOW)),
        first="-number",
        latest=("number",),
    ),
)
