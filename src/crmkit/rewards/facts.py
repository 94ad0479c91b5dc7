"""What a rule may know: frozen facts about one happening."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import attrs

from crmkit.contacts import Contact
from crmkit.errors import ValueRefused
from crmkit.orders import Order

#: The counters that a rule may name in `reads`.
COUNTERS = frozenset({"orders.count"})
#: What else it may name there: the instants in `Facts.history`.
HISTORIES = frozenset({"orders.placed"})


def _frozen(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(value))


@attrs.frozen(kw_only=True)
class Facts:
    """What a rule may know: frozen values, no connection, no clock.

    Args:
        trigger: what happened, such as "order.paid" or "member.birthday".
        at: when it happened.
        contact: to whom it happened.
        order: the order as it stands; None where it is about none, and to read it then raises `ValueRefused`.
        key: names the happening for ever: the order's number, or such as "birthday:2026".
        payload: plain data of the event that set the rules off.
        counters: named whole numbers that rules declared to read ("orders.count" counts earlier
            paid orders that were neither cancelled nor refunded whole).
        fields: values of the expression fields that rules declared to read; one that is missing is left out.
        history: when the contact's counted orders before this one were placed, the latest first, for rules that
            read "orders.placed"; at most a thousand.
        zone: the IANA zone of the member's days; empty for the programme's.
    """

    trigger: str
    at: datetime
    contact: Contact
    _order: Order | None = None
    key: str = ""
    payload: Mapping[str, Any] = attrs.field(factory=dict, converter=_frozen)
    counters: Mapping[str, int] = attrs.field(factory=dict, converter=_frozen)
    fields: Mapping[str, Any] = attrs.field(factory=dict, converter=_frozen)
    history: tuple[datetime, ...] = ()
    zone: str = ""
    #: Where rules keep what they computed of these facts, so that the next rule need not; no fact itself.
    memo: dict[Any, Any] = attrs.field(factory=dict, init=False, eq=False, repr=False)

    @property
    def order(self) -> Order:
        """The order as it stands.

        Raises:
            ValueRefused: if it is about none.
        """
        if self._order is None:
            raise ValueRefused(
                f"trigger {self.trigger!r} is about no order; ask facts.has_order before facts.order"
            )
        return self._order

    @property
    def has_order(self) -> bool:
        """Whether it is about an order."""
        return self._order is not None
