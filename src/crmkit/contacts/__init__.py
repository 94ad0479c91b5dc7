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
from crmkit.contacts.details import (
    INVERSES,
    FieldChange,
    Liking,
    Note,
    NoteKind,
    PersonalFact,
    Preference,
    PreferenceKind,
    Privacy,
    Relation,
)
from crmkit.contacts.merge import Merge
from crmkit.contacts.points import ADDRESS_LIMIT, ContactPoint, PointKind

__all__ = [
    "ADDRESS_LIMIT",
    "Contact",
    "ContactKind",
    "ContactPoint",
    "EDITABLE",
    "FieldChange",
    "FirstNamePermission",
    "Formality",
    "HostKey",
    "INVERSES",
    "Liking",
    "Merge",
    "NAME_LIMIT",
    "NameOrder",
    "Note",
    "NoteKind",
    "PersonalFact",
    "PointKind",
    "PostalAddress",
    "Preference",
    "PreferenceKind",
    "Privacy",
    "Relation",
    "Stage",
]
