"""Who came into a segment and who left it since it was last refreshed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast
from uuid import UUID

import attrs

from crmkit.events import Event, SegmentEntered, SegmentLeft
from crmkit.sql import segments as rows
from crmkit.stores import HostStore
from crmkit.transaction.questions import Question

if TYPE_CHECKING:
    from crmkit.crm import CRM
    from crmkit.transaction.unit import Transaction

_AT_ONCE = 1000


@attrs.frozen(kw_only=True)
class Refreshed:
    """What a refresh of a segment came to.

    Args:
        name: the segment.
        members: how many it holds.
        entered: how many came; at the first refresh all, and no event tells of them.
        left: how many went.
    """

    name: str
    members: int
    entered: int
    left: int


def refresh(tx: Transaction, name: str, question: Question) -> Refreshed:
    """Take down who is in a segment now, and append events of who came and went.

    Args:
        tx: the transaction.
        name: the segment.
        question: its expression.
    """
    with tx.sql.isolated():
        (row,) = rows.read_segments(tx.sql, name, lock=True)
        number = row.refreshes + 1
        rows.follow_merges(tx.sql, name)
        if question.in_sql:
            _set_wise(tx, name, question, number)
        else:
            _one_by_one(tx, name, question, number)
        entered = rows.count_members(tx.sql, name, column="entered_in", refresh=number)
        left = rows.count_members(tx.sql, name, column="left_in", refresh=number)
        if row.refreshes:
            _tell(tx, name, number)
        rows.forget_left(tx.sql, name, number)
        rows.change_segment(tx.sql, name, {"refreshes": number, "refreshed_at": tx.now})
        members = rows.count_members(tx.sql, name)
    return Refreshed(name=name, members=members, entered=entered, left=left)


def refresh_watched(crm: CRM) -> None:
    """Refresh every watched segment, each in a transaction of its own; the first error is raised at the end."""
    names = crm.transact(lambda tx: [one.name for one in tx.segments.list() if one.watched])
    error: Exception | None = None
    for name in names:
        try:
            crm.transact(_refreshing(name))
        except Exception as failed:  # the others are refreshed all the same
            error = error or failed
    if error is not None:
        raise error


def _refreshing(name: str) -> Callable[[Transaction], Refreshed]:
    return lambda tx: tx.segments.refresh(name)


def _set_wise(tx: Transaction, name: str, question: Question, number: int) -> None:
    audience = question.audience
    while keys := list(tx.sql.execute(rows.nameless(audience, _AT_ONCE)).scalars()):
        host = cast(HostStore, tx.crm.store)  # of other stores every contact has an id
        host.assign(tx, host.identify(tx, keys).values())
    rows.enter(tx.sql, name, audience, tx.now, number)
    rows.leave(tx.sql, name, audience, number)


def _one_by_one(tx: Transaction, name: str, question: Question, number: int) -> None:
    for page in question.every():
        ids = [member.id for member in page]
        known = rows.known_members(tx.sql, name, ids)
        new = [id for id in ids if id not in known]
        if tx.crm.store.capabilities.host:
            cast(HostStore, tx.crm.store).assign(tx, new)
        rows.add_members(tx.sql, name, new, tx.now, number)
    for kept in _pages(tx, name):
        gone = set(kept) - question.true_of(kept)
        if gone:
            rows.mark_members(tx.sql, name, gone, number)


def _pages(tx: Transaction, name: str, column: str = "", number: int = 0) -> Iterator[list[UUID]]:
    after = None
    while page := rows.page_of_members(tx.sql, name, after, _AT_ONCE, column=column, refresh=number):
        yield page
        after = page[-1]


def _tell(tx: Transaction, name: str, number: int) -> None:
    told: tuple[tuple[str, Event], ...] = (
        ("entered_in", SegmentEntered(segment=name)),
        ("left_in", SegmentLeft(segment=name)),
    )
    for column, event in told:
        for page in _pages(tx, name, column, number):
            tx.events.append_new([tx.events.entry(event, contact_id=id) for id in page])
