"""Reads the invoices of the online-retail data, and says of each line what it is."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

import attrs

LONDON = ZoneInfo("Europe/London")  # what the times in the data are told in
COLUMNS = {
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
}


class Kind(StrEnum):
    """What a line is, and so what the shop does with it."""

    PRODUCT = "product sold"
    FREE = "product given away"
    POSTAGE = "postage or carriage"
    VOUCHER = "gift voucher"
    CHARGE = "charge typed in by hand"
    RETURN = "product or postage taken back"
    CREDIT = "discount or credit typed in by hand"
    STOCK = "correction of the stock"
    OWN_COST = "cost of the shop's own"


#: The kinds that stand in an order; of the others, `RETURN` becomes a refund and the rest is no business of a CRM.
SOLD = frozenset({Kind.PRODUCT, Kind.FREE, Kind.POSTAGE, Kind.VOUCHER, Kind.CHARGE})

POSTAGE = frozenset({"POST", "DOT", "C2"})
MANUAL = frozenset({"M", "D", "B", "ADJUST", "BANK CHARGES"})
OWN = frozenset({"AMAZONFEE", "S", "CRUK"})


@attrs.frozen(kw_only=True)
class Line:
    """One line of an invoice.

    Args:
        id: its number within the invoice, from "1".
        code: the product's code, or a word such as "POST".
        name: what it says.
        quantity: how many; negative when goods or money go back.
        price: pence for one.
        kind: what it is.
    """

    id: str
    code: str
    name: str
    quantity: int
    price: int
    kind: Kind

    @property
    def total(self) -> int:
        """Pence for the whole line."""
        return self.quantity * self.price


@attrs.frozen(kw_only=True)
class Invoice:
    """An invoice, or a cancellation, whose number begins with C.

    Args:
        number: as in the data.
        at: the instant that its London wall time stands for.
        customer: the customer's number, empty if nobody took it down.
        country: as in the data.
        lines: in their order.
    """

    number: str
    at: datetime
    customer: str
    country: str
    lines: tuple[Line, ...]

    @property
    def is_cancellation(self) -> bool:
        """Whether goods or money go back."""
        return self.number.startswith("C")

    @property
    def sold(self) -> tuple[Line, ...]:
        """The lines that make an order."""
        return tuple(line for line in self.lines if line.kind in SOLD)


def read(folder: Path) -> list[Invoice]:
    """Return the invoices of every monthly file of a folder, oldest first.

    Args:
        folder: holds files such as 2010-12.csv.gz.

    Raises:
        SystemExit: if there is none, or one has other columns.
    """
    files = sorted(folder.glob("*.csv.gz"))
    if not files:
        raise SystemExit(
            f"{folder} holds no *.csv.gz; give a folder with monthly files such as 2010-12.csv.gz"
        )
    rows: dict[str, list[dict[str, str]]] = {}
    for file in files:
        for row in _read_file(file):
            rows.setdefault(row["InvoiceNo"], []).append(row)  # an invoice may be interleaved with another
    return sorted((_invoice(*one) for one in rows.items()), key=lambda invoice: invoice.at)


def _read_file(file: Path) -> Iterator[dict[str, str]]:
    with gzip.open(file, "rt", encoding="utf-8", newline="") as source:
        rows = csv.DictReader(source)
        if missing := COLUMNS - set(rows.fieldnames or ()):
            raise SystemExit(f"{file} has no column {', '.join(sorted(missing))}")
        yield from rows


def _invoice(number: str, rows: list[dict[str, str]]) -> Invoice:
    priced = any(Decimal(row["UnitPrice"]) for row in rows)
    return Invoice(
        number=number,
        at=datetime.fromisoformat(rows[0]["InvoiceDate"]).replace(tzinfo=LONDON),
        customer=rows[0]["CustomerID"].partition(".")[0],
        country=rows[0]["Country"],
        lines=tuple(_line(str(place), row, priced) for place, row in enumerate(rows, 1)),
    )


def _line(id: str, row: dict[str, str], priced: bool) -> Line:
    code, quantity = row["StockCode"].strip(), int(row["Quantity"])
    price = int(Decimal(row["UnitPrice"]).scaleb(2))
    return Line(
        id=id,
        code=code,
        name=" ".join(row["Description"].split()),
        quantity=quantity,
        price=price,
        kind=_kind(row["InvoiceNo"], code.upper(), quantity, price, priced),
    )


def _kind(number: str, code: str, quantity: int, price: int, priced: bool) -> Kind:
    cancelled = number.startswith("C")
    if code in OWN or (cancelled and code == "BANK CHARGES"):
        return Kind.OWN_COST
    if code in MANUAL:
        return Kind.CHARGE if quantity > 0 and price > 0 else Kind.CREDIT
    if cancelled:
        return Kind.RETURN
    if quantity < 0 or not priced:
        return Kind.STOCK  # found, damaged, thrown away: the data has them as invoices over nothing
    if price == 0:
        return Kind.FREE
    if code in POSTAGE:
        return Kind.POSTAGE
    return Kind.VOUCHER if code.startswith("GIFT_") else Kind.PRODUCT
