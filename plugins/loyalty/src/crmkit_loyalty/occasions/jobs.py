"""Tells the rules of birthdays and anniversaries: each at most once for a member in a year of the member's zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from uuid import UUID

from crmkit import CRM, Contact, Transaction
from crmkit_loyalty.configured import settings_of
from crmkit_loyalty.members.store import Membership, MemberStore
from crmkit_loyalty.occasions.settings import OccasionSettings
from crmkit_loyalty.periods import birthday, local_day
from crmkit_loyalty.triggers import tell

PAGE = 200


def tell_occasions(crm: CRM) -> int:
    """Tell of the days that have come, page by page; return how many. Doing it again changes nothing."""
    count, after = 0, None
    while page := crm.transact(partial(_page, after=after)):
        after = page[-1].id
        count += crm.transact(partial(_tell_all, page=page))
    return count


def _page(tx: Transaction, after: UUID | None) -> list[Membership]:
    return MemberStore(tx).page(after, PAGE)


def _tell_all(tx: Transaction, page: list[Membership]) -> int:
    contacts = tx.contacts.get_many([one.contact_id for one in page])
    known = [(one, contacts[one.contact_id]) for one in page if one.contact_id in contacts]
    return sum(_tell(tx, one, contact) for one, contact in known)


def _tell(tx: Transaction, membership: Membership, contact: Contact) -> int:
    settings = settings_of(tx, "Members")
    zone = contact.zone or settings.zone
    joined, today = local_day(membership.joined_at, zone), local_day(tx.now, zone)
    told = 0
    if contact.birth_date:
        for day in come_round(contact.birth_date, today, settings.occasions):
            payload = {"day": day.isoformat()}
            told += tell(tx, "member.birthday", contact.id, key=f"birthday:{day.year}", payload=payload)
    for day in come_round(joined, today, settings.occasions):
        since = {"day": day.isoformat(), "years": day.year - joined.year}
        told += tell(tx, "member.anniversary", contact.id, key=f"anniversary:{day.year}", payload=since)
    return told


def come_round(first: date, today: date, settings: OccasionSettings) -> Iterator[date]:
    """Yield the days on which a date came round just now, the date itself left out.

    Args:
        first: the date of birth, or of joining.
        today: the present day.
        settings: when a leap day falls, and how late a day may be made up for.
    """
    for year in (today.year - 1, today.year):
        day = birthday(first, year, leap_day=settings.leap_day.day)
        if year > first.year and today - timedelta(days=settings.days_late) <= day <= today:
            yield day
