"""Laws of the column types: exact numbers, exact instants, text by code point."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unicodedata import normalize
from uuid import UUID

from sqlalchemy import select

from crmkit.clock import FOREVER
from crmkit.errors import ValueRefused
from crmkit.money import LARGEST, Money
from crmkit.testing.laws import law
from crmkit.testing.storage.stage import Stage
from crmkit.transaction import Transaction

_INSTANTS = (
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 3, 29, 2, tzinfo=UTC),
    FOREVER - timedelta(microseconds=1),
    FOREVER,
)
#: Each differs from every other: by case, accent, width, a space at the end; the last two swap places in UTF-16.
_TEXTS = ("", " ", "A", "Ann", "Ann ", "a", "ann", "ä", "ß", "ss", "ı", "Ǆ", "ა", "ａ", "\uffee", "𐐀")
_DATA = {"name": "ქულა 👩‍🚀", "list": [1, -(2**53), None, True, ""], "empty": {}, "b": 1, "a": "\t\r\n"}


class ColumnLaws(Stage):
    """Laws 11 to 13."""

    __test__ = False

    @law(11)
    def test_11_whole_numbers_have_64_bits(self) -> None:
        """Amounts are exact up to 64 bits, in columns and in orders; more is refused and never rounded."""
        numbers = [-(2**63), -LARGEST, -1, 0, 1, 2**53 + 1, LARGEST]
        self.same(11, "numbers as they are read", numbers, self._kept("amount", numbers))
        self.same(11, "numbers in order", numbers, self._ordered("amount"))
        for wrong in (2**63, -(2**63) - 1, 1.0, True, "1"):
            self.refused(11, f"the number {wrong!r}", ValueRefused, partial(self._write, "amount", [wrong]))
        order = self.order(price=LARGEST)
        with self.crm.begin() as tx:
            tx.orders.record(order, state="paid")
        with self.crm.begin() as tx:
            self.same(11, "an order's total", Money(LARGEST, "GBP"), tx.orders.get(order.key).order.total)

    @law(12)
    def test_12_instants_have_microseconds(self) -> None:
        """Instants are exact to the microsecond from year 1 to the end of time, aware and in UTC, and in order."""
        instants = list(_INSTANTS)
        self.same(12, "instants as they are read", instants, self._kept("at", instants))
        self.same(12, "instants in order", instants, self._ordered("at"))
        elsewhere = datetime.fromisoformat("2026-03-29T03:30:00.000001+07:00")
        (read,) = self._kept("at", [elsewhere])
        self.same(
            12, "an instant of another zone, in UTC", elsewhere.astimezone(UTC).isoformat(), read.isoformat()
        )

    @law(13)
    def test_13_text_is_compared_by_code_point(self) -> None:
        """Text comes back in NFC, is equal only to itself and is ordered by code point; NUL is refused."""
        texts = list(_TEXTS)
        self.same(13, "texts as they are read", texts, self._kept("text", texts))
        self.same(13, "texts in order", sorted(texts), self._ordered("text"))
        for text in texts:
            self.same(13, f"what equals {text!r}", [text], self._equal(text))
        (composed,) = self._kept("long", [normalize("NFD", "Ngọc Ánh")])
        self.same(13, "decomposed text, in NFC", normalize("NFC", "Ngọc Ánh"), composed)
        long = "ა👩‍🚀\r\n" * 20_000
        self.same(
            13, "the length of a long text", [len(long)], [len(text) for text in self._kept("long", [long])]
        )
        for wrong in ("a\x00b", "\ud800"):
            self.refused(13, f"the text {wrong!r}", ValueRefused, partial(self._write, "text", [wrong]))
        self.same(13, "plain data", [_DATA], self._kept("data", [_DATA]))

    def _write(self, name: str, values: list[Any], tx: Transaction) -> list[UUID]:
        ids = [tx.new_id() for _ in values]
        rows = [{"id": id, name: value} for id, value in zip(ids, values, strict=True)]
        tx.sql.insert(self.crm.tables["probe_values"], rows)
        return ids

    def _kept(self, name: str, values: list[Any]) -> list[Any]:
        """Write values in a column and return them as they are read."""
        one = self.crm.tables["probe_values"]
        with self.crm.begin() as tx:
            ids = self._write(name, values, tx)
        with self.crm.begin() as tx:
            found = {row["id"]: row[name] for row in tx.sql.execute(select(one.c.id, one.c[name])).mappings()}
        return [found[id] for id in ids]

    def _ordered(self, name: str) -> list[Any]:
        column = self.crm.tables["probe_values"].c[name]
        with self.crm.begin() as tx:
            return list(tx.sql.execute(select(column).where(column.is_not(None)).order_by(column)).scalars())

    def _equal(self, text: str) -> list[Any]:
        column = self.crm.tables["probe_values"].c.text
        with self.crm.begin() as tx:
            return list(tx.sql.execute(select(column).where(column == text)).scalars())
