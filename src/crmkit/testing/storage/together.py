"""Laws of several connections: at every isolation level the outcome is right, or the transaction is run again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from threading import Thread
from typing import TypeVar

from crmkit.contacts import Contact, ContactPoint
from crmkit.crm import CRM
from crmkit.errors import RetryTransaction, ValueRefused
from crmkit.money import Money
from crmkit.orders import Order, Refund
from crmkit.plugins import said
from crmkit.sql.schema import PLACE, read_stamp
from crmkit.testing.laws import law
from crmkit.testing.storage.stage import ATTEMPTS, Stage
from crmkit.transaction import OrderOutcome, Transaction

T = TypeVar("T")

_THREADS = 4
#: How long the second of two transactions is given to come to where the first stops it, in seconds.
_HEAD_START = 0.2


class TogetherLaws(Stage):
    """Laws 15 to 18."""

    __test__ = False

    @law(15, "several_connections", "writable")
    def test_15_one_contact_however_many_ask_at_once(self) -> None:
        """Of several transactions that find or add the same person at the same time, one adds and all find."""
        for number, (level, crm) in enumerate(self.levels()):
            points = [ContactPoint.email(f"ann{number}@example.com"), ContactPoint.external("shop", number)]
            work = partial(_find_or_add, points=points)
            found = self._all(15, level, self._overlapping(crm, work, work))
            found += self._all(15, level, self._at_once(crm, work))
            self.same(15, f"different contacts, {level}", 1, len({contact.id for contact in found}))

    @law(16, "several_writers", "isolation_levels")
    def test_16_what_the_isolation_level_hides_is_not_written_twice(self) -> None:
        """A key that another transaction claimed, unseen, gives the stored outcome or `RetryTransaction`."""
        for number, (level, crm) in enumerate(self.levels()):
            order = self.order(f"H{number}", email=f"hidden{number}@example.com")
            with crm.engine.connect() as connection:
                early = crm.join(connection)
                read_stamp(early.sql, PLACE)  # takes the snapshot
                with crm.begin() as other:
                    first = other.orders.record(order, state="paid")
                self._outcome_or_retry(level, early, order, first)
                connection.rollback()
            again = crm.transact(partial(_record, order=order), attempts=ATTEMPTS)
            self.same(16, f"the outcome of the next try, {level}", first, again)

    @law(17, "several_connections")
    def test_17_one_order_however_many_record_it_at_once(self) -> None:
        """Of several transactions that record the same order at the same time, one records and all have its outcome."""
        for number, (level, crm) in enumerate(self.levels()):
            work = partial(_record, order=self.order(f"T{number}", email=f"many{number}@example.com"))
            found = self._all(17, level, self._overlapping(crm, work, work))
            found += self._all(17, level, self._at_once(crm, work))
            self.same(17, f"different outcomes, {level}", 1, len({outcome.entry.id for outcome in found}))
            self.same(17, f"recorded anew, {level}", 1, sum(not outcome.replayed for outcome in found))

    @law(18, "several_connections")
    def test_18_refunds_at_once_give_back_no_more_than_was_paid(self) -> None:
        """Of two refunds at the same time that together exceed what was paid, one is refused."""
        for number, (level, crm) in enumerate(self.levels()):
            key = f"R{number}"
            crm.transact(partial(_record, order=self.order(key, email=f"r{number}@example.com")))
            refunds = [Refund.of_amount(f"r{n}", Money(600, "GBP")) for n in range(2)]
            found = self._overlapping(crm, *(partial(_refund, key=key, refund=refund) for refund in refunds))
            refused = [one for one in found if isinstance(one, ValueRefused)]
            given = [one for one in found if isinstance(one, OrderOutcome)]
            self.same(18, f"refunds given and refused, {level}", (1, 1), (len(given), len(refused)))
            with crm.begin() as tx:
                self.same(18, f"what is refunded, {level}", Money(600, "GBP"), tx.orders.get(key).refunded)

    def _all(self, number: int, level: str, found: list[T | Exception]) -> list[T]:
        for one in found:
            if isinstance(one, Exception):
                wanted = f"each of {len(found)} transactions succeeds, {level}"
                raise self.broken(number, expected=wanted, found=said(one)) from one
        return [one for one in found if not isinstance(one, Exception)]

    def _at_once(self, crm: CRM, work: Callable[[Transaction], T]) -> list[T | Exception]:
        return self.together(*[partial(crm.transact, work, attempts=ATTEMPTS)] * _THREADS)

    def _outcome_or_retry(self, level: str, early: Transaction, order: Order, first: OrderOutcome) -> None:
        try:
            found = early.orders.record(order, state="paid")
        except RetryTransaction:
            return
        except Exception as error:
            wanted = f"the stored outcome or RetryTransaction, {level}"
            raise self.broken(16, expected=wanted, found=said(error)) from error
        self.same(16, f"the stored outcome, {level}", first, found)

    def _overlapping(
        self,
        crm: CRM,
        early: Callable[[Transaction], T],
        late: Callable[[Transaction], T],
    ) -> list[T | Exception]:
        """Let a second transaction start after the first has written and before it commits."""
        found: list[T | Exception] = []
        thread = Thread(
            target=lambda: found.extend(self.together(partial(crm.transact, late, attempts=ATTEMPTS)))
        )
        with crm.begin() as tx:
            found.append(early(tx))
            thread.start()
            thread.join(_HEAD_START)
        thread.join(60)
        return found


def _find_or_add(tx: Transaction, points: Sequence[ContactPoint]) -> Contact:
    return tx.contacts.find_or_add(points, name="Ann")


def _refund(tx: Transaction, key: str, refund: Refund) -> OrderOutcome:
    return tx.orders.refund(key, refund)


def _record(tx: Transaction, order: Order) -> OrderOutcome:
    return tx.orders.record(order, state="paid")
