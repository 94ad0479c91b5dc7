"""Which rules' awards stand side by side: lanes add up, of a group at most one, of a best-of the largest."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from crmkit.rewards.awards import Award, Effect, NoAward
from crmkit.rewards.standing import Standing


@attrs.frozen
class Entrant:
    """A rule with what it may grant, caps, limits and vetoes applied.

    Args:
        standing: the rule.
        awards: at least one.
    """

    standing: Standing
    awards: tuple[Award, ...]

    @property
    def size(self) -> int:
        """By what the largest of a best-of is found: what the awards cost, or how many units they are."""
        costs = [award.cost.minor for award in self.awards if award.cost is not None]
        points = all(award.effect is Effect.POINTS for award in self.awards)
        return sum(award.amount for award in self.awards) if points or not costs else sum(costs)


def chosen(entrants: Sequence[Entrant]) -> tuple[list[Entrant], list[NoAward]]:
    """Return the rules whose awards stand, and why the others' do not.

    Args:
        entrants: in the order of the rules: by priority, ties by name.
    """
    kept, beaten = _first_of_groups(entrants)
    kept, smaller = _best_ofs(kept)
    return kept, [*beaten, *smaller]


def _first_of_groups(entrants: Sequence[Entrant]) -> tuple[list[Entrant], list[NoAward]]:
    first: dict[tuple[str, str], Standing] = {}
    kept, beaten = [], []
    for entrant in entrants:
        standing = entrant.standing
        winner = first.setdefault((standing.lane, standing.group), standing) if standing.group else standing
        if winner is standing:
            kept.append(entrant)
        else:
            why = f"rule {winner.name!r} goes first in the group {standing.group!r}"
            beaten += _refused(entrant, f"{why}: priority {winner.priority}, this one {standing.priority}")
    return kept, beaten


def _best_ofs(entrants: Sequence[Entrant]) -> tuple[list[Entrant], list[NoAward]]:
    best: dict[tuple[str, str], Entrant] = {}
    for entrant in entrants:
        key = entrant.standing.lane, entrant.standing.best_of
        if entrant.standing.best_of and entrant.size > best.setdefault(key, entrant).size:
            best[key] = entrant
    kept, beaten = [], []
    for entrant in entrants:
        winner = best.get((entrant.standing.lane, entrant.standing.best_of), entrant)
        if winner is entrant:
            kept.append(entrant)
        else:
            why = f"rule {winner.standing.name!r} gives more, the best of {entrant.standing.best_of!r}"
            beaten += _refused(entrant, f"{why}: {winner.size}, this one {entrant.size}")
    return kept, beaten


def _refused(entrant: Entrant, reason: str) -> list[NoAward]:
    return [NoAward(reason=reason, rule=award.rule, owner=award.owner) for award in entrant.awards]
