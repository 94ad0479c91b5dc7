"""tx.contacts.tags, .notes, .preferences, .relations, .facts, .values: what is known of a contact besides its fields.

Whatever is written stands under the id that was named, and is read over every id of the contact, so that merged
contacts read as one.
"""

from crmkit.transaction.details.attached import Attached
from crmkit.transaction.details.profile import Profile
from crmkit.transaction.details.stages import derive_stages

__all__ = ["Attached", "Profile", "derive_stages"]
