"""Many rows are written column by column, and hold what each would hold if it were written by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Table
from sqlalchemy.dialects.mysql import pymysql
from sqlalchemy.dialects.postgresql import psycopg, psycopg2
from sqlalchemy.dialects.sqlite import pysqlite

from crmkit import Contact, ContactPoint, FirstNamePermission
from crmkit.contacts import Formality, NameOrder, PostalAddress, Stage
from crmkit.sql import connection
from crmkit.sql import contacts as columns
from crmkit.testing import memory_crm
from crmkit.testing.strategies import contacts, instants, names, points

DIALECTS = [module.dialect() for module in (pysqlite, psycopg, psycopg2, pymysql)]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
#: For laws that are meant to fail: that they do is enough.
UNSHRUNK = settings(phases=[Phase.generate], database=None)

WORDS = st.sampled_from(("", "a", "f", "ქალი", "e\u0301", "'; --"))
ADDRESSES = st.builds(
    PostalAddress, street=names(), locality=WORDS, postcode=WORDS, country=st.sampled_from(("", "GE", "gb"))
)
ANY_POINTS = st.builds(
    lambda point, details: point.with_(**details),
    points() | ADDRESSES.map(ContactPoint.postal),
    st.fixed_dictionaries(
        {"label": WORDS, "source": WORDS, "verified_at": st.none() | instants(), "primary": st.booleans()}
    ),
)
PERMISSIONS = st.builds(FirstNamePermission, by=st.just("staff:ann"), at=instants(), how=st.just("asked"))
PEOPLE = st.builds(
    lambda contact, fields: attrs.evolve(contact, **fields),
    contacts(),
    st.fixed_dictionaries(
        {
            **dict.fromkeys(("honorific", "gender", "source", "classification", "owner"), WORDS),
            **dict.fromkeys(("business", "internal"), st.booleans()),
            **dict.fromkeys(("given_name", "family_name"), st.just("") | names()),
            "formality": st.sampled_from(Formality),
            "name_order": st.sampled_from(NameOrder),
            "stage": st.sampled_from(Stage),
            "birth_date": st.none() | st.dates(),
            "first_name": st.none() | PERMISSIONS,
        }
    ),
)
SOME_PEOPLE, SOME_POINTS = (
    st.lists(PEOPLE, min_size=1, max_size=4),
    st.lists(ANY_POINTS, min_size=1, max_size=4),
)


@cache
def table(name: str) -> Table:
    return memory_crm().tables[name]


def typed(rows: Sequence[Sequence[Any]]) -> list[list[tuple[str, Any]]]:
    """Return values with their types: a driver may take an enum's member for something else than its text."""
    return [[(type(value).__name__, value) for value in row] for row in rows]


def law_of_columns(name: str, rows: Sequence[dict[str, Any]], columns: dict[str, list[Any]]) -> None:
    """What is sent of columns to a database is what would be sent of each row."""
    for dialect in DIALECTS:
        ways = [_processor(name, column, dialect) for column in columns]
        alone = [
            [way(row[column]) if way else row[column] for column, way in zip(columns, ways, strict=True)]
            for row in rows
        ]
        assert typed(connection._bound(table(name), columns, dialect)) == typed(alone)


def _processor(name: str, column: str, dialect: Any) -> Callable[[Any], Any] | None:
    return table(name).c[column].type.dialect_impl(dialect).bind_processor(dialect)


def law_of_contacts(people: Sequence[Contact]) -> None:
    """Contacts are written with every column of their rows."""
    rows, found = [columns.contact_row(one) for one in people], columns.contact_columns(people)
    assert found.keys() == rows[0].keys()
    law_of_columns("contacts", rows, found)


def law_of_points(some: Sequence[ContactPoint]) -> None:
    """Points are written with every column that says something of the points themselves."""
    rows, found = (
        [columns.point_row(UUID(int=1), one, 0, 0, NOW) for one in some],
        columns.point_columns(some),
    )
    assert rows[0].keys() - found.keys() == {"rank", "contact_id", "ordinal", "added_at"}
    law_of_columns("contact_points", rows, found)


@given(SOME_PEOPLE)
def test_contacts_are_written_by_column_as_by_row(people: list[Contact]) -> None:
    law_of_contacts(people)


@given(SOME_POINTS)
def test_points_are_written_by_column_as_by_row(some: list[ContactPoint]) -> None:
    law_of_points(some)


def _flags_as_they_are(people: Sequence[Contact]) -> dict[str, list[Any]]:
    return CONTACT_COLUMNS(people) | {"internal": [one.internal for one in people]}


def _no_birth_date_as_null(people: Sequence[Contact]) -> dict[str, list[Any]]:
    return CONTACT_COLUMNS(people) | {"birth_date": [one.birth_date for one in people]}


def _permission_of_the_first(people: Sequence[Contact]) -> dict[str, list[Any]]:
    found = CONTACT_COLUMNS(people)
    return found | {"first_name_at": found["first_name_at"][:1] * len(people)}


def _forgets_who_permitted(people: Sequence[Contact]) -> dict[str, list[Any]]:
    return {name: values for name, values in CONTACT_COLUMNS(people).items() if name != "first_name_by"}


def _scope_as_country(some: Sequence[ContactPoint]) -> dict[str, list[Any]]:
    return POINT_COLUMNS(some) | {"country": [one.scope for one in some]}


def _every_part(some: Sequence[ContactPoint]) -> dict[str, list[Any]]:
    return POINT_COLUMNS(some) | {"parts": [attrs.asdict(one.parts) if one.parts else None for one in some]}


def _verified_as_null(some: Sequence[ContactPoint]) -> dict[str, list[Any]]:
    return POINT_COLUMNS(some) | {"verified_at": [one.verified_at for one in some]}


CONTACT_COLUMNS, POINT_COLUMNS = columns.contact_columns, columns.point_columns


@pytest.mark.parametrize(
    "mutant", [_flags_as_they_are, _no_birth_date_as_null, _permission_of_the_first, _forgets_who_permitted]
)
def test_the_law_catches_contacts_that_are_written_wrongly(
    mutant: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "contact_columns", mutant)
    with pytest.raises((AssertionError, ValueError, AttributeError)):
        UNSHRUNK(given(SOME_PEOPLE)(law_of_contacts))()


@pytest.mark.parametrize("mutant", [_scope_as_country, _every_part, _verified_as_null])
def test_the_law_catches_points_that_are_written_wrongly(
    mutant: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "point_columns", mutant)
    with pytest.raises(AssertionError):
        UNSHRUNK(given(SOME_POINTS)(law_of_points))()


def test_the_law_catches_texts_that_are_sent_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "bind_texts", lambda values: values)
    with pytest.raises(AssertionError):
        UNSHRUNK(given(SOME_PEOPLE)(law_of_contacts))()
