"""From the table of a rule to the rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import attrs

from crmkit.errors import ExpressionError, ProgrammeError, ValueRefused
from crmkit.expressions import Expression, Field, check
from crmkit.money import Money
from crmkit.orders import Base
from crmkit.programmes.effects.effect import EffectKind
from crmkit.programmes.effects.gifts import Gift
from crmkit.programmes.effects.points import Fixed, Multiply, Rate
from crmkit.programmes.effects.prices import BuyGet, PriceOff
from crmkit.programmes.lines import Lines, LineVocabulary
from crmkit.programmes.policies import Policies, Rounding
from crmkit.programmes.rule import DeclaredRule
from crmkit.programmes.table import Table
from crmkit.programmes.terms import AT_ONCE, LotTerms
from crmkit.programmes.vocabulary import AMOUNTS, WEEKDAYS, Vocabulary
from crmkit.rewards import Effect, Limit, Over, Per, Window

KEYS = "name on when of then lot limits lane priority group best_of doc".split()
TRIGGER = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
OF_ORDERS = ("order.paid", "order.shipped", "order.refunded")
_LIMIT_KEYS = ("per", "window", "units", "times", "money", "over")


@attrs.frozen
class Stating:
    """Makes the rules of one programme.

    Args:
        reference: `name@version` of the programme.
        version: its version.
        vocabulary: the names that conditions may use.
        tables: the rules' tables by their names.
    """

    reference: str
    version: int
    vocabulary: Vocabulary
    tables: Mapping[str, Table]

    @property
    def policies(self) -> Policies:
        """What the programme settles."""
        return self.vocabulary.policies

    def rule(self, table: Table) -> DeclaredRule:
        """Return the rule that a table states.

        Raises:
            ProgrammeError: naming the key, its value and what would have been right.
        """
        table.only(KEYS)
        triggers = self._triggers(table)
        condition = self._condition(table, "when", self.vocabulary)
        effect, times_of = self._effect(table)
        if "of" in table.data and (not hasattr(effect, "lines") or getattr(effect, "shipping", False)):
            raise table.wrong("of", "it restricts a rate, a multiple or a price of products; leave it out")
        _refuse_orderless(table, triggers, condition, effect)
        return DeclaredRule(
            name=table.text("name"),
            version=self.version,
            programme=self.reference,
            triggers=triggers,
            vocabulary=self.vocabulary,
            condition=condition,
            effect=effect,
            lot=LotTerms.of(table.table("lot")) if "lot" in table.data else AT_ONCE,
            limits=tuple(self._limit(one) for one in table.tables("limits")),
            lane=table.text("lane", ""),
            priority=table.signed("priority", 0),
            group=table.text("group", ""),
            best_of=table.text("best_of", ""),
            times_of=times_of,
            doc=table.text("doc", "", limit=500),
        )

    def _triggers(self, table: Table) -> tuple[str, ...]:
        triggers = table.texts("on", OF_ORDERS[:1])
        for trigger in triggers:
            if not TRIGGER.fullmatch(trigger) or len(trigger) > 60:
                raise table.wrong("on", 'triggers are words joined by dots, such as "member.birthday"')
            if trigger.startswith("order.") and trigger not in OF_ORDERS:
                raise table.wrong("on", f"of an order there are {', '.join(OF_ORDERS)}")
        return triggers

    def _condition(self, table: Table, key: str, fields: Mapping[str, Field]) -> Expression | None:
        if key not in table.data:
            return None
        text = table.text(key, limit=2000)
        try:
            condition = check(text, fields)
        except ExpressionError as error:
            raise ProgrammeError(f"{table.where}: {key} is {text!r}: {error}{_hint(str(error))}") from None
        _refuse_days(table, key, condition)
        return condition

    def _lines(self, table: Table) -> Lines:
        currency = self.policies.currency
        return Lines(self._condition(table, "of", LineVocabulary(currency)), currency)

    def _effect(self, table: Table) -> tuple[EffectKind, DeclaredRule | None]:
        then = table.table("then")
        kind = then.one_of(("points", "multiply", *self._kinds))
        if kind == "multiply":
            return self._multiply(table, then)
        if kind == "points":
            then.only(("points", "unit"))
            return Fixed(points=then.whole("points"), unit=self._unit(then), policies=self.policies), None
        return self._kinds[kind](self, table, then), None

    def _rate(self, table: Table, then: Table) -> Rate:
        then.only(("rate", "unit", "base", "rounding"))
        return Rate(
            rates=self._rates(then),
            lines=self._lines(table),
            base=then.choice("base", Base, self.policies.base),
            rounding=then.choice("rounding", Rounding, self.policies.rounding),
            unit=self._unit(then),
            policies=self.policies,
        )

    def _rates(self, then: Table) -> Mapping[str, Fraction]:
        if isinstance(then.data["rate"], Mapping):
            rates = then.table("rate")
            return {rates.currency(code, code): rates.number(code) for code in rates.data}
        if not self.policies.currency:
            right = 'name the currency, as in rate = { GBP = "1" }, or set [programme] currency'
            raise then.wrong("rate", right)
        return {self.policies.currency: then.number("rate")}

    def _multiply(self, table: Table, then: Table) -> tuple[Multiply, DeclaredRule]:
        then.only(("multiply", "rule"))
        factor, name = then.number("multiply"), then.text("rule")
        other = self.tables.get(name)
        if factor <= 1:
            raise then.wrong("multiply", "it must be more than 1: it adds to what the other rule gives")
        if other is None or other is table or "rate" not in other.table("then").data:
            known = [key for key, one in self.tables.items() if "rate" in one.table("then").data]
            raise then.wrong(
                "rule", f"it must be a rule of this programme with a rate: {', '.join(known) or 'none'}"
            )
        base = self.rule(other)
        assert isinstance(base.effect, Rate)
        both = _both(base.effect.lines, self._lines(table))
        rate = attrs.evolve(base.effect, lines=both, times=factor - 1)
        return Multiply(factor=factor, rule=name, rate=rate), base

    def _coupon(self, table: Table, then: Table) -> Gift:
        then.only(("coupon", "cost"))
        return Gift(
            effect=Effect.COUPON, item=then.text("coupon"), count=1, unit="coupons", cost=_cost(then, 1)
        )

    def _gift_card(self, table: Table, then: Table) -> Gift:
        then.only(("gift_card",))
        worth = then.money("gift_card")
        return Gift(effect=Effect.GIFT_CARD, item="", count=worth.minor, unit=worth.currency, cost=worth)

    def _free_product(self, table: Table, then: Table) -> Gift:
        then.only(("free_product", "quantity", "cost"))
        count = then.whole("quantity", 1, least=1)
        cost, sku = _cost(then, count), then.text("free_product")
        return Gift(effect=Effect.FREE_PRODUCT, item=sku, count=count, unit="pieces", cost=cost)

    def _price(self, table: Table, then: Table) -> PriceOff | BuyGet:
        then.only(("price",))
        price, lines = then.table("price"), self._lines(table)
        if "buy" in price.data:
            return self._buy_get(price, lines)
        kind = price.one_of(("percent", "off", "shipping"))
        price.only((kind, "rounding"))
        rounding = price.choice("rounding", Rounding, self.policies.rounding)
        if kind == "off":
            return PriceOff(lines=lines, off=price.money("off"))
        if kind == "percent":
            return PriceOff(lines=lines, percent=_percent(price), rounding=rounding)
        if price.data["shipping"] != "free":
            raise price.wrong("shipping", 'it must be "free"')
        return PriceOff(lines=lines, shipping=True, percent=Fraction(100))

    def _buy_get(self, price: Table, lines: Lines) -> BuyGet:
        price.only(("buy", "get", "percent", "rounding"))
        return BuyGet(
            lines=lines,
            buy=price.whole("buy", least=1),
            get=price.whole("get", 1, least=1),
            percent=_percent(price) if "percent" in price.data else Fraction(100),
            rounding=price.choice("rounding", Rounding, self.policies.rounding),
        )

    _kinds: Mapping[str, Callable[[Stating, Table, Table], EffectKind]] = {
        "rate": _rate,
        "coupon": _coupon,
        "gift_card": _gift_card,
        "free_product": _free_product,
        "price": _price,
    }

    def _unit(self, then: Table) -> str:
        return then.text("unit", self.policies.unit, limit=30)

    def _limit(self, table: Table) -> Limit:
        table.only(_LIMIT_KEYS)
        bounds: dict[str, Any] = {key: table.whole(key) for key in ("units", "times") if key in table.data}
        if "money" in table.data:
            bounds["money"] = table.money("money")
        table.one_of(("units", "times", "money"))
        try:
            return Limit(
                per=table.choice("per", Per, Per.EVENT),
                window=table.choice("window", Window, Window.EVER),
                over=table.choice("over", Over, self.policies.over),
                **bounds,
            )
        except ValueRefused as error:
            raise ProgrammeError(f"{table.where}: {table.path.rstrip('.')}: {error}") from None


def _cost(then: Table, count: int) -> Money | None:
    if "cost" not in then.data:
        return None
    each = then.money("cost")
    return Money(each.minor * count, each.currency)


def _percent(price: Table) -> Fraction:
    percent = price.number("percent")
    if percent > 100:
        raise price.wrong("percent", "it must be from 0 to 100")
    return percent


def _both(one: Lines, other: Lines) -> Lines:
    texts = [lines.condition.text for lines in (one, other) if lines.condition is not None]
    if len(texts) < 2:
        return other if one.condition is None else one
    text = " and ".join(f"({text})" for text in texts)
    return Lines(check(text, LineVocabulary(one.currency)), one.currency)


def _refuse_orderless(
    table: Table, triggers: tuple[str, ...], condition: Expression | None, effect: EffectKind
) -> None:
    others = [trigger for trigger in triggers if trigger not in OF_ORDERS]
    asked = [f.name for f in condition.fields if f.name.startswith("order.")] if condition is not None else []
    if others and (effect.needs_order or asked):
        what = asked[0] if asked else "then"
        raise table.wrong("on", f"{others[0]!r} is about no order, which {what} is computed from")


def _refuse_days(table: Table, key: str, condition: Expression) -> None:
    from crmkit.expressions.tree import Among, Compare, Constant, FieldValue, leaves_of

    for leaf in leaves_of(condition.tree):
        if not isinstance(leaf, Compare | Among):
            continue
        sides = (leaf.left, leaf.right) if isinstance(leaf, Compare) else (leaf.item, *leaf.options)
        if any(isinstance(one, FieldValue) and one.field.name == "at.weekday" for one in sides):
            for one in sides:
                if isinstance(one, Constant) and one.value not in WEEKDAYS:
                    raise table.wrong(key, f"{one.value!r} is no weekday: {', '.join(WEEKDAYS)}")


def _hint(said: str) -> str:
    found = re.match(r"unknown name ([a-zA-Z_.]+)", said)
    if found is None:
        return ""
    name = found.group(1).rstrip(".")
    if name.removeprefix("order.") in AMOUNTS or name == "line.total":
        return f"; name the currency, as in {name}.EUR, or set [programme] currency"
    if name.startswith(("order.", "line.", "at.", "streak.", "contact.", "orders.")):
        return ""
    return f'; a field of a plugin or an event is declared: [fields] "{name}" = "integer"'
