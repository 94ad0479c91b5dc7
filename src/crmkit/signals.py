"""Signals: a host's functions that are told of committed events, one after another, and cannot hurt anybody.

A CRM has its own blinker namespace with a signal per event class, named like the class. This module is the
only importer of blinker. It keeps the order and the isolation that blinker leaves to its users.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, TypeVar

import attrs
import blinker

from crmkit.errors import ValueRefused
from crmkit.events import Event, LogEntry
from crmkit.plugins import oddity, shown

#: Is told of an event; what it returns is not looked at.
Receiver = Callable[[LogEntry], object]

R = TypeVar("R", bound=Receiver)


@attrs.frozen(eq=False)
class SignalFailure:
    """A receiver that raised; the others were told all the same.

    Args:
        event: the event type's name.
        receiver: the module and name of the receiver.
        error: what it raised.
    """

    event: str
    receiver: str
    error: BaseException


@attrs.frozen(eq=False)
class _Connection:
    receiver: Receiver
    number: int

    def __call__(self, entry: LogEntry) -> object:
        return self.receiver(entry)


class Signals:
    """The signals of one CRM.

    Receivers are held strongly, are called with the log entry alone, and in the order in which they were
    connected. Those that a host connects through `namespace` come after, in the order that blinker gives.
    """

    def __init__(self) -> None:
        #: The blinker signals, by the name of the event class.
        self.namespace = blinker.Namespace()
        self._numbers = count()

    def connect(self, event_type: type[Event], receiver: Receiver) -> Callable[[], None]:
        """Call `receiver` with the entry of each committed event of a class; return a function that ends it.

        Args:
            event_type: the event class; a base class stands for all its subclasses, `Event` for all events.
            receiver: a function that takes the log entry. It is kept alive as long as it is connected.

        Raises:
            ValueRefused: if the class is no event class, or the receiver is async or takes other arguments.
        """
        _check_event_type(event_type)
        _check_receiver(receiver)
        signal = self.namespace.signal(event_type.__name__)
        connection = _Connection(receiver, next(self._numbers))
        signal.connect(connection, weak=False)
        return lambda: signal.disconnect(connection)

    def on(self, event_type: type[Event]) -> Callable[[R], R]:
        """Return a decorator that connects a function, which stays as it is.

        Args:
            event_type: as for `connect`.
        """

        def decorate(receiver: R) -> R:
            self.connect(event_type, receiver)
            return receiver

        return decorate

    def send(self, entry: LogEntry) -> tuple[SignalFailure, ...]:
        """Tell every receiver of a committed event; return those that failed.

        Args:
            entry: the event as it stands in the log.
        """
        failures = []
        # blinker's own receivers have no number and come last
        for receiver in sorted(self._receivers(entry), key=lambda one: getattr(one, "number", float("inf"))):
            try:
                _call(receiver, entry)
            except (Exception, SystemExit) as error:
                failures.append(SignalFailure(entry.type, _named(receiver), error))
        return tuple(failures)

    def _receivers(self, entry: LogEntry) -> Iterator[Receiver]:
        for cls in type(entry.event).__mro__:
            signal = self.namespace.get(cls.__name__)
            if signal is not None and not signal.is_muted:
                yield from signal.receivers_for(entry)


def _call(receiver: Receiver, entry: LogEntry) -> None:
    answer = receiver(entry)
    if inspect.iscoroutine(answer):
        answer.close()
        raise ValueRefused(f"receiver {_named(receiver)} is async; signals are not")


def _named(receiver: Any) -> str:
    inner = receiver.receiver if isinstance(receiver, _Connection) else receiver
    name = getattr(inner, "__qualname__", None)
    return f"{inner.__module__}.{name}" if isinstance(name, str) else shown(inner)


def _check_event_type(event_type: object) -> None:
    if not (isinstance(event_type, type) and issubclass(event_type, Event)):
        raise ValueRefused(
            f"{shown(event_type)} is no event class; connect to a subclass of Event, such as OrderPaid"
        )


def _check_receiver(receiver: Any) -> None:
    if not callable(receiver):
        raise ValueRefused(
            f"receiver {shown(receiver)} cannot be called; connect a function of the log entry"
        )
    if odd := oddity(receiver):
        raise ValueRefused(
            f"receiver {_named(receiver)} is {odd}, so nobody would run it; connect a plain def"
        )
    try:
        inspect.signature(receiver).bind(None)
    except TypeError as error:
        raise ValueRefused(
            f"receiver {_named(receiver)} must take one argument, the log entry: {error}"
        ) from None
    except ValueError:  # a built-in function that tells no signature
        return
