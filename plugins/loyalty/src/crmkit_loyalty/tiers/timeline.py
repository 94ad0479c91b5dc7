"""Which tier a member has when: a pure function of what qualified, whatever the order in which it was heard of.

What qualifies counts in its window; a tier is kept for the grace after that; then the policy says to what the member
falls. A refund takes away what had qualified, as if it had never been, so that it revokes at once and grace protects
only against the passing of time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from heapq import heappop, heappush

import attrs

from crmkit import FOREVER
from crmkit_loyalty.periods import days_later, months_later, year_end
from crmkit_loyalty.tiers.settings import Downgrade, TierSettings, Window

#: Before everything that is recorded.
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen
class Qualifying:
    """Something that counts toward a tier.

    Args:
        at: when it was earned.
        amount: how much of it still stands.
    """

    at: datetime
    amount: int


@attrs.frozen
class Span:
    """For how long a member has a tier.

    Args:
        rank: the tier's number, from 0; -1 for none.
        from_at: since when.
        until_at: until before when.
    """

    rank: int
    from_at: datetime
    until_at: datetime


#: From when on which rank.
Steps = list[tuple[datetime, int]]


def timeline(found: Iterable[Qualifying], settings: TierSettings, zone: str) -> tuple[Span, ...]:
    """Return which tier a member has from the beginning to the end of time, if nothing more is earned.

    Args:
        found: what qualifies, in any order.
        settings: the tiers.
        zone: in which years and months are counted.
    """
    steps = _kept(_reached(found, settings, zone), settings.grace_days, zone)
    if settings.downgrade is Downgrade.NEVER:
        steps = _never_down(steps)
    elif settings.downgrade is Downgrade.ONE_LEVEL:
        steps = _one_level_down(steps, settings, zone)
    return _spans(steps)


def span_at(spans: Sequence[Span], at: datetime) -> Span:
    """Return the span in which an instant lies."""
    return next(span for span in spans if span.from_at <= at < span.until_at)


def amount_at(found: Iterable[Qualifying], settings: TierSettings, zone: str, at: datetime) -> int:
    """Return how much qualifies at an instant."""
    return sum(one.amount for one in found if one.at <= at < _window_end(one.at, settings, zone))


def _reached(found: Iterable[Qualifying], settings: TierSettings, zone: str) -> Steps:
    """The tier that what is in the window qualifies for, without grace."""
    changes: dict[datetime, int] = defaultdict(int)
    for one in found:
        changes[max(one.at, BEGINNING)] += one.amount
        if (end := _window_end(one.at, settings, zone)) < FOREVER:
            changes[end] -= one.amount
    amount, steps = 0, [(BEGINNING, settings.rank(0))]
    for at in sorted(changes):
        amount += changes[at]
        steps.append((at, settings.rank(amount)))
    return steps


def _window_end(at: datetime, settings: TierSettings, zone: str) -> datetime:
    if settings.window is Window.LIFETIME:
        return FOREVER
    return months_later(at, settings.months, zone) if settings.window is Window.MONTHS else year_end(at, zone)


def _kept(steps: Steps, days: int, zone: str) -> Steps:
    """Each tier for as long as it is qualified for, and for the grace after that: the best of those that are kept."""
    spans = _spans(steps)
    ends = [
        span.until_at if span.until_at == FOREVER else days_later(span.until_at, days, zone) for span in spans
    ]
    begins = {span.from_at: (span.rank, end) for span, end in zip(spans, ends, strict=True)}
    kept, best, answer = list[tuple[int, datetime]](), -1, Steps()
    for at in sorted({*begins, *(end for end in ends if end != FOREVER)}):
        if at in begins:
            rank, end = begins[at]
            heappush(kept, (-rank, end))
        while kept and kept[0][1] <= at:
            heappop(kept)
        best = -kept[0][0]
        answer.append((at, best))
    return answer


def _never_down(steps: Steps) -> Steps:
    best, answer = steps[0][1], Steps()
    for at, rank in steps:
        best = max(best, rank)
        answer.append((at, best))
    return answer


def _one_level_down(steps: Steps, settings: TierSettings, zone: str) -> Steps:
    """A fall goes one tier at a time, with a window between one and the next."""
    rank, earned, fall, answer, left = steps[0][1], steps[0][1], FOREVER, [steps[0]], steps[1:]
    while left or fall < FOREVER:
        if left and left[0][0] <= fall:
            at, earned = left.pop(0)
        else:
            at = fall
        if earned >= rank:
            rank, fall = earned, FOREVER
        elif fall in (at, FOREVER):
            rank -= 1
            fall = _window_end(at, settings, zone) if earned < rank else FOREVER
        answer.append((at, rank))
    return answer


def _spans(steps: Steps) -> tuple[Span, ...]:
    """Join steps of equal rank; of several at one instant the last one counts."""
    joined: list[tuple[datetime, int]] = []
    for at, rank in sorted(dict(steps).items()):
        if not joined or joined[-1][1] != rank:
            joined.append((at, rank))
    ends = [at for at, _ in joined[1:]] + [FOREVER]
    return tuple(Span(rank, at, end) for (at, rank), end in zip(joined, ends, strict=True))
