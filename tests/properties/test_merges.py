"""Merges under attack: whatever is merged, recorded and undone, every read answers as if nobody had been merged."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

import crmkit.transaction.contacts as core_contacts
import crmkit.transaction.merges as core_merges
from crmkit import (
    CRM,
    Contact,
    ContactPoint,
    Merge,
    MergeRefused,
    Money,
    Order,
    OrderLine,
    Refund,
    Transaction,
)
from crmkit.sql.aliases import read_ids
from crmkit.testing import FakeClock, memory_crm
from crmkit_loyalty import Loyalty
from logical import differences, images, views

PEOPLE = 4
ADDED = (
    *("order", "by point", "grant", "tag", "point", "another's point", "note", "consent", "preference"),
    *("fact", "refund"),
)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NUMBERS = count()


@attrs.frozen
class Do:
    """Something is recorded about a contact."""

    what: str
    who: int


@attrs.frozen
class Join:
    """A contact is merged into another."""

    loser: int
    into: int


@attrs.frozen
class Part:
    """One of the merges is undone."""

    which: int


Step = Do | Join | Part

WHO = st.integers(0, PEOPLE - 1)
JOINS = st.builds(Join, WHO, WHO)
PARTS = st.builds(Part, st.integers(0, 9))


def steps(*kinds: str) -> st.SearchStrategy[list[Step]]:
    """Return runs of what is recorded, merged and undone."""
    acts = st.builds(Do, st.sampled_from(kinds), WHO)
    return st.lists(st.one_of(acts, JOINS, JOINS, PARTS), min_size=3, max_size=9)


class LawBroken(AssertionError):
    """A law does not hold."""


def hold(what: str, one: object, other: object) -> None:
    """Raise unless both sides are the same; say where they differ."""
    if found := differences(one, other):
        raise LawBroken(f"{what}: " + "; ".join(found[:3]))


class World:
    """A few people in a CRM, and what is done with them."""

    def __init__(self, crm: CRM, run: int) -> None:
        self.crm = crm
        self.run = run
        self.points = [ContactPoint.email(f"p{run}-{who}@example.com") for who in range(PEOPLE)]
        self.numbers = count()
        self.merges: list[Merge] = []
        self.orders: list[str] = []
        with crm.begin() as tx:
            self.ids = [
                tx.contacts.add(
                    f"Person {who}" if who % 2 else "",
                    points=[point.with_(primary=True)],
                    locale="" if who == 0 else "en",
                    gender="fm"[who % 2] if who > 1 else "",
                ).id
                for who, point in enumerate(self.points)
            ]

    def do(self, tx: Transaction, step: Do) -> None:
        """Record something about a contact, addressed by its own id or by its own point."""
        number, id = next(self.numbers), self.ids[step.who]
        name = f"{self.run}-{number}"
        match step.what:
            case "order" | "by point":
                buyer: dict[str, Any] = (
                    {"contact_id": id} if step.what == "order" else {"points": (self.points[step.who],)}
                )
                line = OrderLine("TEA", 2, Money(1000 + number, "GBP"))
                tx.orders.record(Order(name, (line,), placed_at=tx.now, **buyer), state="paid")
                self.orders.append(name)
            case "refund" if self.orders:
                tx.orders.refund(self.orders[-1], Refund.of_amount(name, Money(1, "GBP")))
            case "grant":
                Loyalty(tx).grant(id, 5, name)
            case "redeem":
                spendable = Loyalty(tx).spendable(id)
                if spendable:
                    Loyalty(tx).redeem(id, (spendable + 1) // 2, name)
            case "tag":
                tx.contacts.tags.add(id, f"tag {number}")
            case "point":
                tx.contacts.remember(id, ContactPoint.handle("mastodon", f"h{name}"))
            case "another's point":
                theirs = self.points[(step.who + 1) % PEOPLE].with_(label=f"of {name}")
                tx.contacts.remember(id, theirs, shared=True)
            case "note":
                tx.contacts.notes.write(id, f"note {number}")
            case "consent":
                tx.consents.grant(id, "news", "email", source="form", key=name)
            case "preference":
                tx.contacts.preferences.set(id, "topic", f"tea {number}")
            case "fact":
                tx.contacts.facts.add(id, f"moved to house {number}")

    def take(self, step: Step) -> None:
        """Take a step, whatever it is."""
        with self.crm.begin() as tx:
            if isinstance(step, Do):
                self.do(tx, step)
            elif isinstance(step, Join) and step.loser != step.into:
                self._join(tx, step)
            elif isinstance(step, Part) and self.merges:
                merge = self.merges.pop(step.which % len(self.merges))
                if tx.merges.unmerge(merge.id).holds:
                    raise LawBroken("a merge that was undone holds")

    def _join(self, tx: Transaction, step: Join) -> None:
        try:
            merge = tx.merges.merge(self.ids[step.loser], self.ids[step.into])
        except MergeRefused as refused:
            if refused.merge_id not in [one.id for one in self.merges]:
                raise LawBroken("refused because of a merge that does not hold") from None
            return
        if merge.id not in [one.id for one in self.merges]:
            self.merges.append(merge)

    def part_all(self) -> None:
        """Undo every merge, the first one first."""
        while self.merges:
            self.take(Part(0))

    def views(self) -> dict[str, Any]:
        """Return what every read answers."""
        with self.crm.begin() as tx:
            return views(tx, self.ids, self.points)

    def families(self) -> dict[UUID, frozenset[UUID]]:
        """Return who is one with whom, by the merges that hold."""
        one = {id: frozenset({id}) for id in self.ids}
        for merge in self.merges:
            both = one[merge.loser_id] | one[merge.into_id]
            one |= dict.fromkeys(both, both)
        return one

    def text(self, view: object) -> str:
        """Return a view as text, in which the contacts have the numbers of people and nothing else has an id."""
        names = {str(id): f"person {who}" for who, id in enumerate(self.ids)}
        return _UUID.sub(lambda found: names.get(found[0], "id"), repr(view))


_CRMS: list[tuple[CRM, bytes]] = []


def worlds(number: int) -> list[World]:
    """Return worlds that are the same, each in a database of its own."""
    while len(_CRMS) < number:
        made = memory_crm(plugins=["loyalty"], clock=FakeClock())
        _CRMS.append((made, _database(made).serialize()))
    run = next(_NUMBERS)
    for crm, empty in _CRMS[:number]:
        _database(crm).deserialize(empty)
    return [World(crm, run) for crm, _ in _CRMS[:number]]


def _database(crm: CRM) -> Any:
    with crm.engine.connect() as connection:
        return connection.connection.dbapi_connection


# --- the laws --------------------------------------------------------------------------------------------------------


def law_one_person(world: World) -> None:
    """While a merge holds, every read by any id of the person answers the same, for all of them."""
    families = world.families()
    with world.crm.begin() as tx:
        seen = {id: tx.contacts.ids(id) for id in world.ids}
        held = {id: _held(tx, id) for id in world.ids}
        page = [contact.id for contact in tx.contacts.page(limit=1000) if contact.id in set(world.ids)]
        for id, family in families.items():
            hold("ids of the person", set(seen[id]), set(family))
            hold("whom both go on as", seen[id][0], seen[next(iter(family))][0])
            hold("what is held together", held[id], held[seen[id][0]])
            hold("times in the list of all", page.count(id), int(id == seen[id][0]))
        for who, point in enumerate(world.points):
            found = tx.contacts.find(point)
            hold("who has a point", found and found.id, seen[world.ids[who]][0])
        hold(
            "get_many",
            {id: one.id for id, one in tx.contacts.get_many(world.ids).items()},
            {id: ids[0] for id, ids in seen.items()},
        )


def _held(tx: Transaction, id: UUID) -> dict[str, Any]:
    contact, loyalty = tx.contacts.get(id), Loyalty(tx)
    return {
        "contact": contact,
        "points": contact.points,
        "merged": contact.merged,
        "balance": loyalty.balance(id),
        "statement": sum(entry.change for entry in loyalty.statement(id, limit=1000)),
        "timeline": [entry.id for entry in tx.events.timeline(id, limit=1000)],
        "tags": tx.contacts.tags.of(id),
    }


_DERIVED = ("contact_aliases", "contact_merges", "cursors")


def law_no_row_is_rewritten(before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> None:
    """A merge or its undo adds rows that tell of it, and touches no other."""
    for name in before:
        if name not in _DERIVED:
            hold(f"rows gone from {name}", sorted(set(before[name]) - set(after[name])), [])
            if name not in ("events", "event_personal"):
                hold(f"rows of {name}", before[name], after[name])


def law_ledger(world: World) -> None:
    """What was spent stays spent, from the lots it names: each one's statement adds up to what the one holds."""
    with world.crm.begin() as tx:
        loyalty = Loyalty(tx)
        for id in world.ids:
            changes = sum(entry.change for entry in loyalty.statement(id, limit=1000))
            hold("sum of a statement and the balance", changes, loyalty.balance(id))
            hold("lots and the balance", sum(lot.left for lot in loyalty.lots(id)), loyalty.balance(id))


def restored(before: list[Step], between: list[Step]) -> None:
    """Merges without anything else, undone in any order, leave what every read answered before."""
    (world,) = worlds(1)
    for step in before:
        world.take(step)
    first = world.views()
    for step in between:
        world.take(step)
        law_one_person(world)
    world.part_all()
    hold("after the undo", world.views(), first)


def with_activity(run: list[Step]) -> None:
    """What was recorded meanwhile stays with the id it was addressed to, as in a world without merges."""
    merged, control = worlds(2)
    for step in run:
        merged.take(step)
        if isinstance(step, Do):
            control.take(step)
        else:
            law_one_person(merged)
    merged.part_all()
    one, other = merged.text(merged.views()), control.text(control.views())
    if one != other:
        place = next(n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
        raise LawBroken(
            f"...{one[max(0, place - 200) : place + 80]!r}... was ...{other[place - 40 : place + 80]!r}"
        )


def with_spending(run: list[Step]) -> None:
    """A burn keeps the lots it names, whoever's they are once the merge is undone."""
    (world,) = worlds(1)
    for who in range(PEOPLE):
        world.take(Do("grant", who))
    for step in [*run, *[Part(0)] * 9]:
        if isinstance(step, Do):
            world.take(step)
        elif isinstance(step, Join) or world.merges:
            before = images(world.crm)
            world.take(step)
            law_no_row_is_rewritten(before, images(world.crm))
            law_one_person(world)
    law_ledger(world)


Law = tuple[tuple[st.SearchStrategy[Any], ...], Callable[..., None]]

RECORDED = st.lists(st.builds(Do, st.sampled_from(ADDED), WHO), max_size=6)

LAWS: dict[str, Law] = {
    "restored": ((RECORDED, st.lists(JOINS | PARTS, min_size=2, max_size=5)), restored),
    "with activity": ((steps(*ADDED),), with_activity),
    "with orders": ((steps("by point", "order"),), with_activity),
    "with points": ((steps("point", "another's point"),), with_activity),
    "with spending": ((steps("grant", "redeem", "redeem", "order", "refund"),), with_spending),
}


@pytest.mark.parametrize("law", LAWS)
def test_merges_are_undone_as_if_they_had_never_been(law: str) -> None:
    strategies, body = LAWS[law]
    settings(max_examples=max(8, settings().max_examples // 10), deadline=None)(given(*strategies)(body))()


# --- the laws can fail -----------------------------------------------------------------------------------------------


def _alias_stays(patch: pytest.MonkeyPatch) -> None:
    real = core_merges.write_aliases
    patch.setattr(
        core_merges,
        "write_aliases",
        lambda sql, survivors: real(sql, {id: one for id, one in survivors.items() if id != one}),
    )


def _chain_ends_early(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(core_merges, "survivor_of", lambda up, id: up.get(id, id))


def _burns_are_bound_anew(patch: pytest.MonkeyPatch) -> None:
    real = core_merges.Merges.unmerge

    def unmerge(self: core_merges.Merges, merge_id: UUID, **words: str) -> Merge:
        merge = real(self, merge_id, **words)
        postings = self._tx.table("loyalty_postings")
        burnt = (postings.c.contact_id == merge.loser_id) & (postings.c.amount < 0)
        self._tx.sql.execute(update(postings).where(burnt).values(contact_id=merge.into_id))
        return merge

    patch.setattr(core_merges.Merges, "unmerge", unmerge)


def _points_move(patch: pytest.MonkeyPatch) -> None:
    real = core_merges.Merges.merge

    def merge(self: core_merges.Merges, loser_id: UUID, into: UUID, **words: Any) -> Merge:
        made = real(self, loser_id, into, **words)
        points = self._tx.table("contact_points")
        self._tx.sql.execute(
            update(points)
            .where(points.c.contact_id == made.loser_id)
            .values(contact_id=made.into_id, ordinal=9)
        )
        return made

    patch.setattr(core_merges.Merges, "merge", merge)


def _fields_are_written(patch: pytest.MonkeyPatch) -> None:
    real = core_merges.Merges.merge

    def merge(self: core_merges.Merges, loser_id: UUID, into: UUID, **words: Any) -> Merge:
        made = real(self, loser_id, into, **words)
        whole = self._tx.contacts.get(into)
        self._tx.crm.store.update(self._tx, made.into_id, {"locale": whole.locale, "name": whole.name})
        return made

    patch.setattr(core_merges.Merges, "merge", merge)


def _only_its_own_id(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(core_contacts, "read_ids", lambda sql, id: read_ids(sql, id)[:1])


def _orders_go_to_the_survivor(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(core_contacts.Contacts, "addressed", lambda self, contact, points: contact.id)


def _what_the_person_has_is_left_out(patch: pytest.MonkeyPatch) -> None:
    real = core_contacts.Contacts.remember

    def remember(
        self: core_contacts.Contacts, id: UUID, *points: ContactPoint, shared: bool = False
    ) -> Contact:
        had = self.get(id).points
        return real(self, id, *[point for point in points if point not in had], shared=shared)

    patch.setattr(core_contacts.Contacts, "remember", remember)


def _wrong_merge_ends(patch: pytest.MonkeyPatch) -> None:
    real = core_merges.rows.end_merge

    def end_merge(sql: Any, id: UUID, at: Any) -> None:
        found = core_merges.rows.read_merge(sql, id)
        for other in core_merges.rows.holding(sql, [found.into_id]).values():
            real(sql, other.id, at)

    patch.setattr(core_merges.rows, "end_merge", end_merge)


MUTANTS = {
    "the alias is not removed": ("restored", _alias_stays),
    "a chain is followed one step only": ("restored", _chain_ends_early),
    "burns are bound anew": ("with spending", _burns_are_bound_anew),
    "points are moved": ("restored", _points_move),
    "fields are written to the survivor": ("restored", _fields_are_written),
    "reads take one id": ("restored", _only_its_own_id),
    "orders by a point go to the survivor": ("with orders", _orders_go_to_the_survivor),
    "points of the person are not given to the id": ("with points", _what_the_person_has_is_left_out),
    "the undo ends other merges too": ("restored", _wrong_merge_ends),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_each_bug_is_found(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    law, bug = MUTANTS[mutant]
    bug(monkeypatch)
    strategies, body = LAWS[law]
    hunt = settings(
        max_examples=200,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    with pytest.raises(LawBroken):
        hunt(given(*strategies)(body))()
