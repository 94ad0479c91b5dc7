"""Whether a contact may be written to: the decision by itself, and the log, the list and the links around it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import attrs
import pytest

from crmkit import (
    CRM,
    Conflict,
    ContactPoint,
    DeliveryState,
    KeyConflict,
    Message,
    NotFound,
    SettingsError,
    Transaction,
    ValueRefused,
)
from crmkit.clock import FOREVER
from crmkit.consent import (
    Allowed,
    ConsentEntry,
    ConsentState,
    Refused,
    Standing,
    Suppression,
    SuppressionReason,
    may_send,
)
from crmkit.contacts import PointKind
from crmkit.contacts.keys import address_key
from crmkit.errors import AlreadyErased, TokenRefused
from crmkit.purposes import Basis, Purpose
from crmkit.testing import FakeClock, RecordingChannel, memory_crm
from crmkit.testing import outbox as read_outbox

NEWS = Purpose("news", Basis.CONSENT)
REVIEWS = Purpose("reviews", Basis.LEGITIMATE_INTEREST)
SERVICE = Purpose("service", Basis.CONTRACT)
LAW = Purpose("recall", Basis.LEGAL_OBLIGATION)
START = datetime(2026, 1, 1, tzinfo=UTC)
ANN = ContactPoint.email("Ann@example.com")
URLS = {
    "confirm_url": "https://shop.example/yes?t={token}",
    "unsubscribe_url": "https://shop.example/no?t={token}",
}


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def said(state: str, at: float, channel: str = "", **fields: Any) -> ConsentEntry:
    given = {
        "id": uuid4(), "contact_id": UUID(int=1), "purpose": "news", "channel": channel, "state": ConsentState(state),
        "basis": Basis.CONSENT, "source": "form", "text_version": "", "actor": "system", "personally": False,
        "at": day(at), "recorded_at": day(fields.pop("recorded", at)), **fields,
    }  # fmt: skip
    return ConsentEntry(**given)


def stopped(reason: str, at: float = 1, **fields: Any) -> Suppression:
    return Suppression(
        id=uuid4(), digest="", reason=SuppressionReason(reason), since=day(at), again_at=day(at), **fields
    )


def answer(
    *facts: ConsentEntry | Suppression, purpose: Purpose = NEWS, channel: str = "email", at: float = 10
) -> str:
    """Return why nothing may be sent, or "yes"."""
    standing = Standing(
        entries=tuple(one for one in facts if isinstance(one, ConsentEntry)),
        suppressions=tuple(one for one in facts if isinstance(one, Suppression)),
    )
    found = may_send(purpose, channel, standing, day(at))
    return found.reason.value if isinstance(found, Refused) else "yes"


@pytest.mark.parametrize(
    "facts, expected",
    [
        ([], "no_consent"),
        ([said("granted", 1)], "yes"),
        ([said("granted", 1), said("withdrawn", 2)], "withdrawn"),
        ([said("withdrawn", 1), said("granted", 2)], "yes"),
        ([said("granted", 2), said("withdrawn", 2)], "withdrawn"),
        ([said("withdrawn", 2), said("granted", 2)], "withdrawn"),
        ([said("pending", 1)], "pending"),
        ([said("pending", 1, until=day(3))], "no_consent"),
        ([said("granted", 1), said("pending", 2)], "yes"),
        ([said("withdrawn", 1), said("pending", 2)], "pending"),
        ([said("granted", 1, until=day(10))], "expired"),
        ([said("granted", 1, until=day(11))], "yes"),
        ([said("granted", 20, recorded=1)], "no_consent"),
        ([said("granted", 9, recorded=1), said("withdrawn", 5)], "withdrawn"),
        ([said("granted", 3, recorded=1), said("withdrawn", 9, recorded=2)], "withdrawn"),
        ([said("granted", 1, "sms")], "no_consent"),
        ([said("granted", 1, "email")], "yes"),
        ([said("granted", 1), said("withdrawn", 2, "email")], "withdrawn"),
        ([said("granted", 1), said("withdrawn", 2, "sms")], "yes"),
        ([said("granted", 1), said("withdrawn", 2, purpose="")], "withdrawn"),
        ([said("withdrawn", 1), said("granted", 2, source="import:old list")], "withdrawn"),
        ([said("withdrawn", 1), said("pending", 2), said("granted", 3, source="import")], "pending"),
        ([said("withdrawn", 1), said("granted", 2), said("granted", 3, source="Import")], "yes"),
        ([said("granted", 3, source="import"), said("withdrawn", 1, recorded=4)], "withdrawn"),
        ([said("granted", 1), stopped("unsubscribe", 2)], "suppressed"),
        ([said("granted", 3), stopped("unsubscribe", 2)], "suppressed"),
        ([said("granted", 3, personally=True), stopped("unsubscribe", 2)], "yes"),
        ([said("granted", 2, personally=True), stopped("unsubscribe", 2)], "suppressed"),
        ([said("granted", 3, personally=True), stopped("complaint", 2)], "suppressed"),
        ([said("granted", 3, personally=True), stopped("hard_bounce", 2)], "suppressed"),
        ([said("granted", 1), stopped("manual", 2, purpose="promo")], "yes"),
        ([said("granted", 1), stopped("manual", 2, channel="sms")], "yes"),
        ([said("granted", 1), stopped("manual", 2, channel="email")], "suppressed"),
        ([said("granted", 1), stopped("manual", 2, until=day(9))], "yes"),
        ([said("granted", 1), stopped("manual", 11)], "yes"),
    ],
)
def test_consent_is_decided_from_what_was_said(facts: list[Any], expected: str) -> None:
    assert answer(*facts) == expected
    assert answer(*reversed(facts)) == expected


@pytest.mark.parametrize(
    "purpose, facts, expected",
    [
        (SERVICE, [], "yes"),
        (SERVICE, [said("withdrawn", 1, purpose="")], "yes"),
        (SERVICE, [stopped("unsubscribe")], "yes"),
        (SERVICE, [stopped("hard_bounce")], "suppressed"),
        (SERVICE, [stopped("complaint")], "suppressed"),
        (SERVICE, [stopped("manual")], "suppressed"),
        (LAW, [stopped("unsubscribe")], "yes"),
        (REVIEWS, [], "yes"),
        (REVIEWS, [said("withdrawn", 1, purpose="reviews")], "withdrawn"),
        (REVIEWS, [said("granted", 1, purpose="reviews", until=day(2))], "yes"),
        (REVIEWS, [stopped("unsubscribe")], "suppressed"),
    ],
)
def test_each_basis_has_its_own_rule(purpose: Purpose, facts: list[Any], expected: str) -> None:
    assert answer(*facts, purpose=purpose) == expected


def test_of_an_earlier_instant_it_tells_what_was_right_then() -> None:
    facts = [said("granted", 2), said("withdrawn", 4), stopped("complaint", 6, until=day(8))]
    assert [answer(*facts, at=at) for at in (1, 3, 5, 7)] == ["no_consent", "yes", "withdrawn", "suppressed"]
    assert answer(*facts, purpose=SERVICE, at=9) == "yes"


def test_a_refusal_names_why_and_since_when() -> None:
    found = may_send(NEWS, "email", Standing(entries=(said("withdrawn", 3),)), day(5))
    assert not found and isinstance(found, Refused)
    assert (found.why, found.since) == ("news over email was refused on 2026-01-04", day(3))
    assert str(may_send(NEWS, "email", Standing(gone=True), day(5))) == "the contact is gone"


class Shop:
    """A CRM with a channel and one contact."""

    def __init__(self, **core: Any) -> None:
        self.clock = FakeClock()
        self.channel = RecordingChannel()
        self.crm = memory_crm(plugins=[self.channel], clock=self.clock, settings={"core": {**URLS, **core}})
        self.crm.adopt()
        with self.crm.begin() as tx:
            self.ann = tx.contacts.add("Ann", points=[ANN]).id

    def wait(self, **time: float) -> None:
        self.clock.advance(timedelta(**time))

    def may(self, purpose: str = "news", at: datetime | None = None) -> Allowed | Refused:
        with self.crm.begin() as tx:
            return tx.consents.may_send(self.ann, purpose, "email", at)

    def ask(self, **options: Any) -> Any:
        with self.crm.begin() as tx:
            return tx.consents.request(self.ann, "news", source="footer", **options)

    def confirm(self, token: str) -> ConsentEntry:
        with self.crm.begin() as tx:
            return tx.consents.confirm(token)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_asking_by_oneself_allows_nothing(shop: Shop) -> None:
    with shop.crm.begin() as tx:
        asked = tx.consents.pending(shop.ann, "news", "email", source="letter", text_version="2")
        assert tx.consents.state(shop.ann, "news", "email") is ConsentState.PENDING
        assert tx.consents.history(shop.ann) == [asked]
        assert tx.events.timeline(shop.ann)[0].type == "ConsentRequested"
    assert shop.may().reason.value == "pending"  # type: ignore[union-attr]
    with shop.crm.begin() as tx:
        tx.consents.grant(shop.ann, "news", "email", source="letter")
    assert shop.may()


def test_a_consent_is_kept_with_its_evidence(shop: Shop) -> None:
    with shop.crm.begin(actor="staff:bo") as tx:
        entry = tx.consents.grant(shop.ann, "news", "email", source="till", text_version="2026-01")
        assert tx.consents.history(shop.ann) == [entry]
        assert (entry.actor, entry.basis, entry.text_version) == ("staff:bo", Basis.CONSENT, "2026-01")
        assert tx.consents.state(shop.ann, "news", "email") is ConsentState.GRANTED
        assert tx.consents.state(shop.ann, "promo", "email") is None
        (told,) = [one for one in tx.events.timeline(shop.ann) if one.type == "ConsentGranted"]
        assert told.event.purpose == "news" and told.subject_id == entry.id  # type: ignore[attr-defined]
    assert shop.may() and not shop.may("promo")


def test_saying_the_same_again_changes_nothing(shop: Shop) -> None:
    with shop.crm.begin() as tx:
        first = tx.consents.grant(shop.ann, "news", source="till")
        assert tx.consents.grant(shop.ann, "news", source="till") == first
        shop.wait(days=1)
        refused = tx.consents.withdraw(shop.ann, "news")
        assert tx.consents.withdraw(shop.ann, "news") == refused
        assert tx.consents.history(shop.ann) == [first, refused]
        shop.wait(days=1)
        tx.consents.grant(shop.ann, "news", source="till")
        shop.wait(days=1)
        tx.consents.withdraw(shop.ann, "news")
        assert len(tx.consents.history(shop.ann)) == 4
        assert [one.type for one in tx.events.timeline(shop.ann)].count("ConsentWithdrawn") == 2


def test_a_narrow_grant_between_is_refused_again(shop: Shop) -> None:
    with shop.crm.begin() as tx:
        tx.consents.withdraw(shop.ann)
        shop.wait(days=1)
        tx.consents.grant(shop.ann, "news", "email", source="till")
        shop.wait(days=1)
        tx.consents.withdraw(shop.ann)
    assert not shop.may()


def test_a_key_names_one_consent(shop: Shop) -> None:
    with shop.crm.begin() as tx:
        first = tx.consents.grant(shop.ann, "news", source="till", key="form 7")
        assert tx.consents.grant(shop.ann, "news", source="till", key="form 7") == first
        with pytest.raises(KeyConflict):
            tx.consents.grant(shop.ann, "promo", source="till", key="form 7")


def test_the_last_word_stands_after_a_request_that_ended(shop: Shop) -> None:
    """kills: the last entry for the last word, whatever it says."""
    with shop.crm.begin() as tx:
        tx.consents.withdraw(shop.ann, "news")
        shop.wait(days=1)
        until = shop.clock() + timedelta(days=1)
        tx.consents.pending(shop.ann, "news", source="letter", until=until)
        assert tx.consents.state(shop.ann, "news") is ConsentState.PENDING
        assert tx.consents.state(shop.ann, "news", at=until) is ConsentState.WITHDRAWN
        until += timedelta(days=1)
        shop.wait(days=1)
        tx.consents.grant(shop.ann, "news", source="letter", until=until)
        assert tx.consents.state(shop.ann, "news") is ConsentState.GRANTED
        assert tx.consents.state(shop.ann, "news", at=until) is None


def test_consents_begin_and_end(shop: Shop) -> None:
    start = shop.clock()
    with shop.crm.begin() as tx:
        tx.consents.grant(
            shop.ann, "news", source="till", at=start + timedelta(days=2), until=start + timedelta(days=4)
        )
    assert [bool(shop.may(at=start + timedelta(days=days))) for days in (1, 2, 3, 4)] == [
        False,
        True,
        True,
        False,
    ]
    with pytest.raises(ValueRefused, match="must end after it begins"), shop.crm.begin() as tx:
        tx.consents.grant(shop.ann, "news", source="till", until=start)


def test_mistakes_are_named(shop: Shop) -> None:
    with shop.crm.begin() as tx:
        with pytest.raises(ValueRefused, match="did you mean 'news'"):
            tx.consents.grant(shop.ann, "new", source="till")
        with pytest.raises(ValueRefused, match="did you mean 'promo'"):
            tx.messages.queue(
                Message(topic="t", purpose="promos", text="x"), channel="email", key="k", contact_id=shop.ann
            )
        with pytest.raises(ValueRefused, match="cannot be refused"):
            tx.consents.withdraw(shop.ann, "service")
        with pytest.raises(NotFound):
            tx.consents.grant(UUID(int=5), "news", source="till")
        with pytest.raises(ValueRefused, match="source of a consent is empty"):
            tx.consents.grant(shop.ann, "news", source="")
        assert str(tx.consents.may_send(UUID(int=5), "news", "email")) == "the contact is gone"


@pytest.mark.parametrize("call", ["grant", "pending", "withdraw", "suppress", "link"])
def test_a_channel_that_nobody_knows_is_refused_and_nothing_is_recorded(shop: Shop, call: str) -> None:
    """kills: any text for a channel: what is refused over "emial" would go on over email."""
    refused = "no channel is named 'emial'; did you mean 'email'.*settings\\['core'\\]\\['channels'\\]"
    with shop.crm.begin() as tx, pytest.raises(ValueRefused, match=refused):
        say(tx, shop.ann, call, "emial")
    with shop.crm.begin() as tx:
        assert tx.consents.history(shop.ann) == [] and tx.suppressions.list() == []


def say(tx: Transaction, contact_id: UUID, call: str, channel: str) -> object:
    """Say something of a channel by one of the calls that take its name."""
    calls: dict[str, Callable[[], object]] = {
        "grant": lambda: tx.consents.grant(contact_id, "news", channel, source="form"),
        "pending": lambda: tx.consents.pending(contact_id, "news", channel, source="form"),
        "withdraw": lambda: tx.consents.withdraw(contact_id, "news", channel),
        "suppress": lambda: tx.suppressions.add(ANN, channel=channel),
        "link": lambda: tx.consents.unsubscribe_token("news", channel, to=ANN),
    }
    return calls[call]()


@pytest.mark.parametrize("call", ["grant", "pending", "withdraw", "suppress", "link"])
@pytest.mark.parametrize("channel", ["", "email", "sms", "phone", "letter", "chat", "fax"])
def test_channels_are_known_by_plugins_by_settings_and_as_media(call: str, channel: str) -> None:
    crm = memory_crm(
        plugins=[RecordingChannel("chat", address_kind="phone")], settings={"core": {"channels": ["fax"]}}
    )
    with crm.begin() as tx:
        assert say(tx, tx.contacts.add("Ann", points=[ANN]).id, call, channel)


def test_a_link_of_a_channel_that_is_gone_unsubscribes(tmp_path: Path) -> None:
    """kills: checking the channel of a link as that of a call: the refusal would be lost."""
    url = f"sqlite:///{tmp_path / 'crm.db'}"
    crm = CRM(url, plugins=[RecordingChannel("chat", address_kind="email")])
    crm.create_tables()
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann", points=[ANN]).id
        tx.consents.grant(ann, "news", "chat", source="form")
        token = tx.consents.unsubscribe_token("news", "chat", to=ANN)
    with CRM(url).begin() as tx:
        assert tx.consents.unsubscribe(token).contact_id == ann
        assert tx.consents.state(ann, "news", "chat") is ConsentState.WITHDRAWN


def test_double_opt_in_from_the_form_to_the_first_issue(shop: Shop) -> None:
    asked = shop.ask(text_version="2026-01")
    assert asked.delivery.state is DeliveryState.QUEUED and shop.may().reason.value == "pending"  # type: ignore[union-attr]
    shop.crm.run_due()
    (mail,) = shop.channel.effects
    assert f"https://shop.example/yes?t={asked.token}" in mail.text and mail.purpose == "service"
    assert "Unsubscribe" not in str(mail.headers)
    shop.wait(hours=1)
    entry = shop.confirm(asked.token)
    assert (entry.source, entry.text_version, entry.personally) == ("double opt-in", "2026-01", True)
    assert shop.may()
    with shop.crm.begin() as tx:
        (point,) = tx.contacts.get(shop.ann).points
    assert point.verified_at == shop.clock()


def test_a_link_that_is_opened_twice_confirms_once(shop: Shop) -> None:
    token = shop.ask().token
    shop.wait(hours=1)
    first = shop.confirm(token)
    shop.wait(hours=1)
    assert shop.confirm(token) == first
    with shop.crm.begin() as tx:
        tx.consents.withdraw(shop.ann, "news")
    shop.wait(hours=1)
    assert shop.confirm(token) == first  # what it did, it did then
    assert not shop.may()


def test_a_request_is_not_confirmed_after_a_refusal(shop: Shop) -> None:
    token = shop.ask().token
    shop.wait(hours=1)
    with shop.crm.begin() as tx:
        tx.consents.withdraw(shop.ann, "news")
    with pytest.raises(TokenRefused, match="refused after this request"):
        shop.confirm(token)
    shop.wait(hours=1)
    token = shop.ask().token
    with shop.crm.begin() as tx:
        tx.consents.unsubscribe(tx.consents.unsubscribe_token("news", to=ANN))
    with pytest.raises(TokenRefused, match="refused after this request"):
        shop.confirm(token)


def test_a_request_ends(shop: Shop) -> None:
    token = shop.ask(valid=timedelta(days=2)).token
    shop.wait(days=2)
    with pytest.raises(TokenRefused, match="was valid until"):
        shop.confirm(token)
    assert shop.may().reason.value == "no_consent"  # type: ignore[union-attr]


def test_a_request_to_an_address_that_was_taken_away_is_void(shop: Shop) -> None:
    token = shop.ask().token
    with shop.crm.begin() as tx:
        tx.contacts.points.remove(shop.ann, ANN)
    with pytest.raises(TokenRefused, match="no longer the contact's"):
        shop.confirm(token)


def test_a_token_is_for_one_thing(shop: Shop) -> None:
    token = shop.ask().token
    with shop.crm.begin() as tx:
        with pytest.raises(TokenRefused, match="is to confirm, not to unsubscribe"):
            tx.consents.unsubscribe(token)
        with pytest.raises(TokenRefused, match="is to unsubscribe, not to confirm"):
            tx.consents.confirm(tx.consents.unsubscribe_token("news", to=ANN))
        assert tx.consents.read_token(token).purpose == "news"
        assert not tx.suppressions.list()


def test_nobody_is_flooded_with_requests() -> None:
    shop = Shop(consent_requests=2)
    with shop.crm.begin() as tx:
        other = tx.contacts.add("Somebody else").id
        tx.contacts.remember(other, ContactPoint.email("ANN@example.com"), shared=True)
        asked = [
            tx.consents.request(id, purpose, source="form")
            for id in (shop.ann, other)
            for purpose in ("news", "promo")
        ]
        assert [bool(one.delivery) for one in asked] == [True, True, False, False]
        assert asked[2].refused == "the address was asked 2 times today, which is the limit"
    assert len(read_outbox(shop.crm)) == 2
    shop.wait(days=1)
    assert shop.ask().delivery


def test_who_has_consented_is_not_asked_again(shop: Shop) -> None:
    with shop.crm.begin() as tx:
        entry = tx.consents.grant(shop.ann, "news", source="till")
    asked = shop.ask()
    assert (asked.entry, asked.delivery, asked.refused) == (entry, None, "consent is given already")


def test_a_request_needs_what_it_needs(shop: Shop) -> None:
    with shop.crm.begin() as tx:
        with pytest.raises(ValueRefused, match="nothing to consent to"):
            tx.consents.request(shop.ann, "service", source="form")
        with pytest.raises(ValueRefused, match="no such address"):
            tx.consents.request(shop.ann, "news", source="form", to=ContactPoint.email("eve@example.com"))
        with pytest.raises(NotFound, match="template"):
            tx.consents.request(shop.ann, "news", source="form", template="gone")
    with pytest.raises(SettingsError, match="confirm_url"):
        Shop(confirm_url="").ask()


def test_one_click_unsubscribes(shop: Shop) -> None:
    with shop.crm.begin() as tx:
        tx.consents.grant(shop.ann, "news", source="till")
        message = Message(topic="issue 1", purpose="news", text="News")
        tx.messages.queue(message, channel="email", key="issue 1", contact_id=shop.ann)
    shop.crm.run_due()
    headers = shop.channel.effects[0].headers
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    url = headers["List-Unsubscribe"]
    assert url.startswith("<https://shop.example/no?t=") and url.endswith(">")
    token = url.removesuffix(">").partition("t=")[2]
    shop.wait(hours=1)
    with shop.crm.begin() as tx:
        done = tx.consents.unsubscribe(token)
        assert (done.purpose, done.channel, done.contact_id) == ("news", "email", shop.ann)
        tx.consents.unsubscribe(token)
        assert [one.scope for one in tx.suppressions.list()] == ["purpose:news"]
        assert len(tx.consents.history(shop.ann)) == 2
    assert not shop.may() and shop.may("service")


def test_the_link_stands_in_templates_too(shop: Shop) -> None:
    from crmkit import Template

    crm = memory_crm(
        plugins=[shop.channel], settings={"core": URLS},
        templates=[Template(name="issue", text="News. Enough? {{ unsubscribe_url }}")],
    )  # fmt: skip
    crm.adopt()
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann", points=[ANN]).id
        tx.consents.grant(ann, "news", source="till")
        message = Message(topic="issue 1", purpose="news", template="issue")
        tx.messages.queue(message, channel="email", key="issue 1", contact_id=ann)
    crm.run_due()
    assert "Enough? https://shop.example/no?t=" in shop.channel.effects[-1].text


def test_a_header_of_ones_own_stays(shop: Shop) -> None:
    with shop.crm.begin() as tx:
        tx.consents.grant(shop.ann, "news", source="till")
        message = Message(
            topic="1", purpose="news", text="x", headers={"list-unsubscribe": "<https://own.example>"}
        )
        tx.messages.queue(message, channel="email", key="1", contact_id=shop.ann)
    shop.crm.run_due()
    assert dict(shop.channel.effects[0].headers) == {"list-unsubscribe": "<https://own.example>"}


def test_unsubscribing_from_everything_works_without_a_contact(shop: Shop) -> None:
    with shop.crm.begin() as tx:
        token = tx.consents.unsubscribe_token("news", "email", to=ANN, contact_id=UUID(int=99))
        assert tx.consents.unsubscribe(token, everything=True).contact_id is None
        tx.consents.grant(shop.ann, "promo", source="staff says so")
    assert shop.may("promo").reason.value == "suppressed" and shop.may("service")  # type: ignore[union-attr]


def test_only_the_person_takes_back_having_unsubscribed(shop: Shop) -> None:
    with shop.crm.begin() as tx:
        tx.consents.unsubscribe(tx.consents.unsubscribe_token("", to=ANN, contact_id=shop.ann))
    shop.wait(hours=1)
    for source, actor in (
        ("import:list", "system"),
        ("import:list", f"contact:{shop.ann}"),
        ("phone", "staff:bo"),
    ):
        with shop.crm.begin(actor=actor) as tx:
            tx.consents.grant(shop.ann, "news", source=source)
        assert not shop.may()
    with shop.crm.begin(actor=f"contact:{shop.ann}") as tx:
        tx.consents.grant(shop.ann, "news", source="profile page")
    assert shop.may() and not shop.may("promo")


def test_a_complaint_stops_everything_at_once(shop: Shop) -> None:
    with shop.crm.begin() as tx:
        tx.consents.grant(shop.ann, "news", source="till")
        shop.wait(hours=1)
        tx.suppressions.report(ANN, "complaint", source="feedback loop")
        tx.suppressions.report(ANN, "complaint", source="feedback loop")
        assert [one.type for one in tx.events.timeline(shop.ann)].count("AddressSuppressed") == 1
        tx.contacts.remember(shop.ann, ContactPoint.email("new@example.com"))
        tx.contacts.points.prefer(shop.ann, ContactPoint.email("new@example.com"))
    assert shop.may().reason.value == "withdrawn"  # type: ignore[union-attr]
    with shop.crm.begin() as tx, pytest.raises(ValueRefused, match="use add"):
        tx.suppressions.report(ANN, "manual", source="x")


def test_lifting_needs_somebody_who_answers_for_it(shop: Shop) -> None:
    with shop.crm.begin() as tx:
        tx.suppressions.add(ANN, "hard_bounce", source="smtp 550 5.1.1")
        for by in ("system", "plugin:import"):
            with pytest.raises(ValueRefused, match="somebody must answer"):
                tx.suppressions.lift(ANN, by=by, reason="import")
        with pytest.raises(ValueRefused, match="reason is empty"):
            tx.suppressions.lift(ANN, by="staff:bo", reason="")
        with pytest.raises(NotFound):
            tx.suppressions.lift(ANN, by="staff:bo", reason="typo", purpose="news")
        shop.wait(hours=1)
        (lifted,) = tx.suppressions.lift(ANN, by="staff:bo", reason="mailbox is back")
        assert tx.suppressions.find(ANN) == ()
        assert tx.suppressions.history(ANN) == (lifted,)
        assert (lifted.lifted_by, lifted.lift_reason, lifted.until) == ("staff:bo", "mailbox is back", tx.now)
        assert "SuppressionLifted" in [one.type for one in tx.events.timeline(shop.ann)]
        tx.suppressions.add(ANN, "hard_bounce")
        tx.suppressions.lift(ANN, by="staff:bo", reason="again")
        assert len(tx.suppressions.history(ANN)) == 2


def test_a_complaint_is_lifted_by_force_alone(shop: Shop) -> None:
    with shop.crm.begin() as tx:
        tx.suppressions.report(ANN, "complaint", source="feedback loop")
        tx.suppressions.add(ANN, "manual")
        with pytest.raises(Conflict, match="complained"):
            tx.suppressions.lift(ANN, by="staff:bo", reason="she says so")
        assert len(tx.suppressions.find(ANN)) == 2
        assert len(tx.suppressions.lift(ANN, by="staff:bo", reason="she says so", force=True)) == 2


def test_the_list_is_read_page_by_page(shop: Shop) -> None:
    with shop.crm.begin() as tx:
        for number in range(5):
            tx.suppressions.add(ContactPoint.email(f"p{number}@example.com"), "hard_bounce")
        tx.suppressions.add(ANN, "manual")
        pages, last = [], None
        while page := tx.suppressions.list("hard_bounce", after=last, limit=2):
            pages.append(len(page))
            last = page[-1]
        assert pages == [2, 2, 1] and len(tx.suppressions.list()) == 6
        with pytest.raises(ValueRefused, match="limit is 0"):
            tx.suppressions.list(limit=0)
        with pytest.raises(ValueRefused, match="none of complaint, hard_bounce"):
            tx.suppressions.list("bounced")


def test_the_list_holds_no_address(shop: Shop) -> None:
    with shop.crm.begin() as tx:
        one = tx.suppressions.add(ANN)
        rows = tx.sql.connection.exec_driver_sql("SELECT * FROM crm_suppressions").all()
        assert "example" not in f"{rows} {one!r}" and one.digest not in repr(one)


@pytest.mark.parametrize(
    "kind, stored, sent",
    [
        (PointKind.EMAIL, "ann@example.com", "ANN@Example.COM"),
        (PointKind.EMAIL, "bo@xn--bcher-kva.example", "BO@Bücher.example"),
        (PointKind.EMAIL, "người@bücher.example", "ngươ\u0300i@BÜCHER.example"),
        (PointKind.PHONE, "+4930901820", "+49 30 90182-0"),
        (PointKind.HANDLE, "@Ann", "ann"),
        (PointKind.EXTERNAL, "7", "7"),
        (PointKind.POSTAL, "1 High Street\nTown", "1 high street, town"),
    ],
)
def test_an_address_has_one_key_however_it_is_written(kind: PointKind, stored: str, sent: str) -> None:
    assert address_key(kind, stored) == address_key(kind, sent)


def test_what_is_no_address_has_a_key_too() -> None:
    assert address_key(PointKind.EMAIL, " Not an Address ") == "not an address"
    assert address_key(PointKind.PHONE, "nobody") == "nobody"


def test_a_message_waits_if_its_purpose_is_not_known_any_more() -> None:
    shop = Shop(purposes={"survey": "legitimate_interest"})
    with shop.crm.begin() as tx:
        message = Message(topic="1", purpose="survey", text="x")
        id = tx.messages.queue(message, channel="email", key="1", contact_id=shop.ann).delivery.id
    known = shop.crm.settings.purposes
    object.__setattr__(shop.crm.settings, "purposes", {"service": known["service"]})
    shop.crm.run_due()
    with shop.crm.begin() as tx:
        assert "no purpose 'survey'" in tx.messages.get(id).reason
    object.__setattr__(shop.crm.settings, "purposes", known)
    assert shop.crm.release(id) == 1
    assert shop.crm.run_due().sent == 1


@pytest.mark.parametrize(
    "core, message",
    [
        ({"purposes": {"news": "consents"}}, "rests on 'consents'; must be one of consent, contract"),
        ({"purposes": {"a b": "consent"}}, "must be ASCII letters"),
        ({"purposes": ["news"]}, "must be a mapping"),
        ({"unsubscribe_url": "http://shop.example/{token}"}, "must be like https://"),
        ({"unsubscribe_url": "https://shop.example/"}, "must be like https://"),
        ({"confirm_url": "https://shop.example/{token}{token}"}, "must be like https://"),
        ({"confirm_url": 7}, "must be a URL"),
        ({"consent_requests": 0}, "consent_requests"),
        ({"channels": "sms"}, "['channels'] is 'sms'; must be a list of names"),
        ({"channels": ["chat", "x" * 31]}, "['channels'] has 31 characters"),
    ],
)
def test_wrong_settings_are_refused(core: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        CRM("sqlite://", settings={"core": core})
    assert message in str(caught.value)


def test_bulk_queueing_asks_everybody_and_can_be_repeated(shop: Shop) -> None:
    with shop.crm.begin() as tx:
        people = [
            tx.contacts.add(f"P{n}", points=[ContactPoint.email(f"p{n}@example.com")]).id for n in range(6)
        ]
        for id in people[:4]:
            tx.consents.grant(id, "news", source="till")
        tx.suppressions.add(ContactPoint.email("P0@EXAMPLE.com"))
        message = Message(topic="1", purpose="news", text="x")
        ids = tx.messages.queue_many(message, channel="email", key="1", contact_ids=people[:5])
        states = [tx.messages.get(id).state.value for id in ids]
        assert states == ["suppressed", "queued", "queued", "queued", "suppressed"]
        assert tx.messages.queue_many(message, channel="email", key="1", contact_ids=people[:5]) == ids
        more = tx.messages.queue_many(message, channel="email", key="1", contact_ids=people)
        assert more[:5] == ids and len(tx.messages.list()) == 6
        for other in (attrs.evolve(message, text="y"), attrs.evolve(message, purpose="promo")):
            with pytest.raises(KeyConflict):
                tx.messages.queue_many(other, channel="email", key="1", contact_ids=people)
    assert shop.crm.run_due().sent == 3


def test_what_was_refused_outlives_an_erasure(shop: Shop) -> None:
    with shop.crm.begin() as tx:
        tx.consents.grant(shop.ann, "news", source="till")
        message = Message(topic="1", purpose="news", text="x")
        tx.messages.queue(message, channel="email", key="1", contact_id=shop.ann)
        token = tx.consents.unsubscribe_token("news", "email", to=ANN, contact_id=shop.ann)
        tx.suppressions.add(ANN, "hard_bounce")
    shop.crm.erase(shop.ann)
    shop.wait(hours=1)
    with shop.crm.begin() as tx:
        assert [one.reason.value for one in tx.suppressions.find(ANN)] == ["hard_bounce"]
        assert [one.state for one in tx.consents.history(shop.ann)] == [ConsentState.GRANTED]
        assert str(tx.consents.may_send(shop.ann, "service", "email")) == "the contact is gone"
        assert tx.consents.unsubscribe(token).contact_id is None
        assert len(tx.suppressions.find(ANN)) == 2
        with pytest.raises(AlreadyErased):
            tx.consents.grant(shop.ann, "news", source="till")
        again = tx.contacts.add("Ann", points=[ANN]).id
        assert tx.consents.may_send(again, "service", "email").reason.value == "suppressed"  # type: ignore[union-attr]
    shop.crm.run_due()
    assert shop.channel.deliveries == []


def test_forever_is_not_a_day_in_an_answer() -> None:
    assert FOREVER.isoformat() not in str(
        may_send(NEWS, "email", Standing(entries=(said("pending", 1),)), day(2))
    )


@pytest.mark.parametrize("refuse", ["withdraw", "unsubscribe", "complaint"])
def test_a_refusal_that_a_clock_which_was_ahead_has_dated_holds_at_once(shop: Shop, refuse: str) -> None:
    with shop.crm.begin() as tx:
        tx.consents.grant(shop.ann, "news", source="form")
        tx.messages.queue(
            Message(topic="t", purpose="news", text="x"), channel="email", key="k", contact_id=shop.ann
        )
    shop.wait(hours=1)
    with shop.crm.begin() as tx:
        if refuse == "withdraw":
            tx.consents.withdraw(shop.ann, "news")
        elif refuse == "unsubscribe":
            tx.consents.unsubscribe(tx.consents.unsubscribe_token("news", to=ANN))
        else:
            tx.suppressions.add(ANN, "complaint")
    shop.clock.set(shop.clock() - timedelta(minutes=30))
    assert not shop.may()
    shop.crm.run_due()
    assert shop.channel.deliveries == []
    with shop.crm.begin() as tx:
        again = tx.messages.queue(
            Message(topic="t", purpose="news", text="x"), channel="email", key="l", contact_id=shop.ann
        )
        assert again.state is DeliveryState.SUPPRESSED


@pytest.mark.parametrize("asked", [False, True])
def test_a_refusal_comes_after_what_it_takes_back_whatever_the_clocks_say(shop: Shop, asked: bool) -> None:
    shop.wait(minutes=1)  # this clock is ahead
    with shop.crm.begin(actor=f"contact:{shop.ann}") as tx:
        tx.consents.grant(shop.ann, "news", source="form")
    request = Shop.ask(shop, channel="email") if not asked else None
    shop.clock.set(shop.clock() - timedelta(seconds=30))
    with shop.crm.begin() as tx:
        tx.consents.withdraw(shop.ann, "news")
    shop.wait(hours=1)
    assert shop.may().reason.value == "withdrawn"  # type: ignore[union-attr]
    assert request is None or not request.token


def link_of(delivery: Any) -> str:
    """Return the token in the link of a message."""
    return delivery.headers["List-Unsubscribe"].removesuffix(">").partition("t=")[2]  # type: ignore[no-any-return]


@pytest.mark.parametrize("how", ["message", "link", "suppression", "elsewhere"])
def test_unsubscribing_an_address_comes_after_what_its_owner_said_whatever_the_clocks_say(how: str) -> None:
    """kills: the present for `again_at`; a link that is nobody's because it names nobody."""
    shop = Shop(purposes={"survey": "legitimate_interest"})
    eve = ContactPoint.email("Eve@example.com")
    with shop.crm.begin() as tx:
        survey = Message(topic="t", purpose="survey", text="x")
        tx.messages.queue(survey, channel="email", key="k", to=eve)  # an address that is nobody's as yet
    shop.crm.run_due()
    token = link_of(shop.channel.effects[0])
    shop.wait(minutes=1)  # this clock is ahead
    with shop.crm.begin() as tx:
        shop.ann = tx.contacts.add("Eve", points=[eve]).id
    with shop.crm.begin(actor=f"contact:{shop.ann}") as tx:
        tx.consents.grant(shop.ann, "survey", source="form")
    shop.clock.set(shop.clock() - timedelta(seconds=30))
    with shop.crm.begin() as tx:
        if how == "suppression":
            tx.suppressions.add(eve, "unsubscribe", purpose="survey")
        elif how == "elsewhere":
            tx.suppressions.add(ANN, "unsubscribe", purpose="survey")
        else:
            done = tx.consents.unsubscribe(
                token if how == "message" else tx.consents.unsubscribe_token("survey", to=eve)
            )
            assert done.contact_id == shop.ann
    shop.wait(hours=1)
    assert bool(shop.may("survey")) == (how == "elsewhere")
    with shop.crm.begin(actor=f"contact:{shop.ann}") as tx:
        tx.consents.grant(shop.ann, "survey", source="form", text_version="2")
    assert shop.may("survey")


def test_a_suppression_for_later_holds_from_then_on(shop: Shop) -> None:
    with shop.crm.begin(actor=f"contact:{shop.ann}") as tx:
        tx.suppressions.add(ANN, "unsubscribe", at=shop.clock() + timedelta(days=1))
        shop.wait(hours=1)
        tx.consents.grant(shop.ann, "news", source="form")
    assert shop.may()
    shop.wait(days=1)
    assert shop.may().reason.value == "suppressed"  # type: ignore[union-attr]


@pytest.mark.parametrize("network", ["chat", "Chat"])
def test_a_handle_is_suppressed_on_its_own_network(network: str) -> None:
    channel = RecordingChannel("chat", address_kind="handle", scope=network)
    crm = memory_crm(plugins=[channel])
    crm.adopt()
    here, elsewhere = ContactPoint.handle(network, "ann"), ContactPoint.handle("other", "ann")
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann", points=[here]).id
        tx.suppressions.add(here, "complaint")
        message = Message(topic="t", text="x")
        tx.messages.queue(message, channel="chat", key="k", contact_id=ann)
        tx.messages.queue(message, channel="chat", key="k", to=here)
        with pytest.raises(ValueRefused, match="not to handle:other:ann"):
            tx.messages.queue(message, channel="chat", key="l", to=elsewhere)
    crm.run_due()
    assert channel.deliveries == []
    with pytest.raises(ValueRefused, match="give their network or system as scope"):
        RecordingChannel("chat", address_kind="handle")


def test_what_was_refused_without_a_link_outlives_an_erasure_too(shop: Shop) -> None:
    both = ContactPoint.email("both@example.com")
    with shop.crm.begin() as tx:
        tx.contacts.remember(shop.ann, both)
        tx.contacts.remember(tx.contacts.add("Ben").id, both, shared=True)
        tx.consents.withdraw(shop.ann, "news", "email", source="phone")
        tx.consents.withdraw(shop.ann, "promo", at=shop.clock() + timedelta(days=1))
    shop.crm.erase(shop.ann)
    shop.wait(days=2)
    with shop.crm.begin() as tx:
        assert tx.suppressions.find(both) == ()
        again = shop.ann = tx.contacts.add("Ann", points=[ANN]).id
        for purpose in ("news", "promo"):
            tx.consents.grant(again, purpose, source="import:old list")
            answer = tx.consents.may_send(again, purpose, "email")
            assert isinstance(answer, Refused) and answer.reason.value == "suppressed"
        assert tx.consents.may_send(again, "service", "email")
    shop.confirm(shop.ask().token)  # of one's own accord
    assert shop.may() and not shop.may("promo")


def test_nothing_is_sent_under_another_secret_than_refusals_are_kept_under(tmp_path: Path) -> None:
    """A secret that was changed finds no suppression any more; so it sends nothing before somebody says so.

    kills: same_secret() that is always true, one that keeps the mark it was asked for last, one that keeps none;
    adopt() that leaves the mark.
    """
    url, point = f"sqlite:///{tmp_path / 'crm.db'}", ContactPoint.email("ann@example.com")

    def shop(secret: str) -> tuple[CRM, RecordingChannel]:
        channel = RecordingChannel()
        return CRM(url, plugins=[channel], clock=FakeClock(), settings={"core": {"secret": secret}}), channel

    crm, channel = shop("the first secret")
    crm.create_tables()
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann", points=[point])
        tx.suppressions.add(point, reason="complaint", source="test")
    crm.run_due()
    other, channel = shop("another secret")
    with other.begin() as tx:
        tx.messages.queue(
            Message(topic="news", text="News"), channel=channel.spec.name, key="n1", contact_id=ann.id
        )
    assert other.run_due().held == 1 and not channel.addresses
    with other.begin() as tx:
        (status,) = tx.messages.list()
        assert "not the one under which refusals are kept" in status.reason and "crm.adopt()" in status.reason
    again, channel = shop("the first secret")
    again.release()
    assert again.run_due().suppressed == 1 and not channel.addresses
    other, channel = shop("another secret")
    other.adopt()
    with other.begin() as tx:
        tx.messages.queue(
            Message(topic="news", text="News"), channel=channel.spec.name, key="n2", contact_id=ann.id
        )
    assert other.run_due().sent == 1, (
        "the host has taken the new secret, and the refusals under the old one are lost"
    )
