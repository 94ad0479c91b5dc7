"""The search for duplicates among all contacts: read once, compared in memory, written to the queue page by page."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import islice
from math import log2
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import attrs

from crmkit.duplicates.clusters import Edge, clusters
from crmkit.duplicates.pages import PageReader
from crmkit.duplicates.record import record_of
from crmkit.duplicates.review import DuplicateReport, PairState
from crmkit.duplicates.weights import probability
from crmkit.errors import ConfigError, MergeRefused, NotFound
from crmkit.sql import duplicate_pairs as rows
from crmkit.sql.aliases import read_many_ids
from crmkit.sql.contacts import OwnContacts
from crmkit.sql.duplicate_pairs import Ids
from crmkit.sql.duplicates import merged_survivors, read_pages, refresh_keys
from crmkit.sql.merges import undone_merges
from crmkit.sql.types import Written
from crmkit.transaction.unit import Transaction

if TYPE_CHECKING:
    from crmkit.contacts import Contact
    from crmkit.crm import CRM
    from crmkit.duplicates.columns import Columns
    from crmkit.duplicates.search import Found

T = TypeVar("T")

#: Told what is being done, how much of it is done, and how much there is; 0 if nobody can know.
Progress = Callable[[str, int, int], None]

_PAGE = 2000
_WRITTEN = 10_000
_MERGES = 100


def find_duplicates(
    crm: CRM, *, merge: bool = False, progress: Progress | None = None, actor: str = "system"
) -> DuplicateReport:
    """Search all contacts for duplicates, as `CRM.find_duplicates` says."""
    started = perf_counter()
    search = _Search(crm, progress or _silent, actor)
    report = search.run(merge)
    return attrs.evolve(report, seconds=perf_counter() - started)


def index_duplicates(crm: CRM, *, progress: Progress | None = None) -> int:
    """Make the keys of all contacts what they should be, as `CRM.index_duplicates` says."""
    say, changed, done, after = progress or _silent, 0, 0, None
    while True:

        def page(tx: Transaction, after: UUID | None = after) -> tuple[int, int, UUID | None]:
            found = tx.crm.store.scan(tx, after=after, limit=_PAGE)
            ids = [id for contact in found for id in tx.contacts.ids(contact.id)]
            wrong = refresh_keys(tx, list(tx.crm.store.get(tx, ids).values()))
            return wrong, len(found), found[-1].id if found else None

        wrong, size, after = crm.transact(page)
        changed, done = changed + wrong, done + size
        say("indexing", done, 0)
        if not size:
            return changed


def _silent(what: str, done: int, every: int) -> None:
    pass


class _Search:
    """One search.

    Args:
        crm: the CRM.
        say: told about the progress.
        actor: who merges, if anybody does.
    """

    def __init__(self, crm: CRM, say: Progress, actor: str) -> None:
        self.crm, self.say, self.actor = crm, say, actor
        self.least = _bits(crm.settings.duplicates_review)
        self.sure = _bits(crm.settings.duplicates_merge)
        self.states: dict[Ids, str] = {}
        self.apart: set[Ids] = set()
        self.undone: set[UUID] = set()

    def run(self, merge: bool) -> DuplicateReport:
        columns, search, explain = self._columns()
        found = search(columns, self.least, self.say)
        with _uncollected():
            edges = _edges(columns, found)
            kept = [_ordered(edge.first, edge.second) not in self.apart for edge in edges]
            named_alike = self._write(edges, kept, explain(found))
            # twins share everything but the given name: whose names differ is left to somebody
            sure = [
                edge
                for edge, fine, alike in zip(edges, kept, named_alike, strict=True)
                if fine and alike and edge.weight >= self.sure
            ]
            groups = clusters(sure, self.apart)
        return DuplicateReport(
            contacts=len(columns),
            compared=found.compared,
            pairs=sum(kept),
            sure=len(sure),
            clusters=tuple(groups.values()),
            merged=self._merge(sure, groups) if merge else 0,
            cuts=tuple(str(cut) for cut in found.cuts),
            seconds=0.0,
        )

    def _columns(
        self,
    ) -> tuple[Columns, Callable[..., Found], Callable[..., Iterator[tuple[str, bool]]]]:
        try:
            from crmkit.duplicates.columns import Columns
            from crmkit.duplicates.search import explain, search
        except ImportError as error:
            raise ConfigError(
                f"searching all contacts for duplicates needs numpy and rapidfuzz: "
                f"pip install 'crmkit[duplicates]' ({error})"
            ) from None
        columns = Columns()
        with self.crm.engine.connect() as connection, Transaction(self.crm, connection, self.actor) as tx:
            with _uncollected():
                self._read(tx, columns)
            self._read_judged(tx)
        return columns, search, explain

    def _read(self, tx: Transaction, columns: Columns) -> None:
        self.say("reading", 0, 0)
        if not isinstance(self.crm.store, OwnContacts):
            after = None
            while contacts := tx.contacts.page(after=after, limit=_PAGE):
                _append(columns, contacts)
                after = contacts[-1].id
                self.say("reading", len(columns), 0)
            return
        reader = PageReader(columns)
        for page in read_pages(tx.sql):
            reader.add(page)
            self.say("reading", len(columns), 0)
        for survivors in _paged(merged_survivors(tx.sql), _PAGE):
            _append(columns, tx.contacts.get_many(survivors).values())

    def _read_judged(self, tx: Transaction) -> None:
        self.states = dict(rows.read_states(tx.sql))
        undone = dict.fromkeys(undone_merges(tx.sql), PairState.MERGED)  # the queue shows them as open again
        states = undone | {ids: state for ids, state in self.states.items() if state != PairState.OPEN}
        judged = list(states)
        families = read_many_ids(tx.sql, {id for ids in judged for id in ids})
        for one, other in judged:
            first, second = (families.get(id, (id,))[0] for id in (one, other))
            if first != second and states[one, other] == PairState.DISTINCT:
                self.apart.add(_ordered(first, second))
            elif first != second:
                self.undone |= {first, second}

    def _write(
        self, edges: list[Edge], kept: list[bool], explanations: Iterable[tuple[str, bool]]
    ) -> list[bool]:
        """Bring the queue up to date: new pairs, what changed of open ones, and those that are alike no longer.

        Return for each pair whether neither part of the names differs.
        """
        alike: list[bool] = []
        made = self._rows(edges, kept, explanations, alike)
        seen: set[Ids] = set()
        for number, page in enumerate(_paged(made, _WRITTEN)):
            self.say("writing", number * _WRITTEN, len(edges))
            known = [row for row in page if (row["first_id"], row["second_id"]) in self.states]
            fresh = [row for row in page if (row["first_id"], row["second_id"]) not in self.states]
            seen.update((row["first_id"], row["second_id"]) for row in known)
            self._transact(partial(_write_pairs, fresh, known))
        stale = [ids for ids, state in self.states.items() if state == PairState.OPEN and ids not in seen]
        for gone in _paged(stale, _PAGE):
            self._transact(partial(_drop_pairs, gone))
        return alike

    def _rows(
        self,
        edges: list[Edge],
        kept: list[bool],
        explanations: Iterable[tuple[str, bool]],
        alike: list[bool],
    ) -> Iterator[dict[str, Any]]:
        now = self.crm.clock()
        for edge, fine, (explanation, named_alike) in zip(edges, kept, explanations, strict=True):
            alike.append(named_alike)
            if fine:
                yield rows.pair_row(_ordered(edge.first, edge.second), edge.weight, Written(explanation), now)

    def _merge(self, sure: list[Edge], groups: Mapping[UUID, tuple[UUID, ...]]) -> int:
        """Merge each cluster into its lowest contact; a contact that was unmerged once is left to somebody."""
        weights = {_ordered(edge.first, edge.second): edge.weight for edge in sure}
        wanted = [
            (member, lowest)
            for lowest, members in groups.items()
            if not self.undone & set(members)
            for member in members[1:]
        ]
        merged = 0
        for number, page in enumerate(_paged(wanted, _MERGES)):
            self.say("merging", number * _MERGES, len(wanted))
            merged += self._transact(partial(_merge_page, page, weights))
        return merged

    def _transact(self, function: Callable[[Transaction], T]) -> T:
        return self.crm.transact(function, actor=self.actor)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Make many values that all stay, without the collector looking through them again and again."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _edges(columns: Columns, found: Found) -> list[Edge]:
    left, right = found.left.tolist(), found.right.tolist()
    ids = {row: columns.id(row) for row in {*left, *right}}
    return [
        Edge(ids[one], ids[other], weight)
        for one, other, weight in zip(left, right, found.bits.tolist(), strict=True)
    ]


def _append(columns: Columns, contacts: Iterable[Contact]) -> None:
    for contact in contacts:
        columns.append(contact.id, record_of(contact))


def _write_pairs(fresh: list[dict[str, Any]], known: list[dict[str, Any]], tx: Transaction) -> None:
    rows.add_pairs(tx.sql, fresh)
    rows.reopen_pairs(tx.sql, known)


def _drop_pairs(gone: list[Ids], tx: Transaction) -> None:
    rows.drop_open(tx.sql, gone)


def _merge_page(page: list[Ids], weights: Mapping[Ids, float], tx: Transaction) -> int:
    return sum(_merge_one(tx, loser, into, weights) for loser, into in page)


def _merge_one(tx: Transaction, loser: UUID, into: UUID, weights: Mapping[Ids, float]) -> bool:
    ids = _ordered(loser, into)
    weight = weights.get(ids)
    # in a cluster two may be joined by a third alone
    said: dict[str, Any] = {"by": "crmkit duplicates"}
    if weight is not None:
        said |= {"weight": round(weight, 2), "probability": round(probability(weight), 6)}
    row = rows.read_pair(tx.sql, ids)
    if row is not None:
        said["fields"] = row["explanation"]
    try:
        with tx.sql.isolated():
            if _judged_apart(tx, loser, into):
                return False  # somebody did so while this search went on
            tx.merges.merge(loser, into, reason="duplicate", details=said)
            rows.decide(tx.sql, ids, PairState.MERGED, tx.now, tx.actor)
    except (NotFound, MergeRefused):
        return False  # somebody erased or merged one of them meanwhile
    return True


def _judged_apart(tx: Transaction, one: UUID, other: UUID) -> bool:
    ids, others = tx.contacts.ids(one), tx.contacts.ids(other)
    return ids[0] != others[0] and _ordered(ids[0], others[0]) in tx.duplicates.apart([*ids, *others])


def _ordered(one: UUID, other: UUID) -> Ids:
    return (one, other) if one < other else (other, one)


def _bits(chance: float) -> float:
    return log2(chance / (1 - chance))


def _paged(values: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(values)
    while page := list(islice(iterator, size)):
        yield page
