"""Whatever kills the worker, and however often, each class of channel keeps its promise."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crmkit import AuthLost, ContactPoint, Dedup, Deferred, DeliveryState, Message, Repeat, Unknown
from crmkit.delivery.cases import Case
from crmkit.delivery.settle import Settler
from sql.channels import AFTER, BEFORE, LOST, Asked, Fake, Killed, Plugin, Post

SETTLED = frozenset("sent rejected suppressed expired unknown dead".split())
#: What may happen at one try: deaths of the worker, answers, exceptions. Only LOST and success have the effect.
STEPS = [
    BEFORE,
    AFTER,
    LOST,
    Unknown("reset"),
    Deferred(),
    Deferred(scope="channel"),
    AuthLost(),
    "raises",
    "exits",
]
#: After these nobody can tell whether the provider acted.
OPEN = (AFTER, LOST, Unknown("reset"), "raises", "exits")
LONG = {"core": {"attempts": 1000, "max_delivery_age": timedelta(days=36500)}}


@attrs.frozen
class Story:
    """A message and what happens when it is tried."""

    repeat: Repeat
    suppressed: bool
    steps: tuple[Any, ...]


stories = st.builds(
    Story,
    repeat=st.sampled_from(list(Repeat)),
    suppressed=st.sampled_from([False, False, True]),
    steps=st.lists(st.sampled_from(STEPS), max_size=4).map(tuple),
)
SENT = Story(Repeat.AT_LEAST_ONCE, False, ())
histories = st.lists(stories, min_size=1, max_size=5)


def channel(dedup: Dedup) -> Fake:
    return (Asked if dedup is Dedup.LOOKUP else Fake)(dedup, name=dedup.value, batch=3)


class World:
    """A CRM with a channel of each class; each history leaves its rows behind and its channels clean."""

    def __init__(self) -> None:
        self.channels = {dedup: channel(dedup) for dedup in Dedup}
        plugin = Plugin(
            [one for dedup, one in self.channels.items() if dedup is not Dedup.NONE],
            suppress=lambda delivery, contact: "no" if delivery.address.startswith("s") else None,
        )
        self.post = Post("sqlite://", self.channels[Dedup.NONE], plugin=plugin, settings=LONG)

    def play(self, dedup: Dedup, history: list[Story]) -> list[tuple[Story, int, str]]:
        """Queue the messages, run until all are settled, and return how many effects each had, and its state."""
        channel = self.channels[dedup]
        channel.effects.clear()
        channel.script = {
            f"{'s' if story.suppressed else 'u'}{number}": [_step(step) for step in story.steps]
            for number, story in enumerate(history)
        }
        ids = self._queue(dedup, history)
        for _ in range(100):
            with suppress(Killed):
                self.post.run()
            states = [self.post.state(id).value for id in ids]
            if SETTLED.issuperset(states):
                break
            self.post.clock.advance(hours=8)
        effects = channel.effects
        return [
            (story, effects.count(id), state) for story, id, state in zip(history, ids, states, strict=True)
        ]

    def _queue(self, dedup: Dedup, history: list[Story]) -> list[UUID]:
        key = str(self.post.crm.new_id())
        with self.post.crm.begin() as tx:
            return [
                tx.messages.queue(
                    Message(topic="test", text="Hello", repeat=story.repeat),
                    channel=dedup.value,
                    key=key,
                    to=ContactPoint.email(f"{who}@x.example"),
                ).delivery.id
                for story, who in zip(history, self.channels[dedup].script, strict=True)
            ]


def _step(step: Any) -> Any:
    return (
        {"raises": RuntimeError("bang"), "exits": SystemExit(3)}.get(step, step)
        if isinstance(step, str)
        else step
    )


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def judge(dedup: Dedup, played: list[tuple[Story, int, str]]) -> None:
    """Assert what the class promises.

    Of class NONE, each death may leave one answer unwritten: that of the delivery which dies, or of the one sent
    just before it. So deaths bound the doubles of a whole history, not of one message.
    """
    deaths = sum(step in (BEFORE, AFTER, LOST) for story, _, _ in played for step in story.steps)
    doubles = 0
    for story, effects, state in played:
        if story.suppressed:
            assert (effects, state) == (0, "suppressed")
        elif dedup is not Dedup.NONE:
            assert (effects, state) == (1, "sent")
        elif story.repeat is Repeat.AT_MOST_ONCE:
            assert effects <= 1 and state in ("sent", "unknown") and (effects or state == "unknown")
            assert state == "sent" or deaths or any(step in OPEN for step in story.steps)
        else:
            assert effects >= 1 and state == "sent"
            doubles += effects - 1
    assert doubles <= deaths


@given(dedup=st.sampled_from(list(Dedup)), history=histories)
@example(dedup=Dedup.NONE, history=[Story(Repeat.AT_LEAST_ONCE, False, (LOST, AFTER, LOST))])
@example(dedup=Dedup.NONE, history=[SENT, Story(Repeat.AT_LEAST_ONCE, False, (BEFORE,))])
@example(dedup=Dedup.LOOKUP, history=[Story(Repeat.AT_MOST_ONCE, False, (LOST, Deferred(), BEFORE))])
def test_law_17_under_any_history_of_crashes(world: World, dedup: Dedup, history: list[Story]) -> None:
    """KEY, NATURAL and LOOKUP have one effect; NONE at most or at least one; what is suppressed none."""
    judge(dedup, world.play(dedup, history))


def test_the_property_sees_a_missing_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutant: no durable hand-off. At most once becomes twice."""
    monkeypatch.setattr(Settler, "hand_off", lambda self, ids, until: None)
    story = Story(Repeat.AT_MOST_ONCE, False, (LOST,))
    with pytest.raises(AssertionError):
        judge(Dedup.NONE, World().play(Dedup.NONE, [story]))


def test_the_property_sees_a_forgotten_open_fate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutant: the second claim forgets that the first handed off. A LOOKUP channel is not asked and sends twice."""
    monkeypatch.setattr(Case, "waiting", DeliveryState.QUEUED)
    ahead = Story(Repeat.AT_LEAST_ONCE, False, (Deferred(), BEFORE))
    forgotten = Story(Repeat.AT_LEAST_ONCE, False, (LOST,))
    with pytest.raises(AssertionError):
        judge(Dedup.LOOKUP, World().play(Dedup.LOOKUP, [ahead, forgotten]))
