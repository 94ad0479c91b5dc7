"""The hand-off: the durable mark after which a provider may have acted."""

from __future__ import annotations

from collections.abc import Callable

from crmkit.errors import DeliveryError


class Handoff:
    """What a channel calls just before the first byte that can have an effect.

    `called` tells whether the mark stands; `fault` is why it could not be set, if it could not.

    Args:
        mark: writes it; None where the claim has done so.
    """

    def __init__(self, mark: Callable[[], None] | None) -> None:
        self._mark = mark
        self.called = False
        self.fault: BaseException | None = None

    def __call__(self) -> None:
        """Mark that the provider may act from here on; a second call does nothing."""
        if self.fault is not None:
            raise self.fault
        if self.called:
            return
        try:
            if self._mark is not None:
                self._mark()
        except BaseException as error:
            self.fault = error
            raise
        self.called = True


def no_handoff() -> None:
    """Refuse a hand-off where nothing is sent."""
    raise DeliveryError("nothing is handed off here; call handoff() of the ctx that send() is given")
