"""From a paid order to a mail on a real server, and nothing when the shop rolls back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crmkit import CRM, ContactPoint, DeliveryState, Money, Order, OrderLine, Transaction
from crmkit_email import EmailPlugin, EmailSettings
from crmkit_email.testing import SmtpServer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def crm(tmp_path: Path, server: SmtpServer, make_settings: Callable[..., EmailSettings]) -> Iterator[CRM]:
    """A CRM on a file of its own that sends to the server."""
    plugin = EmailPlugin(make_settings(server.port))
    crm = CRM(f"sqlite:///{tmp_path / 'shop.db'}", plugins=[plugin], clock=lambda: NOW, strict=True)
    crm.create_tables()
    yield crm
    crm.engine.dispose()


def buy(tx: Transaction, key: str = "o-1", address: str = "nino@shop.example") -> None:
    """Record a paid order."""
    lines = [OrderLine("tea", 2, Money(1250, "GBP"))]
    points = [ContactPoint.email(address)]
    tx.orders.record(Order(key, lines, placed_at=NOW, points=points, name="ნინო ბერიძე"), state="paid")


def states(crm: CRM) -> list[DeliveryState]:
    """Return where the deliveries stand."""
    with crm.begin() as tx:
        return [status.state for status in tx.messages.list()]


def test_a_paid_order_is_thanked_for_once(crm: CRM, server: SmtpServer) -> None:
    for _ in range(2):
        with crm.begin() as tx:
            buy(tx)
        crm.run_due()
    (mail,) = server.received
    assert mail.recipients == ("nino@shop.example",)
    assert mail.message["To"] == "ნინო ბერიძე <nino@shop.example>"
    assert mail.message["Subject"] == "Thank you for your order o-1"
    assert [part.get_content_type() for part in mail.message.iter_parts()] == ["text/plain", "text/html"]
    assert "12.50 GBP" in str(next(mail.message.iter_parts()))
    assert states(crm) == [DeliveryState.SENT]


def test_an_order_that_is_rolled_back_is_not_thanked_for(crm: CRM, server: SmtpServer) -> None:
    with closing(crm.engine.connect()) as connection:
        connection.begin()
        with crm.join(connection) as tx:
            buy(tx)
        connection.rollback()
    crm.run_due()
    assert server.received == []
    assert states(crm) == []


def test_what_the_server_answers_is_what_is_recorded(crm: CRM, server: SmtpServer) -> None:
    server.answer("RCPT", "nobody", "550 5.1.1 no such user")
    server.answer("RCPT", "full", "452 4.2.2 mailbox full")
    with crm.begin() as tx:
        for number, name in enumerate(["nobody", "full", "nino"]):
            buy(tx, f"o-{number}", f"{name}@shop.example")
    crm.run_due()
    with crm.begin() as tx:
        found = {status.delivery.address.partition("@")[0]: status.state for status in tx.messages.list()}
    assert found == {
        "nobody": DeliveryState.REJECTED,
        "full": DeliveryState.QUEUED,
        "nino": DeliveryState.SENT,
    }
    assert server.connections == 1
