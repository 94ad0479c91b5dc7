"""Over a table of the host's, with addresses in its columns and merged rows that vanished, SQL answers as Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, false, true

from crmkit import CRM, Transaction
from crmkit.expressions import FieldType
from crmkit.sql.mapped import columns, places, source
from crmkit.sql.where import facts as facts_of
from crmkit.sql.where import values
from crmkit.transaction import questions
from sql.mapped_people import FIELDS, LITERALS, build, facts, people

MANY = settings(
    deadline=None,
    max_examples=2,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
ASKED = [
    "contact.emails is missing",
    "'ann1@example.com' in contact.emails or contact.name in contact.emails",
    "'bo2@xn--bcher-kva.example' not in contact.emails",
    "contact.phones is not missing and '+4930901820' in contact.phones",
    "contact.phones is missing and contact.country == 'DE'",
    "'fediverse' in contact.networks and 'photos' in contact.networks",
    "'shop' in contact.systems",
    "contact.country == 'DE' and contact.city == 'Berlin'",
    "contact.country is missing or contact.city is missing or contact.postcode is missing",
    "contact.country == 'AT' or contact.city == 'Graz'",
    "starts_with(contact.postcode, '1') and contact.gender == 'f'",
    "contact.name == 'Ann' or contact.name is missing",
    "contact.kind == 'person'",
]


TEXTS = st.sampled_from([name for name, field in FIELDS.items() if field.type is FieldType.TEXT])
SETS = st.sampled_from([name for name, field in FIELDS.items() if field.type is FieldType.TEXT_SET])
WORDS = st.sampled_from(
    [
        repr(text)
        for text in (*LITERALS, "fediverse", "photos", "shop", "bo", "+4930901820", "side7@example.com")
    ]
)
LEAVES = st.one_of(
    st.builds("{} {} {}".format, TEXTS, st.sampled_from(["==", "!=", "<", ">="]), WORDS | TEXTS),
    st.builds("{} {} ({}, {})".format, TEXTS, st.sampled_from(["in", "not in"]), WORDS, WORDS),
    st.builds("{} {} {}".format, WORDS | TEXTS, st.sampled_from(["in", "not in"]), SETS),
    st.builds("{} is {}".format, TEXTS | SETS, st.sampled_from(["missing", "not missing"])),
    st.builds("{}({}, {})".format, st.sampled_from(["starts_with", "contains"]), TEXTS, WORDS | TEXTS),
)
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds("not ({})".format, inner),
        st.builds("({}) {} ({})".format, inner, st.sampled_from(["and", "or"]), inner),
    ),
    max_leaves=4,
)


class World:
    """Contacts over a table of the host's, and what a plain reading of each says.

    Args:
        crm: the CRM.
    """

    def __init__(self, crm: CRM) -> None:
        self.crm = crm
        with crm.begin() as tx:
            self.known = dict(self._read(tx))

    def _read(self, tx: Transaction) -> Iterator[tuple[UUID, Mapping[str, object]]]:
        for contact in tx.contacts.page():
            yield contact.id, facts(contact)

    def agrees(self, texts: list[str]) -> None:
        """Assert that SQL, Python, and the plain reading give the same answers to expressions."""
        with self.crm.begin() as tx:
            for text in texts:
                question = tx.segments.ask(text)
                is_true = question.expression.compile()
                meant = {id for id, mine in self.known.items() if is_true(mine)}
                found = {member.id for member in question.members(limit=1000)}
                assert found == meant, self._told("SQL", text, found, meant)
                seen = question.true_of(list(self.known))
                assert seen == meant, self._told("Python", text, seen, meant)
            assert question.count() == len(meant), f"law: {text} is counted {question.count()} times"
            one = min(self.known)
            assert question.contains(one) == (one in meant), f"law: {text} of one alone"

    def _told(self, who: str, text: str, found: set[UUID], meant: set[UUID]) -> str:
        apart = [self.known.get(id, id) for id in found ^ meant]
        return (
            f"law: {text}\nin {who} only: {len(found - meant)}, not there: {len(meant - found)}\n{apart[:3]}"
        )


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an empty database, on each kind in turn."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield f"sqlite:///{tmp_path_factory.mktemp('mapped') / 'crm.db'}"
        else:
            yield stack.enter_context(request.getfixturevalue(f"{request.param}_server").database())


@pytest.fixture(scope="module")
def world(url: str) -> Iterator[World]:
    """Contacts with their addresses in columns of the host's, some merged, of some of those the rows gone."""
    crm, table = build(url)
    people(crm, table, seed=21)
    yield World(crm)
    crm.engine.dispose()


@MANY
@given(texts=st.lists(EXPRESSIONS, min_size=15, max_size=15))
def test_sql_and_python_agree_over_a_mapped_table(world: World, texts: list[str]) -> None:
    world.agrees(texts)


def test_sql_and_python_agree_on_addresses_in_columns(world: World) -> None:
    world.agrees([*ASKED, *(f"not ({text})" for text in ASKED)])


@settings(MANY, max_examples=1)
@given(seed=st.integers(100, 10**6))
def test_sql_and_python_agree_whoever_the_contacts_are(seed: int) -> None:
    crm, table = build("sqlite://")
    people(crm, table, seed)
    World(crm).agrees(ASKED)


@pytest.mark.parametrize(
    "mapped",
    [
        {"postal": [{"locality": "city"}, "road", {"country": "land"}]},
        {"postal": "road"},
        dict.fromkeys(("email", "phone", "handle", "postal")),
    ],
    ids=["several addresses, one of them a line", "a line", "no addresses"],
)
def test_sql_and_python_agree_however_addresses_are_mapped(mapped: dict[str, Any]) -> None:
    crm, table = build("sqlite://", **mapped)
    people(crm, table, seed=21)
    World(crm).agrees(ASKED)


def plan_of(crm: CRM, text: str) -> list[str]:
    """Return the steps by which SQLite answers an expression about some contacts, one by one."""
    asked: dict[str, Any] = {}

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        asked.setdefault(statement, parameters)

    with crm.begin() as tx:
        ids = [contact.id for contact in tx.contacts.page()][::8]
        event.listen(crm.engine, "before_cursor_execute", note)
        for id in ids:
            tx.segments.ask(text).contains(id)
        event.remove(crm.engine, "before_cursor_execute", note)
    with crm.engine.connect() as connection:
        plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {one}", asked[one]) for one in asked]
        return [str(step[3]) for plan in plans for step in plan]


def test_whoever_is_asked_about_is_found_in_the_host_s_table_by_its_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """kills: a source that is read whole for one contact."""
    crm, table = build("sqlite://")
    people(crm, table, seed=21)
    text = "contact.country == 'DE' and contact.name == 'Ann' and contact.emails is missing"
    assert "SCAN customers" not in plan_of(crm, text)
    monkeypatch.setattr(facts_of, "_among", lambda source, keys, ids: source)
    assert "SCAN customers" in plan_of(crm, text)


# Each of these forgets one thing about a mapped table, and the examples above must tell.

Patch = Callable[[pytest.MonkeyPatch], None]


def addresses_in_columns_unseen(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(columns.ColumnMap, "not_in_sql", lambda self: frozenset())


def vanished_survivors_lost(patch: pytest.MonkeyPatch) -> None:
    made = source._Arms.vanished
    patch.setattr(source._Arms, "vanished", lambda *asked: made(*asked).where(false()))


def rows_without_an_id_unread(patch: pytest.MonkeyPatch) -> None:
    made = questions.Question._named
    patch.setattr(
        questions.Question,
        "_named",
        lambda self, people: made(self, [one for one in people if one.id is not None]),
    )


def an_address_without_parts_is_filled(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(values, "_PLACES", dict.fromkeys(values._PLACES, ("country", "city", "postcode")))


def the_host_s_address_always_preferred(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(places, "_is_preferred", lambda sql, id, given: true())


def the_host_s_address_never_preferred(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(places, "_is_preferred", lambda sql, id, given: false())


def countries_as_they_stand(patch: pytest.MonkeyPatch) -> None:
    made = places._given
    patch.setattr(places, "_given", lambda sql, column, part: made(sql, column, "city"))


@pytest.mark.parametrize(
    "mutant",
    [
        addresses_in_columns_unseen,
        vanished_survivors_lost,
        rows_without_an_id_unread,
        an_address_without_parts_is_filled,
        the_host_s_address_always_preferred,
        the_host_s_address_never_preferred,
        countries_as_they_stand,
    ],
)
def test_the_examples_tell_a_mutant(mutant: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant(monkeypatch)
    crm, table = build("sqlite://")
    people(crm, table, seed=21)
    with pytest.raises(AssertionError, match="law"):
        World(crm).agrees(ASKED)
