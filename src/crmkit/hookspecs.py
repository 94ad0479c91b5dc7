"""Every hook of crmkit, with what it returns and an example.

A plugin is an object whose methods carry `@hookimpl`. Hooks that are called while the CRM is built take no
arguments, or the MetaData; the others are called when the core needs an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pluggy

from crmkit.channels import Channel
from crmkit.contacts import Contact, ContactPoint
from crmkit.events import Event, LogEntry
from crmkit.expressions import Field
from crmkit.greeting import Greeting
from crmkit.messages import Delivery
from crmkit.rewards import Award, Facts, RewardRule
from crmkit.stores import ContactStore, RewardLedger
from crmkit.templates import Template

if TYPE_CHECKING:
    from sqlalchemy import MetaData

    from crmkit.crm import CRM
    from crmkit.transaction import Transaction

PROJECT = "crmkit"

hookspec = pluggy.HookspecMarker(PROJECT)

#: Marks a method of a plugin as the implementation of the hook of the same name.
hookimpl = pluggy.HookimplMarker(PROJECT)


@attrs.frozen
class Reaction:
    """Something to do inside the transaction when an event is appended.

    Args:
        event: the event class.
        function: called with the transaction and the log entry.
        essential: whether its failure fails the caller; others are undone and recorded, alone.
    """

    event: type[Event]
    function: Callable[[Transaction, LogEntry], object] = attrs.field(hash=False)
    essential: bool = attrs.field(default=False, kw_only=True)


@attrs.frozen
class Job:
    """Periodic work that `crm.run_due()` does.

    Args:
        name: unique within the plugin.
        function: called with the CRM.
        every: the least time between two runs.
    """

    name: str
    function: Callable[[CRM], object] = attrs.field(hash=False)
    every: timedelta = timedelta(hours=1)


@attrs.frozen
class HealthCheck:
    """A check that `crmkit doctor` runs.

    Args:
        name: what is checked.
        function: returns what is wrong, or None.
    """

    name: str
    function: Callable[[CRM], str | None] = attrs.field(hash=False)


@attrs.frozen
class Page:
    """A page of the console.

    Args:
        name: its place in the address.
        title: its heading.
        render: returns its content as plain data.
    """

    name: str
    title: str
    render: Callable[[Transaction], Any] = attrs.field(hash=False)


@attrs.frozen
class Command:
    """A command of the `crmkit` command line.

    Args:
        name: the word to type.
        summary: one line for `crmkit --help`.
        function: called with the CRM and the words that follow; returns the exit status.
    """

    name: str
    summary: str
    function: Callable[[CRM, Sequence[str]], int] = attrs.field(hash=False)


class Specs:
    """The hooks that a plugin may implement."""

    @hookspec
    def crmkit_contact_store(self) -> ContactStore | None:
        """Return the store that keeps contacts, or None; a second answer is a conflict."""

    @hookspec
    def crmkit_channels(self) -> Iterable[Channel]:  # type: ignore[empty-body]
        """Return the channels that this plugin sends over."""

    @hookspec
    def crmkit_reward_rules(self) -> Iterable[RewardRule]:  # type: ignore[empty-body]
        """Return reward rules, in the order in which they are to be evaluated."""

    @hookspec
    def crmkit_reward_ledger(self) -> RewardLedger | None:
        """Return what remembers the use of limits, or None; a second answer is a conflict."""

    @hookspec
    def crmkit_reactions(self) -> Iterable[Reaction]:  # type: ignore[empty-body]
        """Return what is to be done inside the transaction when events are appended."""

    @hookspec
    def crmkit_tables(self, metadata: MetaData) -> None:
        """Add the plugin's tables to the CRM's metadata, with `crmkit.sql.table`."""

    @hookspec
    def crmkit_event_types(self) -> Iterable[type[Event]]:  # type: ignore[empty-body]
        """Return the event classes that this plugin appends."""

    @hookspec
    def crmkit_templates(self) -> Iterable[Template]:  # type: ignore[empty-body]
        """Return message templates; the host's own of the same name and locale win."""

    @hookspec
    def crmkit_greetings(self) -> Iterable[Greeting]:  # type: ignore[empty-body]
        """Return how people are greeted in further locales; one of the core's locales replaces that."""

    @hookspec
    def crmkit_fields(self) -> Iterable[Field]:  # type: ignore[empty-body]
        """Return typed fields that expressions may ask for."""

    @hookspec
    def crmkit_jobs(self) -> Iterable[Job]:  # type: ignore[empty-body]
        """Return periodic work."""

    @hookspec
    def crmkit_pages(self) -> Iterable[Page]:  # type: ignore[empty-body]
        """Return pages of the console."""

    @hookspec
    def crmkit_commands(self) -> Iterable[Command]:  # type: ignore[empty-body]
        """Return commands of the command line."""

    @hookspec
    def crmkit_health_checks(self) -> Iterable[HealthCheck]:  # type: ignore[empty-body]
        """Return checks for `crmkit doctor`."""

    @hookspec
    def crmkit_resolve_contact(self, tx: Transaction, points: Sequence[ContactPoint]) -> Contact | None:
        """Return whose points these are, or None; the first answer in the host's order counts."""

    @hookspec
    def crmkit_veto_award(self, award: Award, facts: Facts) -> str | None:
        """Return why the award must not be granted, or None; pure; an exception refuses it."""

    @hookspec
    def crmkit_suppress_delivery(self, delivery: Delivery, contact: Contact | None) -> str | None:
        """Return why the delivery must not be sent, or None; an exception holds it."""

    @hookspec
    def crmkit_erase(self, tx: Transaction, contact: Contact) -> str | None:
        """Erase what the plugin keeps of the contact outside columns; return what was left, if anything."""

    @hookspec
    def crmkit_startup(self, crm: CRM) -> None:
        """Look at the built CRM; an exception fails the build."""
