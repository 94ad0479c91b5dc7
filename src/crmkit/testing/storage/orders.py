"""Laws of orders and messages: keys, the life of an order, and what a rollback leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from sqlalchemy import Connection

from crmkit.contacts import ContactPoint
from crmkit.errors import KeyConflict, TransactionError, TransitionRefused, ValueRefused
from crmkit.messages import DeliveryState, Message
from crmkit.money import Money
from crmkit.orders import OrderLine, OrderState, Refund
from crmkit.plugins import said
from crmkit.testing.laws import law
from crmkit.testing.storage.stage import Stage
from crmkit.transaction import Transaction

_MESSAGE = Message(
    topic="thank-you", subject="გმადლობთ", text="Cảm ơn bạn.\r\n\tAnn\n", headers={"X-Order": "A1"}
)


class OrderLaws(Stage):
    """Laws 5 to 7 and 14."""

    __test__ = False

    @law(5)
    def test_05_a_key_stands_for_one_content(self) -> None:
        """The same key with the same content returns the stored outcome; with other content it is a `KeyConflict`."""
        order = self.order()
        first = self._do(lambda tx: tx.orders.record(order, state="paid"))
        before = self.rows()
        self.later()
        again = self._do(lambda tx: tx.orders.record(order, state="paid"))
        self.same(5, "the outcome of a replay", first, again)
        self.same(5, "whether it says so", True, again.replayed)
        self.same(5, "rows by table after it", before, self.rows())
        dearer = attrs.evolve(order, lines=(OrderLine("TEA", 2, Money(1001, "GBP")),))
        self.refused(
            5, "another order under the key", KeyConflict, lambda tx: tx.orders.record(dearer, state="paid")
        )
        refund = Refund.of_amount("r1", Money(100, "GBP"))
        given = self._do(lambda tx: tx.orders.refund("A1", refund))
        self.same(5, "a repeated refund", given, self._do(lambda tx: tx.orders.refund("A1", refund)))
        other = Refund.of_amount("r1", Money(101, "GBP"))
        self.refused(5, "another refund under the key", KeyConflict, lambda tx: tx.orders.refund("A1", other))

    @law(6)
    def test_06_an_order_lives_its_life(self) -> None:
        """Each step of an order is read back, refunds add up to what was paid, and no step is taken out of turn."""
        self._do(lambda tx: tx.orders.record(self.order("A1", price=1000)))
        self._do(lambda tx: tx.orders.amend("A1", [OrderLine("TEA", 3, Money(1500, "GBP"))], amendment="a1"))
        self.later()
        paid_at = self.clock()
        self._do(lambda tx: tx.orders.paid("A1"))
        self._do(lambda tx: tx.orders.shipped("A1", tracking="GB1"))
        self._do(lambda tx: tx.orders.refund("A1", Refund.of_lines("r1", {"1": 1})))
        self._is("A1", OrderState.SHIPPED, 500)
        too_much = Refund.of_amount("r2", Money(1001, "GBP"))
        self.refused(
            6, "to refund more than is left", ValueRefused, lambda tx: tx.orders.refund("A1", too_much)
        )
        self._do(lambda tx: tx.orders.refund("A1", Refund.whole("r3")))
        self._is("A1", OrderState.REFUNDED, 1500)
        with self.crm.begin() as tx:
            self.same(6, "when it was paid", paid_at, tx.orders.get("A1").paid_at)
            types = "OrderRecorded OrderAmended OrderPaid OrderShipped OrderRefunded OrderRefunded".split()
            self.same(6, "its events", types, [entry.type for entry in tx.orders.history("A1")])
        self._do(lambda tx: tx.orders.record(self.order("A2"), state="paid"))
        self._do(lambda tx: tx.orders.cancel("A2", reason="changed her mind"))
        self._is("A2", OrderState.CANCELLED, 1000)
        for step in (lambda tx: tx.orders.shipped("A2"), lambda tx: tx.orders.cancel("A1")):
            self.refused(6, "a step out of turn", TransitionRefused, step)

    @law(7)
    def test_07_a_rollback_leaves_nothing(self) -> None:
        """What a transaction recorded is gone when it rolls back, also in the host's, savepoints included."""
        self._do(lambda tx: tx.orders.record(self.order("A0"), state="paid"))
        before = self.rows()
        try:
            with self.crm.begin() as tx:
                self._much(tx)
                raise _Enough
        except _Enough:
            pass
        self.same(7, "rows by table after an exception in crm.begin()", before, self.rows())
        with self.crm.engine.connect() as connection:
            self._much(self._joined(connection))
            connection.rollback()
        self.same(7, "rows by table after the host's rollback", before, self.rows())
        with self.crm.engine.connect() as connection:
            self.crm.join(connection)
            with connection.begin_nested():
                self._much(self.crm.join(connection))
            connection.rollback()
        self.same(7, "rows by table after a released savepoint and the host's rollback", before, self.rows())

    @law(14)
    def test_14_a_message_is_queued_once(self) -> None:
        """A message is queued once for a key, channel and address, kept as it was, and held if it cannot go."""
        ann, ben = ContactPoint.email("ann@example.com"), ContactPoint.email("ben@example.com")
        queued = self._do(lambda tx: tx.messages.queue(_MESSAGE, channel="email", key="m1", to=ann))
        again = self._do(lambda tx: tx.messages.queue(_MESSAGE, channel="email", key="m1", to=ann))
        self.same(
            14, "the stored delivery", (queued.delivery.id, queued.state), (again.delivery.id, again.state)
        )
        other = attrs.evolve(_MESSAGE, subject="Hello")
        self.refused(
            14,
            "another message under the key",
            KeyConflict,
            lambda tx: tx.messages.queue(other, channel="email", key="m1", to=ann),
        )
        self._do(lambda tx: tx.messages.queue(_MESSAGE, channel="email", key="m1", to=ben))
        self._do(lambda tx: tx.messages.queue(_MESSAGE, channel="pigeon", key="m1", to=ann))
        with self.crm.begin() as tx:
            kept = tx.messages.get(queued.delivery.id)
            self.same(14, "the delivery as it is read", attrs.evolve(queued, delivery=queued.delivery), kept)
            counts = {state.value: n for (state, _), n in tx.messages.counts().items()}
        self.same(
            14, "deliveries by state", {DeliveryState.QUEUED.value: 2, DeliveryState.HELD.value: 1}, counts
        )

    def _joined(self, connection: Connection) -> Transaction:
        try:
            return self.crm.join(connection)
        except TransactionError as error:
            wanted = "crm.join(connection) works in a transaction of the engine's"
            raise self.broken(7, expected=wanted, found=said(error)) from error

    def _do(self, function: Callable[[Transaction], Any]) -> Any:
        with self.crm.begin() as tx:
            return function(tx)

    def _is(self, key: str, state: OrderState, refunded: int) -> None:
        with self.crm.begin() as tx:
            found = tx.orders.get(key)
        self.same(6, f"order {key}", (state, Money(refunded, "GBP")), (found.state, found.refunded))

    def _much(self, tx: Transaction) -> None:
        outcome = tx.orders.record(self.order("A9", email="new@example.com"), state="paid")
        tx.orders.refund("A9", Refund.whole("r1"))
        tx.messages.queue(_MESSAGE, channel="email", key="m9", contact_id=outcome.contact_id)


class _Enough(Exception):
    """Ends a transaction."""
