"""What expressions may ask of the ledger."""

from __future__ import annotations

from crmkit import NOW, Aggregate, AnyOf, Condition, Field, FieldType, Join
from crmkit_loyalty.ledger import COUNTED, LARGEST, Account
from crmkit_loyalty.tables import LOTS, POSTINGS

#: As `Loyalty.balance` has it: units in lots that have not expired, minus what is owed.
BALANCE = Field(
    "loyalty.points",
    FieldType.INTEGER,
    bound=(-LARGEST, LARGEST),
    doc="The balance of points; missing for whoever never had any.",
    source=Aggregate(
        POSTINGS,
        "sum",
        "amount",
        join=Join(LOTS, "lot_id"),
        where=(
            Condition("unit", "==", "points"),
            Condition("account", "in", tuple(account.value for account in COUNTED)),
            AnyOf(
                [
                    Condition("account", "==", Account.DEBT.value),
                    Condition(f"{LOTS}.expires_at", ">", NOW),
                ]
            ),
        ),
    ),
)
