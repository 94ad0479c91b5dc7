"""Contacts and orders come from files, and go to files."""

from crmkit.exchange.exporting import export_contacts
from crmkit.exchange.importing import import_contacts
from crmkit.exchange.limits import Limits
from crmkit.exchange.mapping import ColumnMap, read_mapping
from crmkit.exchange.orders import import_orders
from crmkit.exchange.plan import Plan, look
from crmkit.exchange.policy import OnDuplicate
from crmkit.exchange.report import ImportReport

__all__ = [
    "ColumnMap",
    "ImportReport",
    "Limits",
    "OnDuplicate",
    "Plan",
    "export_contacts",
    "import_contacts",
    "import_orders",
    "look",
    "read_mapping",
]
