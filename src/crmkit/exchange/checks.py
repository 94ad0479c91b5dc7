"""What of a row is refused before anything of it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from crmkit.contacts.details import NOTE_LIMIT
from crmkit.crm import CRM
from crmkit.errors import ValueRefused
from crmkit.exchange.incoming import Incoming
from crmkit.expressions.custom import Value, parsed
from crmkit.settings import did_you_mean
from crmkit.text import clean


def checked(crm: CRM, incoming: Incoming) -> Incoming:
    """Return a row with its custom fields as they will be kept; its notes and consents are looked at.

    Args:
        crm: it knows the custom fields and purposes.
        incoming: the row.

    Raises:
        ValueRefused: if one of them is refused.
    """
    if not (incoming.notes or incoming.values or incoming.consents):
        return incoming
    for note in incoming.notes:
        clean(note, "note", limit=NOTE_LIMIT, multiline=True)
    for name in incoming.consents:
        purpose, _, channel = name.partition(":")
        _purpose(crm, purpose)
        clean(channel, "channel", limit=30)
    return attrs.evolve(incoming, values=_values(crm, incoming.values)) if incoming.values else incoming


def _purpose(crm: CRM, name: str) -> None:
    purposes = crm.settings.purposes
    if name not in purposes:
        raise ValueRefused(f"there is no purpose {name!r}{did_you_mean(name, list(purposes))}")


def _values(crm: CRM, values: Mapping[str, Any]) -> dict[str, Value]:
    fields = crm.registry.custom_fields
    for name in values:
        if name not in fields:
            raise ValueRefused(f"there is no custom field {name!r}{did_you_mean(name, list(fields))}")
    return {name: parsed(fields[name], text) for name, text in values.items()}
