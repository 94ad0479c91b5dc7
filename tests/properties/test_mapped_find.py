"""A row of the host's is found by every address that is the same as its own, and by no other, however it is written."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, String, Table

from crmkit import CRM, ContactPoint, HostKey, MappedContacts, ValueRefused
from crmkit.sql.mapped import candidates, table
from crmkit.testing import memory_crm

CUSTOMERS = Table(
    "customers",
    MetaData(),
    Column("no", Integer, primary_key=True),
    Column("mail", String),
    Column("tel", String),
)

#: Letters whose case is more than ASCII's: sharp s, sigma, accents apart, Georgian, Turkish, a digraph.
LETTERS = "aAkKsSßẞσςΣäÄéÉọỌaÅåǆǅǄაᲐ1.'"
DOMAINS = (
    "example.com",
    "EXAMPLE.com",
    "ví-dụ.vn",
    "VÍ-DỤ.vn",
    "xn--v-dga-eva9x.vn",
    "straße.de",
    "strasse.de",
)

addresses = st.builds(
    lambda local, domain: f"{local}@{domain}",
    st.text(LETTERS, min_size=1, max_size=6),
    st.sampled_from(DOMAINS),
)
recased = st.sampled_from([str.upper, str.lower, str.casefold, str.swapcase, str.title, str])


def point_of(address: str) -> ContactPoint | None:
    try:
        return ContactPoint.email(address)
    except ValueRefused:
        return None


@cache
def shop() -> CRM:
    crm = memory_crm(
        contacts=MappedContacts(table=CUSTOMERS, columns={"email": "mail", "phone": "tel"}, region="GB")
    )
    CUSTOMERS.create(crm.engine)
    return crm


def found_at(column: str, value: str, point: ContactPoint) -> HostKey | None:
    """Return where a point is found in a table of that one row."""
    crm = shop()
    with crm.engine.begin() as connection:
        connection.execute(CUSTOMERS.delete())
        connection.execute(CUSTOMERS.insert(), {"no": 1, column: value})
    with crm.begin() as tx:
        found = tx.contacts.find(point)
        return found and found.host


def check_emails(written: str, asked: str, form: object) -> None:
    for address in (asked, form(written)):  # type: ignore[operator]
        held, wanted = point_of(written), point_of(address)
        if wanted is not None:
            same = held == wanted
            assert (found_at("mail", written, wanted) is not None) is same, (written, address)


EXAMPLES = given(written=addresses, asked=addresses, form=recased)


def test_emails_are_found_by_what_they_fold_to() -> None:
    EXAMPLES(check_emails)()


@pytest.fixture(params=["ascii letters alone", "no sharp s", "no domain in Unicode"])
def broken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "ascii letters alone":
        monkeypatch.setattr(candidates, "_cases", lambda chunk: (chunk,))
    elif request.param == "no sharp s":
        monkeypatch.setattr(candidates, "_chunks", iter)
    else:
        monkeypatch.setattr(candidates, "_unicode", str)


@pytest.mark.usefixtures("broken")
def test_what_misses_a_spelling_is_caught() -> None:
    unshrunk = settings(phases=[Phase.generate], database=None, report_multiple_bugs=False)
    with pytest.raises(AssertionError):
        unshrunk(EXAMPLES(check_emails))()


def test_an_address_with_too_many_spellings_is_found_by_a_pattern() -> None:
    address = "ässßüöáéíóúàèìòùâêîôûñçõ@example.com"
    assert candidates.spellings(ContactPoint.email(address)) is None
    assert found_at("mail", address.upper(), ContactPoint.email(address))
    assert not found_at("mail", "x" + address.upper(), ContactPoint.email(address))


@given(
    st.sampled_from(
        [
            "020 7946 0{}",
            "+44 20 7946 0{}",
            "(020) 7946-0{}",
            "0044207946.0{}",
            "+44207946\u00a00{}",
            "02079460{}",
        ]
    ),
    st.integers(100, 999),
    st.integers(100, 999),
)
def test_phone_numbers_are_found_whatever_stands_between_the_digits(form: str, held: int, asked: int) -> None:
    found = found_at("tel", form.format(held), ContactPoint.phone(f"+442079460{asked}"))
    assert (found is not None) is (held == asked)


def test_a_normalised_column_is_compared_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "spellings", None)  # would be an error if it were called
    crm = memory_crm(
        contacts=MappedContacts(table=CUSTOMERS, columns={"email": "mail"}, normalised=["email"])
    )
    CUSTOMERS.create(crm.engine)
    with crm.engine.begin() as connection:
        connection.execute(CUSTOMERS.insert(), {"mail": "ann@example.com"})
    with crm.begin() as tx:
        assert tx.contacts.find(ContactPoint.email("ANN@example.com"))
        assert tx.contacts.find(ContactPoint.email("ben@example.com")) is None
