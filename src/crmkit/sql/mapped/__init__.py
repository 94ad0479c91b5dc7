"""Contacts that are the rows of a table which the host already has."""

from crmkit.sql.mapped.store import MappedContacts

__all__ = ["MappedContacts"]
