"""A shop with its own `customers` and `orders` tables, and a CRM that lives in its transactions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import attrs
from sqlalchemy import Engine, ForeignKey, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from crmkit import (
    CRM,
    Contact,
    ContactPoint,
    Delivery,
    MappedContacts,
    Order,
    OrderLine,
    OrderOutcome,
    Refund,
    hookimpl,
)


class Base(DeclarativeBase):
    """The shop's own tables; crmkit adds none of its columns to them."""


class User(Base):
    """Somebody who has an account."""

    __tablename__ = "customers"

    id: Mapped[int] = mapped_column("customer_no", primary_key=True)
    name: Mapped[str] = mapped_column("full_name")
    email: Mapped[str | None] = mapped_column("mail", index=True)
    wants_mail: Mapped[bool] = mapped_column("newsletter", default=True)

    @property
    def points(self) -> list[ContactPoint]:
        """What the CRM knows the user by."""
        known = [ContactPoint.external("shop", self.id)]
        return [*known, ContactPoint.email(self.email)] if self.email else known


class Sale(Base):
    """The shop's own record of an order; money in pence."""

    __tablename__ = "orders"

    number: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("customers.customer_no"))
    placed_at: Mapped[datetime]
    total: Mapped[int]
    refunded: Mapped[int] = mapped_column(default=0)


def open_shop(file: Path) -> Engine:
    """Return an engine over the shop's database, its tables made."""
    engine = create_engine(f"sqlite:///{file}")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    Base.metadata.create_all(engine)
    return engine


def mapping() -> MappedContacts:
    """Return what the CRM has to know of the shop's table to take its rows for the contacts, read-only."""
    return MappedContacts(
        table="customers",
        columns={"name": "full_name", "email": "mail", "external": {"shop": "customer_no"}},
        normalised=("email",),
    )


def checkout(
    session: Session, crm: CRM, number: str, user_id: int | None, lines: Sequence[OrderLine]
) -> OrderOutcome:
    """Sell: the shop's row, the CRM's order, the points and the thank-you are one transaction."""
    with session.begin():
        user = session.get(User, user_id) if user_id else None
        order = Order(
            number,
            lines,
            placed_at=crm.clock(),
            points=user.points if user else (),
            name=user.name if user else "",
        )
        session.add(Sale(number=number, user_id=user_id, placed_at=order.placed_at, total=order.total.minor))
        return crm.join(session).orders.record(order, state="paid")


def take_back(
    session: Session, crm: CRM, number: str, key: str, quantities: Mapping[str, int], reason: str = ""
) -> OrderOutcome:
    """Give money back for lines of an order: the shop's row, the refund and the claw-back are one transaction."""
    with session.begin():
        tx = crm.join(session)
        outcome = tx.orders.refund(number, Refund.of_lines(key, quantities, reason=reason))
        session.get_one(Sale, number).refunded = tx.orders.get(number).refunded.minor
        return outcome


@attrs.define(eq=False)
class OptOuts:
    """A plugin of the shop's own: nobody is written to whose account says no.

    Args:
        engine: where the accounts are.
    """

    engine: Engine

    @hookimpl
    def crmkit_suppress_delivery(self, delivery: Delivery, contact: Contact | None) -> str | None:
        """Return why the delivery must not be sent, or None; asked just before each is sent."""
        with Session(self.engine) as session:
            wants = session.scalar(select(User.wants_mail).where(User.email == delivery.address))
        return "the customer wants no mail" if wants is False else None
