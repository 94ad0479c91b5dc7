"""Every hook is asked in the host's order, every answer is checked, and every failure has a name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any
from uuid import UUID

import attrs
import pluggy
import pytest
from sqlalchemy import Column, Integer, MetaData, Table

from crmkit.channels import ChannelSpec, Dedup
from crmkit.contacts import Contact
from crmkit.errors import ConfigError, NotFound, PluginConflict, PluginInvalid, RetryTransaction
from crmkit.events import CORE_EVENTS, Event, OrderPaid, OrderShipped, UnknownEvent, personal
from crmkit.expressions import Field, FieldType
from crmkit.greeting import Greeting
from crmkit.hooks import HookCall, Hooks, SuppressionFailed
from crmkit.hookspecs import Command, HealthCheck, Job, Page, Reaction, hookimpl
from crmkit.messages import Delivery
from crmkit.plugins import HOOKS, Loaded, load
from crmkit.registry import Registry, build_registry
from crmkit.rewards import Award, Decision, Facts, Limit, Used, evaluate
from crmkit.templates import Template
from unit.fake_plugins import FakeChannel, FakeRule, FakeStore, hooks_of, install, plugin

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TX: Any = object()
CONTACT = Contact(id=UUID(int=2), name="Nino")
DELIVERY = Delivery(id=UUID(int=1), key="k", channel="fake", address="a@b.example", topic="t", queued_at=NOW)


def do_nothing(*arguments: Any) -> None:
    """Stand for a function that a plugin registers."""


def registry_of(*plugins: Any, **options: Any) -> Registry:
    """Return the registry of some plugins."""
    return build_registry(hooks_of(*plugins), **options)


@attrs.frozen(kw_only=True)
class TierReached(Event):
    """An event of a plugin."""

    tier: str


@attrs.frozen(kw_only=True)
class HighTierReached(TierReached):
    """A special one."""


#: For each collecting hook: the facade's method, and a proper object.
COLLECTING: dict[str, tuple[str, Callable[[], Any]]] = {
    "crmkit_channels": ("channels", FakeChannel),
    "crmkit_reward_rules": ("reward_rules", FakeRule),
    "crmkit_reactions": ("reactions", lambda: Reaction(OrderPaid, do_nothing)),
    "crmkit_event_types": ("event_types", lambda: TierReached),
    "crmkit_templates": ("templates", lambda: Template(name="thanks", text="Thank you")),
    "crmkit_greetings": ("greetings", lambda: Greeting("de", do_nothing)),
    "crmkit_fields": ("fields", lambda: Field("shop.visits", FieldType.INTEGER)),
    "crmkit_jobs": ("jobs", lambda: Job("sweep", do_nothing)),
    "crmkit_pages": ("pages", lambda: Page("points", "Points", do_nothing)),
    "crmkit_commands": ("commands", lambda: Command("points", "Show points", lambda crm, words: 0)),
    "crmkit_health_checks": ("health_checks", lambda: HealthCheck("smtp", do_nothing)),
}
ASKING = {
    "crmkit_contact_store",
    "crmkit_reward_ledger",
    "crmkit_tables",
    "crmkit_resolve_contact",
    "crmkit_veto_award",
    "crmkit_suppress_delivery",
    "crmkit_erase",
    "crmkit_startup",
}

each_collecting = pytest.mark.parametrize("hook", sorted(COLLECTING))
each_asking = pytest.mark.parametrize("hook", sorted(ASKING))


def collect(hook: str, *answers: Any, strict: bool = True) -> Any:
    """Return what the facade makes of these answers to a hook, one of each plugin."""
    plugins = [plugin(f"p{number}", **{hook: answer}) for number, answer in enumerate(answers)]
    return getattr(hooks_of(*plugins, strict=strict), COLLECTING[hook][0])()


def test_the_tables_above_hold_every_hook() -> None:
    assert COLLECTING.keys() | ASKING == HOOKS.keys()


# Collecting hooks


@each_collecting
def test_what_plugins_register_is_owned_and_in_the_order_of_the_host(hook: str) -> None:
    make = COLLECTING[hook][1]
    objects = [make(), make(), make()]
    found = collect(hook, [objects[0]], (), objects[1:])
    assert [(owned.owner, owned.value) for owned in found] == [
        ("p0", objects[0]),
        ("p2", objects[1]),
        ("p2", objects[2]),
    ]


@each_collecting
def test_a_generator_function_may_answer(hook: str) -> None:
    make = COLLECTING[hook][1]

    def answer(self: Any) -> Iterator[Any]:
        yield make()
        yield make()

    assert len(collect(hook, answer)) == 2


@each_collecting
def test_trap_a_generator_that_raises_half_way_is_named(hook: str) -> None:
    def answer(self: Any) -> Iterator[Any]:
        yield COLLECTING[hook][1]()
        raise SystemExit("half-way")

    with pytest.raises(
        PluginInvalid, match=f"'p0' .*: hook {hook} raised SystemExit: half-way while it was iter"
    ):
        collect(hook, answer)


def test_trap_a_generator_without_end() -> None:
    def answer(self: Any) -> Iterator[Any]:
        while True:
            yield FakeRule()

    with pytest.raises(PluginInvalid, match="hook crmkit_reward_rules gave more than 10000 objects"):
        collect("crmkit_reward_rules", answer)


async def nothing_async() -> None:
    """Answer nothing, later."""


@each_collecting
@pytest.mark.parametrize(
    "garbage, complaint",
    [
        (lambda: None, "answered None; it must answer a list, empty if there is nothing"),
        (lambda: "text", "answered 'text'; it must answer a list"),
        (lambda: {"a": 1}, "answered {'a': 1}; it must answer a list"),
        (lambda: {1, 2}, "answered {1, 2}; it must answer a list"),
        (lambda: 3, "answered 3; it must answer a list of such objects, not one"),
        (nothing_async, "answered <coroutine .*; hooks are not async"),
        (lambda: [None], "answered None; each must be a"),
        (lambda: ["text"], "answered 'text'; each must be a"),
        (lambda: [Event], "answered <class 'crmkit.events.log.Event'>; each must be a"),
    ],
)
def test_trap_garbage_is_refused_with_the_owner(hook: str, garbage: Any, complaint: str) -> None:
    with pytest.raises(
        PluginInvalid, match=f"^plugin 'p0' \\(an instance of .*\\): hook {hook} {complaint}"
    ) as caught:
        collect(hook, lambda self: garbage())
    assert caught.value.plugin == "p0"


@each_collecting
def test_trap_one_object_instead_of_a_list(hook: str) -> None:
    with pytest.raises(PluginInvalid, match=f"hook {hook} answered .*not one"):
        collect(hook, lambda self: COLLECTING[hook][1]())


@each_collecting
@pytest.mark.parametrize("error", [ValueError("broken"), SystemExit("broken")])
def test_trap_an_exception_is_named_with_hook_and_owner(hook: str, error: BaseException) -> None:
    def answer(self: Any) -> None:
        raise error

    with pytest.raises(
        PluginInvalid, match=f"'p1' .* hook {hook} raised {type(error).__name__}: broken"
    ) as caught:
        collect(hook, [], answer)
    assert caught.value.__cause__ is error


@each_collecting
def test_a_keyboard_interrupt_goes_through(hook: str) -> None:
    def answer(self: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect(hook, answer)


def test_trap_a_class_where_an_instance_is_wanted() -> None:
    with pytest.raises(PluginInvalid, match="must be a Channel, an instance and not a class"):
        collect("crmkit_channels", [FakeChannel])


def test_what_an_object_lacks_is_named() -> None:
    lacking = type("Lacking", (), {"name": "x"})()
    with pytest.raises(PluginInvalid, match="must be a RewardRule, and this lacks version, evaluate"):
        collect("crmkit_reward_rules", [lacking])


def test_an_object_that_raises_when_looked_at_is_named() -> None:
    booby = type("Booby", (), {"spec": property(lambda self: 1 // 0)})()
    with pytest.raises(PluginInvalid, match="looking at which raised ZeroDivisionError"):
        collect("crmkit_channels", [booby])


@pytest.mark.parametrize("hook", ["crmkit_pages", "crmkit_commands"])
def test_a_failure_of_console_and_commands_is_isolated_unless_strict(hook: str) -> None:
    make = COLLECTING[hook][1]
    hooks = hooks_of(plugin("bad", **{hook: lambda self: 1 // 0}), plugin("good", **{hook: [make()]}))
    ask = getattr(hooks, COLLECTING[hook][0])
    assert [owned.owner for owned in ask()] == [owned.owner for owned in ask()] == ["good"]
    ((failed_hook, owner, error),) = [(one.hook, one.owner, str(one.error)) for one in hooks.failures]
    assert (failed_hook, owner) == (hook, "bad")
    assert "ZeroDivisionError" in error
    with pytest.raises(PluginInvalid, match="'p0'"):
        collect(hook, lambda self: 1 // 0, strict=True)


# Implementations that are refused when the hooks are built


@pytest.mark.parametrize("hook", sorted(HOOKS))
def test_trap_async_implementations(hook: str) -> None:
    async def later(self: Any) -> None:
        """Answer later."""

    async def stream(self: Any) -> Any:
        yield 1

    for function in (later, stream):
        with pytest.raises(PluginInvalid, match=f"'fake' .*: hook {hook} is async; hooks are not"):
            hooks_of(plugin(**{hook: function}))


@each_asking
def test_trap_a_generator_function_that_nobody_would_run(hook: str) -> None:
    def answer(self: Any) -> Iterator[None]:
        yield

    with pytest.raises(PluginInvalid, match=f"hook {hook} is a generator function, so nobody would run it"):
        hooks_of(plugin(**{hook: answer}))


@pytest.mark.parametrize("option", ["wrapper", "hookwrapper", "tryfirst", "trylast"])
def test_trap_wrappers_and_priorities(option: str) -> None:
    class Pushy:
        @hookimpl(**{option: True})
        def crmkit_channels(self) -> Iterator[None]:
            """Push to the front."""
            yield

    with pytest.raises(
        PluginInvalid, match=f"hook crmkit_channels is marked {option}; drop it: .* host's list"
    ):
        hooks_of(Pushy())


@pytest.mark.parametrize(
    "function, parameter",
    [
        (lambda self, award, *, facts: None, "keyword-only parameter 'facts'"),
        (lambda self, *rest: None, "variadic positional parameter 'rest'"),
        (lambda self, **rest: None, "variadic keyword parameter 'rest'"),
    ],
)
def test_trap_parameters_that_pluggy_never_fills(function: Any, parameter: str) -> None:
    with pytest.raises(
        PluginInvalid, match=f"crmkit_veto_award declares the {parameter}; name plain arguments"
    ):
        hooks_of(plugin(crmkit_veto_award=function))


def test_trap_an_unknown_argument_names_both_sides() -> None:
    with pytest.raises(
        PluginInvalid, match=r"declares the argument 'fact' in \(award, fact\); the hook has \(award, facts\)"
    ):
        hooks_of(plugin(crmkit_veto_award=lambda self, award, fact: None))


class Selfless:
    """A plugin whose methods forgot `self`."""

    @hookimpl
    def crmkit_jobs() -> list[Job]:  # type: ignore[misc]
        """Bring nothing."""
        return []


class Shifted:
    """A plugin that would take itself for the award."""

    @hookimpl
    def crmkit_veto_award(award, facts):  # type: ignore[no-untyped-def]
        """Refuse nothing."""


@pytest.mark.parametrize("cls, hook", [(Selfless, "crmkit_jobs"), (Shifted, "crmkit_veto_award")])
def test_trap_a_method_without_self(cls: Any, hook: str) -> None:
    with pytest.raises(PluginInvalid, match=f"hook {hook} has no self; a method's first parameter is"):
        hooks_of(cls())


def test_a_method_may_be_decorated() -> None:
    def logged(function: Any) -> Any:
        @wraps(function)
        def wrapper(*arguments: Any, **named: Any) -> Any:
            return function(*arguments, **named)

        return wrapper

    decorated = plugin(
        crmkit_suppress_delivery=logged(lambda self, contact: f"no {contact}"),
        crmkit_veto_award=logged(lambda self, facts, award: f"{award} {facts}"),
    )
    delivery: Any = "delivery"
    contact: Any = "contact"
    suppressed = hooks_of(decorated).suppress_delivery(delivery, contact)
    assert suppressed is not None and suppressed.value == "no contact"
    (veto,) = hooks_of(decorated).vetoes()
    assert veto.value(delivery, contact) == "delivery contact"


def test_trap_a_misspelt_hook_is_caught_even_where_nothing_was_checked_before() -> None:
    unchecked = Loaded(name="raw", plugin=plugin(crmkit_chanels=[]), distribution="crmkit-raw", version="0.9")
    with pytest.raises(PluginInvalid, match=r"'raw' \(crmkit-raw 0.9\): unknown hook 'crmkit_chanels'"):
        Hooks.build([unchecked])


def test_trap_an_old_pluggy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(pluggy.PluginManager, "list_plugin_distributions")
    monkeypatch.setattr(pluggy, "__version__", "1.6.0", raising=False)
    with pytest.raises(ConfigError, match=r"needs pluggy 1\.7 or later, and 1\.6\.0 is installed"):
        hooks_of()


def test_errors_name_distribution_and_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    source = "from crmkit.hookspecs import hookimpl\nclass Plugin:\n    @hookimpl\n    def crmkit_jobs(self): return 3"
    install(monkeypatch, tmp_path, "sms", source, version="7.1")
    with pytest.raises(
        PluginInvalid, match=r"^plugin 'sms' \(crmkit-sms 7\.1\): hook crmkit_jobs answered 3"
    ):
        Hooks.build(load(["sms"], {})).jobs()


def test_an_implementation_may_be_static_or_a_classmethod() -> None:
    class Odd:
        @staticmethod
        @hookimpl
        def crmkit_jobs() -> list[Job]:
            """Bring a job."""
            return [Job("a", do_nothing)]

        @hookimpl
        @classmethod
        def crmkit_templates(cls) -> list[Template]:
            """Bring a template."""
            return [Template(name=cls.__name__, text="x")]

    hooks = hooks_of(Odd())
    assert [owned.value.name for owned in hooks.jobs()] == ["a"]
    assert [owned.value.name for owned in hooks.templates()] == ["Odd"]


# Arguments


@pytest.mark.parametrize(
    "function",
    [
        lambda self, award, facts: f"{award} {facts}",
        lambda self, facts, award: f"{award} {facts}",
        lambda self, award, facts="never": f"{award} {facts}",
        lambda self, award="never", facts="never", newer="default": f"{award} {facts}" + newer[7:],
        lambda self, newer="default", facts="never", award="never": f"{award} {facts}" + newer[7:],
        lambda self, facts, award, /: f"{award} {facts}",
    ],
)
def test_arguments_go_by_name_in_any_order_also_to_defaults(function: Any) -> None:
    (veto,) = hooks_of(plugin(crmkit_veto_award=function)).vetoes()
    award: Any = "award"
    facts: Any = "facts"
    assert veto.value(award, facts) == "award facts"


@pytest.mark.parametrize("function", [lambda self: "no", lambda self, facts: f"no{facts[5:]}"])
def test_a_plugin_written_for_fewer_arguments_works(function: Any) -> None:
    (veto,) = hooks_of(plugin(crmkit_veto_award=function)).vetoes()
    facts: Any = "facts"
    assert veto.value(Award(amount=1), facts) == "no"


# Hooks that give one answer


def test_crmkit_contact_store_answers_a_store_or_none() -> None:
    store = FakeStore()
    found = hooks_of(
        plugin("a", crmkit_contact_store=None), plugin("b", crmkit_contact_store=store)
    ).contact_stores()
    assert [(owned.owner, owned.value) for owned in found] == [("b", store)]
    with pytest.raises(PluginInvalid, match="crmkit_contact_store answered 3; each must be a ContactStore"):
        hooks_of(plugin(crmkit_contact_store=3)).contact_stores()


class FakeLedger:
    """Remembers nothing."""

    def used(self, tx: Any, asked: Any) -> Any:
        return {one: Used() for one in asked}


def limited(**attributes: Any) -> Any:
    """Return a rule that says more of itself."""
    return type("Limited", (FakeRule,), attributes)()


def test_crmkit_reward_ledger_answers_a_ledger_or_none() -> None:
    ledger = FakeLedger()
    found = hooks_of(
        plugin("a", crmkit_reward_ledger=None), plugin("b", crmkit_reward_ledger=ledger)
    ).reward_ledgers()
    assert [(owned.owner, owned.value) for owned in found] == [("b", ledger)]
    with pytest.raises(PluginInvalid, match="and this lacks used"):
        hooks_of(plugin(crmkit_reward_ledger=3)).reward_ledgers()


def test_crmkit_tables_tells_whose_table_is_whose() -> None:
    def table(name: str) -> Callable[..., None]:
        def add(self: Any, metadata: MetaData) -> None:
            Table(name, metadata, Column("id", Integer))

        return add

    metadata = MetaData()
    Table("core", metadata)
    found = hooks_of(plugin("a", crmkit_tables=table("t1")), plugin("b", crmkit_tables=table("t2"))).tables(
        metadata
    )
    assert [(owned.owner, owned.value) for owned in found] == [("a", "t1"), ("b", "t2")]


def test_crmkit_tables_fails_the_build_with_the_owners_name() -> None:
    with pytest.raises(PluginInvalid, match="crmkit_tables raised ZeroDivisionError"):
        hooks_of(plugin(crmkit_tables=lambda self: 1 // 0)).tables(MetaData())
    with pytest.raises(PluginInvalid, match="crmkit_tables answered 3; it must answer None"):
        hooks_of(plugin(crmkit_tables=3)).tables(MetaData())


def test_crmkit_startup_sees_the_crm_and_fails_the_build() -> None:
    seen: list[Any] = []
    crm: Any = object()
    hooks_of(plugin(crmkit_startup=lambda self, crm: seen.append(crm))).startup(crm)
    assert seen == [crm]
    with pytest.raises(PluginInvalid, match="crmkit_startup raised SystemExit: 3"):
        hooks_of(plugin(crmkit_startup=lambda self: (_ for _ in ()).throw(SystemExit(3)))).startup(crm)


def raising(error: BaseException) -> Callable[..., Any]:
    """Return a method that raises."""

    def method(self: Any) -> None:
        raise error

    return method


def test_crmkit_resolve_contact_takes_the_first_answer_in_the_hosts_order() -> None:
    other = Contact(id=UUID(int=3), name="Giorgi")
    hooks = hooks_of(
        plugin("a", crmkit_resolve_contact=None),
        plugin("b", crmkit_resolve_contact=lambda self, points: CONTACT if points == [1] else None),
        plugin("c", crmkit_resolve_contact=other),
    )
    points: Any = [1]
    assert hooks.resolve_contact(TX, points) is CONTACT
    assert hooks.resolve_contact(TX, []) is other
    assert hooks_of().resolve_contact(TX, []) is None


@pytest.mark.parametrize("error", [ValueError("x"), RetryTransaction("again"), KeyboardInterrupt()])
def test_crmkit_resolve_contact_lets_exceptions_through(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        hooks_of(plugin(crmkit_resolve_contact=raising(error))).resolve_contact(TX, [])
    assert caught.value is error


@pytest.mark.parametrize("answer", ["Nino", 3, raising(SystemExit(1))])
def test_crmkit_resolve_contact_answers_no_garbage_and_ends_no_process(answer: Any) -> None:
    with pytest.raises(PluginInvalid, match=r"'fake' .*crmkit_resolve_contact (answered|raised SystemExit)"):
        hooks_of(plugin(crmkit_resolve_contact=answer)).resolve_contact(TX, [])


def decide(*plugins: Any) -> Decision:
    """Return what one rule grants under the vetoes of some plugins."""
    rules: Any = registry_of(plugin("shop", crmkit_reward_rules=[FakeRule()])).rules
    facts: Any = type("Facts", (), {"trigger": "order.paid"})()
    return evaluate(rules, facts, hooks_of(*plugins).vetoes())


def test_crmkit_veto_award_refuses_with_owner_and_reason() -> None:
    decision = decide(plugin("a", crmkit_veto_award=None), plugin("b", crmkit_veto_award="a fraud"))
    assert [(one.owner, one.reason) for one in decision.refusals] == [("b", "a fraud")]


@pytest.mark.parametrize("answer", [raising(ValueError("x")), raising(SystemExit(1)), 3])
def test_crmkit_veto_award_fails_closed(answer: Any) -> None:
    decision = decide(plugin("bad", crmkit_veto_award=answer))
    assert not decision.awards
    assert [failure.owner for failure in decision.failures] == ["bad"]


def test_crmkit_suppress_delivery_gives_the_first_reason_with_its_owner() -> None:
    hooks = hooks_of(
        plugin("a", crmkit_suppress_delivery=lambda self, contact: None),
        plugin("b", crmkit_suppress_delivery=lambda self, delivery: delivery.topic),
        plugin("c", crmkit_suppress_delivery="never"),
    )
    found = hooks.suppress_delivery(DELIVERY, CONTACT)
    assert found is not None and (found.owner, found.value) == ("b", "t")
    assert hooks_of(plugin(crmkit_suppress_delivery=None)).suppress_delivery(DELIVERY, None) is None


@pytest.mark.parametrize(
    "answer", [raising(ValueError("x")), raising(SystemExit(1)), True, ["reason"], "", " "]
)
def test_crmkit_suppress_delivery_fails_closed_and_names_the_owner(answer: Any) -> None:
    hooks = hooks_of(
        plugin("bad", crmkit_suppress_delivery=answer), plugin("c", crmkit_suppress_delivery="never")
    )
    with pytest.raises(SuppressionFailed, match=r"'bad' .*: hook crmkit_suppress_delivery failed") as caught:
        hooks.suppress_delivery(DELIVERY, CONTACT)
    assert caught.value.owner == "bad"
    assert caught.value.__cause__ is not None


def test_crmkit_erase_asks_everyone_and_tells_what_was_left() -> None:
    hooks = hooks_of(
        plugin("clean", crmkit_erase=None),
        plugin("bad", crmkit_erase=raising(ValueError("nino@example.org"))),
        plugin("left", crmkit_erase=lambda self, tx, contact: "a backup tape"),
        plugin("garbage", crmkit_erase=3),
        plugin("silent", crmkit_erase=""),
    )
    assert [(one.owner, one.value) for one in hooks.erase(TX, CONTACT)] == [
        ("bad", "the plugin failed: ValueError"),
        ("left", "a backup tape"),
        ("garbage", "the plugin failed: PluginInvalid"),
        ("silent", "the plugin failed: PluginInvalid"),
    ]


def test_crmkit_erase_lets_the_transactions_own_errors_through() -> None:
    with pytest.raises(RetryTransaction):
        hooks_of(plugin(crmkit_erase=raising(RetryTransaction("again")))).erase(TX, CONTACT)
    with pytest.raises(ValueError, match="strict"):
        hooks_of(plugin(crmkit_erase=raising(ValueError("strict"))), strict=True).erase(TX, CONTACT)


# Tracing, cost, immutability


def test_a_tracer_sees_every_call_until_it_is_undone() -> None:
    calls: list[HookCall] = []
    hooks = hooks_of(plugin("a", crmkit_jobs=[]), plugin("b", crmkit_suppress_delivery=lambda self: 1 // 0))
    undo = hooks.trace(calls.append)
    hooks.jobs()
    with pytest.raises(SuppressionFailed):
        hooks.suppress_delivery(DELIVERY, None)
    undo()
    undo()
    hooks.jobs()
    assert [(one.owner, one.hook, one.result) for one in calls] == [
        ("a", "crmkit_jobs", []),
        ("b", "crmkit_suppress_delivery", None),
    ]
    assert isinstance(calls[1].error, ZeroDivisionError)
    assert calls[1].arguments == {"delivery": DELIVERY, "contact": None}
    assert calls[1].seconds > 0


def test_trap_tracers_that_come_and_go_while_hooks_are_called() -> None:
    hooks = hooks_of(*(plugin(f"p{n}", crmkit_suppress_delivery=None) for n in range(5)))
    calls: list[HookCall] = []

    def come_and_go(times: int) -> None:
        for _ in range(times):
            hooks.trace(calls.append)()

    with ThreadPoolExecutor(4) as threads:
        ended = [threads.submit(come_and_go, 500) for _ in range(2)]
        ended += [threads.submit(lambda: hooks.suppress_delivery(DELIVERY, None)) for _ in range(500)]
        assert [one.result() for one in ended] == [None] * len(ended)
    calls.clear()
    hooks.suppress_delivery(DELIVERY, None)
    assert calls == []


def test_trap_a_tracer_or_a_repr_that_raises_breaks_nothing() -> None:
    class Unspeakable(FakeRule):
        def __repr__(self) -> str:
            raise RuntimeError("no")

    def broken(call: HookCall) -> None:
        raise SystemExit(1)

    told: list[str] = []
    hooks = hooks_of(plugin(crmkit_reward_rules=[Unspeakable()], crmkit_startup=None))
    hooks.trace(broken)
    hooks.trace(lambda call: told.append(f"{call} {call!r}"))
    crm: Any = Unspeakable()
    hooks.startup(crm)
    assert len(hooks.reward_rules()) == 1
    assert len(told) == 2
    assert "crm: Unspeakable" in told[0]


def test_the_text_of_a_traced_call_holds_no_addresses() -> None:
    told: list[str] = []
    hooks = hooks_of(plugin(crmkit_suppress_delivery="opted out"))
    hooks.trace(lambda call: told.append(str(call)))
    hooks.suppress_delivery(DELIVERY, CONTACT)
    assert told[0].startswith(
        "fake: crmkit_suppress_delivery(delivery: Delivery, contact: Contact) -> 'opted out' ["
    )


@pytest.mark.parametrize("value, lines", [("1", 1), ("0", 0), ("", 0)])
def test_the_environment_turns_tracing_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str, lines: int
) -> None:
    monkeypatch.setenv("CRMKIT_TRACE", value)
    hooks_of(plugin(crmkit_jobs=[])).jobs()
    assert capsys.readouterr().err.count("crmkit: fake: crmkit_jobs() -> []") == lines


@pytest.mark.parametrize(
    "function",
    [
        lambda self, delivery, contact: None,
        lambda self, contact, delivery: None,
        lambda self, contact: None,
        lambda self: None,
    ],
)
def test_twenty_plugins_are_asked_in_microseconds(function: Any) -> None:
    hooks = hooks_of(*(plugin(f"p{n}", crmkit_suppress_delivery=function) for n in range(20)))

    def seconds() -> float:
        started = time.perf_counter()
        for _ in range(20):
            hooks.suppress_delivery(DELIVERY, CONTACT)
        return (time.perf_counter() - started) / 20

    assert min(seconds() for _ in range(100)) < 30e-6  # 3 to 6 on an idle machine


def test_the_hooks_of_one_crm_know_nothing_of_anothers_and_do_not_change() -> None:
    one, other = hooks_of(plugin("a", crmkit_jobs=[])), hooks_of(plugin("a", crmkit_pages=[]))
    assert (one.records[0].hooks, other.records[0].hooks) == (("crmkit_jobs",), ("crmkit_pages",))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        one.strict = True  # type: ignore[misc]


# The registry


def test_a_registry_without_plugins_knows_the_core_alone() -> None:
    registry = registry_of()
    assert registry.event_types == {cls.__name__: cls for cls in CORE_EVENTS}
    assert (registry.store, registry.rules, registry.vetoes, registry.jobs) == (None, (), (), ())
    assert not registry.channels and not registry.templates and not registry.fields and not registry.commands
    assert registry.reactions_for(OrderPaid) == ()


@pytest.mark.parametrize("name", ["channels", "event_types", "templates", "fields", "pages", "commands"])
def test_a_registry_is_read_only(name: str) -> None:
    mapping: Any = getattr(registry_of(), name)
    with pytest.raises(TypeError):
        mapping["x"] = 1


def test_a_second_contact_store_is_a_conflict_that_names_both() -> None:
    one, two = (
        plugin("one", crmkit_contact_store=FakeStore()),
        plugin("two", crmkit_contact_store=FakeStore()),
    )
    assert registry_of(one).store is not None
    with pytest.raises(PluginConflict, match=r"(?s)crmkit_contact_store:\n  plugin 'one' .*\n  plugin 'two'"):
        registry_of(one, two)


def test_a_second_reward_ledger_is_a_conflict_that_names_both() -> None:
    one, two = (
        plugin("one", crmkit_reward_ledger=FakeLedger()),
        plugin("two", crmkit_reward_ledger=FakeLedger()),
    )
    assert registry_of(one).ledger is not None
    with pytest.raises(PluginConflict, match=r"(?s)crmkit_reward_ledger:\n  plugin 'one' .*\n  plugin 'two'"):
        registry_of(one, two)


def test_a_limit_that_needs_memory_needs_a_ledger() -> None:
    """Per event it needs none; over several events the error names the rule, the limit and the remedy."""
    rule: Any = limited(limits=(Limit(per="event", units=5), Limit(per="member", window="day", units=0)))
    with pytest.raises(PluginInvalid, match=r"limit 'at most 0 units for a member in a day'.*'loyalty'"):
        registry_of(plugin("shop", crmkit_reward_rules=[rule]))
    remembering = plugin("memory", crmkit_reward_ledger=FakeLedger())
    assert registry_of(plugin("shop", crmkit_reward_rules=[rule]), remembering).ledger is not None


WRONG: dict[str, tuple[Any, str]] = {
    "limits": ((5,), "its limits are .*; they must be a tuple of Limit"),
    "fields": ("contact.stage", "its fields are .*; they must be a tuple of texts"),
    "lane": (1, "its lane is 1; it must be a text"),
    "priority": ("high", "its priority is 'high'; it must be a whole number"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_a_rule_says_of_itself_is_checked(name: str) -> None:
    value, words = WRONG[name]
    with pytest.raises(PluginInvalid, match=words):
        registry_of(plugin("shop", crmkit_reward_rules=[limited(**{name: value})]))


@pytest.mark.parametrize(
    "hook",
    "crmkit_channels crmkit_reward_rules crmkit_templates crmkit_greetings crmkit_fields crmkit_pages "
    "crmkit_commands".split(),
)
def test_two_objects_of_one_name_are_a_conflict_that_names_both(hook: str) -> None:
    make = COLLECTING[hook][1]
    assert registry_of(plugin("one", **{hook: [make()]}))
    with pytest.raises(
        PluginConflict, match=rf"(?s) is provided by more than one, .*{hook}:\n.*'one'.*\n.*'two'"
    ):
        registry_of(plugin("one", **{hook: [make()]}), plugin("two", **{hook: [make()]}))


def test_a_conflict_names_distribution_and_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    source = (
        "from unit.fake_plugins import FakeChannel, hookimpl\n"
        "class Plugin:\n    @hookimpl\n    def crmkit_channels(self): return [FakeChannel()]"
    )
    install(monkeypatch, tmp_path, "one", source, version="1.5")
    install(monkeypatch, tmp_path, "two", source, version="0.2")
    with pytest.raises(PluginConflict) as caught:
        build_registry(Hooks.build(load(["one", "two"], {})))
    assert str(caught.value) == (
        "channel 'fake' is provided by more than one, through the hook crmkit_channels:\n"
        "  plugin 'one' (crmkit-one 1.5)\n"
        "  plugin 'two' (crmkit-two 0.2)"
    )


class Sending:
    """A channel put together wrongly, or half."""

    def __init__(self, spec: Any, **members: Any) -> None:
        self.spec = spec
        for name, value in members.items():
            setattr(self, name, value)


LOOKUP = ChannelSpec(name="x", address_kind="email", dedup=Dedup.LOOKUP)
PLAIN = ChannelSpec(name="x", address_kind="email")


@pytest.mark.parametrize(
    "channel, complaint",
    [
        (Sending("x", send=do_nothing), "its spec is 'x'; it must be a ChannelSpec"),
        (Sending(PLAIN), r"it must have send\(delivery, ctx\), or open\(ctx\)"),
        (Sending(PLAIN, send=3), "its function is 3; it must be callable"),
        (Sending(PLAIN, send=nothing_async), "its function is async"),
        (
            Sending(LOOKUP, send=do_nothing),
            r"its dedup class is LOOKUP, so it must have lookup\(delivery, ctx\)",
        ),
        (Sending(LOOKUP, send=do_nothing, lookup=3), "its function is 3"),
        (Sending(PLAIN, send=do_nothing, poll=nothing_async), "its function is async"),
    ],
)
def test_a_channel_that_could_not_send_is_refused(channel: Any, complaint: str) -> None:
    with pytest.raises(PluginInvalid, match=f"'fake' .*: hook crmkit_channels answered .*; {complaint}"):
        registry_of(plugin(crmkit_channels=[channel]))


def test_channels_are_known_by_name_with_their_owner() -> None:
    with_open, looking = Sending(PLAIN, open=do_nothing), Sending(LOOKUP, send=do_nothing, lookup=do_nothing)
    assert registry_of(plugin("a", crmkit_channels=[with_open])).channels["x"].owner == "a"
    assert registry_of(plugin("a", crmkit_channels=[looking])).channels["x"].value is looking


@attrs.define(eq=False)
class Odd(FakeRule):
    """A rule with all optional attributes."""

    cap: Any = None
    reads: Any = ()
    triggers: Any = ("order.paid",)


class Later(FakeRule):
    """A rule that is async."""

    async def evaluate(self, facts: Facts) -> Award:  # type: ignore[override]
        """Grant one point later."""
        return Award(amount=1)


@pytest.mark.parametrize(
    "rule, complaint",
    [
        (Odd(name="a@b"), "its name is 'a@b'; it must be a text"),
        (Odd(name=""), "its name is ''"),
        (Odd(version=0), "its version is 0; it must be a whole number from 1 on"),
        (Odd(version=True), "its version is True"),
        (Odd(cap=-1), "its cap is -1; it must be a whole number from 0 on, or None"),
        (Odd(cap=1.5), "its cap is 1.5"),
        (Odd(reads="orders.count"), "its reads are 'orders.count'; they must be a tuple of texts"),
        (Odd(reads=("orders.cuont",)), "there is no counter 'orders.cuont'; did you mean 'orders.count'"),
        (Odd(triggers="order.paid"), "its triggers are 'order.paid'; they must be a tuple of texts"),
        (Later(), "its evaluate must be a function that is not async"),
    ],
)
def test_a_rule_that_breaks_the_contract_is_refused(rule: Any, complaint: str) -> None:
    with pytest.raises(PluginInvalid, match=f"hook crmkit_reward_rules answered .*; {complaint}"):
        registry_of(plugin(crmkit_reward_rules=[rule]))


def test_rules_keep_the_order_of_the_host() -> None:
    full = Odd(name="b", cap=0, reads=("orders.count",), triggers=["order.paid", "order.amended"])
    one, two = (
        plugin("z", crmkit_reward_rules=[full, Odd(name="a")]),
        plugin("a", crmkit_reward_rules=[Odd(name="c")]),
    )
    assert [(owned.owner, owned.value.name) for owned in registry_of(one, two).rules] == [
        ("z", "b"),
        ("z", "a"),
        ("a", "c"),
    ]


def event_class(name: str, **fields: Any) -> Any:
    """Return an event class."""
    return attrs.make_class(name, fields, bases=(Event,), frozen=True, kw_only=True)


@pytest.mark.parametrize(
    "cls, error, complaint",
    [
        (type("Bare", (Event,), {}), PluginInvalid, r"decorate the class with @attrs.frozen"),
        (
            event_class("OrderPaid"),
            PluginInvalid,
            "event type 'OrderPaid' is the core's; give it another name",
        ),
        (
            event_class("Told", who=personal()),
            PluginInvalid,
            "its field 'who' is personal and needs a default",
        ),
        (type("Zero", (TierReached,), {"version": 0}), PluginInvalid, "decorate the class"),
    ],
)
def test_an_event_class_that_the_log_cannot_keep_is_refused(cls: Any, error: Any, complaint: str) -> None:
    with pytest.raises(error, match=f"hook crmkit_event_types answered .*; {complaint}"):
        registry_of(plugin(crmkit_event_types=[cls]))


def test_an_event_class_needs_a_version_from_one_on() -> None:
    zero = event_class("Zero")
    zero.version = 0
    with pytest.raises(PluginInvalid, match="its version is 0"):
        registry_of(plugin(crmkit_event_types=[zero]))


def test_two_event_classes_of_one_name_are_a_conflict() -> None:
    one = plugin("one", crmkit_event_types=[TierReached])
    two = plugin("two", crmkit_event_types=[event_class("TierReached")])
    assert registry_of(one).event_types["TierReached"] is TierReached
    with pytest.raises(PluginConflict, match=r"(?s)event type 'TierReached' is provided.*'one'.*'two'"):
        registry_of(one, two)


def test_reactions_are_found_by_event_class_in_the_order_of_the_host() -> None:
    def reacting(name: str, *events: type[Event]) -> Any:
        return plugin(name, crmkit_reactions=[Reaction(event, do_nothing) for event in events])

    declared = plugin("tiers", crmkit_event_types=[TierReached, HighTierReached])
    registry = registry_of(
        reacting("z", OrderPaid, TierReached), declared, reacting("a", HighTierReached, OrderPaid)
    )
    assert [owned.owner for owned in registry.reactions_for(OrderPaid)] == ["z", "a"]
    assert [owned.owner for owned in registry.reactions_for(TierReached)] == ["z"]
    assert [owned.owner for owned in registry.reactions_for(HighTierReached)] == ["z", "a"]
    assert registry.reactions_for(OrderShipped) == registry.reactions_for(UnknownEvent) == ()


async def later(tx: Any, entry: Any) -> None:
    """React later."""


def piecemeal(tx: Any, entry: Any) -> Iterator[None]:
    """React as a generator."""
    yield


@pytest.mark.parametrize(
    "event, function, complaint",
    [
        (OrderPaid, later, "its function is async, so nobody would run it"),
        (OrderPaid, piecemeal, "its function is a generator function, so nobody would run it"),
        (OrderPaid, 3, "its function is 3; it must be callable"),
        (
            TierReached,
            do_nothing,
            "event 'TierReached' is neither the core's nor declared by crmkit_event_types",
        ),
        (Event, do_nothing, "event 'Event' is neither"),
        ("OrderPiad", do_nothing, "did you mean 'OrderPaid'"),
    ],
)
def test_a_reaction_that_would_never_run_is_refused(event: Any, function: Any, complaint: str) -> None:
    with pytest.raises(PluginInvalid, match=f"hook crmkit_reactions answered .*{complaint}"):
        registry_of(plugin(crmkit_reactions=[Reaction(event, function)]))


def text(name: str, locale: str, words: str) -> Template:
    """Return a template."""
    return Template(name=name, locale=locale, text=words)


def test_a_template_is_found_by_locale_then_language_then_for_all() -> None:
    mail = plugin(
        "mail", crmkit_templates=[text("hi", "", "all"), text("hi", "de", "de"), text("hi", "de-AT", "at")]
    )
    registry = registry_of(mail, templates=[text("own", "pt_BR", "br")])
    found = [registry.template("hi", locale).text for locale in ("de-AT", "de_at", "DE-CH-1996", "fr", "")]
    assert found == ["at", "at", "de", "all", "all"]
    assert registry.template("own", "pt-BR").text == "br"


def test_a_template_that_is_missing_is_named() -> None:
    registry = registry_of(templates=[text("thanks", "de", "Danke")])
    with pytest.raises(NotFound, match="there is no template 'thansk'; did you mean 'thanks'"):
        registry.template("thansk")
    with pytest.raises(NotFound, match="template 'thanks' has no text for the locale 'fr'"):
        registry.template("thanks", "fr")


def test_the_hosts_templates_win_even_over_a_clash() -> None:
    one, two = (plugin(name, crmkit_templates=[text("hi", "", name)]) for name in ("one", "two"))
    registry = registry_of(one, two, templates=[text("hi", "", "mine")])
    assert registry.template("hi").text == "mine"
    assert registry.templates["hi", ""].owner == "host"


@pytest.mark.parametrize("own", [["hi"], [text("hi", "de", "a"), text("hi", "DE", "b")]])
def test_templates_of_the_host_that_clash_or_are_none_are_refused(own: Any) -> None:
    with pytest.raises(ConfigError, match="templates holds"):
        registry_of(templates=own)


def test_a_jobs_name_is_unique_within_its_plugin() -> None:
    job = Job("sweep", do_nothing)
    assert len(registry_of(plugin("a", crmkit_jobs=[job]), plugin("b", crmkit_jobs=[job])).jobs) == 2
    with pytest.raises(PluginConflict, match="job 'sweep' is provided by more than one"):
        registry_of(plugin("a", crmkit_jobs=[job, job]))


@pytest.mark.parametrize(
    "hook, value, complaint",
    [
        (
            "crmkit_jobs",
            Job("a", do_nothing, timedelta(0)),
            "its every is .*; it must be a positive timedelta",
        ),
        ("crmkit_jobs", Job("a", later), "its function is async"),
        ("crmkit_jobs", Job("", do_nothing), "its name must be a text that is not empty"),
        ("crmkit_health_checks", HealthCheck("a", later), "its function is async"),
        ("crmkit_commands", Command("a", "b", later), "its function is async"),  # type: ignore[arg-type]
        ("crmkit_pages", Page("", "b", do_nothing), "its name must be a text that is not empty"),
        ("crmkit_pages", Page("a", "b", later), "its function is async"),
    ],
)
def test_what_could_never_run_is_refused(hook: str, value: Any, complaint: str) -> None:
    with pytest.raises(PluginInvalid, match=f"hook {hook} answered .*; {complaint}"):
        registry_of(plugin(**{hook: [value]}))


def test_a_store_without_capabilities_is_refused() -> None:
    store = FakeStore()
    store.capabilities = "all"  # type: ignore[assignment]
    with pytest.raises(PluginInvalid, match="its capabilities are 'all'; they must be StoreCapabilities"):
        registry_of(plugin(crmkit_contact_store=store))
