"""What came of the replay, each figure counted twice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
from counted import Counted, count
from invoices import Invoice
from mail import recipients
from replay import Replay, email_of, wants_mail
from sqlalchemy import select, text

from crmkit import CRM, Contact, ContactPoint, LogEntry
from crmkit_loyalty import Loyalty, PointsClawedBack

_BUYERS = "SELECT COUNT(DISTINCT contact_id) FROM crm_orders"


@attrs.frozen
class Check:
    """A figure that was counted twice.

    Args:
        what: what was counted.
        source: where the first count comes from.
        count: the first count.
        other: where the second comes from.
        again: the second count.
    """

    what: str
    source: str
    count: int
    other: str
    again: int

    @property
    def equal(self) -> bool:
        """Whether both counts agree."""
        return self.count == self.again


@attrs.frozen(kw_only=True)
class Figures:
    """What the demo tells; money in pence.

    Args:
        shop: counts by name.
        lines: by what was done with them.
        points: issued, clawed back, outstanding.
        messages: by state and reason.
        speed: orders and mails per second.
        checks: what was counted twice.
        contact: whose timeline is shown.
        timeline: of that contact, oldest first.
        explanations: how some of that contact's points came about.
    """

    shop: Mapping[str, int]
    lines: Mapping[str, int]
    points: Mapping[str, int]
    messages: Mapping[tuple[str, str], int]
    speed: Mapping[str, float]
    checks: tuple[Check, ...]
    contact: Contact
    timeline: tuple[LogEntry, ...]
    explanations: tuple[str, ...]

    @property
    def agree(self) -> bool:
        """Whether every two counts agree."""
        return all(check.equal for check in self.checks)

    def plain(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        messages = [{"state": state, "reason": why, "count": n} for (state, why), n in self.messages.items()]
        checks = [attrs.asdict(check) | {"equal": check.equal} for check in self.checks]
        named = {"shop": self.shop, "lines": self.lines, "points": self.points, "speed": self.speed}
        return {name: dict(counts) for name, counts in named.items()} | {
            "messages": messages,
            "checks": checks,
        }


def gather(replay: Replay, invoices: list[Invoice], maildir: Path) -> Figures:
    """Return the figures of a replay.

    Args:
        replay: what was done.
        invoices: what it was done with.
        maildir: where the mails that the SMTP server took lie.
    """
    counted = count(
        invoices,
        replay.refunds,
        has_email=lambda customer: email_of(customer) is not None,
        wants_mail=wants_mail,
    )
    shown = _shown(replay)
    with replay.crm.begin() as tx:
        loyalty = Loyalty(tx)
        totals = loyalty.totals()
        points = {"issued": totals.issued, "clawed back": totals.clawed, "outstanding": loyalty.outstanding()}
        messages = {(state.value, why): n for (state, why), n in sorted(tx.messages.counts().items())}
        found = tx.contacts.find(ContactPoint.external("shop", shown))
        assert found is not None
        timeline = tuple(reversed(tx.events.timeline(found.id, limit=14)))
        explanations = tuple(map(loyalty.explain, _keys(timeline)))
    return Figures(
        shop=_shop(replay, invoices),
        lines=dict(sorted(replay.handled.items(), key=lambda item: -item[1])),
        points=points,
        messages=messages,
        speed=_speed(replay, messages),
        checks=_checks(replay, counted, points, messages, maildir),
        contact=found,
        timeline=timeline,
        explanations=explanations,
    )


def _shop(replay: Replay, invoices: list[Invoice]) -> dict[str, int]:
    guests = sum(not order.customer for order in replay.orders.values())
    return {
        "invoices": len(invoices),
        "users": _one(replay.crm, "SELECT COUNT(*) FROM customers"),
        "customers with an order": _one(replay.crm, _BUYERS),
        "orders": len(replay.orders),
        "orders of nobody known": guests,
        "ordered": _one(replay.crm, "SELECT SUM(total) FROM orders"),
        "cancellations": replay.cancellations,
        "refunds": len(replay.refunds),
        "refunded": _one(replay.crm, "SELECT SUM(refunded) FROM orders"),
    }


def _speed(replay: Replay, messages: Mapping[tuple[str, str], int]) -> dict[str, float]:
    sent = messages.get(("sent", ""), 0)
    return {
        "orders per second": round(len(replay.orders) / (replay.checkout_seconds or 1), 1),
        "mails per second": round(sent / (replay.sending_seconds or 1), 1),
    }


def _checks(
    replay: Replay,
    counted: Counted,
    points: Mapping[str, int],
    messages: Mapping[tuple[str, str], int],
    maildir: Path,
) -> tuple[Check, ...]:
    crm = replay.crm
    states = {state: sum(n for (one, _), n in messages.items() if one == state) for state, _ in messages}
    sent = states.get("sent", 0)
    outstanding = points["outstanding"]
    fold = _one(crm, "SELECT SUM(amount) FROM crm_loyalty_postings WHERE account = 'active'")
    return (
        Check("users", "the shop", _one(crm, "SELECT COUNT(*) FROM customers"), "invoices", counted.users),
        Check(
            "customers",
            "the CRM",
            _one(crm, _BUYERS),
            "invoices",
            counted.customers,
        ),
        Check("orders", "the CRM", _one(crm, "SELECT COUNT(*) FROM crm_orders"), "invoices", counted.orders),
        Check("orders", "the shop", _one(crm, "SELECT COUNT(*) FROM orders"), "invoices", counted.orders),
        Check("orders", "signals", replay.told["OrderRecorded"], "invoices", counted.orders),
        Check(
            "pence ordered",
            "the CRM",
            _one(crm, "SELECT SUM(total) FROM crm_orders"),
            "invoices",
            counted.ordered,
        ),
        Check(
            "pence refunded",
            "the CRM",
            _one(crm, "SELECT SUM(refunded) FROM crm_orders"),
            "invoices",
            counted.refunded,
        ),
        Check("points issued", "the ledger", points["issued"], "invoices", counted.issued),
        Check("points clawed back", "the ledger", points["clawed back"], "invoices", counted.clawed),
        Check("points outstanding", "the ledger", outstanding, "invoices", counted.issued - counted.clawed),
        Check("points outstanding", "the ledger", outstanding, "its rows, folded", fold),
        Check("points outstanding", "the ledger", outstanding, "every balance", _balances(crm)),
        Check(
            "sum of all postings",
            "the ledger",
            _one(crm, "SELECT SUM(amount) FROM crm_loyalty_postings"),
            "nothing",
            0,
        ),
        Check("mails sent", "the CRM", sent, "the SMTP server", len(recipients(maildir))),
        Check("mails sent", "the CRM", sent, "invoices", counted.sent),
        Check("messages held", "the CRM", states.get("held", 0), "invoices", counted.held),
        Check("messages suppressed", "the CRM", states.get("suppressed", 0), "invoices", counted.suppressed),
        Check("failures of plugins", "the CRM", len(crm.failures()), "nothing", 0),
    )


def _one(crm: CRM, statement: str) -> int:
    with crm.engine.connect() as connection:
        return int(connection.execute(text(statement)).scalar() or 0)


def _balances(crm: CRM) -> int:
    with crm.begin() as tx:
        ids = tx.sql.execute(select(tx.table("orders").c.contact_id).distinct()).scalars().all()
        return sum(Loyalty(tx).balance(id) for id in ids if id is not None)


def _shown(replay: Replay) -> str:
    """Return a customer who has something to tell: a refund if there is one, and neither too little nor too much."""
    counts: dict[str, int] = {}
    for order in replay.orders.values():
        if order.customer:
            counts[order.customer] = counts.get(order.customer, 0) + 1
    returned = {cancellation.customer for cancellation, _, _ in replay.refunds}
    candidates = {customer: n for customer, n in counts.items() if customer in returned} or counts
    return min(candidates, key=lambda customer: (abs(candidates[customer] - 2), customer))


def _keys(timeline: tuple[LogEntry, ...]) -> list[str]:
    """Return the ledger's keys of the latest claw-back and of the award it took from, or of the latest award."""
    for entry in reversed(timeline):
        if isinstance(entry.event, PointsClawedBack):
            causes = [one.key for one in timeline if one.id == entry.cause_id]
            return [f"order:{entry.event.order_key}:paid", *causes]
    return [one.key for one in reversed(timeline) if one.type == "OrderPaid"][:1]
