"""An entry of the ledger in words, its arithmetic computed again from what was recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from crmkit import Award, OrderAmended, OrderPaid, RewardsDecided, Transaction
from crmkit_loyalty.ledger import Account, Kind, Posting, clawed_back
from crmkit_loyalty.rules import RECOMPUTE, describe
from crmkit_loyalty.store import Row


def explain(tx: Transaction, row: Row, postings: Sequence[Posting]) -> str:
    """Return how a transaction of the ledger came about.

    Args:
        tx: the transaction to read with.
        row: the ledger's transaction.
        postings: what it posted.
    """
    kind = Kind(row["kind"])
    if kind is Kind.EARN:
        lines = _award(tx, row, postings)
    elif kind is Kind.CLAW_BACK:
        lines = _claw_back(row["content"], postings)
    else:
        lines = [f"{row['content']['amount']} {row['unit']}: {row['content'].get('reason') or kind}"]
    return "\n".join([f"{row['key']} ({kind}, {row['effective_at']:%Y-%m-%d})", *lines, *_accounts(postings)])


def _award(tx: Transaction, row: Row, postings: Sequence[Posting]) -> list[str]:
    content = row["content"]
    amount = sum(p.amount for p in postings if p.account is Account.ISSUANCE) * -1
    first = f"{amount} {row['unit']} by the rule {content['rule']} of {content['owner']}"
    award = _recorded(tx, row, content["rule"], amount)
    if award is None:
        return [first, "its event is not in the log"]
    inputs = ", ".join(f"{name}={value}" for name, value in award.inputs.items())
    return [first, f"inputs: {inputs or 'none'}", *_again(tx, award)]


def _recorded(tx: Transaction, row: Row, rule: str, amount: int) -> Award | None:
    """The award as the event has it: the one place where a rule's inputs are kept."""
    entry = tx.events.get(row["cause_id"]) if row["cause_id"] else None
    if entry is None or not isinstance(entry.event, (OrderPaid, OrderAmended, RewardsDecided)):
        return None
    awards = (a for a in entry.event.awards if (a.rule, a.unit, a.amount) == (rule, row["unit"], amount))
    return next(awards, None)


def _again(tx: Transaction, award: Award) -> list[str]:
    recompute = _recompute(tx, award.rule)
    if recompute is None:
        return ["the rule does not say how to compute it again"]
    asked = recompute(award.inputs)
    wanted = award.amount if award.capped_from is None else award.capped_from
    verdict = "as posted" if asked == wanted else f"NOT the {wanted} that were posted"
    words = describe(award.inputs) if award.rule in RECOMPUTE else "the inputs"
    capped = [] if award.capped_from is None else [f"the rule's cap cut it to {award.amount}"]
    return [f"{words} = {asked}, {verdict}", *capped]


def _recompute(tx: Transaction, rule: str) -> Callable[[Mapping[str, Any]], int] | None:
    if rule in RECOMPUTE:
        return RECOMPUTE[rule]
    rules = (owned.value for owned in tx.crm.registry.rules)
    found = next((one for one in rules if f"{one.name}@{one.version}" == rule), None)
    return getattr(found, "recompute", None)


def _claw_back(content: Mapping[str, Any], postings: Sequence[Posting]) -> list[str]:
    earned, before = content["earned"], content["before"]
    taken = sum(p.amount for p in postings if p.account is Account.CLAWED)
    lines = [f"{taken} of {earned} by {content['rule']}, because the order was {content['because']}"]
    if "refunded" not in content or content["whole"]:
        return [*lines, f"all of it: {earned} - {before} taken back before = {earned - before}"]
    due = clawed_back(earned, Fraction(content["refunded"]), content["minor"])
    arithmetic = f"floor({earned} * {content['refunded']} / {content['minor']}) = {due}"
    return [*lines, f"{arithmetic}, - {before} taken back before = {due - before}"]


def _accounts(postings: Sequence[Posting]) -> list[str]:
    sums: dict[Account, int] = {}
    for posting in postings:
        sums[posting.account] = sums.get(posting.account, 0) + posting.amount
    return ["posted: " + ", ".join(f"{account} {amount:+}" for account, amount in sums.items())]
