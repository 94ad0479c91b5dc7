"""Laws of what goes wrong at the provider: each becomes an answer, at once, and hurts no other delivery."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from crmkit.channels import AuthLost, Deferred, Outcome, Rejected, Unknown
from crmkit.testing.channels.sleeping import Slept, no_sleep
from crmkit.testing.channels.stage import Attempt, Stage
from crmkit.testing.laws import is_written, law

_SECOND = timedelta(seconds=1)


class FaultLaws(Stage):
    """Laws 5 to 7 and 14 to 16."""

    __test__ = False

    @law(5, "received", "refuse")
    def test_05_a_refusal_is_rejected(self) -> None:
        """A refusal is answered with `Rejected` and a reason, never with an exception, and hurts no other delivery."""
        self.refuse()
        tried, after = self._two(5)
        if not isinstance(tried.outcome, Rejected) or not tried.outcome.reason or tried.arrived:
            raise self.broken(5, expected="Rejected with the provider's reason, and no effect", found=tried)
        if not after.taken:
            raise self.broken(5, expected="the next delivery of the batch is taken", found=after)

    @law(6, "received", "throttle")
    def test_06_a_throttle_is_deferred(self) -> None:
        """A throttle is answered with `Deferred` and the wait that the provider asked for; the channel never sleeps."""
        asked = self.throttle()
        tried = self._unslept(6, lambda sender: self.attempt(sender, self.delivery()))
        if not isinstance(tried.outcome, Deferred) or tried.arrived:
            raise self.broken(6, expected="Deferred, and no effect", found=tried)
        told = tried.outcome.retry_after
        if asked is not None and (told is None or abs(told - asked) > _SECOND):
            raise self.broken(
                6, expected=f"retry_after {asked}, as the provider asked", found=f"retry_after {told}"
            )

    @law(7, "attempts|refuse|throttle|drop_before")
    def test_07_no_hidden_retry(self) -> None:
        """Neither the channel nor its library tries again by itself: one send is one attempt."""
        faults = [name for name in ("refuse", "throttle", "drop_before") if is_written(type(self), name)]
        counts = is_written(type(self), "attempts")
        for fault in [*faults, *([""] if counts else [])]:
            if fault:
                getattr(self, fault)()
            before = self.attempts() if counts else 0
            tried = self._unslept(7, lambda sender: self.attempt(sender, self.delivery()))
            self._once(fault, tried, self.attempts() - before if counts else None)

    @law(14, "received", "drop_before")
    def test_14_a_break_before_the_effect_is_deferred(self) -> None:
        """A connection that breaks before the hand-off is answered with `Deferred`; nothing was sent."""
        self.drop_before()
        tried, _ = self._two(14)
        allowed: tuple[type[Outcome], ...] = (Deferred, Unknown) if tried.handoffs else (Deferred,)
        if not isinstance(tried.outcome, allowed) or tried.arrived:
            raise self.broken(
                14, expected="Deferred (Unknown only after a hand-off), and no effect", found=tried
            )

    @law(15, "received", "drop_after")
    def test_15_a_break_after_the_effect_is_unknown(self) -> None:
        """A connection that breaks after the hand-off is answered with `Unknown`: the provider may have acted."""
        self.drop_after()
        tried, after = self._two(15)
        if not isinstance(tried.outcome, Unknown) or len(tried.handoffs) != 1:
            raise self.broken(15, expected="Unknown, after one hand-off", found=tried)
        if not after.taken and not isinstance(after.outcome, Deferred):
            raise self.broken(15, expected="the next delivery of the batch is taken or deferred", found=after)

    @law(16, "received", "expire_login")
    def test_16_lost_credentials_are_auth_lost(self) -> None:
        """Credentials that are no longer accepted are answered with `AuthLost`, so that the account is paused."""
        self.expire_login()
        tried, _ = self._two(16)
        if not isinstance(tried.outcome, AuthLost) or tried.arrived:
            raise self.broken(16, expected="AuthLost, and no effect", found=tried)

    def _two(self, number: int) -> tuple[Attempt, Attempt]:
        """Send two deliveries over one sender; the first meets what the provider was told to do."""
        tried, after = self._unslept(
            number,
            lambda sender: (self.attempt(sender, self.delivery(1)), self.attempt(sender, self.delivery(2))),
        )
        for one in (tried, after):
            if one.error is not None:
                raise self.broken(
                    number,
                    expected="an answer",
                    found=one,
                    hint="turn what the provider says into an outcome",
                )
        return tried, after

    def _unslept(self, number: int, act: Callable[[Any], Any]) -> Any:
        try:
            with no_sleep(), self.sender() as sender:
                return act(sender)
        except Slept as slept:
            raise self.broken(
                number,
                expected="an answer at once",
                found=str(slept),
                hint="answer Deferred; the core waits, and others are sent meanwhile",
            ) from None

    def _once(self, fault: str, tried: Attempt, attempts: int | None) -> None:
        after = f"after {fault}(): " if fault else ""
        if attempts is not None and attempts != 1:
            raise self.broken(7, expected=f"{after}1 attempt at the provider", found=f"{attempts} attempts")
        if fault and (tried.taken or tried.arrived):
            raise self.broken(
                7,
                expected=f"{after}no effect",
                found=tried,
                hint="the provider refuses one attempt only, so there was a second one; switch off retries",
            )
