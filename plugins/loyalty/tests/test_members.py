"""Members(tx): numbers with a check digit, joining once, leaving, and days that come round."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import attrs
import pytest
from sqlalchemy import select

from crmkit import (
    AlreadyErased,
    Award,
    Conflict,
    Facts,
    NotFound,
    RewardRule,
    SettingsError,
    ValueRefused,
    hookimpl,
)
from crmkit_loyalty import LoyaltySettings, MemberJoined, Members
from crmkit_loyalty.codes import check_digit
from crmkit_loyalty.occasions import jobs
from racing import at_once


def joined(shop: Any, who: Any = None, **options: Any) -> Any:
    """Let somebody join, in a transaction of its own."""
    return shop.do(lambda tx: Members(tx).join(who or shop.ann, **options))


def test_a_member_has_one_number_that_it_is_found_by(open_shop: Any) -> None:
    shop = open_shop(members={"number": "CR########?", "benefits": ["free returns"]})
    member = joined(shop)
    assert joined(shop) == member
    assert member.number[:2] == "CR" and check_digit(member.number[2:-1]) == member.number[-1]
    typed = f" {member.number[:4].lower()}-{member.number[4:]} "
    with shop.crm.begin() as tx:
        assert Members(tx).by_number(typed) == member
        assert Members(tx).of(shop.ann) == member
        assert Members(tx).benefits(shop.ann) == ("free returns",)
        assert tx.segments.ask("member.joined_at <= now").contains(shop.ann)


def test_a_number_that_was_mistyped_is_told_so(shop: Any) -> None:
    number = joined(shop).number
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    with shop.crm.begin() as tx:
        with pytest.raises(NotFound, match="check digit is wrong"):
            Members(tx).by_number(wrong)
        with pytest.raises(NotFound, match=r"no member with this number$"):
            Members(tx).by_number("X1")
        for garbage in (None, "é", "x" * 200, "a;b"):
            with pytest.raises(ValueRefused, match="a member's number"):
                Members(tx).by_number(garbage)  # type: ignore[arg-type]


@pytest.mark.parametrize("number", ["", "####", "########??", "m######", "######é", 7, "#" * 19])
def test_a_pattern_that_makes_no_numbers_is_refused(number: Any) -> None:
    with pytest.raises(SettingsError, match="'M########\\?'"):
        LoyaltySettings(members={"number": number})


def test_the_check_digit_is_luhns() -> None:
    assert check_digit("7992739871") == "3"  # the example of ISO/IEC 7812-1


def test_numbers_are_taken_over_and_are_nobody_elses(shop: Any) -> None:
    ben = shop.do(lambda tx: tx.contacts.add("Ben")).id
    assert joined(shop, number="old 0001").number == "OLD0001"
    with pytest.raises(Conflict, match="'OLD0001' is another member's"):
        joined(shop, ben, number="OLD-0001")
    assert shop.do(lambda tx: Members(tx).of(ben)) is None


def test_whoever_left_can_join_again_under_another_number(shop: Any) -> None:
    first = joined(shop)
    shop.now += timedelta(days=1)
    assert not shop.do(lambda tx: Members(tx).leave(shop.ann, reason="moved")).lasts
    assert shop.do(lambda tx: (Members(tx).of(shop.ann), Members(tx).benefits(shop.ann))) == (None, ())
    with pytest.raises(NotFound, match="is no member"):
        shop.do(lambda tx: Members(tx).leave(shop.ann))
    again = joined(shop)
    assert again.number != first.number
    with shop.crm.begin() as tx:
        assert len([e for e in tx.events.timeline(shop.ann) if isinstance(e.event, MemberJoined)]) == 2
        # law 69: joining is rewarded once
        assert len(tx.events.timeline(shop.ann, types=["RewardsDecided"])) == 1


def test_an_order_makes_a_member_where_the_settings_say_so(open_shop: Any) -> None:
    shop = open_shop(members={"join_on_order": True})
    shop.buy("A1", 1000)
    assert shop.do(lambda tx: Members(tx).of(shop.ann)).joined_at == shop.now


def test_merged_members_go_on_as_one(shop: Any) -> None:
    ben = shop.do(lambda tx: tx.contacts.add("Ben")).id
    members = [joined(shop, who) for who in (shop.ann, ben)]
    shop.do(lambda tx: tx.merges.merge(ben, shop.ann))
    with shop.crm.begin() as tx:
        assert Members(tx).of(ben) == Members(tx).of(shop.ann) == members[0]
        assert Members(tx).by_number(members[1].number) == members[1]


def test_erasure_takes_the_number_and_leaves_the_membership(shop: Any) -> None:
    member = joined(shop)
    shop.crm.erase(shop.ann)
    with shop.crm.begin() as tx:
        found = tx.sql.execute(select(tx.table("loyalty_members"))).mappings()
        assert [row["number"] for row in found] == [str(member.id)]
        for table in shop.crm.tables.values():
            assert member.number not in repr(tx.sql.execute(select(table)).all())
    shop.do(lambda tx: Members(tx).leave(shop.ann))
    with pytest.raises(AlreadyErased):
        joined(shop)


def test_law_6_joining_at_once_makes_one_member(open_shop: Any, database_url: str) -> None:
    shop = open_shop(database_url)
    assert list(at_once([lambda: joined(shop).number] * 6).values()) == [6]


# --- birthdays and anniversaries -----------------------------------------------------------------------------------


@attrs.frozen
class Cake:
    """Points on birthdays and anniversaries."""

    name: str = "cake"
    version: int = 1
    triggers: tuple[str, ...] = ("member.birthday", "member.anniversary")

    def evaluate(self, facts: Facts) -> Award:
        return Award(amount=100 if facts.trigger == "member.birthday" else facts.payload["years"])


@attrs.define(eq=False)
class CakePlugin:
    """Brings the rule."""

    name: str = "cake"

    @hookimpl
    def crmkit_reward_rules(self) -> list[RewardRule]:
        return [Cake()]


@pytest.fixture
def party(open_shop: Any) -> Any:
    """A shop that gives points on birthdays; Ann is a member, born on 29 February."""
    shop: Any = open_shop("sqlite://", CakePlugin(), points_per_unit=0, zone="Europe/London")
    shop.do(lambda tx: tx.contacts.update(shop.ann, birth_date=date(1980, 2, 29)))
    joined(shop)
    return shop


def day(shop: Any, when: str) -> int:
    """Return what the job gives on a day."""
    before = shop.balance()
    shop.now = datetime.fromisoformat(when)
    for _ in range(2):
        jobs.tell_occasions(shop.crm)
    return int(shop.balance()) - before


def test_law_38_a_birthday_is_rewarded_once_a_year(party: Any) -> None:
    """kills: a key with the date of birth in it, and a key under one id of merged contacts (SSW.Rewards#1116)."""
    assert day(party, "2027-02-27T12:00:00+00:00") == 0
    assert day(party, "2027-02-28T00:00:00+00:00") == 100  # no 29 February
    assert day(party, "2027-03-01T12:00:00+00:00") == 1  # the anniversary
    party.do(lambda tx: tx.contacts.update(party.ann, birth_date=date(1980, 3, 5)))
    assert day(party, "2027-03-05T12:00:00+00:00") == 0
    ben = party.do(lambda tx: tx.contacts.add("Ben", birth_date=date(1980, 3, 6))).id
    joined(party, ben)
    party.do(lambda tx: tx.merges.merge(party.ann, ben))
    assert day(party, "2027-03-06T12:00:00+00:00") == 0
    assert day(party, "2028-03-06T12:00:00+00:00") >= 100


def test_law_38_is_seen_to_fail(party: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tell = jobs.tell

    def dated(tx: Any, trigger: str, contact_id: Any, *, key: str, payload: Any) -> bool:
        return tell(tx, trigger, contact_id, key=f"{key} {payload['day']}", payload=payload)

    monkeypatch.setattr(jobs, "tell", dated)
    with pytest.raises(AssertionError):
        test_law_38_a_birthday_is_rewarded_once_a_year(party)


def test_a_birthday_begins_in_the_members_zone(party: Any) -> None:
    party.do(lambda tx: tx.contacts.update(party.ann, birth_date=date(1980, 6, 1), zone="Pacific/Auckland"))
    assert day(party, "2026-05-31T11:59:59+00:00") == 0
    assert day(party, "2026-05-31T12:00:00+00:00") == 100


def test_a_day_on_which_nothing_ran_is_made_up_for(party: Any) -> None:
    party.do(lambda tx: tx.contacts.update(party.ann, birth_date=date(1980, 6, 1)))
    assert day(party, "2026-06-08T12:00:00+00:00") == 100
    assert day(party, "2027-06-09T12:00:00+00:00") == 0  # too late


def test_whoever_left_has_no_birthday(party: Any) -> None:
    party.do(lambda tx: Members(tx).leave(party.ann))
    assert day(party, "2027-02-28T12:00:00+00:00") == 0
