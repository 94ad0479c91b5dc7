"""What messages are sent for, and on which legal ground."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import attrs

from crmkit.errors import ValueRefused
from crmkit.text import clean

PURPOSE_LIMIT = 60


class Basis(StrEnum):
    """The legal ground on which personal data is used for a purpose (GDPR, article 6)."""

    CONSENT = "consent"
    CONTRACT = "contract"
    LEGITIMATE_INTEREST = "legitimate_interest"
    LEGAL_OBLIGATION = "legal_obligation"
    VITAL_INTEREST = "vital_interest"
    PUBLIC_TASK = "public_task"


@attrs.frozen
class Purpose:
    """What messages are sent for.

    Args:
        name: its name, such as "news".
        basis: the ground on which it rests.
    """

    name: str
    basis: Basis

    @property
    def needs_consent(self) -> bool:
        """Whether nothing is sent before the contact has consented."""
        return self.basis is Basis.CONSENT

    @property
    def is_optional(self) -> bool:
        """Whether the contact can refuse it: consent can be withdrawn, to a legitimate interest one can object."""
        return self.basis in (Basis.CONSENT, Basis.LEGITIMATE_INTEREST)


#: The purpose of a message that names none: what a customer has asked for by buying.
SERVICE = "service"

#: The purposes that there are without any setting.
DEFAULT_PURPOSES: Mapping[str, str] = MappingProxyType(
    {SERVICE: Basis.CONTRACT, "news": Basis.CONSENT, "promo": Basis.CONSENT}
)


def purpose_name(value: str) -> str:
    """Return the name of a purpose, or refuse it: letters, digits, `_` and `-`, a letter first."""
    text = clean(value, "purpose", limit=PURPOSE_LIMIT, empty=False)
    if not (text.isascii() and text.replace("-", "_").isidentifier() and text[0].isalpha()):
        raise ValueRefused(f"purpose {text!r} must be ASCII letters, digits, '_' and '-', a letter first")
    return text


def purposes(given: Mapping[str, Any]) -> Mapping[str, Purpose]:
    """Return the default purposes with those that are given added, or in their place.

    Args:
        given: the basis of each purpose by its name.

    Raises:
        ValueRefused: if a name or a basis is wrong.
    """
    if not isinstance(given, Mapping):
        raise ValueRefused(f"purposes is {given!r}; must be a mapping of names to a basis")
    made = {}
    for name, basis in {**DEFAULT_PURPOSES, **given}.items():
        ground = basis.basis if isinstance(basis, Purpose) else basis
        if ground not in list(Basis):
            raise ValueRefused(f"purpose {name!r} rests on {ground!r}; must be one of {', '.join(Basis)}")
        made[purpose_name(name)] = Purpose(name, Basis(ground))
    return MappingProxyType(made)
