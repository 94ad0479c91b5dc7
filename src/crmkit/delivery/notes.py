"""What is noted of the deliveries of one channel while a worker goes through them."""

from __future__ import annotations

import random
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from crmkit.channels import Channel, Deferred, Outcome, Scope, SendContext
from crmkit.delivery.cases import Case, Pause, Policy, Verdict, pause_for, put_back, resume_at
from crmkit.delivery.decide import after
from crmkit.delivery.handoff import Handoff, no_handoff
from crmkit.delivery.settle import Settler
from crmkit.messages import Delivery
from crmkit.rewards import Owned

if TYPE_CHECKING:
    from crmkit.crm import CRM


class Notes:
    """Turns answers into verdicts, remembers pauses, and blames the right plugin.

    Args:
        crm: the CRM.
        channel: the channel, with the plugin that brought it.
        settler: takes the verdicts.
    """

    def __init__(self, crm: CRM, channel: Owned[Channel], settler: Settler) -> None:
        self.crm = crm
        self.channel = channel.value
        self.spec = channel.value.spec
        self.settler = settler
        self.policy = Policy.of(crm.settings)
        self._owner = channel.owner
        self._pauses: list[Pause] = []

    def context(self, handoff: Handoff | None = None) -> SendContext:
        """Return what the channel is lent for one call."""
        clock = self.crm.clock
        return SendContext(deadline=clock() + self.spec.timeout, now=clock, handoff=handoff or no_handoff)

    def note(self, case: Case, found: Outcome | Verdict) -> None:
        """Note what came of a delivery."""
        if not isinstance(found, Verdict):
            found = after(case, found, now=self.crm.clock(), policy=self.policy, luck=random.random())
        if found.pause is not None:
            self._pauses.append(found.pause)
        self.settler.add(case, found)

    def note_unopened(self, cases: Sequence[Case], error: BaseException) -> None:
        """Note that the channel does not open: the first delivery waits, the others for its pause."""
        self.blame("open", None, error)
        outcome = Deferred(scope=Scope.CHANNEL, reason=f"the channel does not open: {said(error)}")
        for case in cases:
            if not self.waits(case):
                self.note(case, outcome)

    def waits(self, case: Case) -> bool:
        """Put a delivery back if a pause holds it up, and say so."""
        if not self._pauses:
            return False
        now = self.crm.clock()
        pause = pause_for(self._pauses, case, now)
        if pause is not None:
            until = resume_at(pause, now, random.random())
            self.settler.add(case, put_back(case, until, pause.reason))
        return pause is not None

    def blame(self, step: str, delivery: Delivery | None, error: BaseException, *, owner: str = "") -> None:
        """Record a plugin's failure.

        Args:
            step: the call that failed.
            delivery: what it was about, if one.
            error: the exception.
            owner: the plugin, by default the one that brought the channel.
        """
        what = step if owner else f"channel {self.spec.name}: {step}"
        subject, contact_id = (delivery.key, delivery.contact_id) if delivery else ("", None)
        self.settler.fail(owner or self._owner, what, subject, error, contact_id)


def said(error: BaseException) -> str:
    """Return an exception's type and message on one line."""
    return " ".join("".join(traceback.format_exception_only(error)).split())
