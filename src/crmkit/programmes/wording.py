"""Programmes, rules and what they decided, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from crmkit.expressions import Explanation, Field, FieldType
from crmkit.programmes.programme import Programme
from crmkit.programmes.recompute import described, recompute
from crmkit.programmes.rule import DeclaredRule
from crmkit.rewards import Award, NoAward, RewardRule, reference


def rule_words(rule: DeclaredRule) -> str:
    """Return what a rule says, in one line."""
    condition = f", when {rule.condition}" if rule.condition is not None else ""
    parts = [f"on {' or '.join(rule.triggers)}{condition}: {rule.effect}", str(rule.lot)]
    parts += [str(limit) for limit in rule.limits]
    if rule.group:
        parts.append(f"at most one of the group {rule.group}")
    if rule.best_of:
        parts.append(f"the best of {rule.best_of}")
    return "; ".join(part for part in parts if part)


def programme_words(programme: Programme) -> Iterator[str]:
    """Yield what a programme says, line by line."""
    policies = programme.policies
    yield f"{programme.reference}: {len(programme.rules)} rules, days of {policies.zone}, {policies.unit}"
    for rule in programme.rules:
        yield f"  {rule.name}: {rule_words(rule)}"
        for reason in python_only(rule):
            yield f"    Python only: {reason}"


def programme_data(programme: Programme) -> dict[str, Any]:
    """Return the same as plain data."""
    rules = [
        {
            "name": rule.name,
            "on": list(rule.triggers),
            "words": rule_words(rule),
            "reads": [*rule.reads, *rule.fields],
            "python_only": list(python_only(rule)),
        }
        for rule in programme.rules
    ]
    return {
        "programme": programme.name,
        "version": programme.version,
        "digest": programme.digest,
        "rules": rules,
    }


def python_only(rule: DeclaredRule) -> tuple[str, ...]:
    """Return why the condition of a rule cannot be asked of the database as well."""
    return () if rule.condition is None else rule.condition.python_only


def decided_words(
    awards: Sequence[Award], refusals: Sequence[NoAward], rules: Iterable[RewardRule]
) -> Iterator[str]:
    """Yield what each rule said of a happening, as it is recorded, line by line.

    Args:
        awards: granted.
        refusals: not granted.
        rules: the live rules, for the clauses of the conditions that granted.
    """
    live = {reference(rule): rule for rule in rules if isinstance(rule, DeclaredRule)}
    for award in awards:
        of = f" of {award.programme}" if award.programme else ""
        what = f" {award.item}" if award.item else ""
        yield f"{award.rule}{of}: {award.amount} {award.unit}{what}"
        yield from (f"  {line}" for line in _because(award, live.get(award.rule)))
    for refusal in refusals:
        yield f"{refusal.rule}: nothing"
        yield f"  {refusal.reason}"


def _because(award: Award, rule: DeclaredRule | None) -> Iterator[str]:
    if "effect" not in award.inputs:
        yield "inputs: " + (", ".join(f"{name}={value}" for name, value in award.inputs.items()) or "none")
        return
    if (explanation := clauses_of(award, rule)) is not None:
        yield from str(explanation).splitlines()
    elif "when" in award.inputs:
        values = ", ".join(f"{name} = {value}" for name, value in award.inputs["read"].items())
        yield f"{award.inputs['when']} is true: {values}"
    again, wanted = recompute(award.inputs), award.capped_from or award.amount
    verdict = "" if again == wanted else f", NOT the {wanted} that were granted"
    yield f"{described(award.inputs)} = {again}{verdict}"
    if award.capped_from is not None:
        yield f"cut to {award.amount}: {award.capped_by}"


def clauses_of(award: Award, rule: DeclaredRule | None) -> Explanation | None:
    """Return what each clause came to when an award was granted, from the values that it keeps.

    Args:
        award: as it was made or as the log has it.
        rule: the rule that granted it, in that version; without it, or without a condition, there is nothing to tell,
            nor where the award does not keep all that was read.
    """
    if rule is None or rule.condition is None or "read" not in award.inputs:
        return None
    read: Mapping[str, Any] = award.inputs["read"]
    if any(field.name not in read for field in rule.condition.fields):
        return None
    return rule.condition.explain({field.name: _restored(field, read) for field in rule.condition.fields})


def _restored(field: Field, read: Mapping[str, Any]) -> object:
    value = read.get(field.name)
    if value is None:
        return None
    match field.type:
        case FieldType.DECIMAL:
            return Decimal(value)
        case FieldType.DATE:
            return date.fromisoformat(value)
        case FieldType.INSTANT:
            return datetime.fromisoformat(value)
        case FieldType.TEXT_SET:
            return frozenset(value)
        case _:
            return value
