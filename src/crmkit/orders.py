"""Orders and refunds: frozen values and the arithmetic of what is paid and given back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any, TypeVar
from uuid import UUID

import attrs

from crmkit.clock import ending
from crmkit.contacts import NAME_LIMIT, ContactPoint
from crmkit.errors import ValueRefused
from crmkit.money import Money, allocate
from crmkit.text import clean

T = TypeVar("T", bound=attrs.AttrsInstance)

KEY_LIMIT = 100
TEXT_LIMIT = 300
LINE_LIMIT = 10_000
ROLE_LIMIT = 100


class LineKind(StrEnum):
    """What a line of an order is, which decides the bases it belongs to."""

    PRODUCT = "product"
    DISCOUNT = "discount"
    SHIPPING = "shipping"
    FEE = "fee"
    GIFT_CARD = "gift_card"


class Base(StrEnum):
    """A named part of an order's amount, for rules that reward "per unit spent"."""

    TOTAL = "total"  #: everything the customer pays
    GOODS = "goods"  #: products after discounts, tax included; no shipping, fees or gift cards
    NET = "net"  #: goods without tax
    WITHOUT_SHIPPING = "without_shipping"  #: everything but shipping
    WITHOUT_GIFT_CARDS = "without_gift_cards"  #: everything but gift cards that were bought


#: What a base that counts all but one kind of lines leaves out.
_LEFT_OUT = {Base.WITHOUT_SHIPPING: LineKind.SHIPPING, Base.WITHOUT_GIFT_CARDS: LineKind.GIFT_CARD}


class OrderRole(StrEnum):
    """What a contact is to an order."""

    BUYER = "buyer"  #: who ordered: the order's own contact
    USER = "user"  #: who uses what was ordered
    BENEFICIARY = "beneficiary"  #: for whom it is: the receiver of a gift, the child whose school pays


class OrderState(StrEnum):
    """Where an order stands in its life."""

    PLACED = "placed"
    PAID = "paid"
    SHIPPED = "shipped"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"


def _positive(instance: object, attribute: attrs.Attribute[int], value: object) -> None:
    if type(value) is not int or not 1 <= value <= 2**53:
        raise ValueRefused(f"OrderLine.quantity is {value!r}; it must be a whole number from 1 on")


def _money(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if type(value) is not Money:
        raise ValueRefused(f"OrderLine.{attribute.name} must be Money, not {value!r}")


def _sku(value: str) -> str:
    return clean(value, "sku", limit=100)


def _product_name(value: str) -> str:
    return clean(value, "product name", limit=300)


def _category(value: str) -> str:
    return clean(value, "category", limit=100)


def _line_id(value: str) -> str:
    return clean(value, "line id", limit=50)


def _order_key(value: str) -> str:
    return clean(value, "order key", limit=KEY_LIMIT, empty=False)


def _placed_at(value: datetime) -> datetime:
    return ending(value, "Order.placed_at")


def _buyer_name(value: str) -> str:
    return clean(value, "buyer's name", limit=NAME_LIMIT)


def _points(value: Iterable[ContactPoint]) -> tuple[ContactPoint, ...]:
    return tuple(value)


def _channel(value: str) -> str:
    return clean(value, "channel", limit=30)


def role_of(value: str) -> OrderRole:
    """Return a role that a contact can be given in an order: any but the buyer's, which is the order's own.

    Raises:
        ValueRefused: if it is none.
    """
    roles = {role.value: role for role in OrderRole if role is not OrderRole.BUYER}
    if value not in roles:
        raise ValueRefused(
            f"role {value!r} must be one of {', '.join(roles)}; the buyer is the order's contact"
        )
    return roles[value]


def _roles(value: Mapping[str, UUID | Iterable[UUID]] | Iterable[Role]) -> tuple[Role, ...]:
    if not value:
        return ()
    named = value.items() if isinstance(value, Mapping) else value
    found = set()
    for role, ids in named:
        for id in (ids,) if isinstance(ids, UUID) else tuple(ids):
            if not isinstance(id, UUID):
                raise ValueRefused(f"role {role!r} names {id!r}; it must name the ids of contacts")
            found.add((role_of(role), id))
    if len(found) > ROLE_LIMIT:
        raise ValueRefused(f"an order has at most {ROLE_LIMIT} contacts in roles, not {len(found)}")
    return tuple(sorted(found))


def _refund_key(value: str) -> str:
    return clean(value, "refund key", limit=KEY_LIMIT, empty=False)


def _reason(value: str) -> str:
    return clean(value, "reason", limit=TEXT_LIMIT)


#: A contact's role in an order.
Role = tuple[OrderRole, UUID]


@attrs.frozen
class OrderLine:
    """One line of an order.

    Args:
        sku: the shop's product code.
        quantity: how many, a whole number from 1 on.
        total: what the customer pays for the line, tax included, after discounts of the line itself.
        tax: the tax within `total`; None for none.
        kind: what the line is; discounts have a negative total, all others none below 0.
        name: the product's name.
        category: the shop's product category.
        id: the line's id within its order; by default its number, counted from 1.
    """

    sku: str = attrs.field(converter=_sku)
    quantity: int = attrs.field(validator=_positive)
    total: Money = attrs.field(validator=_money)
    tax: Money | None = attrs.field(default=None, kw_only=True)
    kind: LineKind = attrs.field(default=LineKind.PRODUCT, converter=LineKind, kw_only=True)
    name: str = attrs.field(default="", converter=_product_name, kw_only=True)
    category: str = attrs.field(default="", converter=_category, kw_only=True)
    id: str = attrs.field(default="", converter=_line_id, kw_only=True)

    def __attrs_post_init__(self) -> None:
        minor = self.total.minor
        if (minor > 0) if self.kind is LineKind.DISCOUNT else (minor < 0):
            wanted = "0 or less for a discount" if self.kind is LineKind.DISCOUNT else "0 or more"
            raise ValueRefused(
                f"line {self.sku!r} of kind {self.kind} has total {self.total}; must be {wanted}"
            )
        if self.tax is not None:
            _money(self, attrs.fields(OrderLine).tax, self.tax)
            if self.tax.currency != self.total.currency or abs(self.tax.minor) > abs(minor):
                raise ValueRefused(
                    f"line {self.sku!r}: tax {self.tax} does not lie within total {self.total}"
                )


def replaced(value: T, **changes: object) -> T:
    """Return a copy of a frozen value with fields that need no check; evolve would check all the others again.

    Args:
        value: an attrs value that is not changed.
        changes: fields by name, as they are to stand in the copy.
    """
    made, put = object.__new__(type(value)), object.__setattr__
    for name in _field_names(type(value)):
        put(made, name, changes[name] if name in changes else getattr(value, name))
    return made


@cache
def _field_names(cls: type[attrs.AttrsInstance]) -> tuple[str, ...]:
    return tuple(field.name for field in attrs.fields(cls))


def _numbered(lines: Iterable[OrderLine]) -> tuple[OrderLine, ...]:
    lines = tuple(lines)
    if not 1 <= len(lines) <= LINE_LIMIT:
        raise ValueRefused(f"an order needs 1 to {LINE_LIMIT} lines, this one has {len(lines)}")
    for line in lines:
        if not isinstance(line, OrderLine):
            raise ValueRefused(f"an order consists of OrderLine, not {line!r}")
    named = tuple(line if line.id else replaced(line, id=str(number)) for number, line in enumerate(lines, 1))
    ids = [line.id for line in named]
    if len(set(ids)) != len(ids):
        double = next(id for id in ids if ids.count(id) > 1)
        raise ValueRefused(f"line id {double!r} stands twice in the order; each line needs its own")
    return named


@attrs.frozen
class Order:
    """A customer's order as the shop has it.

    Args:
        key: the shop's order number; the order is recorded once under it.
        lines: one to 10,000 lines in one currency.
        placed_at: when the customer ordered, aware.
        contact_id: whose order it is, if the shop knows the contact; else it is found by `points`.
        points: addresses the buyer gave; the first that is known decides, else a contact is added.
        name: the buyer's name, used when a contact is added.
        channel: where it was sold, such as "web" or "till".
        roles: other contacts it concerns, by role: one id or several for "user" and "beneficiary".

    Raises:
        ValueRefused: if currencies are mixed, discounts exceed the goods, or a line id stands twice.
    """

    key: str = attrs.field(converter=_order_key)
    lines: tuple[OrderLine, ...] = attrs.field(converter=_numbered)
    placed_at: datetime = attrs.field(kw_only=True, converter=_placed_at)
    contact_id: UUID | None = attrs.field(default=None, kw_only=True)
    points: tuple[ContactPoint, ...] = attrs.field(default=(), converter=_points, kw_only=True)
    name: str = attrs.field(default="", converter=_buyer_name, kw_only=True)
    channel: str = attrs.field(default="", converter=_channel, kw_only=True)
    roles: tuple[Role, ...] = attrs.field(default=(), converter=_roles, kw_only=True)
    total: Money = attrs.field(init=False, eq=False)
    shares: Mapping[str, int] = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        currency = self.lines[0].total.currency
        for line in self.lines:
            if line.total.currency != currency:
                raise ValueRefused(
                    f"order {self.key!r} mixes {currency} and {line.total.currency}; an order has one currency"
                )
        object.__setattr__(self, "shares", MappingProxyType(_shares(self.key, self.lines)))
        object.__setattr__(self, "total", Money(sum(self.shares.values()), currency))

    @property
    def currency(self) -> str:
        """The ISO 4217 code of every line."""
        return self.total.currency

    def without_buyer(self, contact_id: UUID | None) -> Order:
        """Return the order of a contact that is known, without the buyer's addresses and name."""
        return replaced(self, contact_id=contact_id, points=(), name="")

    def amount(self, base: Base | str = Base.TOTAL) -> Money:
        """Return the part of the order that belongs to a base."""
        wanted = Base(base)
        if wanted is Base.TOTAL:
            return self.total
        return Money(sum(self.base_shares(wanted).values()), self.currency)

    def base_shares(self, base: Base | str) -> dict[str, int]:
        """Return, for each line in the base, the minor units of its share that count there."""
        wanted = Base(base)
        if wanted is Base.TOTAL:
            return dict(self.shares)
        if wanted in _LEFT_OUT:
            kinds = {line.id: line.kind for line in self.lines}
            return {id: share for id, share in self.shares.items() if kinds[id] is not _LEFT_OUT[wanted]}
        goods = [line for line in self.lines if line.kind is LineKind.PRODUCT]
        if wanted is Base.GOODS:
            return {line.id: self.shares[line.id] for line in goods}
        return {line.id: self.shares[line.id] - _tax_share(line, self.shares[line.id]) for line in goods}


def _shares(key: str, lines: tuple[OrderLine, ...]) -> dict[str, int]:
    """What each line costs once discount lines are spread over the products by largest remainder."""
    shares = {line.id: line.total.minor for line in lines if line.kind is not LineKind.DISCOUNT}
    discount = sum(line.total.minor for line in lines if line.kind is LineKind.DISCOUNT)
    if discount:
        # by content, so that it does not matter in which order the lines stand
        found = sorted((line for line in lines if line.kind is LineKind.PRODUCT), key=_content)
        products = [line.id for line in found]
        weights = [shares[id] for id in products]
        if -discount > sum(weights):
            raise ValueRefused(
                f"order {key!r}: discounts of {-discount} minor units exceed its products of {sum(weights)}"
            )
        for id, part in zip(products, allocate(discount, weights), strict=True):
            shares[id] += part
    return shares


def _content(line: OrderLine) -> tuple[int, int, str, str, str]:
    return line.total.minor, line.tax.minor if line.tax else 0, line.sku, line.category, line.id


def _tax_share(line: OrderLine, share: int) -> int:
    tax = line.tax.minor if line.tax else 0
    return tax if share == line.total.minor else tax * share // max(line.total.minor, 1)


@attrs.frozen
class Refund:
    """Money given back for an order: the whole rest of it, some lines, or an amount.

    Args:
        key: the shop's id of this refund, unique within the order.
        quantities: how many of which line id, or None.
        amount: how much money, or None; with neither it is all that is left.
        reason: the shop's words.
    """

    key: str = attrs.field(converter=_refund_key)
    quantities: Mapping[str, int] | None = attrs.field(default=None, kw_only=True)
    amount: Money | None = attrs.field(default=None, kw_only=True)
    reason: str = attrs.field(default="", converter=_reason, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.quantities is not None and self.amount is not None:
            raise ValueRefused(f"refund {self.key!r} names both lines and an amount; give one of them")
        if self.amount is not None and self.amount.minor <= 0:
            raise ValueRefused(f"refund {self.key!r} is of {self.amount}; it must be above 0")
        if self.quantities is not None:
            object.__setattr__(self, "quantities", MappingProxyType(dict(self.quantities)))

    @classmethod
    def whole(cls, key: str, *, reason: str = "") -> Refund:
        """Return the refund of everything not yet given back."""
        return cls(key, reason=reason)

    @classmethod
    def of_lines(cls, key: str, quantities: Mapping[str, int], *, reason: str = "") -> Refund:
        """Return the refund of some quantities, by line id."""
        return cls(key, quantities=quantities, reason=reason)

    @classmethod
    def of_amount(cls, key: str, amount: Money, *, reason: str = "") -> Refund:
        """Return the refund of a sum of money, spread over the lines in proportion to what is left."""
        return cls(key, amount=amount, reason=reason)


@attrs.frozen
class Returned:
    """What has been given back of one line so far: quantity, and minor units of its share."""

    quantity: int = 0
    minor: int = 0


def split_refund(order: Order, before: Mapping[str, Returned], refund: Refund) -> dict[str, Returned]:
    """Return what a refund gives back, by line id; lines with nothing are left out.

    Args:
        order: the order as it stands.
        before: what earlier refunds gave back, by line id.
        refund: the new one.

    Raises:
        ValueRefused: if more would be given back than was paid, a line is unknown, or nothing is left.
    """
    left = {id: share - before.get(id, Returned()).minor for id, share in order.shares.items()}
    if refund.quantities is not None:
        return _split_lines(order, before, refund.quantities)
    if refund.amount is None:
        return _split_rest(order, before, left)
    if refund.amount.currency != order.currency:
        raise ValueRefused(f"refund of {refund.amount} for order {order.key!r}, which is in {order.currency}")
    if refund.amount.minor > sum(left.values()):
        remaining = Money(sum(left.values()), order.currency)
        raise ValueRefused(
            f"refund of {refund.amount} for order {order.key!r} exceeds what is left, {remaining}"
        )
    parts = allocate(refund.amount.minor, list(left.values()))
    return {id: Returned(0, part) for id, part in zip(left, parts, strict=True) if part}


def _split_rest(order: Order, before: Mapping[str, Returned], left: Mapping[str, int]) -> dict[str, Returned]:
    counts = {line.id: line.quantity for line in order.lines if line.id in order.shares}
    rest = {id: Returned(counts[id] - before.get(id, Returned()).quantity, left[id]) for id in counts}
    rest = {id: part for id, part in rest.items() if part != Returned()}
    if not rest:
        raise ValueRefused(f"order {order.key!r} has nothing left to refund")
    return rest


def _split_lines(
    order: Order, before: Mapping[str, Returned], quantities: Mapping[str, int]
) -> dict[str, Returned]:
    lines = {line.id: line for line in order.lines if line.id in order.shares}
    parts = {}
    for id, quantity in quantities.items():
        if id not in lines:
            raise ValueRefused(f"order {order.key!r} has no line {id!r}; it has {', '.join(lines)}")
        done = before.get(id, Returned())
        open_ = lines[id].quantity - done.quantity
        if type(quantity) is not int or not 1 <= quantity <= open_:
            raise ValueRefused(
                f"refund of {quantity!r} of line {id!r} in order {order.key!r}: it must be 1 to {open_}"
            )
        due = order.shares[id] * (done.quantity + quantity) // lines[id].quantity
        parts[id] = Returned(quantity, max(0, due - done.minor))
    if not parts:
        raise ValueRefused(f"refund for order {order.key!r} names no line")
    return parts


def add_returns(before: Mapping[str, Returned], parts: Mapping[str, Returned]) -> dict[str, Returned]:
    """Return the sum of two records of what was given back."""
    total = dict(before)
    for id, part in parts.items():
        done = total.get(id, Returned())
        total[id] = Returned(done.quantity + part.quantity, done.minor + part.minor)
    return total


def is_whole(order: Order, returned: Mapping[str, Returned]) -> bool:
    """Return whether nothing is left to give back: no money, and of an order that cost nothing no line either.

    Args:
        order: the order as it stands.
        returned: what was given back, by line id.
    """
    if sum(part.minor for part in returned.values()) != order.total.minor:
        return False
    counts = {line.id: line.quantity for line in order.lines if line.id in order.shares}
    return order.total.minor > 0 or all(
        returned.get(id, Returned()).quantity == n for id, n in counts.items()
    )
