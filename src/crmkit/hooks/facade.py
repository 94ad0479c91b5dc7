"""The facade: one typed method for each hook, with what happens when a plugin fails."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from crmkit.channels import Channel
from crmkit.contacts import Contact, ContactPoint
from crmkit.errors import DeliveryError, PluginInvalid, TransactionError
from crmkit.events import Event
from crmkit.expressions import Field
from crmkit.greeting import Greeting
from crmkit.hooks.answers import Fault, event_class, is_reason, items, like, made_of, owned
from crmkit.hooks.calls import Calls, HookCall, Implementation, print_call
from crmkit.hooks.implementations import find_implementations
from crmkit.hookspecs import Command, HealthCheck, Job, Page, Reaction
from crmkit.messages import Delivery
from crmkit.plugins import Loaded, PluginRecord, said
from crmkit.rewards import Owned, RewardRule, Veto
from crmkit.stores import ContactStore, RewardLedger
from crmkit.templates import Template

if TYPE_CHECKING:
    from sqlalchemy import MetaData

    from crmkit.crm import CRM
    from crmkit.transaction import Transaction


@attrs.frozen(eq=False)
class HookFailure:
    """A plugin's failure that hurt nobody else: `hook` of plugin `owner` gave the `error`."""

    hook: str
    owner: str
    error: PluginInvalid


class SuppressionFailed(DeliveryError):
    """A plugin could not say whether a delivery is to be suppressed, so it must be held.

    Args:
        message: what happened.
        owner: the plugin's name.
    """

    def __init__(self, message: str, *, owner: str) -> None:
        super().__init__(message)
        self.owner = owner


@attrs.frozen(eq=False, kw_only=True)
class Hooks:
    """The hooks of one CRM; each method asks the plugins in the host's order.

    Args:
        loaded: the enabled plugins.
        strict: whether failures that would be isolated are raised.
    """

    loaded: tuple[Loaded, ...]
    strict: bool
    _implementations: Mapping[str, tuple[Implementation, ...]] = attrs.field(repr=False)
    _calls: Calls = attrs.field(repr=False)
    _failures: dict[tuple[str, str], HookFailure] = attrs.field(factory=dict, init=False, repr=False)

    @classmethod
    def build(cls, loaded: Sequence[Loaded], *, strict: bool = False) -> Hooks:
        """Return the hooks of the loaded plugins, their implementations checked.

        Args:
            loaded: what `plugins.load` returned.
            strict: whether failures that would be isolated are raised.

        Raises:
            PluginInvalid: if an implementation breaks the contract.
            ConfigError: if pluggy is too old.
        """
        calls = Calls()
        if os.environ.get("CRMKIT_TRACE", "0") not in ("", "0"):
            calls.trace(print_call)
        found = find_implementations(loaded)
        return cls(loaded=tuple(loaded), strict=strict, implementations=found, calls=calls)

    @property
    def records(self) -> tuple[PluginRecord, ...]:
        """What is known of the enabled plugins, in the host's order."""
        return tuple(one.record for one in self.loaded)

    @property
    def failures(self) -> tuple[HookFailure, ...]:
        """The last failure of each isolated hook of each plugin."""
        return tuple(self._failures.values())

    def label(self, owner: str) -> str:
        """Return how errors name a plugin: with its distribution and version."""
        return next((str(one) for one in self.loaded if one.name == owner), repr(owner))

    def trace(self, callback: Callable[[HookCall], object]) -> Callable[[], None]:
        """Call `callback` after each call of an implementation; return a function that ends it.

        What the callback raises is dropped.
        """
        return self._calls.trace(callback)

    def contact_stores(self) -> tuple[Owned[ContactStore], ...]:
        """Return every store that a plugin offers for contacts."""
        fault = like("ContactStore", "capabilities", "get", "find", "add", "update", "add_points")
        return self._offered("crmkit_contact_store", fault)

    def reward_ledgers(self) -> tuple[Owned[RewardLedger], ...]:
        """Return everything that a plugin offers to remember the use of limits."""
        return self._offered("crmkit_reward_ledger", like("RewardLedger", "used"))

    def channels(self) -> tuple[Owned[Channel], ...]:
        """Return every channel."""
        return self._collected("crmkit_channels", like("Channel", "spec"))

    def reward_rules(self) -> tuple[Owned[RewardRule], ...]:
        """Return every reward rule."""
        return self._collected("crmkit_reward_rules", like("RewardRule", "name", "version", "evaluate"))

    def reactions(self) -> tuple[Owned[Reaction], ...]:
        """Return every reaction."""
        return self._collected("crmkit_reactions", made_of(Reaction))

    def event_types(self) -> tuple[Owned[type[Event]], ...]:
        """Return every event class that plugins append."""
        return self._collected("crmkit_event_types", event_class)

    def templates(self) -> tuple[Owned[Template], ...]:
        """Return every message template of a plugin."""
        return self._collected("crmkit_templates", made_of(Template))

    def greetings(self) -> tuple[Owned[Greeting], ...]:
        """Return how people are greeted in the locales of plugins."""
        return self._collected("crmkit_greetings", made_of(Greeting))

    def fields(self) -> tuple[Owned[Field], ...]:
        """Return every field for expressions."""
        return self._collected("crmkit_fields", made_of(Field))

    def jobs(self) -> tuple[Owned[Job], ...]:
        """Return all periodic work."""
        return self._collected("crmkit_jobs", made_of(Job))

    def pages(self) -> tuple[Owned[Page], ...]:
        """Return the pages of the console; a plugin that fails is left out and told in `failures`."""
        return self._collected("crmkit_pages", made_of(Page), isolated=True)

    def commands(self) -> tuple[Owned[Command], ...]:
        """Return the commands of the command line; a plugin that fails is left out and told in `failures`."""
        return self._collected("crmkit_commands", made_of(Command), isolated=True)

    def health_checks(self) -> tuple[Owned[HealthCheck], ...]:
        """Return every health check."""
        return self._collected("crmkit_health_checks", made_of(HealthCheck))

    def tables(self, metadata: MetaData) -> tuple[Owned[str], ...]:
        """Let the plugins add their tables; return the names of these, each with its owner."""
        added: list[Owned[str]] = []
        for one in self._implementations["crmkit_tables"]:
            before = set(metadata.tables)
            self._calls.tell(one, metadata)
            added += [
                Owned(owner=one.owner.name, value=name) for name in metadata.tables if name not in before
            ]
        return tuple(added)

    def startup(self, crm: CRM) -> None:
        """Show the built CRM to the plugins."""
        for one in self._implementations["crmkit_startup"]:
            self._calls.tell(one, crm)

    def vetoes(self) -> tuple[Owned[Veto], ...]:
        """Return every veto, to be called with an award and the facts; what one raises goes through."""
        found = self._implementations["crmkit_veto_award"]
        return tuple(Owned(owner=one.owner.name, value=partial(self._calls.call, one)) for one in found)

    def resolve_contact(self, tx: Transaction, points: Sequence[ContactPoint]) -> Contact | None:
        """Return the contact that the first plugin with an answer names, or None.

        Raises:
            PluginInvalid: if an answer is no contact; what an implementation raises goes through.
        """
        for one in self._implementations["crmkit_resolve_contact"]:
            try:
                answer = self._calls.call(one, tx, points)
            except SystemExit as error:
                raise one.refusal(f"raised {said(error)}") from error
            if isinstance(answer, Contact):
                return answer
            if answer is not None:
                raise one.garbage(answer, "it must answer a Contact or None")
        return None

    def suppress_delivery(self, delivery: Delivery, contact: Contact | None) -> Owned[str] | None:
        """Return the first reason not to send a delivery, or None.

        Raises:
            SuppressionFailed: if an implementation fails before one gave a reason; hold the delivery.
        """
        for one in self._implementations["crmkit_suppress_delivery"]:
            try:
                reason = self._calls.call(one, delivery, contact)
                if reason is None:
                    continue
                if not is_reason(reason):
                    raise one.garbage(reason, "it must answer a reason or None")
            except (Exception, SystemExit) as error:
                raise SuppressionFailed(f"{one} failed: {said(error)}", owner=one.owner.name) from error
            return Owned(owner=one.owner.name, value=reason)
        return None

    def erase(self, tx: Transaction, contact: Contact) -> tuple[Owned[str], ...]:
        """Return what is left of a contact after every plugin erased what it keeps outside columns.

        A plugin that fails is told as one that left something, unless the transaction itself is at fault.
        """
        left = ((one, self._erased(one, tx, contact)) for one in self._implementations["crmkit_erase"])
        return tuple(Owned(owner=one.owner.name, value=what) for one, what in left if what is not None)

    def _erased(self, one: Implementation, tx: Transaction, contact: Contact) -> str | None:
        try:
            left = self._calls.call(one, tx, contact)
            if left is None or is_reason(left):
                return left
            raise one.garbage(left, "it must answer what was left, or None")
        except TransactionError:
            raise
        except (Exception, SystemExit) as error:
            if self.strict:
                raise
            # its words may hold what was to be erased
            return f"the plugin failed: {type(error).__name__}"

    def _offered(self, hook: str, fault: Fault) -> tuple[Owned[Any], ...]:
        answers = ((one, self._calls.ask(one)) for one in self._implementations[hook])
        return tuple(owned(one, answer, fault) for one, answer in answers if answer is not None)

    def _collected(self, hook: str, fault: Fault, *, isolated: bool = False) -> tuple[Owned[Any], ...]:
        found: list[Owned[Any]] = []
        for one in self._implementations[hook]:
            try:
                found += [owned(one, item, fault) for item in items(one, self._calls.ask(one))]
            except PluginInvalid as error:
                if self.strict or not isolated:
                    raise
                self._failures[hook, one.owner.name] = HookFailure(hook, one.owner.name, error)
        return tuple(found)
