"""The registry: all that plugins registered, read-only, and how it is looked up."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs

from crmkit.channels import Channel
from crmkit.errors import NotFound
from crmkit.events import Event
from crmkit.expressions import Field
from crmkit.greeting import Greeting
from crmkit.hookspecs import Command, HealthCheck, Job, Page, Reaction
from crmkit.rewards import Owned, RewardRule, RuleBook, Veto
from crmkit.settings import did_you_mean
from crmkit.stores import ContactStore, RewardLedger
from crmkit.templates import Template

if TYPE_CHECKING:
    from crmkit.programmes import Programme


@attrs.frozen(eq=False, kw_only=True)
class Registry:
    """All that plugins registered with one CRM, each object with its owner, in the host's order.

    Args:
        store: the store that keeps contacts, or None for the core's own tables.
        channels: by the name in their spec.
        rules: as the plugins bring them; see `rulebook` for the order in which they are evaluated.
        programmes: the host's, whose rules are among those.
        ledger: what remembers the use of limits, or None.
        vetoes: in the order in which they are asked.
        event_types: the core's and the plugins', by class name.
        templates: by name and locale; a locale is written small and with hyphens ("de-at").
        greetings: the core's and the plugins', by locale, written as in `templates`.
        fields: the host's and the plugins', by name.
        jobs: periodic work; a name is unique within its owner.
        pages: of the console, by name.
        commands: of the command line, by name.
        health_checks: for `crmkit doctor`.
    """

    store: Owned[ContactStore] | None
    channels: Mapping[str, Owned[Channel]]
    rules: tuple[Owned[RewardRule], ...]
    programmes: tuple[Programme, ...]
    ledger: Owned[RewardLedger] | None
    vetoes: tuple[Owned[Veto], ...]
    event_types: Mapping[str, type[Event]]
    templates: Mapping[tuple[str, str], Owned[Template]]
    greetings: Mapping[str, Greeting]
    fields: Mapping[str, Owned[Field]]
    jobs: tuple[Owned[Job], ...]
    pages: Mapping[str, Owned[Page]]
    commands: Mapping[str, Owned[Command]]
    health_checks: tuple[Owned[HealthCheck], ...]
    _reactions: Mapping[type[Event], tuple[Owned[Reaction], ...]] = attrs.field(repr=False)

    def reactions_for(self, event_type: type[Event]) -> tuple[Owned[Reaction], ...]:
        """Return the reactions to events of a class, those to its base classes included."""
        return self._reactions.get(event_type, ())

    @cached_property
    def rulebook(self) -> RuleBook:
        """The rules in the order in which they are evaluated."""
        return RuleBook(self.rules)

    @cached_property
    def custom_fields(self) -> Mapping[str, Field]:
        """The fields whose values are set with `tx.contacts.values`: those that no source is named for."""
        found = {name: owned.value for name, owned in self.fields.items() if owned.value.source is None}
        return MappingProxyType(found)

    def template(self, name: str, locale: str = "") -> Template:
        """Return the template of that name for the locale, or else for its language, or else for all.

        Args:
            name: the template's name.
            locale: BCP 47 tag; "de-AT" falls back to "de" and then to the template without locale.

        Raises:
            NotFound: if there is none.
        """
        tag = tag_of(locale)
        while (name, tag) not in self.templates and tag:
            tag = tag.rpartition("-")[0]
        if (name, tag) in self.templates:
            return self.templates[name, tag].value
        known = sorted({known for known, _ in self.templates})
        if name in known:
            raise NotFound(
                f"template {name!r} has no text for the locale {locale!r}, and none without a locale"
            )
        raise NotFound(f"there is no template {name!r}{did_you_mean(name, known)}")


def tag_of(locale: str) -> str:
    """Return a locale as the registry keeps it: small and with hyphens."""
    return locale.replace("_", "-").lower()
