"""Programmes as files: what they may say, what is refused and how, and the eight of the documentation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
import pytest

from crmkit import (
    CRM,
    FOREVER,
    ConfigError,
    Contact,
    Facts,
    LineKind,
    Lot,
    Money,
    Order,
    OrderLine,
    Owned,
    Programme,
    ProgrammeError,
    RuleBook,
    ValueRefused,
    Window,
    recompute,
)
from crmkit.cli import main
from crmkit.programmes.streaks import streak

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples" / "programmes"
AT = datetime(2026, 3, 7, 12, tzinfo=UTC)  # a Saturday
WHO = Contact(id=UUID(int=7))
RULE: dict[str, Any] = {"name": "r", "then": {"points": 10}}


def whole(*rules: Mapping[str, Any], **head: Any) -> dict[str, Any]:
    return {
        "programme": {"name": "p", "version": 1, "currency": "GBP", **head},
        "rule": list(rules or [RULE]),
    }


def rule(**keys: Any) -> dict[str, Any]:
    return whole({**RULE, **keys})


def line(minor: int, quantity: int = 1, category: str = "", kind: str = "product") -> OrderLine:
    return OrderLine("sku", quantity, Money(minor, "GBP"), category=category, kind=LineKind(kind))


def facts(*lines: OrderLine, trigger: str = "order.paid", **more: Any) -> Facts:
    order = Order("k", lines, placed_at=AT) if lines else None
    return Facts(trigger=trigger, at=AT, order=order, contact=WHO, **more)


def granted(programme: Programme, about: Facts) -> dict[str, int]:
    book = RuleBook(Owned(owner="host", value=one) for one in programme.rules)
    return {award.rule.partition("@")[0]: award.amount for award in book.decide(about).awards}


# What is refused

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "programme.name is missing"),
    (whole(zone="Mars"), "programme.zone is 'Mars'; there is no zone 'Mars'"),
    (whole(version=0), "programme.version is 0; it must be a whole number from 1 on"),
    (
        whole(rounding="flor"),
        "it must be one of floor, nearest, ceiling; did you mean 'floor'?",
    ),
    (whole(base="gross"), "programme.base is 'gross'"),
    (whole(currency="XXY"), "currency 'XXY' is not in ISO 4217"),
    (whole(colour="red"), "there is no key programme.colour"),
    (
        whole(worth="a penny"),
        "programme.worth is 'a penny'; it must be an amount with its currency, such as \"12.50 GBP\"",
    ),
    (whole() | {"rules": []}, "there is no key rules; did you mean 'rule'?"),
    (whole() | {"rule": []}, "rule is []; a programme has at least one [[rule]]"),
    (whole(RULE, RULE), "rule 'r' stands twice"),
    (
        whole() | {"fields": {"event": {"score": "number"}}},
        "fields.event.score is 'number'; it must be a type",
    ),
    (whole() | {"fields": {"order.score": "integer"}}, "names that begin so are every programme's own"),
    (rule(wen="true"), "rule 'r': there is no key wen; did you mean 'when'?"),
    (rule(on="Birthday!"), "rule 'r': on is 'Birthday!'; triggers are words joined by dots"),
    (rule(on="order.payed"), "rule 'r': on is 'order.payed'; of an order there are order.paid"),
    (
        rule(on="member.joined", when="order.goods > 1"),
        "'member.joined' is about no order, which order.goods",
    ),
    (rule(on="member.joined", then={"rate": 1}), "'member.joined' is about no order, which then"),
    (rule(then={"pionts": 1}), "then gives pionts; give one of coupon,"),
    (rule(then={"points": 1, "rate": 1}), "then gives points and rate; give one of"),
    (rule(then={"points": -1}), "then.points is -1; it must be a whole number from 0 on"),
    (rule(then={"points": 1.5}), "then.points is 1.5"),
    (rule(then={"rate": 0.1}), "then.rate is 0.1; it must be an exact number"),
    (rule(then={"rate": "1/0"}), "it divides by 0"),
    (rule(then={"rate": {"EURO": "1"}}), "then.rate.EURO is '1'; currency 'EURO' is not in ISO 4217"),
    (rule(then={"multiply": 1, "rule": "r"}), "then.multiply is 1; it must be more than 1"),
    (
        rule(then={"multiply": 2, "rule": "x"}),
        "then.rule is 'x'; it must be a rule of this programme with a rate",
    ),
    (rule(then={"gift_card": "5"}), "then.gift_card is '5'; it must be an amount with its currency"),
    (rule(then={"gift_card": "5.001 GBP"}), "GBP has 2 decimal digits"),
    (rule(then={"price": {"percent": 101}}), "then.price.percent is 101; it must be from 0 to 100"),
    (rule(then={"price": {"shipping": "half"}}), "then.price.shipping is 'half'; it must be \"free\""),
    (rule(lot={"expires": "soon"}), "lot.expires is 'soon'; it must be \"never\", a duration"),
    (rule(lot={"hold": "2 months", "expires": "60 days"}), "it must be longer than hold, which is 2 months"),
    (
        rule(limits=[{"per": "membre", "units": 1}]),
        "limits[1].per is 'membre'; it must be one of event, member, all",
    ),
    (rule(limits=[{"per": "member"}]), "limits[1] gives per; give one of money, times, units"),
    (rule(limits=[{"per": "event", "window": "day", "units": 1}]), "a limit per event has no window"),
    (rule(when="order.total.GPB > 3"), "unknown name order.total.GPB"),
    (rule(of="line.category == 3", then={"rate": 1}), "of is 'line.category == 3'"),
    (rule(of='line.sku == "x"'), "it restricts a rate, a multiple or a price of products"),
    (rule(priority="high"), "priority is 'high'; it must be a whole number"),
]


@pytest.mark.parametrize("data, words", REFUSED, ids=[words[:60] for _, words in REFUSED])
def test_what_is_wrong_is_told_with_key_and_value(data: dict[str, Any], words: str) -> None:
    with pytest.raises(ProgrammeError) as refused:
        Programme.of(data, "club.toml")
    assert str(refused.value).startswith("club.toml: ")
    assert words in str(refused.value)


def test_without_a_currency_of_the_programme_each_is_named() -> None:
    bare = whole({**RULE, "then": {"rate": 1}})
    del bare["programme"]["currency"]
    with pytest.raises(ProgrammeError, match=r'as in rate = \{ GBP = "1" \}'):
        Programme.of(bare)
    bare["rule"] = [{**RULE, "when": "order.goods > 3"}]
    with pytest.raises(ProgrammeError, match=r"name the currency, as in order.goods.EUR"):
        Programme.of(bare)
    bare["rule"] = [{**RULE, "when": "order.goods.GBP > 3", "then": {"rate": {"GBP": 1, "EUR": "6/5"}}}]
    assert granted(Programme.of(bare), facts(line(1000))) == {"r": 10}


@pytest.mark.parametrize(
    "name, text", [("x.toml", "a = "), ("x.json", "{"), ("x.json", "[]"), ("x.yaml", "a: 1")]
)
def test_a_file_that_is_none_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ProgrammeError, match=name):
        Programme.load(tmp_path / name)


# What is read


def test_toml_and_json_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(
        '[programme]\nname = "p"\nversion = 2\ncurrency = "GBP"\n[[rule]]\nname = "r"\nthen = { rate = 0.1 }\n'
        "lot = { expires = 2026-12-31 }\n"
    )
    plain = Programme.load(tmp_path / "p.toml").content
    (tmp_path / "p.json").write_text(json.dumps(dict(plain)))
    one, other = Programme.load(tmp_path / "p.toml"), Programme.load(tmp_path / "p.json")
    assert one == other == Programme.of(plain) and one.digest == other.digest
    assert one.reference == "p@2"
    assert granted(one, facts(line(990))) == {}
    assert granted(one, facts(line(1000))) == {"r": 1}  # exactly a tenth, not a float


def test_another_rate_is_another_digest() -> None:
    assert Programme.of(rule(then={"rate": 1})).digest != Programme.of(rule(then={"rate": 2})).digest


LOTS: list[tuple[dict[str, Any], Lot]] = [
    ({}, Lot()),
    ({"hold": "14 days"}, Lot(active_from=AT + timedelta(days=14))),
    ({"expires": "12 months"}, Lot(expires_at=datetime(2027, 3, 7, 12, tzinfo=UTC))),
    ({"expires": date(2026, 6, 30)}, Lot(expires_at=datetime(2026, 6, 30, 23, tzinfo=UTC))),  # summer time
    ({"expires": "2026-12-31"}, Lot(expires_at=datetime(2027, 1, 1, tzinfo=UTC))),
    ({"expires": "end of month"}, Lot(expires_at=datetime(2026, 3, 31, 23, tzinfo=UTC))),
    (
        {"expires": "end of year", "qualifying": False},
        Lot(expires_at=datetime(2027, 1, 1, tzinfo=UTC), qualifying=False),
    ),
    ({"expires": "never"}, Lot(expires_at=FOREVER)),
]


@pytest.mark.parametrize("terms, lot", LOTS)
def test_the_terms_of_lots(terms: dict[str, Any], lot: Lot) -> None:
    made = Programme.of(whole({**RULE, "lot": terms}, zone="Europe/London"))
    award = made.rules[0].grants(facts(line(100)))
    assert award is not None and award.lot == lot


def test_a_cost_is_told_where_the_programme_says_what_a_unit_is_worth() -> None:
    award = Programme.of(whole(worth="0.003 GBP")).rules[0].grants(facts(line(1)))
    assert award is not None and award.cost == Money(3, "GBP")


def test_what_a_rule_reads_it_says() -> None:
    data = rule(when="orders.total > 100 and streak.weeks > 2 and orders.count > 1 and segment.vip")
    found = Programme.of(data).rules[0]
    assert found.reads == ("orders.count", "orders.placed")
    assert set(found.fields) == {"orders.total.GBP", "segment.vip"}


def test_a_multiplier_reads_what_the_other_rule_reads_and_is_as_conditional() -> None:
    base = {"name": "base", "when": "orders.total > 100", "then": {"rate": 1}}
    made = Programme.of(whole(base, {"name": "double", "then": {"multiply": 2, "rule": "base"}}))
    double = next(one for one in made.rules if one.name == "double")
    assert double.fields == ("orders.total.GBP",)
    assert granted(made, facts(line(500), fields={"orders.total.GBP": 101})) == {"base": 5, "double": 5}
    assert granted(made, facts(line(500), fields={"orders.total.GBP": 99})) == {}
    assert double.why_not(facts(line(500))).startswith(
        "rule 'base' gives nothing: orders.total > 100 is false"
    )


def test_the_short_cut_and_the_long_way_agree() -> None:
    found = Programme.of(rule(when="order.goods >= 5")).rules[0]
    for minor in (499, 500):
        answer, short = found.evaluate(facts(line(minor))), found.grants(facts(line(minor)))
        assert (short is None) is not hasattr(answer, "amount")


def test_what_is_personal_is_not_kept() -> None:
    """kills: reasons and traces that hold a name or an address, and outlive the erasure of the contact."""
    condition = (
        'contact.city == "Bath" and contact.stage == "loyal" and event.note == "x" and event.score > 3'
    )
    data = whole({**RULE, "on": "survey.completed", "when": condition})
    found = Programme.of(data | {"fields": {"event": {"note": "text", "score": "integer"}}}).rules[0]
    fields = {"contact.city": "Bath", "contact.stage": "loyal"}
    about = facts(trigger="survey.completed", payload={"note": "x", "score": 4}, fields=fields)
    award = found.grants(about)
    assert award is not None
    assert dict(award.inputs["read"]) == {"contact.stage": "loyal", "event.score": 4}
    said = found.why_not(attrs.evolve(about, fields=fields | {"contact.city": "Wells"}))
    assert said == 'contact.city == "Bath" is false: contact.city is personal'
    assert found.why_not(attrs.evolve(about, fields={})).startswith(
        'contact.city == "Bath" is false: contact.city is missing'
    )
    explained = found.explain(attrs.evolve(about, fields=fields | {"contact.city": "Wells"}))
    assert 'contact.city = "Wells"' in str(explained)  # whoever asks with the facts in hand is told


# Streaks


def days(*numbers: int) -> list[datetime]:
    return [AT - timedelta(days=number) for number in numbers]


@pytest.mark.parametrize(
    "history, window, grace, length",
    [
        ([], Window.DAY, 0, 1),
        (days(0, 0), Window.DAY, 0, 1),
        (days(1, 2, 2, 3), Window.DAY, 0, 4),
        (days(1, 3, 4), Window.DAY, 0, 2),
        (days(1, 3, 4), Window.DAY, 1, 4),
        (days(2, 4, 6), Window.DAY, 1, 4),
        (days(3), Window.DAY, 1, 1),
        (days(7, 13, 14), Window.WEEK, 0, 3),
        (days(30, 60), Window.MONTH, 0, 3),
        (days(-1), Window.DAY, 0, 1),
    ],
)
def test_streaks(history: list[datetime], window: Window, grace: int, length: int) -> None:
    """kills: a streak that counts orders instead of days, and grace that is spent once for ever."""
    assert streak(history, AT, window, grace, UTC) == length


# The programmes of the documentation


def example(name: str) -> Programme:
    return Programme.load(EXAMPLES / f"{name}.toml")


def test_there_are_eight() -> None:
    assert len({Programme.load(path).name for path in EXAMPLES.glob("*.toml")}) == 8


def test_points_per_pound() -> None:
    found = example("points-per-pound")
    shipping = line(499, kind="shipping")
    assert granted(found, facts(line(1099), shipping)) == {"point-per-pound": 10}


def test_double_points_weekend() -> None:
    found, basket = example("double-points-weekend"), (line(1000, category="coffee"), line(500))
    assert granted(found, facts(*basket)) == {"points": 15, "weekend-coffee": 10}
    friday = attrs.evolve(facts(*basket), at=AT - timedelta(days=1))
    assert granted(found, friday) == {"points": 15}


def test_birthday_gift() -> None:
    found, about = example("birthday-gift"), facts(trigger="member.birthday", key="birthday:2026")
    assert granted(found, attrs.evolve(about, fields={"orders.last": AT - timedelta(days=300)})) == {
        "birthday-coupon": 1
    }
    assert granted(found, about) == {}


def test_third_order_free_shipping() -> None:
    found = example("third-order-free-shipping")
    basket = facts(line(2000), line(450, kind="shipping"))
    for earlier in range(5):
        wanted = {"third-order": 450} if earlier == 2 else {}
        assert granted(found, attrs.evolve(basket, counters={"orders.count": earlier})) == wanted


def test_tiers() -> None:
    found = example("tiers")
    for tier, extra in (("", {}), ("silver", {"silver": 25}), ("gold", {"gold": 50})):
        assert granted(found, facts(line(10_000), fields={"member.tier": tier})) == {"points": 100} | extra
    changed = facts(trigger="tier.changed", payload={"after": "gold", "way": "up"})
    assert granted(found, changed) == {"reached-gold": 1000}


def test_buy_two_get_one() -> None:
    found, tea = example("buy-two-get-one"), line(3 * 400, 3, "tea")
    assert granted(found, facts(tea)) == {"third-bag-free": 400}
    assert granted(found, facts(tea, line(6000))) == {"ten-percent": 720}


def test_referral() -> None:
    found = example("referral")
    for side, wanted in (("referrer", {"for-the-referrer": 1000}), ("friend", {"for-the-friend": 500})):
        assert granted(found, facts(trigger="referral.qualified", payload={"side": side})) == wanted


def test_win_back() -> None:
    found = example("win-back")
    for ago, wanted in ((10, {"points": 20}), (180, {"points": 20, "welcome-back": 40})):
        assert granted(found, facts(line(2000), fields={"orders.last": AT - timedelta(days=ago)})) == wanted
    assert granted(found, facts(line(2000))) == {"points": 20}  # nobody's first order is a return


# Of a CRM


def test_a_programme_is_part_of_a_crm() -> None:
    found = CRM("sqlite://", programmes=[EXAMPLES / "third-order-free-shipping.toml"])
    assert [(one.owner, one.value.name) for one in found.registry.rules] == [("host", "third-order")]
    assert [one.reference for one in found.registry.programmes] == ["third-order-free-shipping@1"]


@pytest.mark.parametrize(
    "name, words",
    [
        (
            "points-per-pound",
            r"'points-per-pound@1': rule 'point-per-pound' has the limit 'at most 2000 units",
        ),
        ("tiers", r"the limit 'at most 1 times for a member ever'"),
    ],
)
def test_a_programme_that_needs_a_ledger_is_refused_without_one(name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        CRM("sqlite://", programmes=[example(name)])


def test_a_field_that_no_plugin_has_is_refused() -> None:
    data = rule(when='member.tier == "gold"') | {"fields": {"member.tier": "text"}}
    with pytest.raises(
        ConfigError, match=r"rule 'r' reads the field 'member.tier', which no enabled plugin has"
    ):
        CRM("sqlite://", programmes=[Programme.of(data)])


def test_two_versions_of_one_programme_are_not_live_at_once() -> None:
    with pytest.raises(ProgrammeError, match="'p' is given twice"):
        CRM("sqlite://", programmes=[Programme.of(rule()), Programme.of(whole(version=2))])


# On the command line


def test_rules_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "check", str(EXAMPLES / "buy-two-get-one.toml")]) == 0
    assert 'buy 2, get 1 free of lines with line.category == "tea"' in capsys.readouterr().out
    assert main(["rules", "check", str(EXAMPLES / "win-back.toml"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in said["rules"]] == ["points", "welcome-back"]
    assert said["digest"] == example("win-back").digest


def test_rules_check_says_what_is_python_only_and_what_is_wrong(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "p.json"
    file.write_text(json.dumps(rule(when='contains(contact.name, "a")')))
    assert main(["rules", "check", str(file)]) == 0
    assert main(["rules", "check", str(EXAMPLES / "tiers.toml"), "--url", "sqlite://"]) == 2
    assert "reads the field 'member.tier'" in capsys.readouterr().err
    file.write_text(json.dumps(rule(when="order.good > 1")))
    assert main(["rules", "check", str(file)]) == 2
    assert "p.json: rule 'r': when is 'order.good > 1'" in capsys.readouterr().err


def test_what_no_declared_rule_made_cannot_be_computed_again() -> None:
    assert recompute({"effect": "points", "points": 5}) == 5
    with pytest.raises(ValueRefused, match="are not those of a declared rule's award"):
        recompute({"minor": 5})
