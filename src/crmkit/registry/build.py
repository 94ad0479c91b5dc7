"""The registry is built: every object is checked, and no two of a kind have one name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from crmkit.errors import ConfigError, PluginConflict, PluginInvalid
from crmkit.events import CORE_EVENTS, Event
from crmkit.expressions import Field
from crmkit.expressions.core import reserved
from crmkit.greeting import Greeting, merged
from crmkit.hooks import Hooks
from crmkit.hookspecs import Job, Reaction
from crmkit.plugins import said, shown
from crmkit.registry import faults
from crmkit.registry.registry import Registry, tag_of
from crmkit.rewards import Owned, RewardRule
from crmkit.settings import did_you_mean
from crmkit.stores import ContactStore, RewardLedger
from crmkit.templates import Template

if TYPE_CHECKING:
    from crmkit.programmes import Programme

T = TypeVar("T")
K = TypeVar("K")

#: The owner of templates and fields that the host gave itself.
HOST = "host"


def build_registry(
    hooks: Hooks,
    *,
    templates: Iterable[Template] = (),
    fields: Iterable[Field] = (),
    programmes: Iterable[Programme] = (),
) -> Registry:
    """Return what the plugins register, checked.

    Args:
        hooks: the hooks of the enabled plugins.
        templates: the host's own, which win over those of plugins.
        fields: the host's own.
        programmes: the host's, whose rules come after those of plugins.

    Raises:
        PluginConflict: if two plugins claim one name.
        PluginInvalid: if an object breaks the contract.
        ConfigError: if the host's templates or fields clash.
    """
    builder = _Builder(hooks)
    event_types, ledger, programmes = builder.event_types(), builder.ledger(), tuple(programmes)
    return Registry(
        store=builder.store(),
        channels=builder.by_name(
            "crmkit_channels", "channel", hooks.channels(), faults.channel, lambda value: value.spec.name
        ),
        rules=builder.rules(ledger, programmes),
        programmes=programmes,
        ledger=ledger,
        vetoes=hooks.vetoes(),
        event_types=event_types,
        templates=builder.templates(templates),
        greetings=builder.greetings(),
        fields=builder.fields(fields),
        jobs=builder.jobs(),
        pages=builder.by_name("crmkit_pages", "page", hooks.pages(), faults.page),
        commands=builder.by_name("crmkit_commands", "command", hooks.commands(), faults.named_function),
        health_checks=builder.checked("crmkit_health_checks", hooks.health_checks(), faults.named_function),
        reactions=builder.reactions(event_types.values()),
    )


@attrs.frozen(eq=False)
class _Builder:
    hooks: Hooks

    def store(self) -> Owned[ContactStore] | None:
        found = self.checked("crmkit_contact_store", self.hooks.contact_stores(), faults.store)
        if len(found) > 1:
            raise self.conflict("the contact store is", found, "crmkit_contact_store")
        return found[0] if found else None

    def ledger(self) -> Owned[RewardLedger] | None:
        found = self.hooks.reward_ledgers()
        if len(found) > 1:
            raise self.conflict("the reward ledger is", found, "crmkit_reward_ledger")
        return found[0] if found else None

    def rules(
        self, ledger: Owned[RewardLedger] | None, programmes: Sequence[Programme]
    ) -> tuple[Owned[RewardRule], ...]:
        hook = "crmkit_reward_rules"
        declared: list[Owned[RewardRule]] = [
            Owned(owner=HOST, value=rule) for programme in programmes for rule in programme.rules
        ]
        found = self.by_name(hook, "rule", (*self.hooks.reward_rules(), *declared), faults.rule)
        for owned in found.values():
            if ledger is None and (wrong := faults.unremembered(owned.value)):
                programme = getattr(owned.value, "programme", "")
                if owned.owner == HOST:
                    raise ConfigError(f"programme {programme!r}: {wrong}")
                raise self.refused(hook, owned, wrong)
        return tuple(found.values())

    def event_types(self) -> Mapping[str, type[Event]]:
        hook = "crmkit_event_types"
        found = self.checked(hook, self.hooks.event_types(), faults.event_type)
        core = {cls.__name__: cls for cls in CORE_EVENTS}
        for owned in found:
            if (name := owned.value.__name__) in core:
                raise self.refused(hook, owned, f"event type {name!r} is the core's; give it another name")
        named = self.unique("event type", hook, found, lambda cls: cls.__name__)
        return MappingProxyType(core | {name: owned.value for name, owned in named.items()})

    def templates(self, own: Iterable[Template]) -> Mapping[tuple[str, str], Owned[Template]]:
        host: dict[tuple[str, str], Owned[Template]] = {}
        for template in own:
            if not isinstance(template, Template):
                raise ConfigError(f"templates holds {shown(template)}; each must be a Template")
            if _template_key(template) in host:
                raise ConfigError(
                    f"templates holds {template.name!r} twice for the locale {template.locale!r}"
                )
            host[_template_key(template)] = Owned(owner=HOST, value=template)
        theirs = [one for one in self.hooks.templates() if _template_key(one.value) not in host]
        named = self.unique("template and locale", "crmkit_templates", theirs, _template_key)
        return MappingProxyType({**named, **host})

    def greetings(self) -> Mapping[str, Greeting]:
        hook = "crmkit_greetings"
        found = self.checked(hook, self.hooks.greetings(), lambda one: faults.function(one.greet))
        named = self.unique("greeting of the locale", hook, found, lambda one: one.locale)
        return merged(one.value for one in named.values())

    def fields(self, own: Iterable[Field]) -> Mapping[str, Owned[Field]]:
        host: list[Owned[Field]] = []
        for field in own:
            if not isinstance(field, Field):
                raise ConfigError(f"fields holds {shown(field)}; each must be a Field")
            if field.name in {one.value.name for one in host}:
                raise ConfigError(f"fields holds {field.name!r} twice")
            host.append(Owned(owner=HOST, value=field))
        found = self.by_name("crmkit_fields", "field", (*self.hooks.fields(), *host), faults.field)
        for name, owned in found.items():
            if wrong := reserved(name):
                raise ConfigError(
                    f"{self.hooks.label(owned.owner) if owned.owner != HOST else 'the host'}: {wrong}"
                )
        return found

    def reactions(
        self, event_types: Iterable[type[Event]]
    ) -> Mapping[type[Event], tuple[Owned[Reaction], ...]]:
        known = tuple(event_types)
        names = [cls.__name__ for cls in known]

        def fault(reaction: Reaction) -> str:
            if reaction.event in known:
                return faults.function(reaction.function)
            name = getattr(reaction.event, "__name__", shown(reaction.event))
            return f"event {name!r} is neither the core's nor declared by crmkit_event_types{did_you_mean(name, names)}"

        found = self.checked("crmkit_reactions", self.hooks.reactions(), fault)
        return MappingProxyType(
            {cls: tuple(one for one in found if issubclass(cls, one.value.event)) for cls in known}
        )

    def jobs(self) -> tuple[Owned[Job], ...]:
        found = self.checked("crmkit_jobs", self.hooks.jobs(), faults.job)
        for owner in {one.owner for one in found}:
            theirs = [one for one in found if one.owner == owner]
            self.unique("job", "crmkit_jobs", theirs, lambda job: job.name)
        return found

    def by_name(
        self,
        hook: str,
        what: str,
        found: Sequence[Owned[T]],
        fault: Callable[[T], str] = lambda value: "",
        key: Callable[[T], str] = lambda value: value.name,  # type: ignore[attr-defined]
    ) -> Mapping[str, Owned[T]]:
        return self.unique(what, hook, self.checked(hook, found, fault), key)

    def checked(
        self, hook: str, found: Sequence[Owned[T]], fault: Callable[[T], str]
    ) -> tuple[Owned[T], ...]:
        for owned in found:
            try:
                wrong = fault(owned.value)
            except (Exception, SystemExit) as error:
                raise self.refused(hook, owned, f"looking at it raised {said(error)}") from error
            if wrong:
                raise self.refused(hook, owned, wrong)
        return tuple(found)

    def unique(
        self, what: str, hook: str, found: Sequence[Owned[T]], key: Callable[[T], K]
    ) -> Mapping[K, Owned[T]]:
        named: dict[K, Owned[T]] = {}
        for owned in found:
            name = key(owned.value)
            if name in named:
                raise self.conflict(f"{what} {name!r} is", (named[name], owned), hook)
            named[name] = owned
        return MappingProxyType(named)

    def conflict(self, what: str, found: Sequence[Owned[Any]], hook: str) -> PluginConflict:
        providers = "".join(f"\n  {self.hooks.label(owned.owner)}" for owned in found)
        return PluginConflict(
            f"{what} provided by more than one, through the hook {hook}:{providers}", plugin=found[-1].owner
        )

    def refused(self, hook: str, owned: Owned[Any], wrong: str) -> PluginInvalid:
        return PluginInvalid(
            f"{self.hooks.label(owned.owner)}: hook {hook} answered {shown(owned.value)}; {wrong}",
            plugin=owned.owner,
        )


def _template_key(template: Template) -> tuple[str, str]:
    return template.name, tag_of(template.locale)
