"""What the plugins registered, checked against one another and read-only from then on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any, TypeVar

import attrs

from crmkit.channels import Channel, ChannelSpec, Dedup
from crmkit.errors import ConfigError, NotFound, PluginConflict, PluginInvalid
from crmkit.events import CORE_EVENTS, Event
from crmkit.expressions import Field
from crmkit.hooks import Hooks
from crmkit.hookspecs import Command, HealthCheck, Job, Page, Reaction
from crmkit.plugins import oddity, said, shown
from crmkit.rewards import COUNTERS, Owned, RewardRule, Veto
from crmkit.settings import did_you_mean
from crmkit.stores import ContactStore, StoreCapabilities
from crmkit.templates import Template

T = TypeVar("T")
K = TypeVar("K")

#: The owner of templates that the host gave itself.
HOST = "host"


@attrs.frozen(eq=False, kw_only=True)
class Registry:
    """All that plugins registered with one CRM, each object with its owner, in the host's order.

    Args:
        store: the store that keeps contacts, or None for the core's own tables.
        channels: by the name in their spec.
        rules: in the order in which they are evaluated.
        vetoes: in the order in which they are asked.
        event_types: the core's and the plugins', by class name.
        templates: by name and locale; a locale is written small and with hyphens ("de-at").
        fields: by name.
        jobs: periodic work; a name is unique within its owner.
        pages: of the console, by name.
        commands: of the command line, by name.
        health_checks: for `crmkit doctor`.
    """

    store: Owned[ContactStore] | None
    channels: Mapping[str, Owned[Channel]]
    rules: tuple[Owned[RewardRule], ...]
    vetoes: tuple[Owned[Veto], ...]
    event_types: Mapping[str, type[Event]]
    templates: Mapping[tuple[str, str], Owned[Template]]
    fields: Mapping[str, Owned[Field]]
    jobs: tuple[Owned[Job], ...]
    pages: Mapping[str, Owned[Page]]
    commands: Mapping[str, Owned[Command]]
    health_checks: tuple[Owned[HealthCheck], ...]
    _reactions: Mapping[type[Event], tuple[Owned[Reaction], ...]] = attrs.field(repr=False)

    def reactions_for(self, event_type: type[Event]) -> tuple[Owned[Reaction], ...]:
        """Return the reactions to events of a class, those to its base classes included."""
        return self._reactions.get(event_type, ())

    def template(self, name: str, locale: str = "") -> Template:
        """Return the template of that name for the locale, or else for its language, or else for all.

        Args:
            name: the template's name.
            locale: BCP 47 tag; "de-AT" falls back to "de" and then to the template without locale.

        Raises:
            NotFound: if there is none.
        """
        tag = _tag(locale)
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


def build_registry(hooks: Hooks, *, templates: Iterable[Template] = ()) -> Registry:
    """Return what the plugins register, checked.

    Args:
        hooks: the hooks of the enabled plugins.
        templates: the host's own, which win over those of plugins.

    Raises:
        PluginConflict: if two plugins claim one name.
        PluginInvalid: if an object breaks the contract.
        ConfigError: if the host's templates clash.
    """
    builder = _Builder(hooks)
    event_types = builder.event_types()
    return Registry(
        store=builder.store(),
        channels=builder.by_name("crmkit_channels", "channel", hooks.channels(), _channel, _spec_name),
        rules=tuple(builder.by_name("crmkit_reward_rules", "rule", hooks.reward_rules(), _rule).values()),
        vetoes=hooks.vetoes(),
        event_types=event_types,
        templates=builder.templates(templates),
        fields=builder.by_name("crmkit_fields", "field", hooks.fields()),
        jobs=builder.jobs(),
        pages=builder.by_name("crmkit_pages", "page", hooks.pages(), _page),
        commands=builder.by_name("crmkit_commands", "command", hooks.commands(), _named_function),
        health_checks=builder.checked("crmkit_health_checks", hooks.health_checks(), _named_function),
        reactions=builder.reactions(event_types.values()),
    )


@attrs.frozen(eq=False)
class _Builder:
    hooks: Hooks

    def store(self) -> Owned[ContactStore] | None:
        found = self.checked("crmkit_contact_store", self.hooks.contact_stores(), _store)
        if len(found) > 1:
            raise self.conflict("the contact store is", found, "crmkit_contact_store")
        return found[0] if found else None

    def event_types(self) -> Mapping[str, type[Event]]:
        hook = "crmkit_event_types"
        found = self.checked(hook, self.hooks.event_types(), _event_type)
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

    def reactions(
        self, event_types: Iterable[type[Event]]
    ) -> Mapping[type[Event], tuple[Owned[Reaction], ...]]:
        known = tuple(event_types)
        names = [cls.__name__ for cls in known]

        def fault(reaction: Reaction) -> str:
            if reaction.event in known:
                return _function_fault(reaction.function)
            name = getattr(reaction.event, "__name__", shown(reaction.event))
            return f"event {name!r} is neither the core's nor declared by crmkit_event_types{did_you_mean(name, names)}"

        found = self.checked("crmkit_reactions", self.hooks.reactions(), fault)
        return MappingProxyType(
            {cls: tuple(one for one in found if issubclass(cls, one.value.event)) for cls in known}
        )

    def jobs(self) -> tuple[Owned[Job], ...]:
        found = self.checked("crmkit_jobs", self.hooks.jobs(), _job)
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


def _tag(locale: str) -> str:
    return locale.replace("_", "-").lower()


def _template_key(template: Template) -> tuple[str, str]:
    return template.name, _tag(template.locale)


def _spec_name(channel: Channel) -> str:
    return channel.spec.name


def _function_fault(function: Any) -> str:
    if not callable(function):
        return f"its function is {shown(function)}; it must be callable"
    odd = oddity(function)
    return f"its function is {odd}, so nobody would run it; write a plain def" if odd else ""


def _store(store: Any) -> str:
    proper = isinstance(store.capabilities, StoreCapabilities)
    return (
        "" if proper else f"its capabilities are {shown(store.capabilities)}; they must be StoreCapabilities"
    )


def _channel(channel: Any) -> str:
    if not isinstance(channel.spec, ChannelSpec):
        return f"its spec is {shown(channel.spec)}; it must be a ChannelSpec"
    needed = {"send", "open"} & set(dir(channel))
    if not needed:
        return "it must have send(delivery, ctx), or open(ctx) that gives a sender"
    if channel.spec.dedup is Dedup.LOOKUP and not hasattr(channel, "lookup"):
        return "its dedup class is LOOKUP, so it must have lookup(delivery, ctx)"
    faults = (
        _function_fault(getattr(channel, name))
        for name in ("send", "open", "lookup")
        if hasattr(channel, name)
    )
    return next(filter(None, faults), "")


def _rule(rule: Any) -> str:
    if not isinstance(rule.name, str) or not rule.name.strip() or "@" in rule.name or len(rule.name) > 100:
        return f"its name is {shown(rule.name)}; it must be a text of 1 to 100 characters without '@'"
    if type(rule.version) is not int or rule.version < 1:
        return f"its version is {shown(rule.version)}; it must be a whole number from 1 on"
    cap = getattr(rule, "cap", None)
    if cap is not None and (type(cap) is not int or cap < 0):
        return f"its cap is {shown(cap)}; it must be a whole number from 0 on, or None"
    if not callable(rule.evaluate) or oddity(rule.evaluate) == "async":
        return "its evaluate must be a function that is not async"
    return _texts("triggers", getattr(rule, "triggers", ("order.paid",))) or _reads(
        getattr(rule, "reads", ())
    )


def _texts(what: str, value: object) -> str:
    proper = isinstance(value, (tuple, list, frozenset)) and all(isinstance(one, str) for one in value)
    return "" if proper else f"its {what} are {shown(value)}; they must be a tuple of texts"


def _reads(reads: Any) -> str:
    unknown = [] if _texts("reads", reads) else [name for name in reads if name not in COUNTERS]
    hint = did_you_mean(unknown[0], list(COUNTERS)) if unknown else ""
    return _texts("reads", reads) or (f"there is no counter {unknown[0]!r}{hint}" if unknown else "")


def _event_type(cls: Any) -> str:
    if "__attrs_attrs__" not in vars(cls) or cls.__setattr__ is not Event.__setattr__:
        return "decorate the class with @attrs.frozen(kw_only=True)"
    if type(cls.version) is not int or cls.version < 1:
        return f"its version is {shown(cls.version)}; it must be a whole number from 1 on"
    for field in attrs.fields(cls):
        if field.metadata.get("personal") and field.default is attrs.NOTHING:
            return f"its field {field.name!r} is personal and needs a default: it is what reads after erasure"
    return ""


def _named_function(value: Any) -> str:
    proper = isinstance(value.name, str) and value.name.strip()
    return _function_fault(value.function) if proper else "its name must be a text that is not empty"


def _job(job: Any) -> str:
    proper = isinstance(job.every, timedelta) and job.every > timedelta(0)
    return (
        _named_function(job)
        if proper
        else f"its every is {shown(job.every)}; it must be a positive timedelta"
    )


def _page(page: Any) -> str:
    proper = isinstance(page.name, str) and page.name.strip()
    return _function_fault(page.render) if proper else "its name must be a text that is not empty"
