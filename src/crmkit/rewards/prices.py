"""Prices: what several awards take off one order never takes a line below nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from crmkit.money import Money, allocate
from crmkit.orders import replaced
from crmkit.rewards.awards import Award, Effect, NoAward
from crmkit.rewards.facts import Facts


def fitted(awards: Sequence[Award], facts: Facts) -> Iterator[Award | NoAward]:
    """Yield the awards, prices cut to what is left of each line; without an order nothing is.

    Args:
        awards: in the order in which they apply.
        facts: about which it was decided.
    """
    left: dict[str, int] | None = None
    for award in awards:
        if award.effect is not Effect.PRICE:
            yield award
            continue
        if left is None:
            left = dict(facts.order.shares) if facts.has_order else {}
        wanted = award.lines or _spread(award.amount, left)
        taken = {id: min(part, left.get(id, 0)) for id, part in wanted.items()}
        for id, part in taken.items():
            left[id] = left.get(id, 0) - part
        yield _taken(award, taken)


def _spread(amount: int, left: Mapping[str, int]) -> dict[str, int]:
    total = min(amount, sum(left.values()))
    return dict(zip(left, allocate(total, list(left.values())), strict=True))


def _taken(award: Award, lines: Mapping[str, int]) -> Award | NoAward:
    amount = sum(lines.values())
    if not amount:
        said = f"0 of {award.amount} {award.unit} can be taken off: these lines are free already"
        return NoAward(reason=said, rule=award.rule, owner=award.owner)
    lines = MappingProxyType({id: part for id, part in lines.items() if part})
    if amount == award.amount:
        return replaced(award, lines=lines)
    asked = award.amount if award.capped_from is None else award.capped_from
    cost = None if award.cost is None else Money(amount, award.cost.currency)
    said = "what is left of the order's lines"
    return replaced(award, amount=amount, lines=lines, cost=cost, capped_from=asked, capped_by=said)
