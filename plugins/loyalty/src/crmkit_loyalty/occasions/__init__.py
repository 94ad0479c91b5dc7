"""Days that come round: birthdays of members, and of their memberships."""
