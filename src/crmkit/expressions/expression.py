"""A checked expression: what a rule, a segment or a ticket route keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from crmkit.expressions.compiler import Observer, Predicate, observer_of, predicate_of
from crmkit.expressions.fields import Field
from crmkit.expressions.plan import Step, plan_of
from crmkit.expressions.render import clause_text
from crmkit.expressions.tree import Clause

if TYPE_CHECKING:
    from crmkit.expressions.explainer import Explanation


@attrs.frozen(slots=False)
class Expression:
    """An expression whose names are known and whose types fit; made by `check`, pickled as text and fields.

    Args:
        text: the expression as given.
        tree: the checked tree.
        fields: the fields that it reads, by name.
        python_only: why it has no SQL twin, one reason for each such function or field; empty if it has one.
        declared: the fields that its text names: averages and other expressions among them are not read themselves.
    """

    text: str
    tree: Clause
    fields: tuple[Field, ...]
    python_only: tuple[str, ...] = ()
    declared: tuple[Field, ...] = ()

    def __str__(self) -> str:
        return clause_text(self.tree)

    def compile(self) -> Predicate:
        """Return the function from facts to the answer; the same one at every call.

        The function takes a mapping from field names to values and never raises: what is absent, None, or no value of
        the field's type counts as missing.
        """
        return self._predicate

    def explain(self, facts: Mapping[str, object]) -> Explanation:
        """Return the answer with the clauses that decided it.

        Args:
            facts: field names and values; what is absent, None or of a wrong type counts as missing.
        """
        from crmkit.expressions.explainer import explain

        return explain(self, facts)

    @cached_property
    def observer(self) -> Observer:
        """The function from facts to the truth of every clause and the values of the fields."""
        return observer_of(self.tree, self.fields)

    @cached_property
    def plan(self) -> Step:
        """The clauses with their text, in the order of the observer's truths."""
        return plan_of(self.tree)

    @cached_property
    def _predicate(self) -> Predicate:
        return predicate_of(self.tree, self.fields)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        from crmkit.expressions.checker import check

        return check, (self.text, self.declared)


def compile_expression(expression: Expression) -> Predicate:
    """Return the function from facts to the answer; see `Expression.compile`."""
    return expression.compile()
