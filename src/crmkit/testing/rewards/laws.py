"""What a rule gives for one order: pure, bounded, rising with what is spent, on its base."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import attrs
from hypothesis import strategies as st

from crmkit.orders import Base
from crmkit.rewards import Award, Effect, Facts, NoAward, RewardRule
from crmkit.testing.laws import law
from crmkit.testing.rewards import variations
from crmkit.testing.rewards.attack import Attacks, by_unit
from crmkit.testing.rewards.observed import Observed
from crmkit.testing.rewards.watch import watched
from crmkit.testing.strategies.money import minors

#: More than what rounding can move: discounts and taxes are spread in whole minor units.
_FAR = 1000
_RUNGS = 6
#: The bases that count goods alone.
_GOODS = (Base.GOODS, Base.NET)


class EarningLaws(Attacks):
    """Laws of one order."""

    __test__ = False

    @law(14)
    def test_14_the_rule_is_pure(self) -> None:
        """Equal facts give equal answers; the rule changes no facts and touches no clock, chance, file or network."""
        self.attack(14, self._pure)

    @law(15)
    def test_15_the_award_is_bounded(self) -> None:
        """Every facts are answered, with whole units from 0 to the declared bound; a scaling rule scales."""
        self.seen = Observed()
        self.attack(15, self._bounded, st.integers(2, 9))
        if not self.seen.granted:
            lost = (
                f"{type(self).__name__}: no generated order earned anything, so the laws held without a test"
            )
            warnings.warn(f"{lost}; set facts = strategies.facts(words=[...], amounts=[...])", stacklevel=2)
        for remark in self.seen.remarks(self.claimed):
            self.remark(remark)

    @law(16, "monotone")
    def test_16_who_spends_more_gets_no_less(self) -> None:
        """When the goods get dearer, or more are bought, the award does not fall."""
        self.attack(16, self._rises, minors(_FAR, 20_000))

    @law(17)
    def test_17_what_is_outside_the_base_does_not_count(self) -> None:
        """Shipping, fees and gift cards, and for the base "net" taxes, do not change the award."""
        self.attack(17, self._counts_its_base, minors(1, 100_000))

    def _pure(self, rule: RewardRule, facts: Facts) -> None:
        before = fingerprint(facts)
        first = self.answers(14, rule, facts)
        with watched() as seen:
            second = self.answers(14, rule, attrs.evolve(facts))  # which have nothing in their memo
        if seen:
            wanted = "nothing but the facts is looked at; facts.at is the time, facts.counters hold counts"
            raise self.against(14, rule, facts, expected=wanted, found="; ".join(dict.fromkeys(seen[:3])))
        if first != second:
            raise self.against(14, rule, facts, expected=f"{first} each time", found=f"then {second}")
        if fingerprint(facts) != before:
            raise self.against(14, rule, facts, expected="facts left as they were", found="changed facts")

    def _bounded(self, rule: RewardRule, facts: Facts, factor: int) -> None:
        awards = self.awarded(15, rule, facts)
        granted = by_unit(awards)
        bound = self.claimed.max_per_order
        for unit, amount in granted.items():
            if bound is not None and amount > bound:
                raise self.against(
                    15, rule, facts, expected=f"at most {bound} {unit}", found=f"{amount} {unit}"
                )
        self.seen.award(awards, facts)
        if facts.has_order:
            self._scales(rule, facts, granted, factor)
            self._look(rule, facts, granted)

    def _scales(self, rule: RewardRule, facts: Facts, granted: Mapping[str, int], factor: int) -> None:
        larger = variations.times(facts, factor)
        slack = factor * (1 + len(facts.order.lines))
        found = self.granted(15, rule, larger)
        off = [
            unit
            for unit in found.keys() | granted.keys()
            if abs(found.get(unit, 0) - factor * granted.get(unit, 0)) > slack
            and found.get(unit, 0) != self._cap(rule)
        ]
        self.seen.scale(any(factor * amount > slack for amount in granted.values()), not off)
        if off and self.claimed.scale:
            wanted = factor * granted.get(off[0], 0)
            raise self.against(
                15,
                rule,
                facts,
                expected=f"{wanted} {off[0]}, give or take {slack}, for {factor} times the order",
                found=f"{found.get(off[0], 0)} {off[0]}",
                other=larger,
            )

    def _cap(self, rule: RewardRule) -> int | None:
        cap: int | None = getattr(rule, "cap", None)
        return self.claimed.max_per_order if cap is None else cap

    def _look(self, rule: RewardRule, facts: Facts, granted: Mapping[str, int]) -> None:
        after = self.granted(15, rule, variations.with_dearer(facts, _FAR))
        units = granted.keys() | after.keys()
        self.seen.risen += any(after.get(unit, 0) > granted.get(unit, 0) for unit in units)
        self.seen.fallen += any(after.get(unit, 0) < granted.get(unit, 0) for unit in units)

    def _rises(self, rule: RewardRule, facts: Facts, minor: int) -> None:
        if not facts.has_order:
            return
        self._no_less(rule, facts, variations.with_more(facts, minor), f"{minor} minor units of more goods")
        for _ in range(_RUNGS):  # a ladder: a rule that falls at some threshold falls between two rungs
            dearer = variations.with_dearer(facts, minor)
            self._no_less(rule, facts, dearer, f"{minor} minor units of dearer goods")
            facts = dearer

    def _no_less(self, rule: RewardRule, facts: Facts, other: Facts, what: str) -> None:
        granted, after = self.granted(16, rule, facts), self.granted(16, rule, other)
        for unit, amount in granted.items():
            if after.get(unit, 0) < amount:
                raise self.against(
                    16,
                    rule,
                    facts,
                    expected=f"at least {amount} {unit}, as without {what}",
                    found=f"{after.get(unit, 0)} {unit}",
                    other=other,
                )

    def _counts_its_base(self, rule: RewardRule, facts: Facts, minor: int) -> None:
        if not facts.has_order:
            return
        others = [
            (f"{amount} minor units of {kind}", variations.with_extra(facts, kind, amount))
            for kind in variations.OUTSIDE
            for amount in (minor, minor + _FAR)
        ]
        if self.claimed.base is Base.NET and not variations.has_discount(facts.order):
            others.append((f"{minor} minor units of tax", variations.with_tax(facts, minor)))
        before = self._by_base(rule, facts)
        for what, other in others:
            after = self._by_base(rule, other)
            if before != after:
                raise self.against(
                    17,
                    rule,
                    facts,
                    expected=f"{_told(before)}, as without {what} more",
                    found=_told(after),
                    other=other,
                )

    def _by_base(self, rule: RewardRule, facts: Facts) -> list[tuple[str, int, str]]:
        """Return the awards on bases that leave something out."""
        found = (one for one in self.answers(17, rule, facts) if isinstance(one, Award) and one.amount)
        awards = [
            award for award in found if award.effect is Effect.POINTS
        ]  # nothing else goes back by its base
        for award in awards:
            if self.claimed.base not in (None, award.base):
                raise self.against(
                    17,
                    rule,
                    facts,
                    expected=f"an Award with base={self.claimed.base.value!r}, as claimed: refunds go by it",
                    found=f"base={award.base.value!r}",
                )
        return sorted((one.unit, one.amount, one.base.value) for one in awards if one.base in _GOODS)


def _told(awards: list[tuple[str, int, str]]) -> str:
    return ", ".join(f"{amount} {unit} on {base}" for unit, amount, base in awards) or "no award"


def fingerprint(value: Any) -> Any:
    """Return everything that a value holds, as nested tuples, to be compared later."""
    if isinstance(value, (Award, NoAward)) or attrs.has(type(value)):
        names = (field.name for field in attrs.fields(type(value)) if field.name != "memo")
        return tuple(fingerprint(getattr(value, name)) for name in names)
    if isinstance(value, Mapping):
        return tuple((key, fingerprint(item)) for key, item in value.items())
    return tuple(map(fingerprint, value)) if isinstance(value, (list, tuple)) else value
