"""What revisions are written with, and what a host's own Alembic needs to know."""

from crmkit.sql.migrations.host import hidden
from crmkit.sql.migrations.steps import add_column, change_rows, create_index, create_table

__all__ = ["add_column", "change_rows", "create_index", "create_table", "hidden"]
