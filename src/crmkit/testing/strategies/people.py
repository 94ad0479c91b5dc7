"""People: names of many scripts, contact points of every kind, contacts."""

from __future__ import annotations

from datetime import date
from functools import cache
from unicodedata import normalize
from uuid import UUID

from hypothesis import strategies as st

from crmkit.contacts import Contact, ContactKind, ContactPoint

_NAMES = (
    "Ann Example",
    "Suharto",  # the whole name
    "გიორგი მაისურაძე",
    "Nguyễn Thị Ngọc",
    normalize("NFD", "Nguyễn Thị Ngọc"),
    "María-José Núñez y O'Brien",
    "山田 太郎",
    "عبد الله",
    "Ł",
    "ა" * 200,
    "👩‍🚀",
)
_LOCALES = ("", "en", "ka", "vi", "de-AT")
_ZONES = ("", "Europe/London", "Asia/Tbilisi", "Asia/Ho_Chi_Minh", "Australia/Lord_Howe")
#: Birthdays that are not every year, that begin and end a year, that nobody knows.
_BIRTHDAYS = (
    None,
    date(1996, 2, 29),
    date(2000, 2, 29),
    date(1990, 12, 31),
    date(1985, 1, 1),
    date(1970, 3, 31),
)


@cache
def names() -> st.SearchStrategy[str]:
    """Return a strategy for people's names: Georgian, Vietnamese with combining marks, single, 200 characters."""
    printable = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"))
    return st.one_of(st.sampled_from(_NAMES), st.text(printable, min_size=1, max_size=40))


@cache
def points() -> st.SearchStrategy[ContactPoint]:
    """Return a strategy for contact points of every kind."""
    number = st.integers(1, 999)
    return st.one_of(
        number.map(lambda n: ContactPoint.email(f"ann{n}@example.com")),
        st.sampled_from(("Ann@Example.com", "sơn@ví-dụ.vn", "o'brien+tag@example.co.uk")).map(
            ContactPoint.email
        ),
        number.map(lambda n: ContactPoint.phone(f"+44207946{n:04}")),
        number.map(lambda n: ContactPoint.handle("mastodon", f"@ann{n}@social.example")),
        number.map(lambda n: ContactPoint.external("shop", n)),
        st.just(ContactPoint.postal("რუსთაველის გამზირი 1\nთბილისი", "GE")),
    )


@cache
def contacts() -> st.SearchStrategy[Contact]:
    """Return a strategy for contacts, with up to three points."""
    return _contacts(st.lists(points(), max_size=3, unique_by=str).map(tuple))


@cache
def shoppers() -> st.SearchStrategy[Contact]:
    """Return a strategy for contacts without points: of these, rules that look at people know enough."""
    return _contacts(st.just(()))


@cache
def members() -> st.SearchStrategy[Contact]:
    """Return a strategy for people in a programme: with a zone, and a birthday on 29 February or any other day."""
    born = st.sampled_from(_BIRTHDAYS) | st.dates(date(1920, 1, 1), date(2010, 12, 31))
    return st.builds(
        Contact,
        id=st.integers(1, 2**60).map(lambda n: UUID(int=n << 60 | n)),
        name=names(),
        locale=st.sampled_from(_LOCALES),
        zone=st.sampled_from(_ZONES),
        birth_date=born,
    )


def _contacts(of: st.SearchStrategy[tuple[ContactPoint, ...]]) -> st.SearchStrategy[Contact]:
    return st.builds(
        Contact,
        id=st.integers(1, 2**60).map(lambda n: UUID(int=n << 60 | n)),
        name=names(),
        kind=st.sampled_from(ContactKind),
        locale=st.sampled_from(_LOCALES),
        zone=st.sampled_from(_ZONES),
        points=of,
    )
