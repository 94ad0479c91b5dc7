"""Signals tell every receiver, in the order of connection, whatever the others do; blinker's traps do not bite."""

from __future__ import annotations

import functools
import gc
import weakref
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from crmkit.errors import ValueRefused
from crmkit.events import Event, LogEntry, OrderCancelled, OrderShipped, UnknownEvent
from crmkit.signals import Signals

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def entry(event: Event | None = None) -> LogEntry:
    """Return a log entry."""
    return LogEntry(
        id=UUID(int=1),
        event=event or OrderShipped(order_key="o1"),
        key="k",
        contact_id=None,
        subject_id=None,
        actor="system",
        cause_id=None,
        occurred_at=NOW,
        recorded_at=NOW,
        position=1,
    )


def noting(told: list[Any], what: Any) -> Callable[[LogEntry], None]:
    """Return a receiver that notes that it was told."""
    return lambda entry: told.append(what)


def test_a_receiver_gets_the_entry_and_nothing_else() -> None:
    signals, told = Signals(), []
    signals.connect(OrderShipped, told.append)
    sent = entry()
    assert signals.send(sent) == ()
    assert told == [sent]
    signals.send(entry(OrderCancelled(order_key="o1")))
    assert told == [sent]


def test_on_connects_and_leaves_the_function_as_it_is() -> None:
    signals, told = Signals(), []

    @signals.on(OrderShipped)
    def shipped(entry: LogEntry) -> None:
        """Note it."""
        told.append(entry.key)

    signals.send(entry())
    shipped(entry())
    assert told == ["k", "k"]
    assert shipped.__doc__ == "Note it."


def test_a_base_class_stands_for_all_its_events() -> None:
    signals, told = Signals(), []
    signals.connect(Event, lambda entry: told.append(entry.type))
    signals.send(entry())
    signals.send(entry(UnknownEvent(type="Gone", stored_version=1)))
    assert told == ["OrderShipped", "Gone"]


def test_undoing_ends_one_connection_and_may_be_repeated() -> None:
    signals, told = Signals(), []
    receiver = noting(told, 1)
    undo = signals.connect(OrderShipped, receiver)
    signals.connect(OrderShipped, receiver)
    undo()
    undo()
    signals.send(entry())
    assert told == [1]


def test_two_crms_do_not_hear_each_other() -> None:
    one, two, told = Signals(), Signals(), []
    one.connect(OrderShipped, noting(told, "one"))
    two.connect(OrderShipped, noting(told, "two"))
    one.send(entry())
    assert told == ["one"]


# Blinker's traps


def test_trap_receivers_are_called_in_no_order() -> None:
    signals, told = Signals(), []
    for number in range(50):
        signals.connect(Event if number % 3 else OrderShipped, noting(told, number))
    signals.send(entry())
    assert told == list(range(50))


def test_trap_local_functions_vanish() -> None:
    signals, told = Signals(), []

    def connect() -> weakref.ref[Any]:
        def local(entry: LogEntry) -> None:
            told.append(entry.key)

        signals.connect(OrderShipped, local)
        return weakref.ref(local)

    alive = connect()
    gc.collect()
    signals.send(entry())
    assert told == ["k"]
    assert alive() is not None


@pytest.mark.parametrize("error", [ValueError("broken"), SystemExit("broken")])
def test_trap_an_exception_stops_later_receivers(error: BaseException) -> None:
    signals, told = Signals(), []

    def broken(entry: LogEntry) -> None:
        raise error

    signals.connect(OrderShipped, noting(told, 1))
    signals.connect(OrderShipped, broken)
    signals.connect(OrderShipped, noting(told, 2))
    (failure,) = signals.send(entry())
    assert told == [1, 2]
    assert failure.error is error
    assert failure.event == "OrderShipped"
    assert failure.receiver.endswith("<locals>.broken")


def test_a_keyboard_interrupt_goes_through() -> None:
    def interrupted(entry: LogEntry) -> None:
        raise KeyboardInterrupt

    signals = Signals()
    signals.connect(OrderShipped, interrupted)
    with pytest.raises(KeyboardInterrupt):
        signals.send(entry())


def test_trap_a_receiver_without_keywords_breaks_when_an_argument_is_added() -> None:
    signals, told = Signals(), []

    def plain(entry: LogEntry) -> None:
        told.append("plain")

    def proof(sender: LogEntry, **more: Any) -> None:
        told.append(more)

    signals.connect(OrderShipped, plain)
    signals.connect(OrderShipped, proof)
    assert signals.send(entry()) == ()
    assert told == ["plain", {}]


def test_trap_sender_filters_match_text_by_value_and_objects_by_identity() -> None:
    signals, told = Signals(), []
    sent, equal = entry(), entry()
    signals.namespace.signal("OrderShipped").connect(noting(told, "filtered"), sender=sent, weak=False)
    signals.connect(OrderShipped, noting(told, "by class"))
    assert sent == equal
    signals.send(equal)
    assert told == ["by class"]


async def later(entry: LogEntry) -> None:
    """Be told later."""


async def stream(entry: LogEntry) -> Any:
    """Be told bit by bit."""
    yield entry


def generator(entry: LogEntry) -> Any:
    """Be told when iterated."""
    yield entry


class AsyncCallable:
    """An object that is called asynchronously."""

    async def __call__(self, entry: LogEntry) -> None:
        """Be told later."""


@pytest.mark.parametrize(
    "receiver",
    [later, stream, generator, AsyncCallable(), functools.partial(later), AsyncCallable().__call__],
)
def test_trap_async_receivers(receiver: Any) -> None:
    with pytest.raises(ValueRefused, match="nobody would run it; connect a plain def"):
        Signals().connect(OrderShipped, receiver)


@pytest.mark.parametrize("receiver", [lambda: None, lambda a, b: None, lambda *, entry: None])
def test_a_receiver_must_take_the_entry(receiver: Any) -> None:
    with pytest.raises(ValueRefused, match="must take one argument, the log entry"):
        Signals().connect(OrderShipped, receiver)


def test_a_receiver_must_be_callable() -> None:
    with pytest.raises(ValueRefused, match="receiver 'shipped' cannot be called"):
        Signals().connect(OrderShipped, "shipped")  # type: ignore[arg-type]


@pytest.mark.parametrize("event_type", ["OrderShipped", OrderShipped(order_key="o"), int, None])
def test_only_event_classes_can_be_connected_to(event_type: Any) -> None:
    with pytest.raises(ValueRefused, match="is no event class; connect to a subclass of Event"):
        Signals().connect(event_type, print)


def test_a_builtin_or_a_bound_method_may_receive() -> None:
    class Counter:
        seen = 0

        def note(self, entry: LogEntry) -> None:
            """Count it."""
            self.seen += 1

    signals, counter, told = Signals(), Counter(), []
    signals.connect(OrderShipped, counter.note)
    signals.connect(OrderShipped, told.append)
    signals.connect(OrderShipped, functools.partial(noting(told, 1)))
    assert signals.send(entry()) == ()
    assert (counter.seen, len(told)) == (1, 2)


# For those who know blinker


def test_receivers_connected_through_blinker_come_last_and_are_isolated() -> None:
    signals, told = Signals(), []

    def broken(sender: Any) -> None:
        raise ValueError("broken")

    blinker_signal = signals.namespace.signal("OrderShipped")
    blinker_signal.connect(broken)
    mine = noting(told, "blinker's")
    blinker_signal.connect(mine)
    blinker_signal.connect(later)
    signals.connect(OrderShipped, noting(told, "ours"))
    failures = signals.send(entry())
    assert told == ["ours", "blinker's"]
    assert sorted(failure.receiver.rpartition(".")[2] for failure in failures) == ["broken", "later"]


def test_a_signal_muted_through_blinker_is_silent() -> None:
    signals, told = Signals(), []
    signals.connect(OrderShipped, noting(told, 1))
    with signals.namespace["OrderShipped"].muted():
        signals.send(entry())
    assert told == []
    signals.send(entry())
    assert told == [1]


def test_a_receiver_may_connect_and_disconnect_while_it_is_told() -> None:
    signals, told = Signals(), []

    def once(entry: LogEntry) -> None:
        told.append("once")
        undo()
        signals.connect(OrderShipped, noting(told, "next time"))

    undo = signals.connect(OrderShipped, once)
    signals.send(entry())
    assert told == ["once"]
    signals.send(entry())
    assert told == ["once", "next time"]
