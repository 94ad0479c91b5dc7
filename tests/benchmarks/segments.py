"""Segments of three clauses are counted, against SQL written by hand for the same contacts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from audience import BY_HAND, SEGMENTS, fill
from measure import Side, alternate
from places import Maker, Place
from report import Options, Row
from sqlalchemy import text

from crmkit import CRM

TITLE = "a segment of three clauses counted, against SQL written by hand"
NOTE = "by hand is the quicker of two ways, subqueries and joins, found before the measurement; nobody was merged"
TARGETS = {"stage, orders and a tag": 1.2}


def measure(make: Maker, options: Options) -> Iterator[Row]:
    """Yield the rows of the table for one database."""
    place = make()
    contacts = options.turns(options.contacts)
    crm = CRM(place.engine)
    crm.create_tables()
    fill(crm, contacts)
    for name in SEGMENTS:
        theirs, ours = by_hand(place, name), _ours(crm, name)
        if theirs() != ours():
            raise AssertionError(f"{name}: {theirs()} by hand and {ours()} by the segment")
        sides = Side("by hand", theirs, server=place.cpu), Side("segment", ours, server=place.cpu)
        alternate(*sides, rounds=options.rounds, turns=2)
        what = f"{name}, {contacts:,} contacts"
        yield Row.of("segments", place.database, what, *sides, at_most=TARGETS.get(name), note=NOTE)


def by_hand(place: Place, name: str) -> Callable[[], Any]:
    """Return the quickest of the ways in which the segment is written by hand."""
    ways = [_counting(place, statement) for statement in BY_HAND[name]]
    return min(ways, key=_seconds)


def _counting(place: Place, statement: str) -> Callable[[], Any]:
    def count() -> Any:
        with place.engine.connect() as connection:
            return connection.execute(text(statement)).scalar()

    return count


def _seconds(work: Callable[[], Any]) -> float:
    work()
    began = perf_counter()
    work()
    return perf_counter() - began


def _ours(crm: CRM, name: str) -> Callable[[], Any]:
    def count() -> int:
        with crm.begin() as tx:
            return tx.segments.ask(SEGMENTS[name]).count()

    return count
