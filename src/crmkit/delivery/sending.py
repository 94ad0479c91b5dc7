"""Sending what is claimed over one channel: connect, hand off, send, and note what came of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from crmkit.channels import Accepted, Channel, Deferred, Outcome, Pending, Unknown
from crmkit.delivery.cases import HARMLESS, Case, put_back
from crmkit.delivery.claim import Claim
from crmkit.delivery.decide import fault_of
from crmkit.delivery.handoff import Handoff
from crmkit.delivery.notes import Notes, said
from crmkit.delivery.ready import Desk
from crmkit.delivery.settle import ClaimLost, Settler
from crmkit.errors import DeliveryError
from crmkit.messages import Delivery
from crmkit.rewards import Owned

if TYPE_CHECKING:
    from crmkit.crm import CRM

_GRACE = timedelta(seconds=1)

Ready = tuple[Case, Delivery]


class Sending:
    """Sends the deliveries of one channel within one claim.

    Args:
        crm: the CRM.
        channel: the channel, with the plugin that brought it.
        claim: the claim.
        settler: takes what came of each.
        lease: how long a claim holds.
    """

    def __init__(
        self, crm: CRM, channel: Owned[Channel], claim: Claim, settler: Settler, lease: timedelta
    ) -> None:
        self._crm = crm
        self._notes = Notes(crm, channel, settler)
        self._settler = settler
        # what came of one delivery is written with the hand-off of the next, so a lease outlives two sends
        self._two_sends = 2 * self._notes.spec.timeout + _GRACE
        self._desk = Desk(self._notes, claim, max(lease, self._two_sends))

    def run(self, cases: Sequence[Case]) -> None:
        """Send deliveries and note what came of each; an exception of the channel fails nothing else."""
        try:
            manager = self._manager()
            sender = manager.__enter__()
        except (Exception, SystemExit) as error:
            self._notes.note_unopened(cases, error)
            return
        try:
            self._send_all(sender, cases)
            self._settler.flush()  # before the connection is closed, which may take its time
        except BaseException:
            with suppress(Exception, SystemExit):
                manager.__exit__(*sys.exc_info())
            raise
        try:
            manager.__exit__(None, None, None)
        except (Exception, SystemExit) as error:
            self._notes.blame("close", None, error)

    def _manager(self) -> AbstractContextManager[Any]:
        channel: Any = self._notes.channel
        if not hasattr(channel, "open"):
            return nullcontext(channel)
        manager: AbstractContextManager[Any] = channel.open(self._notes.context())
        return manager

    def _send_all(self, sender: Any, cases: Sequence[Case]) -> None:
        if hasattr(sender, "send_many"):
            self._desk.keep()
            ready = [one for case in cases if (one := self._desk.ready(case)) is not None]
            if ready:
                self._send(ready, sender.send_many)
            return
        for case in cases:
            self._desk.keep()
            one = self._desk.ready(case)
            if one is not None:
                self._send([one], lambda many, ctx: [sender.send(many[0], ctx)])

    def _send(self, ready: Sequence[Ready], call: Any) -> None:
        handoff = self._handoff(ready)
        try:
            outcomes = call([delivery for _, delivery in ready], self._notes.context(handoff))
            outcomes = _proper(outcomes, len(ready))
        except ClaimLost:
            outcomes = []
        except KeyboardInterrupt:
            if handoff.called:
                self._leave(ready)
            raise
        except (Exception, SystemExit) as error:
            outcomes = [self._raised(error, handoff, ready[0][1])] * len(ready)
        if isinstance(handoff.fault, ClaimLost):
            self._lost(ready)
        elif handoff.fault is not None:
            raise handoff.fault
        else:
            self._answered(ready, outcomes, handoff)

    def _handoff(self, ready: Sequence[Ready]) -> Handoff:
        if self._notes.spec.dedup in HARMLESS:
            return Handoff(None)
        ids = [delivery.id for _, delivery in ready]
        return Handoff(lambda: self._settler.hand_off(ids, self._desk.lease(self._two_sends)))

    def _raised(self, error: BaseException, handoff: Handoff, delivery: Delivery) -> Outcome:
        if handoff.fault is not None:
            raise handoff.fault
        self._notes.blame("send", delivery, error)
        reason = f"the channel failed: {said(error)}"
        return Unknown(reason) if handoff.called else Deferred(reason=reason)

    def _answered(self, ready: Sequence[Ready], outcomes: Sequence[Outcome], handoff: Handoff) -> None:
        if not handoff.called and any(isinstance(one, Accepted | Pending | Unknown) for one in outcomes):
            breach = DeliveryError(
                "it sent without calling ctx.handoff() before; a crash there would go unnoticed"
            )
            self._notes.blame("send", ready[0][1], breach)
        for (case, _), outcome in zip(ready, outcomes, strict=True):
            self._notes.note(case, outcome)

    def _lost(self, ready: Sequence[Ready]) -> None:
        """Give back what was not sent, since one of the batch has another worker; writing heeds the claim."""
        for case, _ in ready:
            self._settler.add(case, put_back(case, self._crm.clock()))

    def _leave(self, ready: Sequence[Ready]) -> None:
        for case, _ in ready:
            self._settler.leave(case)


def _proper(outcomes: Any, number: int) -> Sequence[Outcome]:
    if not isinstance(outcomes, Sequence) or len(outcomes) != number:
        raise DeliveryError(
            f"send_many answered {type(outcomes).__name__}, not one outcome for each of {number}"
        )
    for outcome in outcomes:
        if fault := fault_of(outcome):
            raise DeliveryError(fault)
    return outcomes
