"""Remind of the lots that are there and will lapse."""

from crmkit.sql.migrations import change_rows

revision = "loyalty_0007"
down_revision = "loyalty_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
    change_rows(
        "loyalty_timers",
        "INSERT INTO {table} (id, kind, contact_id, unit, at) "
        "SELECT id, 'expire', contact_id, unit, expires_at FROM {prefix}loyalty_lots "
        "WHERE expires_at < 253402300799999999 AND id NOT IN (SELECT id FROM {table})",
    )
