"""The settings of the plugin that a CRM was built with, for services that are made on a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from crmkit import CRM, ConfigError, Transaction

if TYPE_CHECKING:
    from crmkit_loyalty.settings import LoyaltySettings

_SETTINGS: WeakKeyDictionary[CRM, LoyaltySettings] = WeakKeyDictionary()


def configure(crm: CRM, settings: LoyaltySettings) -> None:
    """Remember a CRM's settings for as long as there is the CRM."""
    _SETTINGS[crm] = settings


def settings_of(tx: Transaction, asker: str) -> LoyaltySettings:
    """Return the settings of the CRM of a transaction.

    Args:
        tx: the transaction.
        asker: which service asks, for the error message.

    Raises:
        ConfigError: if it has no loyalty plugin.
    """
    found = _SETTINGS.get(tx.crm)
    if found is None:
        raise ConfigError(f"{asker}(tx) needs the loyalty plugin: CRM(url, plugins=['loyalty'])")
    return found
