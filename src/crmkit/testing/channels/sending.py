"""Laws of a single send: an answer, one effect, one hand-off before it, nothing after a crash."""

from __future__ import annotations

from typing import get_args

from crmkit.channels import Outcome
from crmkit.plugins import shown
from crmkit.testing.channels.stage import Attempt, Killed, Stage
from crmkit.testing.laws import law

OUTCOMES = get_args(Outcome)

_BEFORE = "call ctx.handoff() just before the first byte that can have an effect"


class SendingLaws(Stage):
    """Laws 1 to 3."""

    __test__ = False

    @law(1, "received")
    def test_01_answers_and_acts_once(self) -> None:
        """A delivery that the provider takes is answered with `Accepted` or `Pending` and has exactly one effect."""
        with self.sender() as sender:
            for number in (1, 2, 3):
                self._one_effect(self.attempt(sender, self.delivery(number)), number)

    @law(2, "received")
    def test_02_hands_off_once_before_the_effect(self) -> None:
        """`ctx.handoff()` is called exactly once per delivery, and before its effect."""
        with self.sender() as sender:
            for number in (1, 2, 3):
                tried = self.attempt(sender, self.delivery(number))
                if tried.handoffs != (0,):
                    raise self.broken(
                        2,
                        expected=f"1 hand-off of delivery {number}, with nothing arrived by then",
                        found=_handoffs(tried),
                        hint=_BEFORE,
                    )

    @law(3, "received")
    def test_03_a_crash_before_the_effect_leaves_none(self) -> None:
        """What `ctx.handoff()` raises goes through the channel, and then nothing has been sent."""
        for crash in (Killed("the worker was killed"), RuntimeError("the mark could not be written")):
            tried = self.send(self.delivery(), crash=crash)
            if tried.error is not crash or tried.arrived:
                raise self.broken(
                    3,
                    expected=f"the hand-off's {type(crash).__name__} goes through, and nothing arrives",
                    found=tried,
                    hint="let what the hand-off raises through, and send only after it has returned",
                )

    def _one_effect(self, tried: Attempt, number: int) -> None:
        if not isinstance(tried.outcome, OUTCOMES):
            names = ", ".join(cls.__name__ for cls in OUTCOMES)
            answered = tried if tried.error else f"{shown(tried.outcome)}, a {type(tried.outcome).__name__}"
            raise self.broken(1, expected=f"one of {names}", found=answered)
        if not tried.taken:
            raise self.broken(
                1,
                expected=f"Accepted or Pending for delivery {number}, to {self.point(number)}",
                found=tried,
                hint="if the provider does not take that address, override point(self, number)",
            )
        if len(tried.arrived) != 1 or self.point(number).value not in tried.arrived[0]:
            raise self.broken(
                1,
                expected=f"1 effect, holding {self.point(number).value!r}",
                found=f"{len(tried.arrived)} effects: {shown(list(tried.arrived))}",
            )


def _handoffs(tried: Attempt) -> str:
    if not tried.handoffs:
        return f"no hand-off; {tried}"
    early = next((count for count in tried.handoffs if count), 0)
    if early:
        return f"{early} effect(s) had arrived when it was called"
    return f"{len(tried.handoffs)} hand-offs"
