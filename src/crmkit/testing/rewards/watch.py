"""Noticing what a rule must not touch: clocks, chance, files, the network, the environment."""

from __future__ import annotations

import builtins
import gc
import os
import random
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from types import CodeType, FrameType
from typing import Any

_CLOCK = "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns localtime gmtime sleep".split()
_FUNCTIONS = {
    **{getattr(time, name): f"time.{name}" for name in _CLOCK},
    os.urandom: "os.urandom",
    os.getpid: "os.getpid",
    builtins.input: "input",
}
_TODAY = frozenset({"now", "utcnow", "today"})
_EVENTS = (
    "open",
    "socket.",
    "subprocess.",
    "os.",
    "sqlite3.",
    "urllib.",
    "shutil.",
    "http.",
    "ftplib.",
    "smtplib.",
)
_ENVIRONMENT: CodeType = type(os.environ).__getitem__.__code__
_CHANCE: Any = random._inst  # behind random.random() and its like
_LIBRARY = sysconfig.get_path("stdlib")

_watching = threading.local()
_hooked = False


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    seen: list[str] | None = getattr(_watching, "seen", None)
    if seen is None or not event.startswith(_EVENTS):
        return
    frame = sys._getframe(1)
    if not _is_innocent(frame):
        seen.append(
            f"{event.replace('open', 'open()')} {arguments[0]!r}{_place(frame)}" if arguments else event
        )


def _is_innocent(frame: FrameType | None) -> bool:
    """Whether this happens while a module is imported or a time zone is read, which changes no answer."""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith("<frozen importlib") or f"{os.sep}zoneinfo{os.sep}" in name:
            return True
        frame = frame.f_back
    return False


def _profile(frame: FrameType, event: str, argument: Any) -> None:
    seen: list[str] | None = getattr(_watching, "seen", None)
    if seen is None:
        return
    if event == "c_call":
        name = _forbidden(argument)
        if name and not _is_innocent(frame):
            seen.append(f"{name}(){_place(frame)}")
    elif event == "call" and frame.f_code is _ENVIRONMENT and not _is_innocent(frame):
        seen.append(f"os.environ[{frame.f_locals.get('key')!r}]{_place(frame.f_back)}")


def _forbidden(function: Any) -> str:
    owner = getattr(function, "__self__", None)
    name = getattr(function, "__name__", "")
    if owner is _CHANCE:
        return f"random.{name}"
    if isinstance(owner, type) and name in _TODAY and issubclass(owner, date):
        return f"{'datetime' if issubclass(owner, datetime) else 'date'}.{name}"
    try:
        return _FUNCTIONS.get(function, "")
    except TypeError:  # a method of something that cannot be hashed
        return ""


def _place(frame: FrameType | None) -> str:
    """Return where the author's own code stands in the stack of calls."""
    while frame is not None and frame.f_code.co_filename.startswith((_LIBRARY, "<")):
        frame = frame.f_back
    return f" at {os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}" if frame else ""


@contextmanager
def watched() -> Iterator[list[str]]:
    """Give a list that fills with what the block touches in this thread: `time.time() at rules.py:12`.

    Reading a file while a module is imported, and time zones, do not count. Neither does a `random.Random` of
    the block's own: with a seed it always gives the same.
    """
    global _hooked  # noqa: PLW0603 - an audit hook stays until the process ends
    if not _hooked:
        sys.addaudithook(_audit)
        _hooked = True
    seen: list[str] = []
    before, collecting = sys.getprofile(), gc.isenabled()
    gc.disable()  # what others do when garbage is collected would be told of the block
    _watching.seen = seen
    sys.setprofile(_profile)
    try:
        yield seen
    finally:
        sys.setprofile(before)
        _watching.seen = None
        if collecting:
            gc.enable()
