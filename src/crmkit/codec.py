"""Events as plain data and back: what is written to the log and read from it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any
from uuid import UUID

import attrs

from crmkit.clock import from_micros, micros
from crmkit.events import Event, LogEntry, UnknownEvent
from crmkit.money import Money
from crmkit.orders import LineKind, Order, OrderLine

Plain = dict[str, Any]

log = logging.getLogger("crmkit.events")


def dump(event: Event) -> tuple[Plain, Plain]:
    """Return an event's fact and its personal values, both as plain data.

    Args:
        event: any event; fields at their default are left out.
    """
    if isinstance(event, UnknownEvent):
        return dict(event.data), {}
    data: Plain = converter().unstructure(event)
    private = personal(type(event))  # type: ignore[arg-type]
    if not private:
        return data, {}
    return (
        {name: value for name, value in data.items() if name not in private},
        {name: value for name, value in data.items() if name in private},
    )


def same(stored: LogEntry, event: Event) -> bool:
    """Return whether an entry tells an event; personal values that were erased are not asked for.

    Args:
        stored: as the log holds it.
        event: as it is given again.
    """
    if not stored.erased:
        return dump(stored.event) == dump(event)
    return type(stored.event) is type(event) and dump(stored.event)[0] == dump(event)[0]


def load(
    types: Mapping[str, type[Event]], type_name: str, version: int, data: Plain, personal: Plain
) -> Event:
    """Return the event that plain data describes; what no class can read gives an `UnknownEvent`.

    Reading is total: an event that a plugin's class refuses must not stop the relay or hide a timeline.

    Args:
        types: event classes by name.
        type_name: the stored type.
        version: the version that wrote the data.
        data: the fact.
        personal: the personal values that are still there.
    """
    cls = types.get(type_name)
    if cls is not None and version <= cls.version:
        try:
            today = data if version == cls.version else cls.upcast(version, dict(data))
            event: Event = converter().structure({**today, **personal}, cls)
            return event
        except Exception:
            log.warning("a stored %s of version %s cannot be read", type_name, version, exc_info=True)
    return UnknownEvent(type=type_name, stored_version=version, data=data)


@cache
def personal(cls: type[Event]) -> frozenset[str]:
    """Return the names of an event class's personal fields."""
    return frozenset(field.name for field in attrs.fields(cls) if field.metadata.get("personal"))


@cache
def converter() -> Any:
    """Return the converter between values and plain data."""
    from cattrs import Converter  # imported when the first event is written

    made = Converter(omit_if_default=True, forbid_extra_keys=False)
    made.register_unstructure_hook(UUID, str)
    made.register_structure_hook(UUID, lambda value, _: UUID(value))
    made.register_unstructure_hook(datetime, micros)
    made.register_structure_hook(datetime, lambda value, _: from_micros(value))
    made.register_unstructure_hook(timedelta, lambda value: value // timedelta(microseconds=1))
    made.register_structure_hook(timedelta, lambda value, _: timedelta(microseconds=value))
    made.register_unstructure_hook(Money, lambda money: [money.minor, money.currency])
    made.register_structure_hook(Money, lambda value, _: Money(*value))
    made.register_unstructure_hook(Order, order_data)
    made.register_structure_hook(Order, lambda value, _: order_from(value))
    made.register_unstructure_hook_func(_is_mapping, plain)
    return made


def _is_mapping(cls: Any) -> bool:
    return getattr(cls, "__origin__", cls) in (Mapping, dict) or (
        isinstance(cls, type) and issubclass(cls, Mapping)
    )


def plain(value: Any) -> Any:
    """Return plain data for a value that stands in a mapping of an event."""
    if value is None or isinstance(value, (bool, int, float)) or type(value) is str:
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if attrs.has(type(value)) or isinstance(value, (UUID, datetime, timedelta)):
        return converter().unstructure(value)
    return str(value)


def order_data(order: Order) -> Plain:
    """Return an order as plain data, without the buyer's name and points."""
    data: Plain = {
        "key": order.key,
        "placed_at": micros(order.placed_at),
        "currency": order.currency,
        "lines": [_line_data(line) for line in order.lines],
    }
    if order.channel:
        data["channel"] = order.channel
    if order.contact_id:
        data["contact_id"] = str(order.contact_id)
    if order.roles:
        data["roles"] = [[role.value, str(id)] for role, id in order.roles]
    return data


def order_from(data: Plain) -> Order:
    """Return the order that plain data describes."""
    currency = data["currency"]
    contact = data.get("contact_id")
    return Order(
        data["key"],
        tuple(_line_from(line, currency) for line in data["lines"]),
        placed_at=from_micros(data["placed_at"]),
        channel=data.get("channel", ""),
        contact_id=UUID(contact) if contact else None,
        roles=[(role, UUID(id)) for role, id in data.get("roles", ())],
    )


def _line_data(line: OrderLine) -> Plain:
    data: Plain = {"id": line.id, "sku": line.sku, "quantity": line.quantity, "total": line.total.minor}
    if line.tax is not None:
        data["tax"] = line.tax.minor
    if line.kind is not LineKind.PRODUCT:
        data["kind"] = line.kind.value
    if line.name:
        data["name"] = line.name
    if line.category:
        data["category"] = line.category
    return data


def _line_from(data: Plain, currency: str) -> OrderLine:
    tax = data.get("tax")
    return OrderLine(
        data["sku"],
        data["quantity"],
        Money(data["total"], currency),
        tax=None if tax is None else Money(tax, currency),
        kind=LineKind(data.get("kind", "product")),
        name=data.get("name", ""),
        category=data.get("category", ""),
        id=data["id"],
    )
