"""Whether a contact may be written to: what was said, the suppression list, and the decision from these."""

from crmkit.consent.deciding import (
    Allowed,
    RefusalReason,
    Refused,
    after_grants,
    consent_to,
    in_force,
    may_send,
    saying_order,
)
from crmkit.consent.names import CHANNEL_LIMIT, MEDIA, known_channel, known_purpose
from crmkit.consent.said import (
    NOTHING_KNOWN,
    ConsentEntry,
    ConsentState,
    Standing,
    Suppression,
    SuppressionReason,
    is_import,
    present,
)

__all__ = [
    "CHANNEL_LIMIT",
    "MEDIA",
    "NOTHING_KNOWN",
    "Allowed",
    "ConsentEntry",
    "ConsentState",
    "RefusalReason",
    "Refused",
    "Standing",
    "Suppression",
    "SuppressionReason",
    "after_grants",
    "consent_to",
    "in_force",
    "is_import",
    "known_channel",
    "known_purpose",
    "may_send",
    "present",
    "saying_order",
]
