"""Prints the figures for a person."""

from __future__ import annotations

from collections.abc import Iterable

from figures import Check, Figures
from invoices import LONDON, Kind
from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from crmkit import ContactAdded, LogEntry, MessageSent, OrderPaid, OrderRecorded, OrderRefunded
from crmkit_loyalty import PointsClawedBack, PointsEarned

DONE = {
    Kind.PRODUCT: "in the order, earns points",
    Kind.FREE: "in the order, at 0",
    Kind.POSTAGE: "in the order, as shipping",
    Kind.VOUCHER: "in the order, as a gift card",
    Kind.CHARGE: "in the order, as a fee",
    Kind.CREDIT: "left out: for no order",
    Kind.STOCK: "left out: nobody bought it",
    Kind.OWN_COST: "left out: not a customer's",
    "taken back, refunded": "refunded, points clawed back",
}


def show(figures: Figures, console: Console) -> None:
    """Print the figures as tables."""
    shop = figures.shop
    rows = [(name, pounds(n) if name in ("ordered", "refunded") else f"{n:,}") for name, n in shop.items()]
    console.print(_table("The shop", ["", ">"], rows))
    console.print(
        _table(
            "Lines of the invoices",
            ["line", ">lines", "what was done"],
            [
                (kind, f"{n:,}", DONE.get(kind, "left out: no order to refund"))
                for kind, n in figures.lines.items()
            ],
        )
    )
    console.print(_table("Points", ["", ">"], [(name, f"{n:,}") for name, n in figures.points.items()]))
    console.print(
        _table(
            "Thank-yous",
            ["state", "reason", ">messages"],
            [(state, why, f"{n:,}") for (state, why), n in figures.messages.items()],
        )
    )
    _show_one(figures, console)
    console.print(
        _table(
            "Counted twice",
            ["what", ">count", "by", ">count", "by", ""],
            [
                (one.what, f"{one.count:,}", one.source, f"{one.again:,}", one.other, _verdict(one))
                for one in figures.checks
            ],
        )
    )
    console.print(", ".join(f"[bold]{n:,.0f}[/] {what}" for what, n in figures.speed.items()))


def _show_one(figures: Figures, console: Console) -> None:
    rows = [
        (f"{entry.occurred_at.astimezone(LONDON):%d %b %H:%M}", *told(entry)) for entry in figures.timeline
    ]
    console.print(_table(f"Timeline of {figures.contact.name}", ["", "event", ""], rows))
    for explanation in figures.explanations:
        console.print(Panel(explanation, title="Why", title_align="left", expand=False, box=box.SQUARE))


def _verdict(check: Check) -> str:
    return "equal" if check.equal else "[bold red]DIFFERENT"


def told(entry: LogEntry) -> tuple[str, str]:
    """Return an event's type and what it says, in a few words."""
    match entry.event:
        case OrderRecorded(order=order):
            words = f"{order.key}: {len(order.lines)} lines, {order.total}"
        case OrderPaid(order_key=key, amount=amount):
            words = f"{key}: {amount}"
        case OrderRefunded(order_key=key, refund_key=refund, amount=amount):
            words = f"{key}: {amount} by {refund}"
        case PointsEarned(order_key=key, amount=points):
            words = f"{key}: {points:+,} points"
        case PointsClawedBack(order_key=key, amount=points):
            words = f"{key}: {-points:+,} points"
        case MessageSent(topic=topic, provider_id=id):
            words = f"{topic}, queued by the server as {id}" if id else topic
        case ContactAdded(points=points):
            words = ", ".join(points)
        case _:
            words = ""
    return entry.type, words


def pounds(pence: int) -> str:
    """Return an amount in pounds."""
    return f"£{pence // 100:,}.{pence % 100:02}"


def _table(title: str, columns: list[str], rows: Iterable[tuple[str, ...]]) -> Table:
    named = any(column.strip(">") for column in columns)
    table = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, show_header=named
    )
    for column in columns:
        table.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left")
    for row in rows:
        table.add_row(*row)
    return table
