"""What a plugin needs for tables of its own: column types and the way to declare them."""

from crmkit.sql.connection import Sql, prepared
from crmkit.sql.merged import merged_rows
from crmkit.sql.tables import column, index, table, unique
from crmkit.sql.types import Id, Instant, Json, Minor, Text

__all__ = [
    "Id",
    "Instant",
    "Json",
    "Minor",
    "Sql",
    "Text",
    "column",
    "index",
    "merged_rows",
    "prepared",
    "table",
    "unique",
]
