"""Finding out whether code sleeps, without waiting for it."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch


class Slept(BaseException):
    """A channel called `time.sleep`; the message says where."""


@contextmanager
def no_sleep() -> Iterator[None]:
    """Let `time.sleep` raise `Slept` in this thread, under whatever name a module has imported it.

    Waiting on locks, events and sockets is not noticed.
    """
    real, mine = time.sleep, threading.get_ident()

    def sleep(seconds: float) -> None:
        if threading.get_ident() != mine:
            real(seconds)
            return
        caller = traceback.extract_stack(limit=2)[0]
        raise Slept(f"time.sleep({seconds}) at {caller.filename}:{caller.lineno}")

    with ExitStack() as stack:
        for module, name in _places(real):
            stack.enter_context(patch.object(module, name, sleep))
        yield


def _places(real: Any) -> list[tuple[Any, str]]:
    return [
        (module, name)
        for module in list(sys.modules.values())
        for name, value in list(getattr(module, "__dict__", {}).items())
        if value is real
    ]
