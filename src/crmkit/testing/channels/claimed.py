"""Laws of the optional abilities of a channel."""

from __future__ import annotations

from crmkit.channels import Accepted, Pending
from crmkit.plugins import shown
from crmkit.testing.channels.stage import Killed, Stage
from crmkit.testing.laws import law


class ClaimedLaws(Stage):
    """Laws 17 and 18."""

    __test__ = False

    @law(17, "can_look_up", "received")
    def test_17_lookup_knows_what_arrived(self) -> None:
        """`lookup` answers None for what never arrived, and what became of it for what did; it has no effect."""
        channel = self.make_channel()
        known, unknown = self.delivery(1), self.delivery(2)
        with self.sender(channel) as sender:
            self.attempt(sender, known)
        before = self._count()
        context = self.context(self._handed_off_nothing)
        answers = [channel.lookup(one, context) for one in (known, unknown, known)]  # type: ignore[union-attr]
        if (
            not isinstance(answers[0], (Accepted, Pending))
            or answers[1] is not None
            or answers[2] != answers[0]
        ):
            raise self.broken(
                17,
                expected="Accepted for what was sent, None for what was not, the same again",
                found=shown(answers),
            )
        if self._count() != before:
            raise self.broken(17, expected="no effect", found=f"{self._count() - before} effect(s)")

    @law(18, "can_send_many", "received")
    def test_18_a_batch_has_one_hand_off_and_an_answer_each(self) -> None:
        """`send_many` marks one hand-off before the first effect and answers each delivery in order."""
        deliveries = [self.delivery(number) for number in (1, 2, 3)]
        handoffs: list[int] = []
        with self.sender() as sender:
            outcomes = list(
                sender.send_many(deliveries, self.context(lambda: handoffs.append(self._count())))
            )
        arrived = [text for one in deliveries for text in self._arrived() if one.address in text]
        if len(outcomes) != 3 or not all(isinstance(one, (Accepted, Pending)) for one in outcomes):
            raise self.broken(18, expected="3 answers, Accepted or Pending", found=shown(outcomes))
        if handoffs != [0] or len(arrived) != 3 or self._count() != 3:
            found = f"{len(handoffs)} hand-off(s) after {handoffs} effect(s), {self._count()} effect(s) in the end"
            raise self.broken(18, expected="1 hand-off after no effect, 3 effects in the end", found=found)
        self._nothing_after_a_crash()

    def _nothing_after_a_crash(self) -> None:
        def die() -> None:
            raise Killed("the worker was killed")

        before = self._count()
        try:
            with self.sender() as sender:
                sender.send_many([self.delivery(4), self.delivery(5)], self.context(die))
        except Killed:
            if self._count() == before:
                return
        raise self.broken(
            18,
            expected="what the hand-off raises goes through, and nothing arrives",
            found=f"{self._count() - before} effect(s)",
        )
