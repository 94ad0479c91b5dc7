"""Money, contact points, contacts, orders: what they accept, and what their refusals say."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from crmkit import (
    Base,
    Contact,
    ContactPoint,
    Money,
    Order,
    OrderLine,
    PointKind,
    Refund,
    Returned,
    Secret,
    ValueRefused,
    allocate,
    split_refund,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
GEORGIAN = "ნინო ბერიძე"
VIETNAMESE = "Nguye\u0302\u0303n Thi\u0323 A\u0301nh"  # with combining marks
LONG = "Ł" * 200


class TestMoney:
    def test_exponents_come_from_iso_4217(self) -> None:
        assert Money.of("12.50", "GBP").minor == 1250
        assert Money.of("1250", "JPY").minor == 1250
        assert Money.of("1.250", "KWD").minor == 1250
        assert str(Money(1250, "KWD")) == "1.250 KWD"

    @pytest.mark.parametrize(
        ("amount", "currency", "words"),
        [
            ("12.505", "GBP", "2 decimal digits"),
            ("12.5", "JPY", "0 decimal digits"),
            (12.5, "GBP", "float"),
            (True, "GBP", "bool"),
            ("twelve", "GBP", "not a decimal number"),
            ("NaN", "GBP", "does not fit"),
            ("1", "gbp", "three capital letters"),
            ("1", "XXX", "no minor unit"),
            ("1e400", "GBP", "does not fit"),
        ],
    )
    def test_what_is_not_exact_is_refused_by_name(self, amount: Any, currency: str, words: str) -> None:
        with pytest.raises(ValueRefused, match=words):
            Money.of(amount, currency)

    @pytest.mark.parametrize("minor", [1.0, "1", None, True, 2**63])
    def test_minor_units_are_whole_and_fit_64_bits(self, minor: Any) -> None:
        with pytest.raises(ValueRefused, match=r"Money\.minor"):
            Money(minor, "GBP")

    def test_currencies_never_mix(self) -> None:
        with pytest.raises(ValueRefused, match="different currencies"):
            Money(1, "GBP") + Money(1, "EUR")
        with pytest.raises(ValueRefused, match="different currencies"):
            Money(1, "GBP") < Money(1, "EUR")  # noqa: B015
        with pytest.raises(TypeError):
            Money(1, "GBP") + 1  # type: ignore[operator]

    def test_arithmetic(self) -> None:
        assert Money(5, "GBP") - Money(7, "GBP") == -Money(2, "GBP")
        assert Money(5, "GBP") >= Money(5, "GBP") > Money(4, "GBP")
        assert Money(-1250, "GBP").amount == Decimal("-12.50")


class TestContactPoint:
    def test_email_is_found_whatever_its_case_and_form(self) -> None:
        point = ContactPoint.email("Ann.Lee@BÜCHER.example")
        assert point == ContactPoint.email("ann.lee@xn--bcher-kva.example")
        assert point.value == "Ann.Lee@bücher.example"

    @pytest.mark.parametrize(
        "address",
        ["", "ann", "a@b", "a@x.example, b@y.example", "a@x.example\r\nRCPT TO:<b@y.example>", "a@x..example",
         "a" * 65 + "@x.example", "a\x00@x.example", "\ud800@x.example"],
    )  # fmt: skip
    def test_what_is_not_one_address_is_refused(self, address: str) -> None:
        with pytest.raises(ValueRefused, match="email address"):
            ContactPoint.email(address)

    def test_phone_is_kept_as_e164(self) -> None:
        assert ContactPoint.phone("020 7946 0018", "GB") == ContactPoint.phone("+44 20 7946 0018")
        assert ContactPoint.phone("0912 345 678", "VN").value == "+84912345678"

    @pytest.mark.parametrize(
        ("number", "words"), [("020 7946 0018", "region="), ("+44 20 7946 00", "does not exist")]
    )
    def test_phone_refusals_say_what_would_be_right(self, number: str, words: str) -> None:
        with pytest.raises(ValueRefused, match=words):
            ContactPoint.phone(number)

    def test_handles_external_ids_and_postal_addresses(self) -> None:
        assert ContactPoint.handle("Mastodon", "@Ann") == ContactPoint.handle("mastodon", "ann")
        assert ContactPoint.external("users", 17) == ContactPoint.external("users", "17")
        assert ContactPoint.external("users", "A1") != ContactPoint.external("users", "a1")
        one = ContactPoint.postal("1 High Street,\nLondon", "gb")
        assert one == ContactPoint.postal("1 high street London", "GB")
        assert one.kind is PointKind.POSTAL
        with pytest.raises(ValueRefused, match="external id"):
            ContactPoint.external("users", True)


class TestContact:
    @pytest.mark.parametrize("name", [GEORGIAN, VIETNAMESE, "Björk", LONG, ""])
    def test_names_of_people(self, name: str) -> None:
        import unicodedata

        assert Contact(id=uuid.uuid4(), name=name).name == unicodedata.normalize("NFC", name)

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"name": "a\x00b"}, "NUL"),
            ({"name": "a\ud800b"}, "surrogate"),
            ({"name": "a\nb"}, "control character"),
            ({"name": "x" * 301}, "at most 300"),
            ({"name": 7}, "must be text"),
            ({"zone": "London"}, "IANA"),
            ({"zone": "../../etc/passwd"}, "IANA"),
            ({"kind": "robot"}, "robot"),
        ],
    )
    def test_refusals_name_the_field(self, fields: dict[str, Any], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            Contact(id=uuid.uuid4(), **fields)


def line(pence: int = 1000, quantity: int = 1, **fields: Any) -> OrderLine:
    return OrderLine("sku", quantity, Money(pence, "GBP"), **fields)


def order(*lines: OrderLine) -> Order:
    return Order("A-1", lines, placed_at=NOW)


class TestOrder:
    def test_bases(self) -> None:
        made = order(
            line(3000, tax=Money(500, "GBP")),
            line(1000),
            line(-400, kind="discount"),
            line(500, kind="shipping"),
            line(2000, kind="gift_card"),
        )
        assert made.total == Money(6100, "GBP")
        assert made.amount(Base.TOTAL).minor == 6100
        assert made.amount("goods").minor == 3600
        assert dict(made.shares) == {"1": 2700, "2": 900, "4": 500, "5": 2000}
        assert made.amount("net").minor == 3600 - 450

    @pytest.mark.parametrize(
        ("make", "words"),
        [
            (order, "1 to 10000 lines"),
            (lambda: order(line(), OrderLine("x", 1, Money(1, "EUR"))), "mixes GBP and EUR"),
            (lambda: order(line(id="a"), line(id="a")), "stands twice"),
            (lambda: order(line(100), line(-101, kind="discount")), "exceed its products"),
            (lambda: line(-1), "must be 0 or more"),
            (lambda: line(1, kind="discount"), "0 or less"),
            (lambda: line(quantity=0), "from 1 on"),
            (lambda: line(quantity=1.5), "whole number"),
            (lambda: OrderLine("x", 1, 5), "must be Money"),
            (lambda: line(5, tax=Money(6, "GBP")), "within total"),
            (lambda: Order("A-1", [line()], placed_at=datetime(2026, 1, 1)), "no zone"),
            (lambda: Order("", [line()], placed_at=NOW), "order key is empty"),
            (lambda: Order("A" * 101, [line()], placed_at=NOW), "at most 100"),
            (lambda: Refund("r", quantities={"1": 1}, amount=Money(1, "GBP")), "give one of them"),
            (lambda: Refund.of_amount("r", Money(0, "GBP")), "above 0"),
        ],
    )
    def test_refusals_name_the_thing_and_what_would_be_right(self, make: Any, words: str) -> None:
        with pytest.raises(ValueRefused, match=words):
            make()

    def test_instants_are_kept_in_utc(self) -> None:
        local = NOW.astimezone(timezone(timedelta(hours=4)))
        assert Order("A-1", [line()], placed_at=local) == Order("A-1", [line()], placed_at=NOW)


class TestRefund:
    def test_by_line_by_amount_and_the_rest(self) -> None:
        made = order(line(1001, 3), line(500, kind="shipping"))
        assert split_refund(made, {}, Refund.of_lines("r", {"1": 1})) == {"1": Returned(1, 333)}
        assert split_refund(made, {"1": Returned(1, 333)}, Refund.of_lines("r", {"1": 2})) == {
            "1": Returned(2, 668)
        }
        by_amount = split_refund(made, {}, Refund.of_amount("r", Money(100, "GBP")))
        assert sum(part.minor for part in by_amount.values()) == 100
        rest = split_refund(made, {"1": Returned(1, 333)}, Refund.whole("r"))
        assert rest == {"1": Returned(2, 668), "2": Returned(1, 500)}

    @pytest.mark.parametrize(
        ("refund", "words"),
        [
            (Refund.of_lines("r", {"9": 1}), "has no line '9'"),
            (Refund.of_lines("r", {"1": 4}), "must be 1 to 3"),
            (Refund.of_lines("r", {}), "names no line"),
            (Refund.of_amount("r", Money(1502, "GBP")), "exceeds what is left"),
            (Refund.of_amount("r", Money(1, "EUR")), "which is in GBP"),
        ],
    )
    def test_more_than_was_paid_is_refused(self, refund: Refund, words: str) -> None:
        with pytest.raises(ValueRefused, match=words):
            split_refund(order(line(1001, 3), line(500, kind="shipping")), {}, refund)

    def test_nothing_left_is_refused(self) -> None:
        with pytest.raises(ValueRefused, match="nothing left"):
            split_refund(order(line(10)), {"1": Returned(1, 10)}, Refund.whole("r"))


class TestSecret:
    def test_it_never_shows(self) -> None:
        secret = Secret("hunter2")
        shown = f"{secret} {secret!r} {[secret]} {secret:>10}"
        assert "hunter2" not in shown
        assert secret.reveal() == "hunter2"
        assert secret == Secret("hunter2") != Secret("other")
        with pytest.raises(TypeError, match="not pickled"):
            __import__("pickle").dumps(secret)


def test_a_run_of_combining_marks_does_not_hang() -> None:
    """Putting a run in order takes quadratic time: 40,000 marks took seven seconds."""
    with pytest.raises(ValueRefused, match="30 combining marks in a row"):
        Contact(id=uuid.uuid4(), name="a" + "\u0301\u0323" * 40_000)
    zalgo = "a" + "\u0323\u0301" * 15
    assert Contact(id=uuid.uuid4(), name=zalgo).name


def test_allocation_refuses_what_cannot_be_split() -> None:
    assert allocate(0, [0, 0]) == (0, 0)
    with pytest.raises(ValueRefused, match="all are 0"):
        allocate(1, [0, 0])
    with pytest.raises(ValueRefused, match="negative"):
        allocate(1, [2, -1])
