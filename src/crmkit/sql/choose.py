"""Which store keeps the contacts of a CRM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crmkit.errors import ConfigError
from crmkit.registry import Registry
from crmkit.settings import build_settings
from crmkit.sql.contacts import OwnContacts
from crmkit.stores import ContactStore


def choose_store(
    given: ContactStore | None, settings: Mapping[str, Any] | None, registry: Registry
) -> ContactStore:
    """Return the store that was given, that the settings describe, that a plugin provides, or own tables.

    Args:
        given: by the host as an object.
        settings: of a mapping, by the host.
        registry: with what plugins provide.

    Raises:
        ConfigError: if there is more than one, or what was given is none.
        SettingsError: if the settings are wrong.
    """
    provided = registry.store
    named = {
        "contacts=": given is not None,
        "settings['contacts']": settings is not None,
        f"plugin {provided.owner}" if provided else "": provided is not None,
    }
    several = [name for name, is_there in named.items() if is_there]
    if len(several) > 1:
        raise ConfigError(f"contacts can be kept by one store, and it is given by {' and by '.join(several)}")
    if given is not None:
        return _checked(given)
    if settings is not None:
        from crmkit.sql.mapped import MappedContacts  # of those who map

        return build_settings(MappedContacts, settings, "settings['contacts']")
    return provided.value if provided else OwnContacts()


def _checked(given: Any) -> ContactStore:
    if not isinstance(given, ContactStore) or isinstance(given, type):
        raise ConfigError(
            f"contacts is {given!r}; must be a ContactStore, such as crmkit.MappedContacts(table=..., columns=...)"
        )
    return given
