"""The log compared with its seals: what was altered, removed, inserted, reordered or renumbered is named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs

from crmkit.clock import micros
from crmkit.errors import NotFound
from crmkit.merkle import ORIGIN, Step, proof_of, root_hash
from crmkit.privacy.seals import CURSOR, chained
from crmkit.sql.erasures import erased_among, read_erasures
from crmkit.sql.relay import last_position, read_cursors
from crmkit.sql.seals import (
    Seal,
    SealedEvent,
    cleared_deliveries,
    last_seal,
    read_leaves,
    read_seals,
    seal_over,
    stray_positions,
)

if TYPE_CHECKING:
    from crmkit.crm import CRM
    from crmkit.transaction import Transaction

_PAGE = 500


@attrs.frozen(kw_only=True)
class Break:
    """The first place where the log is not what was sealed.

    Args:
        batch: the number of the seal; 0 for what is not sealed yet.
        position: the event's position, if one event can be named.
        event_id: its id, if it is there.
        what: what is wrong.
    """

    batch: int
    what: str
    position: int | None = None
    event_id: UUID | None = None

    def __str__(self) -> str:
        where = f"batch {self.batch}" if self.batch else "the events that are not sealed yet"
        event = (
            f", event {self.event_id or ''} at position {self.position}" if self.position is not None else ""
        )
        return f"{where}{event}: {self.what}"


@attrs.frozen(kw_only=True)
class Audit:
    """What verifying the log came to.

    Args:
        batches: how many seals were compared.
        sealed: how many events stand under them.
        unsealed: how many events have a position and no seal yet.
        head: the last seal that is as it must be; empty while nothing is sealed.
        broken: the first break, or None.
        unexplained: events whose personal values are gone though nobody's erasure explains it.
    """

    batches: int
    sealed: int
    unsealed: int
    head: str
    broken: Break | None
    unexplained: int = 0

    @property
    def intact(self) -> bool:
        """Whether the log is what was sealed."""
        return self.broken is None


def verify(crm: CRM, *, head: str = "") -> Audit:
    """Compare the whole log with its seals; stop at the first break.

    Args:
        crm: the CRM.
        head: a seal that was kept elsewhere; it must be one of the chain, or the log's end was cut off or rewritten.
    """
    walk = _Walk(crm, head)
    broken = next(walk.breaks(), None)
    return Audit(
        batches=walk.batches,
        sealed=walk.last,
        unsealed=walk.unsealed,
        head=walk.previous if walk.batches else "",
        broken=broken,
        unexplained=walk.unexplained,
    )


class _Walk:
    def __init__(self, crm: CRM, head: str) -> None:
        self._crm = crm
        self._head = head
        self.batches = 0
        self.last = 0
        self.unsealed = 0
        self.unexplained = 0
        self.previous = ORIGIN

    def breaks(self) -> Iterator[Break]:
        met, tail = not self._head, None
        while tail is None:  # others go on sealing meanwhile
            for seal in self._seals():
                yield from self._chain(seal)
                yield from self._crm.transact(lambda tx, seal=seal: self._events(tx, seal))  # type: ignore[misc]
                self.batches, self.last, self.previous = seal.number, seal.last, seal.seal
                met = met or seal.seal == self._head
            tail = self._crm.transact(self._tail)
        yield from tail
        if not met:
            yield Break(
                batch=self.batches,
                what=f"the seal {self._head} that was kept is not in the chain: it was cut off or written anew",
            )

    def _seals(self) -> Iterator[Seal]:
        while True:
            page = self._crm.transact(lambda tx: read_seals(tx.sql, self.batches, 20))
            yield from page
            if len(page) < 20:
                return

    def _chain(self, seal: Seal) -> Iterator[Break]:
        expected = self.batches + 1
        if seal.number != expected:
            yield Break(batch=expected, what="the seal was removed")
        elif seal.previous != self.previous:
            yield Break(batch=expected, what="the seal does not follow the one before it")
        elif seal.first != self.last + 1 or len(seal.leaves) != seal.last - seal.first + 1:
            yield Break(batch=expected, what="the seal was altered: its range is not what it was")
        elif not seal.leaves or root_hash_of(seal) != seal.root or chained(seal) != seal.seal:
            yield Break(batch=expected, what="the seal was altered")

    def _events(self, tx: Transaction, seal: Seal) -> list[Break]:
        found: dict[int, list[SealedEvent]] = {}
        for event in read_leaves(tx.sql, seal.first, seal.last):
            found.setdefault(event.position, []).append(event)
        for position, leaf in enumerate(seal.leaves, seal.first):
            which, what = _fault(found.get(position, []), leaf)
            if what:
                id = which.id if which is not None else None
                return [Break(batch=seal.number, position=position, event_id=id, what=what)]
        gone = [event for (event,) in found.values() if event.personal == "gone"]
        self.unexplained += _unexplained(tx, gone)
        return []

    def _tail(self, tx: Transaction) -> list[Break] | None:
        """Return what is wrong behind the last seal; None if there is another one by now."""
        counted = read_cursors(tx.sql, [CURSOR]).get(CURSOR)
        if read_seals(tx.sql, self.batches, 1):
            return None
        end = last_position(tx.sql)
        if end < self.last:
            return [Break(batch=self.batches, what="positions were counted back behind the last seal")]
        if counted is not None and counted.position != self.batches:
            what = f"{counted.position} seals were counted: the last ones were cut off, or others added"
            return [Break(batch=self.batches, what=what)]
        for position in stray_positions(tx.sql, end):
            if 0 < position <= last_position(tx.sql):
                continue  # it was given meanwhile
            return [Break(batch=0, position=position, what="has a position that was never given")]
        expected = self.last + 1
        while expected <= end:
            found = read_leaves(tx.sql, expected, min(end, expected + _PAGE - 1))
            for event in found:
                if event.position != expected or event.personal == "altered":
                    what = "its neighbour was removed" if event.position > expected else "was altered"
                    return [Break(batch=0, position=event.position, event_id=event.id, what=what)]
                expected += 1
            if not found:
                return [Break(batch=0, position=expected, what="was removed")]
        self.unsealed = end - self.last
        return []


def _fault(here: Sequence[SealedEvent], leaf: str) -> tuple[SealedEvent | None, str]:
    """Return what is wrong with the events at one position, and with which of them; empty text if nothing is."""
    if not here:
        return None, "was missing already when it was sealed" if leaf == ORIGIN else "was removed"
    if len(here) > 1:
        forged = next((event for event in here if event.leaf != leaf), here[-1])
        return forged, "was inserted at a place that another event has"
    if here[0].leaf != leaf:
        return here[0], "was altered"
    return here[0], "its personal values were altered" if here[0].personal in ("altered", "older") else ""


def root_hash_of(seal: Seal) -> str:
    """Return the root over a seal's leaves; empty if they are no hashes."""
    try:
        return root_hash(seal.leaves)
    except ValueError:
        return ""


def _unexplained(tx: Transaction, gone: Sequence[SealedEvent]) -> int:
    """Return of how many events the personal values are gone without an erasure of whom they concern."""
    if not gone:
        return 0
    contacts = {event.contact_id for event in gone if event.contact_id is not None}
    erased = erased_among(tx.sql, contacts)
    erased |= {id for id in contacts - erased if read_erasures(tx.sql, tx.contacts.ids(id))}
    things = [event.subject_id for event in gone if event.contact_id is None and event.subject_id is not None]
    cleared = cleared_deliveries(tx.sql, things)
    return sum(event.contact_id not in erased and event.subject_id not in cleared for event in gone)


def head(tx: Transaction) -> Seal | None:
    """Return the last seal: kept elsewhere, it shows later that nothing before it was cut off or written anew."""
    return last_seal(tx.sql)


@attrs.frozen(kw_only=True)
class Proof:
    """That an event stands under a seal, for somebody who has the seal and not the log.

    Args:
        event_id: the event.
        position: its place.
        leaf: its hash.
        steps: from the leaf to the root.
        seal: the seal.
    """

    event_id: UUID
    position: int
    leaf: str
    steps: tuple[Step, ...]
    seal: Seal

    def plain(self) -> dict[str, Any]:
        """Return it as plain data."""
        seal = attrs.asdict(self.seal, filter=lambda field, _: field.name != "leaves")
        return {
            "event_id": str(self.event_id),
            "position": self.position,
            "leaf": self.leaf,
            "steps": [attrs.asdict(step) for step in self.steps],
            "seal": seal | {"sealed_at": micros(self.seal.sealed_at)},
        }


def prove(tx: Transaction, event_id: UUID) -> Proof:
    """Return the proof that an event stands under a seal.

    Raises:
        NotFound: if there is no such event, or it is not sealed yet.
    """
    entry = tx.events.get(event_id)
    seal = seal_over(tx.sql, entry.position) if entry is not None and entry.position is not None else None
    if entry is None or entry.position is None or seal is None:
        raise NotFound(f"no event with the id {event_id} is sealed")
    (event,) = [one for one in read_leaves(tx.sql, entry.position, entry.position) if one.id == event_id]
    steps = proof_of(seal.leaves, entry.position - seal.first)
    return Proof(event_id=event_id, position=entry.position, leaf=event.leaf, steps=steps, seal=seal)
