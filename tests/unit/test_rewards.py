"""What the engine does with rules and vetoes that answer garbage."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from crmkit import Award, Contact, Facts, Money, NoAward, Order, OrderLine, Owned, evaluate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FACTS = Facts(
    trigger="order.paid",
    at=NOW,
    order=Order("A-1", [OrderLine("x", 1, Money(1000, "GBP"))], placed_at=NOW),
    contact=Contact(id=uuid4()),
)


class Rule:
    name, version = "r", 1

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def evaluate(self, facts: Facts) -> Any:
        return self.answer


@pytest.mark.parametrize(
    "answer", [None, 5, "points", [5], {"amount": 5}, Award(amount=5, inputs={"share": float("nan")})]
)
def test_a_rule_that_answers_garbage_grants_nothing_and_is_named(answer: Any) -> None:
    decision = evaluate([Owned(owner="p", value=Rule(answer))], FACTS)
    assert decision.awards == ()
    assert [(failure.owner, failure.rule) for failure in decision.failures] == [("p", "r@1")]
    assert decision.refusals[0].reason.startswith("the rule failed")


@pytest.mark.parametrize("answer", ["", "  ", 0, True, ["no"]])
def test_a_veto_that_answers_garbage_refuses_and_is_named(answer: Any) -> None:
    rule, veto = Rule(Award(amount=5)), lambda award, facts: answer
    decision = evaluate([Owned(owner="p", value=rule)], FACTS, [Owned(owner="v", value=veto)])
    assert decision.awards == ()
    assert decision.failures[0].owner == "v"
    assert decision.refusals == (
        NoAward(reason="the veto of v failed: ValueRefused", rule="r@1", owner="v", vetoed=5),
    )
