"""Laws of greetings, stages and custom fields, each beside a variant that breaks it."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

import crmkit.expressions.custom
import crmkit.greeting
from crmkit import Contact, Field, FieldType, FirstNamePermission, ValueRefused
from crmkit.contacts import Stage
from crmkit.expressions.custom import Value, checked, kept, parsed, restored, written
from crmkit.greeting import BUILT_IN, Addressee, Greeting, Medium, greeting
from crmkit.stages import OrderFacts, StageRules, Verdict, decide, stage_of
from crmkit.testing.strategies import names

NOW = datetime(2026, 1, 1, tzinfo=UTC)
#: For laws that are meant to fail: that they do is enough.
UNSHRUNK = settings(phases=[Phase.generate], database=None)
LETTERS = st.sampled_from((string.ascii_letters, "აბგდევზთიკლმნ", "ăâđêôơưNguyễnTh", "éñü'-"))


@st.composite
def words(draw: st.DrawFn) -> str:
    return draw(st.text(draw(LETTERS), min_size=1, max_size=8))


def people() -> st.SearchStrategy[Contact]:
    """Contacts without the permission, whose family name, honorific or whole name may hold the given name."""

    def build(given: str, family: str, whole: str, honorific: str, **fields: Any) -> Contact:
        return Contact(
            id=UUID(int=1),
            given_name=given,
            family_name=family.replace("GIVEN", given),
            name=whole.replace("GIVEN", given).replace("FAMILY", family),
            honorific=honorific.replace("GIVEN", given),
            **fields,
        )

    return st.builds(
        build,
        given=st.one_of(words(), names().filter(lambda name: len(name) < 90)),
        family=st.one_of(words(), st.sampled_from(["", "GIVEN", "GIVEN-Lee", "van GIVEN", "O'Hara"])),
        whole=st.sampled_from(["", "GIVEN", "GIVEN FAMILY", "FAMILY GIVEN"]),
        honorific=st.sampled_from(["", "Mr", "Ms", "Dr", "Bb.", "ბატონი", "Bà", "Sir GIVEN"]),
        gender=st.sampled_from(["", "f", "m", "x"]),
        kind=st.sampled_from(["person", "organisation"]),
        formality=st.sampled_from(["", "formal", "informal"]),
        name_order=st.sampled_from(["", "given_first", "family_first"]),
        locale=st.sampled_from(["", "en", "fil-PH", "ka", "vi"]),
    )


def told(name: str) -> set[str]:
    """Return the words of a name as a reader would recognise them."""
    return {word.strip(string.punctuation) for word in name.casefold().split()} - {""}


#: The words of the greetings themselves.
OWN = {
    word
    for locale in BUILT_IN
    for medium in Medium
    for gender in ("", "m", "f")
    for fields in (
        {},
        {"family_name": "X", "honorific": "Mrs"},
        {"family_name": "X", "honorific": "Bb."},
        {"family_name": "X"},
        {"kind": "organisation"},
    )
    for word in told(
        greeting(
            Contact(id=UUID(int=1), gender=gender, name_order="given_first", **fields),  # type: ignore[arg-type]
            medium,
            locale,
        )
    )
}

Greet = Callable[..., str]


def law_of_the_first_name(contact: Contact, medium: Medium, locale: str, greet: Greet) -> None:
    """Without the permission no greeting of any locale holds a word of the given name."""
    said = greet(contact, medium, locale)
    assert said.strip()
    leaked = told(contact.given_name) & told(said) - OWN - told(
        contact.honorific.replace(contact.given_name, "")
    )
    assert not leaked, f"{said!r} tells {leaked}"


@given(people(), st.sampled_from(Medium), st.sampled_from([*BUILT_IN, "xx"]))
def test_nobody_is_called_by_the_first_name_without_permission(
    contact: Contact, medium: Medium, locale: str
) -> None:
    law_of_the_first_name(contact, medium, locale, greeting)


@given(people(), words(), st.sampled_from(Medium), st.sampled_from([*BUILT_IN]))
def test_a_greeting_does_not_depend_on_a_first_name_that_is_not_permitted(
    contact: Contact, other: str, medium: Medium, locale: str
) -> None:
    kept_apart = crmkit.greeting._words(contact.family_name) | crmkit.greeting._words(contact.honorific)
    kept_apart |= crmkit.greeting._words(contact.name) if contact.kind == "organisation" else set()
    for given_name in (contact.given_name, other):
        assume(not kept_apart & crmkit.greeting._words(given_name))
    changed = attrs.evolve(contact, given_name=other)
    assert greeting(contact, medium, locale) == greeting(changed, medium, locale)


@given(people(), st.sampled_from(Medium))
def test_a_language_of_a_plugin_is_not_told_the_first_name(contact: Contact, medium: Medium) -> None:
    everything = Greeting("en", lambda who, medium: repr((who.honorific, who.family, who.given, who.full)))
    said: Addressee = crmkit.greeting.addressee(contact)
    assert said.given == "" and not told(contact.given_name) & (told(said.family) | told(said.full))
    assert greeting(contact, medium, "en", greetings={"en": everything})


def _leaks_family(contact: Contact) -> Addressee:
    return attrs.evolve(ADDRESSEE(contact), family=contact.family_name)


def _leaks_name(contact: Contact) -> Addressee:
    return attrs.evolve(ADDRESSEE(contact), full=contact.name)


def _forgets_to_ask(contact: Contact) -> Addressee:
    permission = FirstNamePermission(by="system", at=NOW, how="assumed")
    return ADDRESSEE(attrs.evolve(contact, first_name=permission))


def _splits_at_spaces_alone(contact: Contact) -> Addressee:
    shares = set(contact.given_name.casefold().split()) & set(contact.family_name.casefold().split())
    return attrs.evolve(ADDRESSEE(contact), family="" if shares else contact.family_name)


ADDRESSEE = crmkit.greeting.addressee


@pytest.mark.parametrize("mutant", [_leaks_family, _leaks_name, _forgets_to_ask])
def test_the_law_catches_a_greeting_that_tells(
    mutant: Callable[[Contact], Addressee], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crmkit.greeting, "addressee", mutant)

    @UNSHRUNK
    @given(people(), st.sampled_from(Medium), st.sampled_from([*BUILT_IN]))
    def law(contact: Contact, medium: Medium, locale: str) -> None:
        law_of_the_first_name(contact, medium, locale, greeting)

    with pytest.raises(AssertionError, match="tells"):
        law()


def test_half_of_a_double_name_is_a_word_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    contact = Contact(id=UUID(int=1), given_name="Ann", family_name="Ann-Lee", honorific="Ms")
    assert greeting(contact, "email", "en") == "Dear customer,"
    monkeypatch.setattr(crmkit.greeting, "addressee", _splits_at_spaces_alone)
    assert greeting(contact, "email", "en") == "Dear Ms Ann-Lee,"


# stages

RULES = StageRules()
LADDER = (Stage.LEAD, Stage.FIRST_TIME, Stage.REPEAT, Stage.LOYAL)
ORDERS = st.lists(st.integers(0, 600), max_size=8)  #: how many days ago each was paid
Decide = Callable[..., Verdict]


def facts(ages: Sequence[int]) -> OrderFacts:
    return OrderFacts(count=len(ages), last_at=NOW - timedelta(days=min(ages)) if ages else None)


def law_of_more_orders(ages: Sequence[int], rule: Decide) -> None:
    """A further order today never lowers anybody."""
    before, after = rule(facts(ages), RULES, NOW).stage, rule(facts([*ages, 0]), RULES, NOW).stage
    assert after in LADDER[1:]
    assert before not in LADDER or LADDER.index(after) >= LADDER.index(before)


def law_of_time(ages: Sequence[int], rule: Decide) -> None:
    """Until the instant at which a contact is due nothing changes, and then something does."""
    verdict = rule(facts(ages), RULES, NOW)
    if verdict.due_at.year == 9999:
        assert rule(facts(ages), RULES, NOW + timedelta(days=9999)).stage == verdict.stage
        return
    assert rule(facts(ages), RULES, verdict.due_at - timedelta(microseconds=1)).stage == verdict.stage
    assert rule(facts(ages), RULES, verdict.due_at).stage != verdict.stage


@given(ORDERS)
def test_stages_rise_with_orders_and_change_when_they_are_due(ages: list[int]) -> None:
    law_of_more_orders(ages, stage_of)
    law_of_time(ages, stage_of)


def law_of_staff(ages: Sequence[int], stage: Stage, set_ago: int, later: int, rule: Decide) -> None:
    """What staff set stays, whatever was paid before it and however long it is ago."""
    since, now = NOW - timedelta(days=set_ago), NOW + timedelta(days=later)
    found = rule(stage, since, facts([age for age in ages if age >= set_ago]), RULES, now)
    assert (found.stage, found.kept) == (stage, True)


@given(ORDERS, st.sampled_from(Stage), st.integers(0, 600), st.integers(0, 2000))
def test_time_alone_never_changes_what_staff_set(
    ages: list[int], stage: Stage, set_ago: int, later: int
) -> None:
    law_of_staff(ages, stage, set_ago, later, decide)


def _forgets_staff(
    current: Stage, kept_since: datetime | None, facts: OrderFacts, rules: StageRules, now: datetime
) -> Verdict:
    return stage_of(facts, rules, now)


def _raises_at_once(
    current: Stage, kept_since: datetime | None, facts: OrderFacts, rules: StageRules, now: datetime
) -> Verdict:
    found = stage_of(facts, rules, now)
    return found if found.stage is Stage.LOYAL else Verdict(stage=current, kept=True)


@pytest.mark.parametrize("mutant", [_forgets_staff, _raises_at_once])
def test_the_law_catches_a_rule_that_overrules_staff(mutant: Decide) -> None:
    @UNSHRUNK
    @given(ORDERS, st.sampled_from(Stage), st.integers(0, 600), st.integers(0, 2000))
    def run(ages: list[int], stage: Stage, set_ago: int, later: int) -> None:
        law_of_staff(ages, stage, set_ago, later, mutant)

    with pytest.raises(AssertionError):
        run()


def _never_due(facts: OrderFacts, rules: StageRules, now: datetime) -> Verdict:
    return Verdict(stage=stage_of(facts, rules, now).stage)


def _too_late(facts: OrderFacts, rules: StageRules, now: datetime) -> Verdict:
    found = stage_of(facts, rules, now)
    late = found.due_at + timedelta(days=1) if found.due_at.year < 9999 else found.due_at
    return attrs.evolve(found, due_at=late)


def _by_the_first(facts: OrderFacts, rules: StageRules, now: datetime) -> Verdict:
    return Verdict(stage=Stage.FIRST_TIME if facts.count == 1 else Stage.LEAD)


@pytest.mark.parametrize(
    "law, mutant",
    [(law_of_time, _never_due), (law_of_time, _too_late), (law_of_more_orders, _by_the_first)],
)
def test_the_laws_catch_a_wrong_rule(law: Callable[..., None], mutant: Decide) -> None:
    @UNSHRUNK
    @given(ORDERS)
    def run(ages: list[int]) -> None:
        law(ages, mutant)

    with pytest.raises(AssertionError):
        run()


# custom fields

FIELDS = {
    FieldType.TEXT: Field("f", FieldType.TEXT),
    FieldType.INTEGER: Field("f", FieldType.INTEGER),
    FieldType.DECIMAL: Field("f", FieldType.DECIMAL, scale=3),
    FieldType.BOOLEAN: Field("f", FieldType.BOOLEAN),
    FieldType.INSTANT: Field("f", FieldType.INSTANT),
    FieldType.DATE: Field("f", FieldType.DATE),
    FieldType.TEXT_SET: Field("f", FieldType.TEXT_SET),
}
TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=20),
    st.text("a \\,-", max_size=5),
)
VALUES: dict[FieldType, st.SearchStrategy[Any]] = {
    FieldType.TEXT: TEXTS,
    FieldType.INTEGER: st.integers(-(2**63), 2**63 - 1),
    FieldType.DECIMAL: st.integers(-(2**63), 2**63 - 1).map(lambda n: Decimal(n).scaleb(-3)),
    FieldType.BOOLEAN: st.booleans(),
    FieldType.INSTANT: st.datetimes(timezones=st.just(UTC)),
    FieldType.DATE: st.dates(),
    FieldType.TEXT_SET: st.frozensets(TEXTS, max_size=5),
}
TYPED = st.sampled_from(FieldType).flatmap(lambda kind: st.tuples(st.just(FIELDS[kind]), VALUES[kind]))
ANYTHING = st.one_of(*VALUES.values(), st.none(), st.floats(), st.binary(), st.lists(st.integers()))


def law_of_keeping(field: Field, value: Any, keep: Callable[[Field, Value], Any]) -> None:
    """What is kept reads as it was checked, type included, and every row fits its columns."""
    good = checked(field, value)
    rows = keep(field, good)
    back = restored(field, rows)
    assert (back, type(back)) == (good, type(good))
    assert all(len(text) <= 500 and -(2**63) <= number < 2**63 for text, number in rows)


@given(TYPED)
def test_a_custom_field_reads_as_it_was_set(pair: tuple[Field, Any]) -> None:
    law_of_keeping(*pair, kept)


@given(TYPED)
def test_a_value_written_as_text_reads_back(pair: tuple[Field, Any]) -> None:
    field, value = pair
    assert parsed(field, written(checked(field, value))) == checked(field, value)


@given(st.sampled_from(FieldType), ANYTHING)
def test_any_other_value_is_refused_with_what_would_be_right(kind: FieldType, value: object) -> None:
    field, refused = FIELDS[kind], ""
    try:
        law_of_keeping(field, value, kept)
    except ValueRefused as error:
        refused = str(error)
    assert not refused or "field 'f'" in refused


def _forgets_the_scale(field: Field, value: Value) -> Any:
    return [("", int(value))] if isinstance(value, Decimal) else kept(field, value)


def _cuts_microseconds(field: Field, value: Value) -> Any:
    return kept(field, value.replace(microsecond=0)) if isinstance(value, datetime) else kept(field, value)


def _folds_case(field: Field, value: Value) -> Any:
    return [(text.casefold(), number) for text, number in kept(field, value)]


@pytest.mark.parametrize("mutant", [_forgets_the_scale, _cuts_microseconds, _folds_case])
def test_the_law_catches_a_value_that_is_kept_wrongly(mutant: Callable[..., Any]) -> None:
    @UNSHRUNK
    @given(TYPED)
    def law(pair: tuple[Field, Any]) -> None:
        law_of_keeping(*pair, mutant)

    with pytest.raises((AssertionError, ValueError)):
        law()


def test_a_date_is_no_instant_and_a_boolean_no_number() -> None:
    for kind, value in (
        (FieldType.DATE, NOW),
        (FieldType.INSTANT, date(2026, 1, 1)),
        (FieldType.INTEGER, True),
    ):
        with pytest.raises(ValueRefused, match="it must be"):
            checked(FIELDS[kind], value)
