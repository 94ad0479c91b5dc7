"""Contacts and contact points: frozen values, normalised when they are made."""

from crmkit.contacts.address import PostalAddress
from crmkit.contacts.contact import (
    EDITABLE,
    NAME_LIMIT,
    Contact,
    ContactKind,
    FirstNamePermission,
    Formality,
    HostKey,
    NameOrder,
    Stage,
)
from crmkit.contacts.points import ADDRESS_LIMIT, ContactPoint, PointKind

__all__ = [
    "ADDRESS_LIMIT",
    "Contact",
    "ContactKind",
    "ContactPoint",
    "EDITABLE",
    "FirstNamePermission",
    "Formality",
    "HostKey",
    "NAME_LIMIT",
    "NameOrder",
    "PointKind",
    "PostalAddress",
    "Stage",
]
