"""Fill the country of postal addresses that were kept before it had a column."""

from crmkit.sql.migrations import change_rows

revision = "crmkit_0064"
down_revision = "crmkit_0063"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the rows here."""
    change_rows("contact_points", "UPDATE {table} SET country = scope WHERE kind = 'postal' AND country = ''")
