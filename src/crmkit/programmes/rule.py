"""A rule that a programme declares: its condition compiled, its effect computed, its refusals explained when asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType
from typing import Any

import attrs

from crmkit.expressions import Explanation, Expression
from crmkit.expressions.tree import Constant, leaves_of, operands
from crmkit.orders import replaced
from crmkit.programmes.discretion import is_personal, reason
from crmkit.programmes.effects.effect import MOST, EffectKind, Inputs
from crmkit.programmes.recompute import described, recompute
from crmkit.programmes.terms import AT_ONCE, LotTerms
from crmkit.programmes.vocabulary import READS, Vocabulary
from crmkit.rewards import Award, Facts, Limit, NoAward


@attrs.frozen(kw_only=True, eq=False, slots=False)
class DeclaredRule:
    """A rule of a programme.

    Args:
        name: its name.
        version: the programme's.
        programme: `name@version` of the programme.
        triggers: what it is about.
        vocabulary: the names that its condition may use, and what reads them.
        condition: when it gives something; None for always.
        effect: what it gives.
        lot: when points may be spent.
        limits: its limits.
        lane: its lane.
        priority: the greatest goes first.
        group: of a group at most one is granted.
        best_of: of these the one that gives most is granted.
        times_of: the rule whose award it multiplies, if it does.
        doc: what it is for.
    """

    name: str
    version: int
    programme: str
    triggers: tuple[str, ...]
    vocabulary: Vocabulary = attrs.field(repr=False)
    condition: Expression | None
    effect: EffectKind
    lot: LotTerms = AT_ONCE
    limits: tuple[Limit, ...] = ()
    lane: str = ""
    priority: int = 0
    group: str = ""
    best_of: str = ""
    times_of: DeclaredRule | None = None
    doc: str = ""

    @property
    def zone(self) -> str:
        """The zone of limits over all members."""
        return self.vocabulary.policies.zone

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The fields that its conditions read."""
        own = () if self.condition is None else tuple(field.name for field in self.condition.fields)
        return tuple(dict.fromkeys((*own, *(self.times_of.names if self.times_of is not None else ()))))

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """The counters and histories that it reads."""
        return tuple(sorted({READS[name] for name in self.names if name in READS}))

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The fields of the contact that it reads."""
        words = self.vocabulary
        return tuple(words.held_as(name) for name in self.names if words.asks_contact(name))

    @cached_property
    def constants(self) -> tuple[str | int, ...]:
        """The texts, whole numbers and amounts in minor units that its conditions compare with."""
        conditions = (self.condition, getattr(getattr(self.effect, "lines", None), "condition", None))
        found = {value for one in conditions if one is not None for value in _constants(one)}
        return tuple(sorted(found, key=str))

    def evaluate(self, facts: Facts) -> Award | NoAward:
        """Return what the facts earn, or which clause of the condition failed, with its values."""
        award = self.grants(facts)
        return NoAward(reason=self.why_not(facts)) if award is None else award

    def grants(self, facts: Facts) -> Award | None:
        """Return what the facts earn, without a word where it is nothing."""
        values = facts.memo.get(self.vocabulary.place) or self.values(facts)
        if self._predicate is not None and not self._predicate(values):
            return None
        if self.times_of is not None and not self.times_of._holds(values):
            return None
        basket = self.vocabulary.baskets.of(facts)
        amount = self.effect.amount(basket)
        if amount is None or not 1 <= amount <= MOST:
            return None
        changes = self.effect.changes(amount, basket)
        changes["inputs"] = self._traced(self.effect.inputs(basket), values)
        if self.lot is not AT_ONCE:
            changes["lot"] = self.lot.lot(facts.at, self.vocabulary.zone(facts))
        return replaced(self.effect.template, amount=amount, **changes)

    def why_not(self, facts: Facts) -> str:
        """Return why the facts earn nothing; the empty text if they earn something."""
        explanation = self.explain(facts)
        if explanation is not None and not explanation:
            return reason(explanation)
        if self.times_of is not None and (why := self.times_of.why_not(facts)):
            return f"rule {self.times_of.name!r} gives nothing: {why}"
        basket = self.vocabulary.baskets.of(facts)
        if self.effect.needs_order and basket is None:
            return f"{facts.trigger} is about no order"
        amount = self.effect.amount(basket)
        if amount is None:
            return self.effect.why_not(basket)
        return "" if 1 <= amount <= MOST else _out_of_bounds(amount, self.effect.inputs(basket))

    def explain(self, facts: Facts) -> Explanation | None:
        """Return what each clause of the condition comes to; None if the rule has no condition."""
        return None if self.condition is None else self.condition.explain(self.values(facts))

    def recompute(self, inputs: Mapping[str, Any]) -> int:
        """Return what an award of this rule comes to by its inputs, before any cap or limit."""
        return recompute(inputs)

    def values(self, facts: Facts) -> dict[str, object]:
        """Return what its conditions read of facts; it is read once for all rules of the programme."""
        values: dict[str, object] | None = facts.memo.get(self.vocabulary.place)
        if values is None:
            asked = self.vocabulary.asked_on.get(facts.trigger, ())
            values = facts.memo[self.vocabulary.place] = {name: read(facts) for name, read in asked}
        for name in self.names:
            if name not in values:  # it is asked about a trigger that it does not name
                values[name] = self.vocabulary.reader(name)(facts)
        return values

    def _holds(self, values: Mapping[str, object]) -> bool:
        return self._predicate is None or bool(self._predicate(values))

    def _traced(self, inputs: Inputs, values: Mapping[str, object]) -> Mapping[str, Any]:
        if self.condition is not None:
            inputs["when"] = self.condition.text
            inputs["read"] = {name: plain(values[name]) for name in self._kept}
        return MappingProxyType(inputs)

    @cached_property
    def _kept(self) -> tuple[str, ...]:
        """The fields whose values its awards may keep."""
        fields = () if self.condition is None else self.condition.fields
        return tuple(field.name for field in fields if not is_personal(field))

    @cached_property
    def _predicate(self) -> Any:
        return None if self.condition is None else self.condition.compile()


def plain(value: object) -> object:
    """Return a value that a condition read as plain data, as the log keeps it."""
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _out_of_bounds(amount: int, inputs: Inputs) -> str:
    bound = "less than 1" if amount < 1 else f"more than {MOST}, which is a mistake"
    return f"{described(inputs)} comes to {amount}, {bound}"


def _constants(condition: Expression) -> list[str | int]:
    found: list[str | int] = []
    for leaf in leaves_of(condition.tree):
        for value in (*operands(leaf), *getattr(leaf, "options", ())):
            if isinstance(value, Constant):
                held = value.value
                if isinstance(held, Decimal):
                    found.append(int(held * 100))
                elif isinstance(held, str | int) and type(held) is not bool:
                    found.append(held)
    return found
