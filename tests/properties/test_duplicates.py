"""Laws of duplicates: of the score, of the keys, of the clusters and of the search; each is seen to fail."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import OSA, JaroWinkler

from crmkit import Conflict, ContactPoint, NotFound, Transaction, ValueRefused
from crmkit.duplicates import clusters as clusters_module
from crmkit.duplicates import folding, levels, match
from crmkit.duplicates.clusters import Edge, clusters
from crmkit.duplicates.columns import Columns
from crmkit.duplicates.distances import alike, jaro_winkler, one_edit
from crmkit.duplicates.folding import fold, fold_email, split_name
from crmkit.duplicates.keys import KEY_LIMIT, keys_of
from crmkit.duplicates.learn import learn
from crmkit.duplicates.match import FieldScore, score
from crmkit.duplicates.pairs import Pairs, Table
from crmkit.duplicates.record import Place, Record, record_of
from crmkit.duplicates.search import search
from crmkit.duplicates.weights import Weights, probability
from crmkit.sql.contacts import OwnContacts
from crmkit.sql.duplicates import read_keys, secret
from crmkit.testing import memory_crm

SECRET = b"a secret of sixteen bytes or more"


def words(*some: str) -> st.SearchStrategy[str]:
    return st.sampled_from(("", *some))


GIVEN = words("ann", "anna", "hanna", "smith", "bob", "a")
FAMILY = words("smith", "smyth", "ann", "jones", "smithson")
BIRTH = words("1980-02-03", "1980-03-02", "1980-02-04", "1999-12-31", "1981-02-03")
ADDRESSES = ("ann@x.example", "ann@y.example", "anne@x.example", "bob@x.example")
EMAILS = st.lists(st.sampled_from(ADDRESSES), max_size=3, unique=True)
PHONES = st.lists(st.sampled_from(("+4420111", "+4420112", "+4977333")), max_size=3, unique=True)
PLACES = st.lists(
    st.builds(
        Place,
        words("1", "12"),
        words("highstreet", "highst", "millroad"),
        words("york", "yorke", "leeds"),
        words("n", "s"),
        words("yo12ab", "yo12ac", "ls11aa"),
        words("gb", "de"),
    ).filter(any),
    max_size=3,
    unique=True,
)
RECORDS = st.builds(Record, GIVEN, FAMILY, BIRTH, EMAILS.map(tuple), PHONES.map(tuple), PLACES.map(tuple))
RECORD_LISTS = st.lists(RECORDS, min_size=2, max_size=8)
TEXTS = st.text(max_size=12) | st.text("aàäåßððéñöøüÿıİłœſŉΐﬁ２ |'-.़がガ́", max_size=8)
IDS = st.integers(1, 12).map(lambda number: UUID(int=number))
EDGES = st.lists(
    st.builds(Edge, IDS, IDS, st.sampled_from((1.0, 5.0, 9.0, 13.0))).filter(
        lambda edge: edge.first != edge.second
    ),
    max_size=15,
)
APART = st.lists(st.tuples(IDS, IDS).filter(lambda pair: pair[0] != pair[1]), max_size=3)


class Law:
    """A property that is checked as every other, and of which a mutant is checked without shrinking what it found.

    Args:
        check: raises if it does not hold.
        strategies: of its arguments.
        share: of the profile's examples.
    """

    def __init__(self, check: Callable[..., None], strategies: Any, share: int) -> None:
        self.check, self.strategies = check, strategies
        self.examples = settings.default.max_examples // share

    def __call__(self) -> None:
        self._run(settings(max_examples=self.examples))

    def fails(self) -> bool:
        """Tell whether it fails; how small the example can be made does not matter."""
        try:
            self._run(
                settings(
                    max_examples=self.examples,
                    phases=(Phase.generate,),
                    report_multiple_bugs=False,
                    database=None,
                )
            )
        except AssertionError:
            return True
        return False

    def _run(self, under: settings) -> None:
        under(given(*self.strategies)(self.check))()


def law(*strategies: Any, share: int = 1) -> Callable[[Callable[..., None]], Law]:
    """Make a law of a function."""
    return lambda check: Law(check, strategies, share)


def fails(law: Law) -> bool:
    """Tell whether a mutant breaks a law."""
    return law.fails()


# text


@law(TEXTS)
def folding_is_idempotent(text: str) -> None:
    assert folding.fold.__wrapped__(folding.fold.__wrapped__(text)) == folding.fold.__wrapped__(text)


def test_folding_is_idempotent(monkeypatch: pytest.MonkeyPatch) -> None:
    folding_is_idempotent()
    monkeypatch.setattr(folding, "_ROUNDS", 1)  # a mutant: one letter is dropped at a time
    monkeypatch.setattr(folding, "_once", lambda text: text[1:])
    assert fails(folding_is_idempotent)


@given(TEXTS)
def test_folding_ignores_case_spaces_and_composition(text: str) -> None:
    from unicodedata import normalize

    assert fold(f" {text} ") == fold(text)
    assert fold(normalize("NFD", text)) == fold(normalize("NFC", text))
    assert fold(fold_email(f"{fold(text) or 'x'}@x.example")) == fold(f"{fold(text) or 'x'}@x.example")
    assert all(part == fold(part) for part in split_name(text))


@given(st.text("abcdx", max_size=9), st.text("abcdx", max_size=9))
def test_distances_agree_with_rapidfuzz(one: str, other: str) -> None:
    low, high = sorted((one, other))
    assert jaro_winkler(low, high) == pytest.approx(JaroWinkler.normalized_similarity(low, high), abs=1e-12)
    assert alike(one, other) == alike(other, one)
    assert one_edit(one, other) == (OSA.distance(one, other) == 1)


# the score


@law(RECORDS, RECORDS)
def the_score_is_symmetric(one: Record, other: Record) -> None:
    there, back = score(one, other), score(other, one)
    assert there[0] == back[0]
    turned = tuple(FieldScore(s.field, s.level, s.weight, s.values[::-1]) for s in there[1])
    same = turned == back[1]  # pytest would take a minute to show how long texts differ
    assert same


def test_the_score_is_symmetric(monkeypatch: pytest.MonkeyPatch) -> None:
    the_score_is_symmetric()
    monkeypatch.setattr(match, "_turned", lambda one, other: False)  # a mutant: whichever comes first
    assert fails(the_score_is_symmetric)


@law(RECORDS, RECORDS)
def a_record_is_most_like_itself(one: Record, other: Record) -> None:
    assert score(one, other)[0] <= score(one, one)[0] + 1e-9


def test_a_record_is_most_like_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    a_record_is_most_like_itself()
    # a mutant: of several addresses the last is compared with the first
    monkeypatch.setattr(match, "_nearest", lambda mine, theirs, weights: (mine[-1], theirs[0]))
    assert fails(a_record_is_most_like_itself)


@law(RECORDS, RECORDS, st.sampled_from(Record._fields))
def what_is_missing_weighs_nothing(one: Record, other: Record, field: str) -> None:
    empty = one._replace(**{field: type(getattr(one, field))()})
    said = {said.field: said for said in score(empty, other)[1]}
    names = {"emails": ["email"], "phones": ["phone"], "places": Place._fields}.get(field, [field])
    assert not said.keys() & set(names)
    assert score(empty, other)[0] == pytest.approx(
        Weights().prior_bits + sum(s.weight for s in said.values())
    )


def test_what_is_missing_weighs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    what_is_missing_weighs_nothing()
    monkeypatch.setattr(match, "MISSING", -1)
    assert fails(what_is_missing_weighs_nothing)


@law(st.floats(-1e6, 1e6))
def a_probability_lies_between(weight: float) -> None:
    assert 0 < probability(weight) < 1
    assert probability(weight) <= probability(weight + 1)


def test_a_probability_lies_between(monkeypatch: pytest.MonkeyPatch) -> None:
    a_probability_lies_between()
    monkeypatch.setitem(probability.__globals__, "_EDGE", 0.0)
    assert fails(a_probability_lies_between)


# keys


@law(RECORD_LISTS)
def keys_lead_to_those_that_share_one(records: list[Record]) -> None:
    keys = [set(keys_of(record, SECRET)) for record in records]
    assert all(len(found) <= KEY_LIMIT for found in keys)
    for one, mine in zip(records, keys, strict=True):
        for other, theirs in zip(records, keys, strict=True):
            assert bool(mine & theirs) == _share_a_key(one, other)


def _share_a_key(one: Record, other: Record) -> bool:
    """Say the same as the keys, from the values themselves."""
    names = {one.given, one.family} - {""}, {other.given, other.family} - {""}
    postcodes = [{place.postcode for place in record.places} - {""} for record in (one, other)]
    postcode = bool(postcodes[0] & postcodes[1])
    birth = one.birth != "" and one.birth == other.birth
    surnames = (one.family or one.given), (other.family or other.given)
    return bool(
        set(one.emails) & set(other.emails)
        or set(one.phones) & set(other.phones)
        or (len(names[0]) == 2 and names[0] == names[1])
        or (birth and names[0] & names[1])
        or (postcode and surnames[0] and surnames[0] == surnames[1])
        or (postcode and birth)
    )


def test_keys_lead_to_those_that_share_one(monkeypatch: pytest.MonkeyPatch) -> None:
    keys_lead_to_those_that_share_one()
    monkeypatch.setitem(keys_of.__globals__, "key_of", lambda text, secret: len(text))
    assert fails(keys_lead_to_those_that_share_one)


@given(RECORDS)
def test_keys_say_nothing_without_the_secret(record: Record) -> None:
    mine, theirs = (set(keys_of(record, secret)) for secret in (SECRET, SECRET[::-1]))
    assert not mine & theirs


CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("add"), GIVEN, FAMILY, BIRTH),
        st.tuples(
            st.just("update"),
            st.integers(0, 3),
            st.sampled_from(("given_name", "family_name", "name")),
            GIVEN,
        ),
        st.tuples(st.just("update"), st.integers(0, 3), st.just("birth_date"), BIRTH),
        st.tuples(st.just("remember"), st.integers(0, 3), st.sampled_from(ADDRESSES)),
        st.tuples(st.just("remove"), st.integers(0, 3), st.sampled_from(ADDRESSES)),
        st.tuples(st.just("merge"), st.integers(0, 3), st.integers(0, 3)),
    ),
    max_size=12,
)


@law(CHANGES, share=8)
def keys_follow_every_change(changes: list[Any]) -> None:
    crm = memory_crm()
    with crm.begin() as tx:
        ids = [tx.contacts.add("Ann Smith", birth_date="1980-02-03").id]
        for what, *words in changes:
            with suppress(Conflict, ValueRefused, NotFound):
                _change(tx, ids, what, words)
        found: dict[UUID, set[int]] = read_keys(tx.sql, ids)
        own = tx.crm.store.get(tx, ids)
        for id in ids:
            assert found.get(id, set()) == set(keys_of(record_of(own[id]), secret(tx)))
    crm.engine.dispose()


def _change(tx: Transaction, ids: list[UUID], what: str, words: list[Any]) -> None:
    if what == "add":
        given, family, birth = words
        ids.append(tx.contacts.add(given_name=given, family_name=family, birth_date=birth).id)
        return
    id = ids[words[0] % len(ids)]
    if what == "update":
        tx.contacts.update(id, **{words[1]: words[2]})
    elif what == "remember":
        tx.contacts.remember(id, ContactPoint.email(words[1] + ".com"), shared=True)
    elif what == "remove":
        tx.crm.store.remove_point(tx, id, ContactPoint.email(words[1] + ".com"))
    else:
        tx.merges.merge(id, into=ids[words[1] % len(ids)])


def test_keys_follow_every_change(monkeypatch: pytest.MonkeyPatch) -> None:
    keys_follow_every_change()
    monkeypatch.setattr(OwnContacts, "_refresh_keys", lambda self, tx, id: None)
    assert fails(keys_follow_every_change)


# clusters


@law(EDGES, APART)
def clusters_are_an_equivalence(edges: list[Edge], apart: list[tuple[UUID, UUID]]) -> None:
    found = clusters(edges, apart)
    members = [member for group in found.values() for member in group]
    assert len(members) == len(set(members))
    assert all(
        group[0] == lowest == min(group) and list(group) == sorted(group) for lowest, group in found.items()
    )
    of = {member: lowest for lowest, group in found.items() for member in group}
    for edge in edges:
        together = of.get(edge.first, edge.first) == of.get(edge.second, edge.second)
        assert together or apart  # every pair is joined, unless somebody says otherwise
    for one, other in apart:
        assert of.get(one, one) != of.get(other, other)


@law(EDGES, APART, st.randoms())
def the_order_does_not_matter(edges: list[Edge], apart: list[tuple[UUID, UUID]], draw: random.Random) -> None:
    before = clusters_module.clusters(edges, apart)
    turned = [Edge(edge.second, edge.first, edge.weight) for edge in edges]
    draw.shuffle(turned)
    same = clusters_module.clusters(turned, apart) == before
    assert same


@law(EDGES, APART, st.sampled_from((2.0, 6.0, 10.0)))
def a_higher_threshold_divides(edges: list[Edge], apart: list[tuple[UUID, UUID]], least: float) -> None:
    every = clusters_module.clusters(edges, apart)
    fewer = clusters_module.clusters([edge for edge in edges if edge.weight >= least], apart)
    for group in fewer.values():
        assert any(set(group) <= set(whole) for whole in every.values())


@law(EDGES, EDGES)
def strangers_change_nothing(edges: list[Edge], others: list[Edge]) -> None:
    def stranger(id: UUID) -> UUID:
        return UUID(int=id.int + 100)

    strange = [Edge(stranger(edge.first), stranger(edge.second), edge.weight) for edge in others]
    every = clusters_module.clusters([*strange, *edges])
    same = {id: group for id, group in every.items() if id.int < 100} == clusters_module.clusters(edges)
    assert same


def test_clusters_obey_their_laws(monkeypatch: pytest.MonkeyPatch) -> None:
    clusters_are_an_equivalence()
    the_order_does_not_matter()
    a_higher_threshold_divides()
    strangers_change_nothing()
    monkeypatch.setattr(clusters_module, "clusters", _first_come_first_joined)
    assert fails(the_order_does_not_matter)
    assert fails(a_higher_threshold_divides)
    monkeypatch.setattr(clusters_module, "clusters", _numbered)
    assert fails(strangers_change_nothing)
    monkeypatch.setitem(globals(), "clusters", _pairs_alone)
    assert fails(clusters_are_an_equivalence)


def _first_come_first_joined(edges: Iterable[Edge], apart: Iterable[Any] = ()) -> Any:
    """A mutant: those that come first are joined first, whatever they weigh."""
    groups = clusters_module._Groups(apart)
    for edge in edges:
        groups.join(edge.first, edge.second)
    return {lowest: tuple(sorted(members)) for lowest, members in groups.members.items()}


def _numbered(edges: Iterable[Edge], apart: Iterable[Any] = ()) -> Any:
    """A mutant: clusters are numbered as they are found, as a table of results does."""
    found = clusters(edges, apart).values()
    return {UUID(int=number): group for number, group in enumerate(sorted(found, reverse=True))}


def _pairs_alone(edges: Iterable[Edge], apart: Iterable[Any] = ()) -> Any:
    """A mutant: what is joined over a third stays apart."""
    return {min(e.first, e.second): tuple(sorted((e.first, e.second))) for e in edges}


# the search


def columns_of(records: list[Record]) -> Columns:
    return Columns((UUID(int=number + 1), record) for number, record in enumerate(records))


@law(RECORD_LISTS, share=8)
def many_are_compared_as_one_pair_is(records: list[Record]) -> None:
    columns, weights = columns_of(records), Weights()
    table = Table(columns, weights)
    for name in table.exact:  # of one pair the frequency of its values is not known
        table.exact[name][:] = weights.bits[name][1]
    left, right = [], []
    for one in range(len(records)):
        for other in range(len(records)):
            assume(len(records[one].places) < 2 or len(records[other].places) < 2 or one <= other)
            if records[one] <= records[other] and one != other:
                left.append(one)
                right.append(other)
    import numpy as np

    pairs = Pairs(table, np.array(left, np.int64), np.array(right, np.int64))
    pairs.compare_all()
    for weight, one, other in zip(pairs.weights().tolist(), left, right, strict=True):
        assert columns.record(one) == records[one]
        assert weight == pytest.approx(score(records[one], records[other])[0], abs=1e-3)


def test_many_are_compared_as_one_pair_is(monkeypatch: pytest.MonkeyPatch) -> None:
    many_are_compared_as_one_pair_is()
    monkeypatch.setitem(levels.name_level.__globals__, "CLOSE", 0.95)
    assert fails(many_are_compared_as_one_pair_is)


@law(RECORD_LISTS, st.randoms(), share=8)
def the_search_does_not_depend_on_the_order(records: list[Record], draw: random.Random) -> None:
    order = list(range(len(records)))
    draw.shuffle(order)

    def pairs(numbers: list[int]) -> dict[frozenset[int], float]:
        found = search(columns_of([records[number] for number in numbers]), -40.0)
        sides = zip(found.left.tolist(), found.right.tolist(), found.bits.tolist(), strict=True)
        return {frozenset((numbers[left], numbers[right])): bits for left, right, bits in sides}

    several = [record for record in records if len(record.places) > 1]
    assume(len(several) < 2)  # of equal addresses the first is taken
    before, after = pairs(list(range(len(records)))), pairs(order)
    assert before.keys() == after.keys()
    assert all(after[pair] == pytest.approx(bits, abs=1e-3) for pair, bits in before.items())


def test_the_search_does_not_depend_on_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    the_search_does_not_depend_on_the_order()
    # a mutant: what was entered first decides
    first_letter = {"a": 0.1, "b": 0.2, "h": 0.3}
    mutant = lambda columns, rules: Weights(prior=first_letter.get(columns.record(0).given[:1], 0.4))  # noqa: E731
    monkeypatch.setitem(search.__globals__, "learn", mutant)
    assert fails(the_search_does_not_depend_on_the_order)


@settings(max_examples=settings.default.max_examples // 8)
@given(RECORD_LISTS)
def test_what_is_learned_is_sane(records: list[Record]) -> None:
    from crmkit.duplicates.blocks import blocks

    columns = columns_of(records * 3)
    weights = learn(columns, blocks(columns, []))
    assert 0 < weights.prior < 1
    for name, bits in weights.bits.items():
        assert bits[0] == 0 <= bits[1]
        assert list(bits[1:]) == sorted(bits[1:], reverse=True), name
        assert all(0 < share < 1 for share in (*weights.m[name], *weights.u[name]))
        assert sum(weights.m[name]) == pytest.approx(1)
