"""What a rule was seen to do, so that it can be told what it might claim."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

import attrs

from crmkit.rewards import Award, Facts
from crmkit.testing.rewards.attack import by_unit
from crmkit.testing.rewards.claims import Claims

#: A greatest award that came up for so many different orders is taken for a bound.
_OFTEN = 5


@attrs.define
class Observed:
    """Counts over all generated facts.

    Args:
        granted: how many earned something.
        risen: how many earned more when they got dearer.
        fallen: how many earned less then.
        scaled: how many earned in proportion when all amounts were multiplied.
        unscaled: how many did not.
        bases: the bases of the awards.
        spent: what was spent for each amount of a unit, by unit.
    """

    granted: int = 0
    risen: int = 0
    fallen: int = 0
    scaled: int = 0
    unscaled: int = 0
    bases: Counter[str] = attrs.field(factory=Counter)
    spent: defaultdict[str, defaultdict[int, set[int]]] = attrs.field(
        factory=lambda: defaultdict(lambda: defaultdict(set))
    )

    def award(self, awards: Iterable[Award], facts: Facts) -> None:
        """Note what facts earned."""
        self.granted += bool(awards)
        self.bases.update(award.base.value for award in awards)
        for unit, amount in by_unit(awards).items():
            self.spent[unit][amount].add(facts.order.total.minor if facts.has_order else 0)

    def scale(self, telling: bool, held: bool) -> None:
        """Note whether an award was in proportion to what was spent; a small one tells nothing if it was."""
        self.scaled += telling and held
        self.unscaled += not held

    def remarks(self, claimed: Claims) -> Iterator[str]:
        """Yield what held all the time and was not claimed."""
        if self.risen and not self.fallen and not claimed.monotone:
            yield f"never gave less for a dearer order ({self.risen} gave more): claim monotone=True?"
        if self.scaled > _OFTEN and not self.unscaled and not claimed.scale:
            yield f"gave in proportion to what was spent ({self.scaled} times): claim scale=True?"
        if len(self.bases) == 1 and claimed.base is None:
            (base,) = self.bases
            yield f"every award was on the base {base!r}: claim base={base!r}?"
        if claimed.max_per_order is None:
            yield from self._bounds()

    def _bounds(self) -> Iterator[str]:
        for unit, spent in self.spent.items():
            most = max(spent)
            if len(spent[most]) >= _OFTEN and len(spent) > 1:
                yield f"never gave more than {most} {unit} ({len(spent[most])} orders did): claim max_per_order={most}?"
