"""The typed facade over the hooks: the only caller of pluggy, and the keeper of every failure policy.

pluggy finds the implementations; the facade calls them itself, in the host's order, and checks every answer.
What a plugin does wrong (an exception, `sys.exit`, an answer of another type) is told with its name.
`CRMKIT_TRACE=1` in the environment prints each call to standard error.
"""

from __future__ import annotations

import inspect
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from itertools import islice
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs
import pluggy

from crmkit.channels import Channel
from crmkit.contacts import Contact, ContactPoint
from crmkit.errors import ConfigError, DeliveryError, PluginInvalid, TransactionError
from crmkit.events import Event
from crmkit.expressions import Field
from crmkit.hookspecs import PROJECT, Command, HealthCheck, Job, Page, Reaction, Specs
from crmkit.messages import Delivery
from crmkit.plugins import HOOKS, Loaded, PluginRecord, oddity, said, shown
from crmkit.rewards import Award, Facts, Owned, RewardRule, Veto
from crmkit.stores import ContactStore
from crmkit.templates import Template

if TYPE_CHECKING:
    from sqlalchemy import MetaData

    from crmkit.crm import CRM
    from crmkit.transaction import Transaction

#: The most objects that one implementation may return; more is taken for a generator without end.
LIMIT = 10_000

#: Hooks that return several objects, and may therefore be generator functions.
_COLLECTING = frozenset(
    f"{PROJECT}_{noun}"
    for noun in "channels reward_rules reactions event_types templates fields jobs pages commands health_checks".split()
)

#: What is wrong with an object that a hook returned, or an empty text.
_Fault = Callable[[Any], str]


@attrs.frozen(eq=False)
class HookCall:
    """One call of one implementation, as a tracer sees it.

    Args:
        hook: the hook's name.
        owner: the plugin's name.
        arguments: all arguments of the hook by name, also those the implementation leaves out.
        result: what it returned; a generator function's generator, not yet run.
        error: what it raised, or None.
        seconds: how long it took.
    """

    hook: str
    owner: str
    arguments: Mapping[str, Any] = attrs.field(repr=False)
    result: Any = attrs.field(repr=shown)
    error: BaseException | None = attrs.field(repr=shown)
    seconds: float

    def __str__(self) -> str:
        # types instead of values: arguments hold people's addresses, and this goes to logs
        kinds = ", ".join(f"{name}: {type(value).__name__}" for name, value in self.arguments.items())
        outcome = f"raised {said(self.error)}" if self.error else f"-> {shown(self.result)}"
        return f"{self.owner}: {self.hook}({kinds}) {outcome} [{self.seconds * 1000:.2f} ms]"


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


@attrs.frozen(eq=False)
class _Implementation:
    hook: str
    owner: Loaded
    call: Callable[..., Any]  #: takes all arguments of the hook by position

    def __str__(self) -> str:
        return f"{self.owner}: hook {self.hook}"

    def refusal(self, complaint: str) -> PluginInvalid:
        return PluginInvalid(f"{self} {complaint}", plugin=self.owner.name)

    def garbage(self, answer: object, wanted: str) -> PluginInvalid:
        if inspect.iscoroutine(answer):
            answer.close()  # it is never awaited; without this Python warns about it later
            wanted = f"{wanted}; hooks are not async"
        return self.refusal(f"answered {shown(answer)}; {wanted}")


@attrs.frozen(eq=False, kw_only=True)
class Hooks:
    """The hooks of one CRM; each method asks the plugins in the host's order.

    Args:
        loaded: the enabled plugins.
        strict: whether failures that would be isolated are raised.
    """

    loaded: tuple[Loaded, ...]
    strict: bool
    _implementations: Mapping[str, tuple[_Implementation, ...]] = attrs.field(repr=False)
    _tracers: dict[object, Callable[[HookCall], object]] = attrs.field(factory=dict, init=False, repr=False)
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
        _check_pluggy()
        manager = pluggy.PluginManager(PROJECT)
        for one in loaded:
            manager.register(one.plugin, one.name)
        owners = {one.name: one for one in loaded}
        found = {hook: _implementations(manager, hook, owners) for hook in HOOKS}
        try:
            manager.add_hookspecs(Specs)
            manager.check_pending()
        except pluggy.PluginValidationError as error:
            name = manager.get_name(error.plugin) or ""
            raise PluginInvalid(f"{owners.get(name, name)}: {error}", plugin=name) from error
        hooks = cls(loaded=tuple(loaded), strict=strict, implementations=MappingProxyType(found))
        if os.environ.get("CRMKIT_TRACE", "0") not in ("", "0"):
            hooks.trace(_print_call)
        return hooks

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
        token = object()
        self._tracers[token] = callback

        def undo() -> None:
            self._tracers.pop(token, None)

        return undo

    def contact_stores(self) -> tuple[Owned[ContactStore], ...]:
        """Return every store that a plugin offers for contacts."""
        fault = _like("ContactStore", "capabilities", "get", "find", "add", "update", "add_points")
        answers = ((one, self._told(one)) for one in self._implementations["crmkit_contact_store"])
        return tuple(_owned(one, answer, fault) for one, answer in answers if answer is not None)

    def channels(self) -> tuple[Owned[Channel], ...]:
        """Return every channel."""
        return self._collected("crmkit_channels", _like("Channel", "spec"))

    def reward_rules(self) -> tuple[Owned[RewardRule], ...]:
        """Return every reward rule."""
        return self._collected("crmkit_reward_rules", _like("RewardRule", "name", "version", "evaluate"))

    def reactions(self) -> tuple[Owned[Reaction], ...]:
        """Return every reaction."""
        return self._collected("crmkit_reactions", _made_of(Reaction))

    def event_types(self) -> tuple[Owned[type[Event]], ...]:
        """Return every event class that plugins append."""
        return self._collected("crmkit_event_types", _event_class)

    def templates(self) -> tuple[Owned[Template], ...]:
        """Return every message template of a plugin."""
        return self._collected("crmkit_templates", _made_of(Template))

    def fields(self) -> tuple[Owned[Field], ...]:
        """Return every field for expressions."""
        return self._collected("crmkit_fields", _made_of(Field))

    def jobs(self) -> tuple[Owned[Job], ...]:
        """Return all periodic work."""
        return self._collected("crmkit_jobs", _made_of(Job))

    def pages(self) -> tuple[Owned[Page], ...]:
        """Return the pages of the console; a plugin that fails is left out and told in `failures`."""
        return self._collected("crmkit_pages", _made_of(Page), isolated=True)

    def commands(self) -> tuple[Owned[Command], ...]:
        """Return the commands of the command line; a plugin that fails is left out and told in `failures`."""
        return self._collected("crmkit_commands", _made_of(Command), isolated=True)

    def health_checks(self) -> tuple[Owned[HealthCheck], ...]:
        """Return every health check."""
        return self._collected("crmkit_health_checks", _made_of(HealthCheck))

    def tables(self, metadata: MetaData) -> tuple[Owned[str], ...]:
        """Let the plugins add their tables; return the names of these, each with its owner."""
        added: list[Owned[str]] = []
        for one in self._implementations["crmkit_tables"]:
            before = set(metadata.tables)
            self._done(one, metadata)
            added += [
                Owned(owner=one.owner.name, value=name) for name in metadata.tables if name not in before
            ]
        return tuple(added)

    def startup(self, crm: CRM) -> None:
        """Show the built CRM to the plugins."""
        for one in self._implementations["crmkit_startup"]:
            self._done(one, crm)

    def vetoes(self) -> tuple[Owned[Veto], ...]:
        """Return every veto, to be called with an award and the facts; what one raises goes through."""
        found = self._implementations["crmkit_veto_award"]
        return tuple(Owned(owner=one.owner.name, value=self._veto(one)) for one in found)

    def resolve_contact(self, tx: Transaction, points: Sequence[ContactPoint]) -> Contact | None:
        """Return the contact that the first plugin with an answer names, or None.

        Raises:
            PluginInvalid: if an answer is no contact; what an implementation raises goes through.
        """
        for one in self._implementations["crmkit_resolve_contact"]:
            try:
                answer = self._call(one, tx, points)
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
                reason = self._call(one, delivery, contact)
                if reason is not None and not isinstance(reason, str):
                    raise one.garbage(reason, "it must answer a reason or None")
            except (Exception, SystemExit) as error:
                raise SuppressionFailed(f"{one} failed: {said(error)}", owner=one.owner.name) from error
            if reason is not None:
                return Owned(owner=one.owner.name, value=reason)
        return None

    def erase(self, tx: Transaction, contact: Contact) -> tuple[Owned[str], ...]:
        """Return what is left of a contact after every plugin erased what it keeps outside columns.

        A plugin that fails is told as one that left something, unless the transaction itself is at fault.
        """
        left = ((one, self._erased(one, tx, contact)) for one in self._implementations["crmkit_erase"])
        return tuple(Owned(owner=one.owner.name, value=what) for one, what in left if what is not None)

    def _erased(self, one: _Implementation, tx: Transaction, contact: Contact) -> str | None:
        try:
            left = self._call(one, tx, contact)
            if left is None or isinstance(left, str):
                return left
            raise one.garbage(left, "it must answer what was left, or None")
        except TransactionError:
            raise
        except (Exception, SystemExit) as error:
            if self.strict:
                raise
            # its words may hold what was to be erased
            return f"the plugin failed: {type(error).__name__}"

    def _veto(self, one: _Implementation) -> Veto:
        def veto(award: Award, facts: Facts) -> str | None:
            reason: str | None = self._call(one, award, facts)
            return reason

        return veto

    def _collected(self, hook: str, fault: _Fault, *, isolated: bool = False) -> tuple[Owned[Any], ...]:
        found: list[Owned[Any]] = []
        for one in self._implementations[hook]:
            try:
                found += [_owned(one, item, fault) for item in _items(one, self._told(one))]
            except PluginInvalid as error:
                if self.strict or not isolated:
                    raise
                self._failures[hook, one.owner.name] = HookFailure(hook, one.owner.name, error)
        return tuple(found)

    def _done(self, one: _Implementation, argument: object) -> None:
        answer = self._told(one, argument)
        if answer is not None:
            raise one.garbage(answer, "it must answer None")

    def _told(self, one: _Implementation, *arguments: object) -> Any:
        try:
            return self._call(one, *arguments)
        except (Exception, SystemExit) as error:
            raise one.refusal(f"raised {said(error)}") from error

    def _call(self, one: _Implementation, *arguments: object) -> Any:
        if not self._tracers:
            return one.call(*arguments)
        started = time.perf_counter()
        result, failure = None, None
        try:
            result = one.call(*arguments)
            return result
        except BaseException as error:
            failure = error
            raise
        finally:
            seconds = time.perf_counter() - started
            named = MappingProxyType(dict(zip(HOOKS[one.hook], arguments, strict=True)))
            self._tell(HookCall(one.hook, one.owner.name, named, result, failure, seconds))

    def _tell(self, call: HookCall) -> None:
        for tracer in tuple(self._tracers.values()):
            with suppress(Exception, SystemExit):
                tracer(call)


def _print_call(call: HookCall) -> None:
    print(f"crmkit: {call}", file=sys.stderr)


def _check_pluggy() -> None:
    if not hasattr(pluggy.PluginManager, "list_plugin_distributions"):  # came with 1.7
        raise ConfigError(
            f"crmkit needs pluggy 1.7 or later, and {pluggy.__version__} is installed; upgrade it"
        )


def _implementations(
    manager: pluggy.PluginManager, hook: str, owners: Mapping[str, Loaded]
) -> tuple[_Implementation, ...]:
    caller = getattr(manager.hook, hook, None)
    order = list(owners)
    # pluggy calls the last registered first, and promises no order of this list
    found = sorted(caller.get_hookimpls() if caller else (), key=lambda each: order.index(each.plugin_name))
    return tuple(_implementation(hook, owners[each.plugin_name], each) for each in found)


def _implementation(hook: str, owner: Loaded, found: pluggy.HookImpl) -> _Implementation:
    one = _Implementation(hook, owner, _adapted(HOOKS[hook], found))
    for complaint in _complaints(hook, found):
        raise one.refusal(complaint)
    return one


def _complaints(hook: str, found: pluggy.HookImpl) -> Iterator[str]:
    for option in ("wrapper", "hookwrapper", "tryfirst", "trylast"):
        if getattr(found, option):
            yield f"is marked {option}; drop it: plugins are asked in the order of the host's list"
    odd = oddity(found.function)
    if odd == "async":
        yield "is async; hooks are not: write def, and leave what takes long to a job"
    if odd and hook not in _COLLECTING:
        yield f"is {odd}, so nobody would run it; return the answer"
    signature = inspect.signature(found.function)
    for name, parameter in signature.parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            yield f"declares the {parameter.kind.description} parameter {name!r}; name plain arguments of the hook"
    for name in found.argnames:
        if name not in HOOKS[hook]:
            yield f"declares the argument {name!r} in {signature}; the hook has ({', '.join(HOOKS[hook])})"


def _adapted(names: tuple[str, ...], found: pluggy.HookImpl) -> Callable[..., Any]:
    if found.argnames + found.kwargnames == names:
        return found.function
    function = found.function
    places = [names.index(name) for name in found.argnames if name in names]
    keywords = {name: names.index(name) for name in found.kwargnames if name in names}
    if keywords:
        return lambda *given: function(
            *[given[place] for place in places], **{name: given[place] for name, place in keywords.items()}
        )
    if len(places) > 1:
        pick = itemgetter(*places)
        return lambda *given: function(*pick(given))
    return (lambda *given: function(given[places[0]])) if places else (lambda *given: function())


def _items(one: _Implementation, answer: Any) -> list[Any]:
    if answer is None or isinstance(answer, (str, bytes, Mapping, Set, Awaitable)):
        raise one.garbage(answer, "it must answer a list, empty if there is nothing")
    if not isinstance(answer, Iterable):
        raise one.garbage(answer, "it must answer a list of such objects, not one")
    try:
        items = list(islice(answer, LIMIT + 1))
    except (Exception, SystemExit) as error:
        raise one.refusal(f"raised {said(error)} while it was iterated") from error
    if len(items) > LIMIT:
        raise one.refusal(f"gave more than {LIMIT} objects; it seems to have no end")
    return items


def _owned(one: _Implementation, item: Any, fault: _Fault) -> Owned[Any]:
    try:
        wrong = fault(item)
    except (Exception, SystemExit) as error:
        raise one.refusal(f"answered {shown(item)}, looking at which raised {said(error)}") from error
    if wrong:
        raise one.garbage(item, wrong)
    return Owned(owner=one.owner.name, value=item)


def _made_of(kind: type[Any]) -> _Fault:
    return lambda item: "" if isinstance(item, kind) else f"each must be a {kind.__name__}"


def _like(what: str, *members: str) -> _Fault:
    def fault(item: Any) -> str:
        if isinstance(item, type):
            return f"each must be a {what}, an instance and not a class"
        missing = [member for member in members if not hasattr(item, member)]
        return f"each must be a {what}, and this lacks {', '.join(missing)}" if missing else ""

    return fault


def _event_class(item: Any) -> str:
    proper = isinstance(item, type) and issubclass(item, Event) and item is not Event
    return "" if proper else "each must be a subclass of Event"
