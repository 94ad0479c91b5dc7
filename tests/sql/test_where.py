"""Expressions in SQL give the answers that they give in Python, of every contact, on every database."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from decimal import Decimal
from fractions import Fraction
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import false, not_, select, true

from crmkit import CRM, Transaction
from crmkit.errors import ExpressionError
from crmkit.expressions import Expression, Field, check, tree
from crmkit.expressions.operands import Operands
from crmkit.expressions.values import reader
from crmkit.sql.source import ContactSource
from crmkit.sql.where import clauses, consents, dates, groups, rows, values
from crmkit.sql.where.audience import audience, ground_of
from crmkit.sql.where.facts import Person, Reader
from sql.asked import expressions
from sql.people import (
    FIELDS,
    HOST_FIELDS,
    NOW,
    Facts,
    People,
    build,
    host_source,
    write_host,
)

ORDER = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
MANY = settings(
    deadline=None,
    max_examples=2,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)


def checked(text: str, fields: Mapping[str, Field]) -> Expression | None:
    """Return the expression, or None if it could leave 64 bits."""
    try:
        return check(text, fields)
    except ExpressionError as error:
        if "64 bits" not in str(error):
            raise
        return None


class World:
    """Contacts in a database, and what Python knows of them.

    Args:
        crm: the CRM.
        source: gives the contacts.
        fields: what may be asked.
        expected: what is true of them by the model; None if there is none.
    """

    def __init__(
        self,
        crm: CRM,
        source: Callable[[Transaction], ContactSource],
        fields: Mapping[str, Field],
        expected: Mapping[Any, Facts] | None = None,
    ) -> None:
        self.crm, self.source, self.fields, self.expected = crm, source, fields, expected
        with crm.begin() as tx:
            self.facts = self.read(tx)

    def read(self, tx: Transaction) -> dict[Any, Facts]:
        """Return what is read of all contacts."""
        source = self.source(tx)
        wanted = [field for field in self.fields.values() if not field.name.startswith("orders.average")]
        reader = Reader(tx.sql, ground_of(tx.sql, NOW), source, wanted)
        every = select(source.key, source.id).select_from(source.rows).where(source.where)
        return reader.read([Person(key, id) for key, id in tx.sql.execute(every)])

    def agrees(self, texts: list[str]) -> None:
        """Assert that SQL and Python give the same answers to expressions, by what is read and by the model."""
        with self.crm.begin() as tx:
            self.agrees_in(tx, texts, [self.facts, *([self.expected] if self.expected is not None else [])])

    def agrees_in(self, tx: Transaction, texts: list[str], known: Sequence[Mapping[Any, Facts]]) -> None:
        """Assert it within a transaction, of given facts."""
        source, ground = self.source(tx), ground_of(tx.sql, NOW)
        for text in texts:
            if (expression := checked(text, self.fields)) is None:
                continue
            found = {row[0] for row in tx.sql.execute(audience(ground, source, expression).page(None, None))}
            for facts in known:
                is_true = expression.compile()
                expected = {key for key, mine in facts.items() if is_true(mine)}
                assert found == expected, (
                    f"law: {text} as {expression}\nin SQL only: {[facts[key] for key in found - expected][:2]}\n"
                    f"in Python only: {[facts[key] for key in expected - found][:2]}"
                )


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mariadb"])
def crm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CRM]:
    """A CRM with hostile contacts, on each database in turn."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('where') / 'crm.db'}"
        else:
            url = stack.enter_context(request.getfixturevalue(f"{request.param}_server").database())
        crm = build(url)
        with crm.begin() as tx:
            PEOPLE.write(tx)
        yield crm
        crm.engine.dispose()


PEOPLE = People(2)


@pytest.fixture(scope="module")
def own(crm: CRM) -> World:
    """The contacts in the CRM's own tables, some of them merged."""
    return World(crm, crm.store.source, FIELDS, PEOPLE.facts())


@pytest.fixture(scope="module")
def hosted(crm: CRM) -> World:
    """Contacts in a table of the host's; of some of them nothing was written."""
    with crm.begin() as tx:
        table, links = write_host(tx, 2)
    return World(crm, lambda tx: host_source(tx, table, links), HOST_FIELDS)


MERGED_AND_NOT = [
    "orders.count >= 1",
    "orders.count < 1",
    "not orders.count.EUR >= 2",
    "contact.name == 'Ann'",
    "contact.name > 'a' and contact.name <= 'caf\\u00e9'",
    "contact.tags is missing or 'ann' in contact.tags",
    "contact.name not in contact.tags",
    "custom.credit * custom.small + 1 > custom.credit - custom.small",
    "orders.total.EUR is missing",
    "orders.total.JPY >= 1000000000000000",
    "-custom.small > 49",
    "custom.precise < 0.000000000000000001",
    "custom.visits == 9223372036854775807 or custom.visits == -9223372036854775808",
    "days_between(custom.born, today) >= 0 and month(custom.born) == 2 and day(custom.born) == 29",
    "days_between(custom.seen, now) == 90",
    "days_between(now, custom.seen) < -1",
    "days_between(now, custom.seen) == -1",
    "custom.credit >= 2.5 and custom.credit < 100",
    "custom.member == False",
    "not custom.member",
    "starts_with(contact.name, 'Ann') and not contains(contact.name, ' ')",
    "contains(contact.name, contact.family_name) or starts_with(contact.name, '')",
    "contact.birth_date < date('2000-01-01')",
    "contact.created_at <= now",
    "consent.news == 'granted'",
    "consent.news == 'withdrawn' or consent.news == 'pending'",
    "'ann' in contact.tags and consent.news != 'granted'",
    "consent.news == 'expired' or consent.news is missing",
    "'a' in contact.likes or 'b' not in contact.dislikes",
    "contact.city == contact.name or contact.country in ['DE', '']",
    "contact.country == 'AT'",
    "custom.hobbies is not missing and 'ss' not in custom.hobbies",
    "True and not False and 'A' != 'a' and 'a' < 'b'",
]
ON_HOSTS = [
    "contact.name == 'Ann'",
    "contact.name == 'K' or contact.name == 'caf\\u00e9'",
    "contact.name < 'B'",
    "contact.name in ['ann', '\\u00df', '\\u00c6', '']",
    "contact.name == contact.gender",
    "contact.name == custom.note or contact.name != custom.note",
    "contact.gender in contact.tags",
    "contact.gender not in contact.tags",
    "contact.kind == 'person' and contact.kind != 'PERSON'",
    "contact.birth_date is missing",
    "days_between(contact.birth_date, date('2024-03-01')) >= 1",
    "not contact.business and orders.count == 0",
    "starts_with(contact.name, 'ANN') or contains(contact.name, 'e')",
]


def test_the_facts_of_contacts_are_what_was_written(own: World) -> None:
    assert own.expected is not None
    assert own.facts.keys() == own.expected.keys()
    for key, expected in own.expected.items():
        for field in own.fields.values():
            read = reader(field)
            assert read(own.facts[key].get(field.name)) == read(expected.get(field.name)), field.name


@MANY
@given(texts=st.lists(expressions(FIELDS), min_size=25, max_size=25))
def test_sql_and_python_agree(own: World, texts: list[str]) -> None:
    own.agrees(texts)


def test_sql_and_python_agree_on_what_databases_do_each_in_its_own_way(own: World) -> None:
    own.agrees([*MERGED_AND_NOT, *(f"not ({text})" for text in MERGED_AND_NOT)])


def test_sql_and_python_agree_where_nobody_was_merged(own: World) -> None:
    with own.crm.begin() as tx:
        tx.sql.execute(tx.table("contact_aliases").delete())
        apart = PEOPLE.facts({id: id for id in PEOPLE.ids})
        own.agrees_in(tx, MERGED_AND_NOT, [apart, own.read(tx)])
        tx.sql.insert(tx.table("contact_aliases"), PEOPLE.rows["contact_aliases"])


@MANY
@given(texts=st.lists(expressions(HOST_FIELDS), min_size=25, max_size=25))
def test_sql_and_python_agree_over_a_table_of_the_host(hosted: World, texts: list[str]) -> None:
    hosted.agrees(texts)


def test_sql_and_python_agree_on_a_host_s_text(hosted: World) -> None:
    hosted.agrees([*ON_HOSTS, *(f"not ({text})" for text in ON_HOSTS)])


def test_an_average_is_compared_exactly(own: World) -> None:
    assert own.expected is not None
    for word, limit in itertools.product(
        ORDER, ("50", "0", "99999999.99", *_cut_averages(own.expected.values()))
    ):
        expression = check(f"orders.average.EUR {word} {limit}", FIELDS)
        with own.crm.begin() as tx:
            found = audience(ground_of(tx.sql, NOW), own.source(tx), expression).page(None, None)
            keys = {row[0] for row in tx.sql.execute(found)}
        meant = {key for key, facts in own.expected.items() if _average_is(facts, word, Fraction(limit))}
        assert keys == meant, expression


@pytest.mark.parametrize("crm", ["sqlite"], indirect=True)
def test_the_law_of_averages_tells_division_and_a_forgotten_factor(
    own: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = clauses.Clauses.comparison

    def divided(self: clauses.Clauses, leaf: tree.Compare) -> Any:
        match leaf.right:
            case tree.Arithmetic(operator="*", left=limit, right=count):
                rounded = self.value(leaf.left, 2).op("/")(self.value(count))
                return ORDER[leaf.operator](rounded, self.value(limit, 2))
        return compared(self, leaf)

    for where, name, broken in (
        (clauses.Clauses, "comparison", divided),
        (Operands, "product", lambda self, left, right, node: left),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(where, name, broken)
            with pytest.raises(AssertionError):
                test_an_average_is_compared_exactly(own)


def _cut_averages(every: Iterable[Facts]) -> list[str]:
    """Return averages of more than two decimal places, cut after these: there rounding makes a difference."""
    found = []
    for facts in every:
        total, count = facts.get("orders.total.EUR"), facts.get("orders.count.EUR")
        if (
            isinstance(total, Decimal)
            and isinstance(count, int)
            and total < 10**7
            and int(total * 100) % count
        ):
            found.append(str(Decimal(int(total * 100) // count).scaleb(-2)))
    assert found
    return found[:2]


def _average_is(facts: Facts, word: str, limit: Fraction) -> bool:
    total, count = facts.get("orders.total.EUR"), facts.get("orders.count.EUR")
    if not (isinstance(total, Decimal) and isinstance(count, int) and abs(total) <= 10**13):
        return False
    return bool(ORDER[word](Fraction(total) / count, limit))


# Each of these breaks one rule of how SQL is made, and the examples above must tell.

Patch = Callable[[pytest.MonkeyPatch], None]


def plain_not(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(clauses.Clauses, "is_not", lambda self, condition: not_(condition))


def no_guards(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(groups, "guards", lambda field, raw: [])
    patch.setattr(values, "guards", lambda field, raw: [])


def host_collation(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(values, "exact_text", lambda raw, database: raw)


def any_date(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(values.dates, "is_date", lambda text, database: true())


def nobody_merged(patch: pytest.MonkeyPatch) -> None:
    def apart(ground: rows.Ground, name: str, join: Any = None) -> rows.Owned:
        return made(attrs.evolve(ground, merged=False), name, join)

    made = rows.owned
    patch.setattr(rows, "owned", apart)


def own_row_first(patch: pytest.MonkeyPatch) -> None:
    made = rows._precedence
    patch.setattr(rows, "_precedence", lambda table, whose, latest: made(table, whose, ()))


def nothing_to_count_is_missing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(clauses, "_may_be_true_of", lambda least, leaf: False)


def rounded_toward_zero(patch: pytest.MonkeyPatch) -> None:
    def between(start: Any, end: Any, *, instants: bool, database: str) -> Any:
        if not instants:
            return made(start, end, instants=instants, database=database)
        return dates.quotient(end - start, 86_400_000_000, database)

    made = dates.days_between
    patch.setattr(clauses.dates, "days_between", between)


def one_scale(patch: pytest.MonkeyPatch) -> None:
    made = clauses.Clauses.constant
    patch.setattr(clauses.Clauses, "constant", lambda self, one, scale: made(self, one, one.kind.scale))


def no_import(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(consents, "_is_import", lambda source: false())


def grants_said_when_they_begin(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(consents, "_said_at", lambda c: c.at)


def own_clock_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(consents, "_present", lambda known, now: now)


def last_written_last(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(consents, "_latest_first", lambda c: [c.id.desc()])


OUTER_JOINS_ONLY = "a count of nothing is NULL"
MUTANTS: dict[str, tuple[Patch, str]] = {
    "not of NULL": (plain_not, "own"),
    "no guards": (no_guards, "own"),
    "any text is a date": (any_date, "hosted"),
    "merged rows are not counted": (nobody_merged, "own"),
    "the survivor's value though another is later": (own_row_first, "own"),
    OUTER_JOINS_ONLY: (nothing_to_count_is_missing, "own"),
    "days rounded toward zero": (rounded_toward_zero, "own"),
    "constants at their own scale": (one_scale, "own"),
    "imports take back refusals": (no_import, "own"),
    "a grant for later outlives a refusal": (grants_said_when_they_begin, "own"),
    "consents that a clock ahead has dated are not seen": (own_clock_alone, "own"),
    "the end of another grant": (last_written_last, "own"),
}


@pytest.mark.parametrize(
    ("crm", "name"),
    [("postgresql" if name == OUTER_JOINS_ONLY else "sqlite", name) for name in MUTANTS],
    indirect=["crm"],
)
def test_the_examples_tell_a_mutant(
    name: str, own: World, hosted: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch, where = MUTANTS[name]
    world, texts = (own, MERGED_AND_NOT) if where == "own" else (hosted, ON_HOSTS)
    patch(monkeypatch)
    with pytest.raises(AssertionError, match="law"):
        world.agrees([*texts, *(f"not ({text})" for text in texts)])


def test_the_examples_tell_the_host_s_collation(hosted: World, monkeypatch: pytest.MonkeyPatch) -> None:
    host_collation(monkeypatch)
    with pytest.raises(AssertionError, match="law"):
        hosted.agrees(ON_HOSTS)
