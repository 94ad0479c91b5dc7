"""The names that conditions of a programme may use, with what reads their values from facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache, partial
from typing import Any

from crmkit.errors import ValueRefused
from crmkit.expressions import Field, FieldType
from crmkit.expressions.core import MOST_ORDERS, FieldTable, core_fields
from crmkit.money import exponent
from crmkit.orders import Base
from crmkit.programmes import baskets
from crmkit.programmes.baskets import Baskets, Read
from crmkit.programmes.policies import LocalTime, Policies
from crmkit.programmes.streaks import streak
from crmkit.rewards import Facts, Window
from crmkit.rewards.windows import zone_of, zone_or

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MOST_MINOR = 10**15
_MOST_PIECES = 10**9
_STREAKS = {"days": Window.DAY, "weeks": Window.WEEK, "months": Window.MONTH}
#: Where `Facts` keep what a rule must say that it reads, by the field that asks for it.
READS = {"order.number": "orders.count", "orders.count": "orders.count"} | {
    f"streak.{name}": "orders.placed" for name in _STREAKS
}
SEGMENT = "segment."
_IN_CURRENCY = ("orders.total", "orders.average")
#: The amounts of an order: its bases, and what the goods came to before discounts.
AMOUNTS = (*(base.value for base in Base), baskets.GROSS)


class Vocabulary(Mapping[str, Field]):
    """The fields of one programme by name: of the order, the moment, the streak, the event, and the contact.

    Args:
        policies: what the programme settles.
        declared: the fields that the programme itself declares.
    """

    def __init__(self, policies: Policies, declared: Mapping[str, Field]) -> None:
        self.policies = policies
        self.declared = declared
        self.baskets = Baskets(policies.free_lines)
        #: Under what the values that conditions read are kept in `Facts.memo`.
        self.place = object()
        #: What the rules ask about a trigger, so that it is all read at once.
        self.asked_on: dict[str, tuple[tuple[str, Read], ...]] = {}
        self._contact = FieldTable(_contact_fields(), policies.currency)
        self._found: dict[str, tuple[Field, Read]] = {}
        for field, read in (*self._of_order(), *self._of_moment()):
            self._found[field.name] = field, read

    def __getitem__(self, name: str) -> Field:
        return self._named(name)[0]

    def __iter__(self) -> Iterator[str]:
        yield from self._found
        yield from (name for name in (*self.declared, *self._contact) if name not in self._found)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def reader(self, name: str) -> Read:
        """Return what reads the value of a field from facts."""
        return self._named(name)[1]

    def will_ask(self, trigger: str, names: Iterable[str]) -> None:
        """Take down what a rule asks about a trigger."""
        asked = dict(self.asked_on.get(trigger, ()))
        self.asked_on[trigger] = tuple((asked | {name: self.reader(name) for name in names}).items())

    def asks_contact(self, name: str) -> bool:
        """Return whether the value stands in `Facts.fields`, so that the rule must say that it reads it."""
        return not name.startswith(("order.", "at.", "streak.", "event.")) and name not in (
            *READS,
            "now",
            "today",
        )

    def held_as(self, name: str) -> str:
        """Return under which name `Facts.fields` hold a value: there the currency of an amount is always named."""
        currency = self.policies.currency
        return f"{name}.{currency}" if currency and name in _IN_CURRENCY else name

    def _named(self, name: str) -> tuple[Field, Read]:
        found = self._found.get(name)
        if found is None:
            found = self._found[name] = self._made(name)
        return found

    def _made(self, name: str) -> tuple[Field, Read]:
        first, _, rest = name.partition(".")
        if first == "order":
            return self._amount(name, rest)
        if name in self.declared:
            field = self.declared[name]
            read = partial(_of_payload, rest) if first == "event" else partial(_of_fields, name)
            return field, read
        if name.startswith(SEGMENT) and rest:
            return Field(name, FieldType.BOOLEAN), partial(_of_fields, name)
        return self._contact[name], _COUNTED.get(name, partial(_of_fields, self.held_as(name)))

    def _amount(self, name: str, rest: str) -> tuple[Field, Read]:
        base, _, currency = rest.partition(".")
        if base not in AMOUNTS:
            raise KeyError(name)
        try:
            field = amount_field(name, currency or self.policies.currency)
        except ValueRefused:
            raise KeyError(name) from None
        return field, self.baskets.amount(base, currency or self.policies.currency)

    def _of_order(self) -> Iterator[tuple[Field, Read]]:
        told = self.baskets.told
        pieces = (0, _MOST_PIECES)
        for base in AMOUNTS if self.policies.currency else ():
            yield self._amount(f"order.{base}", base)
        yield Field("order.currency", FieldType.TEXT), told(lambda basket: basket.order.currency)
        yield Field("order.channel", FieldType.TEXT), told(lambda basket: basket.order.channel or None)
        yield Field("order.quantity", FieldType.INTEGER, bound=pieces), told(baskets.quantity)
        yield Field("order.lines", FieldType.INTEGER, bound=pieces), told(lambda basket: len(basket.goods))
        yield Field("order.skus", FieldType.TEXT_SET), told(baskets.skus)
        yield Field("order.categories", FieldType.TEXT_SET), told(baskets.categories)
        yield Field("order.discounted", FieldType.BOOLEAN), told(baskets.discounted)
        yield Field("order.number", FieldType.INTEGER, bound=(1, MOST_ORDERS)), _number

    def _of_moment(self) -> Iterator[tuple[Field, Read]]:
        local = self.local
        yield Field("now", FieldType.INSTANT), lambda facts: facts.at
        yield Field("today", FieldType.DATE), lambda facts: local(facts).date()
        yield Field("at.date", FieldType.DATE), lambda facts: local(facts).date()
        yield Field("at.weekday", FieldType.TEXT), lambda facts: WEEKDAYS[local(facts).weekday()]
        for name, bound in (("hour", (0, 23)), ("minute", (0, 59)), ("day", (1, 31)), ("month", (1, 12))):
            yield Field(f"at.{name}", FieldType.INTEGER, bound=bound), partial(self._part, name)
        for name, window in _STREAKS.items():
            yield Field(f"streak.{name}", FieldType.INTEGER, bound=(1, 10**4)), partial(self._streak, window)

    def zone(self, facts: Facts) -> Any:
        """Return the zone by whose days and hours the programme goes."""
        if self.policies.local_time is LocalTime.MEMBER:
            return zone_or(facts.zone, self.policies.zone)
        return zone_of(self.policies.zone)

    def local(self, facts: Facts) -> datetime:
        """Return when it happened, by the clock on the wall."""
        found: datetime | None = facts.memo.get(self)
        if found is None:
            found = facts.memo[self] = facts.at.astimezone(self.zone(facts))
        return found

    def _part(self, name: str, facts: Facts) -> int:
        part: int = getattr(self.local(facts), name)
        return part

    def _streak(self, window: Window, facts: Facts) -> int:
        return streak(facts.history, facts.at, window, self.policies.streak_grace, self.zone(facts))

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


@cache
def _contact_fields() -> tuple[Field, ...]:
    return core_fields()


def amount_field(name: str, currency: str) -> Field:
    """Return a field of an amount in a currency.

    Raises:
        ValueRefused: if there is no such currency.
    """
    scale = exponent(currency)
    most = _MOST_MINOR // 10**scale
    return Field(name, FieldType.DECIMAL, scale=scale, bound=(-most, most))


def _number(facts: Facts) -> int | None:
    return facts.counters.get("orders.count", 0) + 1 if facts.has_order else None


def _count(facts: Facts) -> int:
    return facts.counters.get("orders.count", 0)


def _of_fields(name: str, facts: Facts) -> object:
    return facts.fields.get(name)


def _of_payload(name: str, facts: Facts) -> object:
    return facts.payload.get(name)


_COUNTED: Mapping[str, Read] = {"orders.count": _count}
