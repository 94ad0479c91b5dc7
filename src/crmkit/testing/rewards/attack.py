"""Running a law over generated facts, and showing the failing ones as code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from inspect import getattr_static
from pathlib import Path
from typing import Any, ClassVar

import attrs
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from crmkit.errors import ValueRefused
from crmkit.expressions import Field
from crmkit.plugins import said, shown
from crmkit.programmes import DeclaredRule
from crmkit.rewards import Award, Facts, NoAward, Owned, RewardRule, evaluate, reference
from crmkit.testing import strategies
from crmkit.testing.laws import LawBroken
from crmkit.testing.rewards.claims import Claims, claims_of, rules_of
from crmkit.testing.rewards.words import amounts_of, words_of
from crmkit.testing.suite import Suite
from crmkit.testing.writing import as_code, as_program


@attrs.frozen(repr=False)
class Case:
    """Generated facts that show as the code which makes them."""

    facts: Facts

    def __repr__(self) -> str:
        return as_code(self.facts)


def facts_for(rule: RewardRule) -> st.SearchStrategy[Facts]:
    """Return a strategy for facts that a rule is about: of its triggers, with the words and numbers in it."""
    read, payload = fields_of(rule)
    return strategies.facts(
        triggers=getattr(rule, "triggers", ("order.paid",)),
        words=words_of(rule),
        amounts=amounts_of(rule),
        fields=read,
        payload=payload,
    )


def fields_of(rule: RewardRule) -> tuple[list[Field], list[Field]]:
    """Return the fields that a declared rule reads of the contact, and of the event."""
    if not isinstance(rule, DeclaredRule):
        return [], []
    declared = rule.vocabulary.declared
    event = [field for name, field in declared.items() if name.startswith("event.") and name in rule.names]
    return [rule.vocabulary[name] for name in rule.fields], event


class Attacks(Suite):
    """What the author of a rule gives, and how the laws use it.

    Args (class attributes):
        rule: a `RewardRule`, a function from facts to an award, a programme or the name of its file, which is
            looked for beside the test, or a plugin that brings rules.
        claims: what the rule promises: base, monotone, scale, refund, max_per_order, max_per_day.
        facts: a strategy for the facts to attack it with; by default orders of every kind and currency, with the
            words and numbers that stand in the rule.
        examples: how many facts each law tries; by default as many as the Hypothesis profile says.
    """

    __test__ = False
    page = "docs/reference/reward-rule-suite.md"
    of_loyalty = True

    rule: ClassVar[Any] = None
    claims: ClassVar[Mapping[str, Any]] = {}
    facts: ClassVar[st.SearchStrategy[Facts] | None] = None
    examples: ClassVar[int | None] = None

    #: What `claims` says, read when the class is made.
    claimed: ClassVar[Claims] = Claims()
    monotone: ClassVar[bool] = False
    refund: ClassVar[bool] = False
    max_per_day: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        carried = getattr(getattr_static(cls, "rule"), "claims", {})
        claimed = cls.claimed = claims_of({**carried, **cls.claims}, cls.__name__)
        cls.monotone, cls.refund = claimed.monotone, bool(claimed.refund)
        cls.max_per_day = claimed.max_per_day is not None
        super().__init_subclass__()

    def rules(self) -> tuple[RewardRule, ...]:
        """Return the rules that are attacked."""
        handed = getattr_static(type(self), "rule")  # a function would come as a method
        if handed is None:
            raise ValueRefused(f"{type(self).__name__} needs rule = ...: the rule that is attacked")
        plain = handed.__func__ if isinstance(handed, staticmethod) else handed
        return rules_of(plain, type(self).__name__, _folder_of(type(self)))

    def attack(self, number: int, check: Callable[..., None], *more: st.SearchStrategy[Any]) -> None:
        """Call `check(rule, facts, ...)` for every rule, with many facts and what `more` gives.

        Args:
            number: the law's number.
            check: raises `LawBroken`.
            more: strategies for further arguments.
        """
        for rule in self.rules():
            self._attack(number, rule, check, more)

    def _attack(
        self,
        number: int,
        rule: RewardRule,
        check: Callable[..., None],
        more: tuple[st.SearchStrategy[Any], ...],
    ) -> None:
        drawn = self.facts if self.facts is not None else facts_for(rule)

        def law(case: Case, rest: tuple[Any, ...]) -> None:
            check(rule, case.facts, *rest)

        law.__name__ = f"{type(self).__name__}_law_{number}"  # Hypothesis keeps failures under this name
        run = given(case=st.builds(Case, drawn), rest=st.tuples(*more))(law)
        try:
            self._settings()(run)()
        except Flaky as flaky:  # the rule broke the law, and then kept it for the same facts
            raise _broken_in(flaky) or flaky from None

    def _settings(self) -> settings:
        profile = settings()
        return settings(
            profile,
            max_examples=self.examples or profile.max_examples,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            # to explain takes longer than all the rest; the law says what is wrong
            phases=[phase for phase in profile.phases if phase is not Phase.explain],
        )

    def answers(self, number: int, rule: RewardRule, facts: Facts) -> tuple[Award | NoAward, ...]:
        """Return what a rule answers, or raise that it raised or answered something else."""
        try:
            answer = rule.evaluate(facts)
            found = (answer,) if isinstance(answer, (Award, NoAward)) else tuple(answer)
        except LawBroken:
            raise
        except Exception as error:
            if isinstance(error, TypeError) and "not iterable" in str(error):
                raise self._not_an_award(number, rule, facts, rule.evaluate(facts)) from None
            raise self.against(
                number, rule, facts, expected="an Award or a NoAward", found=f"it raised {said(error)}"
            ) from error
        for one in found:
            if not isinstance(one, (Award, NoAward)):
                raise self._not_an_award(number, rule, facts, one)
        return found

    def awarded(self, number: int, rule: RewardRule, facts: Facts) -> tuple[Award, ...]:
        """Return what the engine grants for the rule's answer, caps applied."""
        self.answers(number, rule, facts)
        return evaluate([Owned(owner="suite", value=rule)], attrs.evolve(facts)).awards

    def granted(self, number: int, rule: RewardRule, facts: Facts) -> dict[str, int]:
        """Return how much of each unit the engine grants for the rule's answer, caps applied."""
        return by_unit(self.awarded(number, rule, facts))

    def against(
        self,
        number: int,
        rule: RewardRule,
        facts: Facts,
        *,
        expected: str,
        found: str,
        other: Facts | None = None,
    ) -> LawBroken:
        """Return the error that facts break a law, with the code that repeats it."""
        steps = [f"facts = {as_code(facts)}", "rule.evaluate(facts)"]
        if other is not None:
            steps[1:] = [f"other = {_evolved(facts, other)}", "rule.evaluate(facts), rule.evaluate(other)"]
        return self.broken(
            number,
            expected=expected,
            found=found,
            subject=f"rule {reference(rule)!r}",
            code=as_program("\n".join(steps), evolve="attrs"),
        )

    def remark(self, text: str) -> None:
        """Say something in the summary at the end of the run."""
        type(self).remarks[text] = None

    def _not_an_award(self, number: int, rule: RewardRule, facts: Facts, answer: object) -> LawBroken:
        return self.against(
            number,
            rule,
            facts,
            expected="an Award, a NoAward with its reason, or several of them",
            found=f"{shown(answer)}, a {type(answer).__name__}",
        )


def _folder_of(suite: type) -> Path:
    """Return the folder of the test module, or the current one where there is no file."""
    file = getattr(sys.modules.get(suite.__module__), "__file__", None)
    return Path(file).parent if file else Path()


def _evolved(facts: Facts, other: Facts) -> str:
    """Return the code that makes the other facts of the first, naming only what is different."""
    fields = [
        field
        for field in attrs.fields(Facts)
        if field.init and getattr(facts, field.name) != getattr(other, field.name)
    ]
    changes = [f"{field.alias}={as_code(getattr(other, field.name))}" for field in fields]
    return f"evolve({', '.join(['facts', *changes])})"


def by_unit(awards: Iterable[Award]) -> dict[str, int]:
    """Return how much of each unit awards come to."""
    total: dict[str, int] = {}
    for award in awards:
        total[award.unit] = total.get(award.unit, 0) + award.amount
    return total


def _broken_in(flaky: BaseException) -> LawBroken | None:
    inside = getattr(flaky, "exceptions", ())
    return next((error for error in inside if isinstance(error, LawBroken)), None)
