"""Laws of the channel as an object: its secrets, its state, its spec, and what it refuses."""

from __future__ import annotations

import base64
import copy
import io
import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any
from urllib.parse import quote

from crmkit.channels import Channel, ChannelSpec, Checks, Dedup, Rejected
from crmkit.errors import ConfigError
from crmkit.plugins import said, shown
from crmkit.testing.channels.hostile import HOSTILE
from crmkit.testing.channels.sleeping import Slept, no_sleep
from crmkit.testing.channels.stage import Killed, Stage
from crmkit.testing.channels.worker import Carrier
from crmkit.testing.laws import is_written, law
from crmkit.testing.memory import memory_crm

_FAULTS = ("refuse", "throttle", "drop_before", "drop_after", "expire_login")
_CONTAINERS = (list, dict, set, bytearray, deque)


class ShapeLaws(Stage):
    """Laws 9 to 13."""

    __test__ = False

    @law(9, "secrets")
    def test_09_secrets_do_not_show(self) -> None:
        """No secret shows in a repr, an outcome, an exception, a log at any level, or on standard output."""
        for fault in ("", *(name for name in _FAULTS if is_written(type(self), name))):
            if fault:
                getattr(self, fault)()
            for place, text in self._said():
                for secret in self.secrets:
                    if any(form in text for form in disguises(secret)):
                        raise self.broken(
                            9,
                            expected="no trace of the secrets",
                            found=f"one of them in the {place}" + (f", after {fault}()" if fault else ""),
                            hint="keep it in a crmkit.Secret, and switch off the library's debug output",
                        )

    @law(10, "received")
    def test_10_instances_share_nothing(self) -> None:
        """Two instances of the channel share no state: no cache, session or throttle on the class or the module."""
        one, other = self.make_channel(), self.make_channel()
        if one is other:
            raise self.broken(10, expected="make_channel() gives a new channel", found="the same one twice")
        before = copy.deepcopy(_class_state(one))
        with self.sender(one) as first, self.sender(other) as second:
            sent = [self.attempt(sender, self.delivery(n)) for n, sender in enumerate((first, second), 1)]
        after = self.send(self.delivery(3))
        for number, tried in enumerate([*sent, after], 1):
            if not tried.taken or len(tried.arrived) != 1:
                raise self.broken(
                    10, expected=f"each instance sends; delivery {number} has 1 effect", found=tried
                )
        changed = [name for name, value in _class_state(one).items() if value != before.get(name, value)]
        shared = sorted(_own_containers(one).keys() & _own_containers(other).keys())
        same = [name for name in shared if _own_containers(one)[name] is _own_containers(other)[name]]
        if changed or same:
            found = [f"{type(one).__name__}.{name} changed by sending" for name in changed]
            found += [f"the {name} of both instances is one object" for name in same]
            raise self.broken(10, expected="state of the instance's own", found="; ".join(found))

    @law(11, "bad_addresses|too_long")
    def test_11_what_cannot_go_is_rejected_before_the_network(self) -> None:
        """A bad address or an over-long text is `Rejected` before the hand-off; `check`, if there is one, agrees."""
        cases = [("address", {"address": bad}) for bad in self.bad_addresses]
        cases += [("text", {"text": self.too_long})] if self.too_long else []
        for what, changes in cases:
            delivery = self.delivery(**changes)  # type: ignore[arg-type]
            tried = self.send(delivery)
            wrong = f"{what} {shown(getattr(delivery, what), 60)}"
            if not isinstance(tried.outcome, Rejected) or tried.handoffs or tried.arrived:
                raise self.broken(11, expected=f"Rejected without a hand-off: {wrong}", found=tried)
            channel = self.make_channel()
            if isinstance(channel, Checks) and not list(channel.check(delivery)):
                raise self.broken(11, expected=f"check() finds a problem: {wrong}", found="none")

    @law(12)
    def test_12_the_spec_is_sane(self) -> None:
        """The spec is a `ChannelSpec`, the same for each instance and each look; a CRM takes the channel."""
        one, other = self.make_channel(), self.make_channel()
        if not isinstance(one.spec, ChannelSpec):
            raise self.broken(12, expected="spec is a ChannelSpec", found=shown(one.spec))
        if not one.spec == one.spec == other.spec:
            raise self.broken(12, expected="one spec", found=f"{one.spec} and {other.spec}")
        if (one.spec.dedup is Dedup.LOOKUP) != self.can_look_up:
            raise self.broken(
                12,
                expected=f"can_look_up = {one.spec.dedup is Dedup.LOOKUP}, as the class {one.spec.dedup} says",
                found=f"can_look_up = {self.can_look_up}",
            )
        try:
            memory_crm(plugins=[Carrier(one)]).engine.dispose()
        except ConfigError as error:
            raise self.broken(12, expected="a CRM takes the channel", found=said(error)) from error

    @law(13, "received")
    def test_13_hostile_text_does_no_harm(self) -> None:
        """Whatever text a delivery holds, it is taken with one effect or `Rejected` with none, never an exception."""
        for number, changes in enumerate(HOSTILE, 1):
            tried = self.send(self.delivery(number, **changes))
            one = tried.taken and len(tried.arrived) == 1 and self.point(number).value in tried.arrived[0]
            none = isinstance(tried.outcome, Rejected) and not tried.arrived
            if not (one or none):
                raise self.broken(
                    13,
                    expected="Accepted with one effect, or Rejected with none",
                    found=f"{tried}\n            of {shown(changes, 200)}",
                    hint="encode what your medium gives a meaning to, such as line breaks",
                )

    def _said(self) -> Iterator[tuple[str, str]]:
        """Yield each place where a secret could show, with what stands there after sending."""
        with _listening() as heard:
            channel = self.make_channel()
            tried = None
            with suppress(Slept, Killed), no_sleep(), self.sender(channel) as sender:
                tried = self.attempt(sender, self.delivery())
        yield "repr of the channel", f"{channel!r} {channel} {channel.spec!r}"
        yield from heard.items()
        if tried:
            yield "outcome", repr(tried.outcome)
        yield from (("exception", f"{error!r} {error}") for error in _chain(tried.error if tried else None))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception with all that led to it, as a traceback would show them."""
    if error is not None:
        yield error
        yield from _chain(error.__cause__)
        yield from _chain(error.__context__ if error.__context__ is not error.__cause__ else None)


@contextmanager
def _listening() -> Iterator[dict[str, str]]:
    """Collect what is logged and printed."""
    heard: dict[str, str] = {}
    log, out, err = io.StringIO(), io.StringIO(), io.StringIO()
    handler, root = logging.StreamHandler(log), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            yield heard
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        heard.update(
            {"log": log.getvalue(), "standard output": out.getvalue(), "standard error": err.getvalue()}
        )


def disguises(secret: str) -> set[str]:
    """Return the forms in which a secret is still readable: plain, in a URL, in hexadecimal, in base64."""
    raw = secret.encode()
    forms = {secret, quote(secret), quote(secret, safe=""), raw.hex()}
    for shift in range(
        3
    ):  # wherever it stands in what was encoded; the outer characters belong to its neighbours
        code = base64.b64encode(b"\0" * shift + raw).decode()
        forms.add(code[4 if shift else 0 : len(code) // 4 * 4 - 4])
    return {form for form in forms if len(form) >= 4}


def _class_state(channel: Channel) -> dict[str, Any]:
    """Return the plain values on the channel's classes that sending could change."""
    plain = (*_CONTAINERS, int, float, str, bytes, tuple, frozenset, type(None))
    return {
        name: value
        for cls in reversed(type(channel).__mro__[:-1])
        for name, value in vars(cls).items()
        if isinstance(value, plain) and not name.startswith("__")
    }


def _own_containers(channel: Channel) -> dict[str, Any]:
    names = [*getattr(channel, "__dict__", {}), *getattr(type(channel), "__slots__", ())]
    return {name: value for name in names if isinstance(value := getattr(channel, name, None), _CONTAINERS)}
