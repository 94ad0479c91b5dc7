"""What of a row is refused before anything of it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from crmkit.clock import EPOCH
from crmkit.consent import ConsentState, known_channel, known_purpose
from crmkit.crm import CRM
from crmkit.errors import ValueRefused
from crmkit.exchange.incoming import Incoming
from crmkit.exchange.said import SaidConsent
from crmkit.expressions.custom import Value, parsed
from crmkit.settings import did_you_mean
from crmkit.text import clean
from crmkit.transaction.consent_answers import channels_of


def checked(crm: CRM, incoming: Incoming) -> Incoming:
    """Return a row with its custom fields as they will be kept; all else that it says of a contact is looked at.

    Args:
        crm: it knows the custom fields and purposes.
        incoming: the row.

    Raises:
        ValueRefused: if anything of it is refused.
    """
    if not incoming.says_more:
        return incoming
    id = incoming.contact.id
    for note in incoming.notes:
        note.note(id, id, "import", EPOCH)
    for preference in incoming.preferences:
        preference.preference(EPOCH)
    for fact in incoming.facts:
        fact.fact(id, id, EPOCH)
    for relation in incoming.relations:
        relation.relation(id, relation.other)
        if incoming.named and relation.other == id:
            raise ValueRefused(f"contact {id} cannot be its own {relation.kind}")
    for word in incoming.consents:
        _check(crm, word)
    return attrs.evolve(incoming, values=_values(crm, incoming.values)) if incoming.values else incoming


def _check(crm: CRM, word: SaidConsent) -> None:
    if word.purpose or word.state is ConsentState.GRANTED:
        purpose = known_purpose(crm.settings.purposes, word.purpose)
        if word.state is ConsentState.WITHDRAWN and not purpose.is_optional:
            raise ValueRefused(f"purpose {purpose.name!r} rests on {purpose.basis} and cannot be refused")
    known_channel(channels_of(crm), word.channel)
    clean(word.text_version, "text version", limit=60)
    clean(word.source, "source of a consent", limit=100)


def _values(crm: CRM, values: Mapping[str, Any]) -> dict[str, Value]:
    fields = crm.registry.custom_fields
    for name in values:
        if name not in fields:
            raise ValueRefused(f"there is no custom field {name!r}{did_you_mean(name, list(fields))}")
    return {name: parsed(fields[name], text) for name, text in values.items()}
