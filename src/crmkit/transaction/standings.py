"""What is known of many contacts and addresses at once: a few statements, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import attrs

from crmkit.consent import NOTHING_KNOWN, ConsentEntry, Standing, Suppression
from crmkit.contacts import PointKind
from crmkit.contacts.keys import address_digester, address_key
from crmkit.settings import Secret
from crmkit.sql.aliases import read_many_ids
from crmkit.sql.consents import by_contact, consents_of
from crmkit.sql.erasures import erased_among
from crmkit.sql.suppressions import suppressions_of

if TYPE_CHECKING:
    from crmkit.crm import CRM
    from crmkit.transaction.unit import Transaction

Asker = TypeVar("Asker", bound=Hashable)


@attrs.frozen
class Asked:
    """Of whom something is to be known.

    Args:
        contact_id: the contact, if any.
        digest: of the address; empty if there is none.
        consents: whether the log of consents matters.
        gone: whether the contact was looked for and is not there.
    """

    contact_id: UUID | None
    digest: str
    consents: bool
    gone: bool = False


class SentDigests:
    """The digests of addresses as channels write to them.

    Args:
        crm: the CRM.
        secret: the installation's.
    """

    def __init__(self, crm: CRM, secret: Secret) -> None:
        self._crm = crm
        self._secret = secret
        self._made: dict[str, tuple[PointKind, Callable[[str], bytes]] | None] = {}

    def of(self, channel: str, address: str) -> str:
        """Return the digest of an address; empty if the channel or the address is unknown."""
        if channel not in self._made:
            self._made[channel] = self._make(channel)
        made = self._made[channel]
        if made is None or not address:
            return ""
        return made[1](address_key(made[0], address)).hex()

    def _make(self, channel: str) -> tuple[PointKind, Callable[[str], bytes]] | None:
        owned = self._crm.registry.channels.get(channel)
        if owned is None:
            return None
        spec = owned.value.spec
        return spec.address_kind, address_digester(self._secret, spec.address_kind, spec.scope)


def read_standings(
    tx: Transaction, asked: Mapping[Asker, Asked], *, lifted: bool = False
) -> dict[Asker, Standing]:
    """Return what is known of each.

    Args:
        tx: the transaction.
        asked: of whom.
        lifted: whether suppressions that were lifted are wanted too, for an earlier instant.
    """
    suppressions: dict[str, list[Suppression]] = {}
    for one in suppressions_of(tx.sql, [one.digest for one in asked.values() if one.digest], lifted=lifted):
        suppressions.setdefault(one.digest, []).append(one)
    # an erased contact stays as a row without a word in it
    erased = erased_among(tx.sql, [one.contact_id for one in asked.values() if one.contact_id])
    consents = _consents(tx, [one.contact_id for one in asked.values() if one.consents and one.contact_id])
    return {
        key: _standing(one, suppressions, consents, gone=one.gone or one.contact_id in erased)
        for key, one in asked.items()
    }


def _consents(tx: Transaction, contact_ids: list[UUID]) -> dict[UUID, list[ConsentEntry]]:
    if not contact_ids:
        return {}
    ids = read_many_ids(tx.sql, contact_ids)
    every = [id for contact_id in contact_ids for id in ids.get(contact_id, (contact_id,))]
    return by_contact(consents_of(tx.sql, every), {id: group for group in ids.values() for id in group})


def _standing(
    one: Asked,
    suppressions: Mapping[str, list[Suppression]],
    consents: Mapping[UUID, list[ConsentEntry]],
    *,
    gone: bool,
) -> Standing:
    stopped = suppressions.get(one.digest, ())
    said = consents.get(one.contact_id, ()) if one.contact_id else ()
    if not stopped and not said and not gone:
        return NOTHING_KNOWN
    return Standing(entries=tuple(said), suppressions=tuple(stopped), gone=gone)
