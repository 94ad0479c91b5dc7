"""From rows of CSV to orders: one row a line, the rows of an order one after another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

import attrs

from crmkit.contacts import ContactPoint
from crmkit.errors import ValueRefused
from crmkit.exchange.build import Builder, Cells
from crmkit.exchange.mapping import ColumnMap
from crmkit.exchange.rows import Row
from crmkit.exchange.sources import Table
from crmkit.money import Money
from crmkit.orders import LINE_LIMIT, LineKind, Order, OrderLine, OrderState

_ADDRESSES = ("email", "phone", "handle", "external")


@attrs.frozen
class Group:
    """The rows of one order.

    Args:
        key: the order number; empty where no row could be read.
        rows: as they stand in the file.
        fault: why they cannot be taken; empty if they can.
    """

    key: str
    rows: tuple[Row, ...]
    fault: str = ""


@attrs.frozen(kw_only=True)
class Sale:
    """An order to be recorded.

    Args:
        order: what was ordered, and by whom.
        state: where it stands.
    """

    order: Order
    state: OrderState


@attrs.frozen(kw_only=True)
class Return:
    """Goods brought back: an order of negative quantities.

    Args:
        key: its number.
        at: when.
        points: whose.
        name: their name.
        quantities: how many of which sku.
        of: the order that they were bought with; empty if the file does not say.
    """

    key: str
    at: datetime
    points: tuple[ContactPoint, ...]
    name: str
    quantities: Mapping[str, int]
    of: str = ""


def group(rows: Iterable[Row], table: Table, constants: Mapping[str, str]) -> Iterator[Group]:
    """Yield the rows order by order.

    A row that cannot be read may belong to the order before or after it, so neither of them is taken.

    Args:
        rows: of the file.
        table: knows their fields.
        constants: values for rows that give none, by field.
    """
    found: list[Row] = []
    key, fault, doubt = "", "", ""
    for row in rows:
        number = _number(row, table, constants)
        if number is None:
            doubt = f"line {row.line}, next to these rows, cannot be read and may be one of them"
            fault = fault or doubt
            yield Group("", (row,), row.fault or "the row cannot be read, or names no order")
            continue
        if number != key and found:
            yield Group(key, tuple(found), fault)
            found, fault = [], ""
        if not found:
            fault, doubt = doubt, ""
        key = number
        found.append(row)
        if len(found) > LINE_LIMIT:
            yield Group(key, tuple(found), f"order {key!r} has more than {LINE_LIMIT} lines")
            found = []
    if found:
        yield Group(key, tuple(found), fault)


def _number(row: Row, table: Table, constants: Mapping[str, str]) -> str | None:
    try:
        return (table.cells(row).get("order") or [constants.get("order", "")])[0] or None
    except ValueRefused:
        return None


@attrs.frozen
class OrderBuilder:
    """Makes orders of groups of rows.

    Args:
        columns: how the file is to be read.
        table: knows the rows' fields.
        builder: makes contact points.
    """

    columns: ColumnMap
    table: Table
    builder: Builder

    def build(self, group: Group) -> Sale | Return:
        """Return what the rows of an order come to.

        Raises:
            ValueRefused: if a value is refused; the message names the line.
        """
        if group.fault:
            raise ValueRefused(group.fault)
        cells = [self._cells(row) for row in group.rows]
        first: dict[str, list[str]] = {}
        for one in cells:
            for field, values in one.items():
                first.setdefault(field, values)
        at = self._at(_one(first, "placed_at"))
        points = tuple(self._points(first))
        quantities = [self._quantity(one, row) for one, row in zip(cells, group.rows, strict=True)]
        if all(quantity < 0 for quantity in quantities) and not self._is_discount(cells):
            return self._returned(group, first, at, points, quantities, cells)
        lines = [
            self._line(one, row, quantity)
            for one, row, quantity in zip(cells, group.rows, quantities, strict=True)
        ]
        named = dict(zip((line.id for line in lines), lines, strict=True))
        if "" not in named and len(named) != len(lines):
            raise ValueRefused(f"order {group.key!r} has a line id twice")
        order = Order(
            group.key,
            tuple(lines),
            placed_at=at,
            points=points,
            name=_name(first),
            channel=_one(first, "channel"),
        )
        return Sale(order=order, state=self._state(first))

    def _cells(self, row: Row) -> dict[str, list[str]]:
        found = self.table.cells(row)
        for column in self.columns.whole:
            field = self.columns.columns.get(column, "")
            found |= {field: [_whole(text) for text in found[field]]} if field in found else {}
        return {field: [value] for field, value in self.columns.constants.items()} | found

    def _state(self, first: Cells) -> OrderState:
        text = _one(first, "state") or OrderState.PAID
        try:
            return OrderState(text.strip().lower())
        except ValueError:
            raise ValueRefused(f"state {text!r} must be one of {', '.join(OrderState)}") from None

    def _is_discount(self, cells: Sequence[Cells]) -> bool:
        return all(self._kind(one) is LineKind.DISCOUNT for one in cells)

    def _kind(self, cells: Cells) -> LineKind:
        text = _one(cells, "line_kind") or self.columns.kinds.get(_one(cells, "sku"), LineKind.PRODUCT)
        try:
            return LineKind(text)
        except ValueError:
            raise ValueRefused(f"line kind {text!r} must be one of {', '.join(LineKind)}") from None

    def _line(self, cells: Cells, row: Row, quantity: int) -> OrderLine:
        try:
            kind = self._kind(cells)
            return OrderLine(
                _one(cells, "sku"),
                max(quantity, 1) if kind is LineKind.DISCOUNT else quantity,
                self._total(cells, kind, quantity),
                tax=self._money(cells, "tax") if _one(cells, "tax") else None,
                kind=kind,
                name=" ".join(_one(cells, "product").split()),
                category=_one(cells, "category"),
                id=_one(cells, "line"),
            )
        except ValueRefused as error:
            raise ValueRefused(f"line {row.line}: {error}") from None

    def _total(self, cells: Cells, kind: LineKind, quantity: int) -> Money:
        if _one(cells, "total"):
            total = self._money(cells, "total")
        else:
            total = Money.of(self._decimal(_one(cells, "price"), "price") * quantity, self._currency(cells))
        return -total if kind is LineKind.DISCOUNT and total.minor > 0 else total

    def _money(self, cells: Cells, field: str) -> Money:
        return Money.of(self._decimal(_one(cells, field), field), self._currency(cells))

    def _currency(self, cells: Cells) -> str:
        found = _one(cells, "currency").upper() or self.columns.currency
        if not found:
            raise ValueRefused(
                "no currency: map a column to 'currency', or give one as 'currency' in the mapping"
            )
        return found

    def _decimal(self, text: str, what: str) -> Decimal:
        plain = text.replace(" ", "").replace("\u00a0", "")
        if self.columns.decimal == ",":
            plain = plain.replace(".", "").replace(",", ".")
        try:
            found = Decimal(plain)
        except InvalidOperation:
            raise ValueRefused(f"{what} {text!r} is no number such as 12{self.columns.decimal}50") from None
        if not found.is_finite() or len(plain) > 40:
            raise ValueRefused(f"{what} {text!r} is no amount")
        return found

    def _quantity(self, cells: Cells, row: Row) -> int:
        text = _one(cells, "quantity") or "1"
        number = self._decimal(text, f"line {row.line}: quantity")
        if number != number.to_integral_value() or abs(number) > 2**53:
            raise ValueRefused(f"line {row.line}: quantity {text!r} is no whole number")
        return int(number)

    def _at(self, text: str) -> datetime:
        word = text.strip()
        if not word:
            raise ValueRefused("no date: map a column to 'placed_at'")
        found = _instant(word, self.columns.dates)
        return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(self.columns.zone))

    def _points(self, cells: Cells) -> Iterator[ContactPoint]:
        for field, values in cells.items():
            kind, _, name = field.partition(":")
            if kind in _ADDRESSES:
                yield from (self.builder.point(kind, name, value) for value in values if value)

    def _returned(
        self,
        group: Group,
        first: Cells,
        at: datetime,
        points: tuple[ContactPoint, ...],
        quantities: Sequence[int],
        cells: Sequence[Cells],
    ) -> Return:
        if self.columns.refunds == "reject":
            raise ValueRefused(
                "the quantities are negative; refunds = 'refund' in the mapping takes them as refunds"
            )
        brought: dict[str, int] = {}
        for one, quantity in zip(cells, quantities, strict=True):
            sku = _one(one, "sku")
            brought[sku] = brought.get(sku, 0) - quantity
        return Return(
            key=group.key,
            at=at,
            points=points,
            name=_name(first),
            quantities=brought,
            of=_one(first, "refund_of"),
        )


def _one(cells: Cells, field: str) -> str:
    values = cells.get(field) or ("",)
    return values[0]


def _name(cells: Cells) -> str:
    whole = " ".join(part for part in (_one(cells, "given_name"), _one(cells, "family_name")) if part)
    return _one(cells, "name") or whole or _one(cells, "organisation")


def _whole(text: str) -> str:
    head, point, rest = text.partition(".")
    return head if point and not rest.strip("0") else text


def _instant(word: str, forms: Sequence[str]) -> datetime:
    for form in forms:
        try:
            return datetime.strptime(word, form)
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(word)
    except ValueError:
        raise ValueRefused(
            f"date {word!r} is none; ISO 8601 such as 2026-03-01 12:30 is read: say others as 'dates' in the mapping"
        ) from None
