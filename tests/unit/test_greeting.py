"""Greetings: the honorific and the family name, and the first name only with permission."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import attrs
import pytest

from crmkit import (
    Addressee,
    Contact,
    ContactPoint,
    FirstNamePermission,
    Greeting,
    Medium,
    Message,
    Template,
    ValueRefused,
    hookimpl,
)
from crmkit.greeting import greeting
from crmkit.testing import memory_crm, outbox

GIVEN = FirstNamePermission(by="staff:bo", at=datetime(2026, 1, 1, tzinfo=UTC), how="on the phone")


def person(name: str = "", given: str = "", family: str = "", **fields: Any) -> Contact:
    name = name or " ".join(part for part in (given, family) if part)
    return Contact(id=UUID(int=1), name=name, given_name=given, family_name=family, **fields)


def ann(**fields: Any) -> Contact:
    return person(given="Ann", family="Lee", **fields)


def nino(**fields: Any) -> Contact:
    return person(given="ნინო", family="მაისურაძე", **fields)


def lan(**fields: Any) -> Contact:
    return person("Nguyễn Thị Lan", "Thị Lan", "Nguyễn", **fields)


def ana(**fields: Any) -> Contact:
    return person(given="Ana", family="Santos", **fields)


@pytest.mark.parametrize(
    "contact, channel, locale, wanted",
    [
        (ann(honorific="Ms"), "letter", "en", "Dear Ms Lee,"),
        (ann(honorific="Dr"), "email", "en-GB", "Dear Dr Lee,"),
        (ann(honorific="Ms"), "sms", "en", "Hello Ms Lee,"),
        (ann(gender="f"), "email", "en", "Dear Ms Lee,"),
        (ann(), "email", "en", "Dear customer,"),
        (ann(), "telegram", "en", "Hello,"),
        (ann(first_name=GIVEN), "email", "en", "Dear Ann,"),
        (ann(first_name=GIVEN), "sms", "en", "Hi Ann,"),
        (ann(first_name=GIVEN, formality="informal"), "email", "en", "Hi Ann,"),
        (ann(first_name=GIVEN, formality="formal", honorific="Ms"), "email", "en", "Dear Ms Lee,"),
        (ann(first_name=GIVEN, formality="formal"), "email", "en", "Dear Ann Lee,"),
        (
            ann(first_name=GIVEN, formality="formal", name_order="family_first"),
            "email",
            "en",
            "Dear Lee Ann,",
        ),
        (person("Acme Ltd", kind="organisation"), "email", "en", "Dear Acme Ltd,"),
        (person("Acme Ltd", kind="organisation", honorific="Messrs"), "sms", "en", "Hello Acme Ltd,"),
        (person(), "email", "en", "Dear customer,"),
        (person("Suharto"), "email", "en", "Dear customer,"),
        (person("Suharto", first_name=GIVEN), "email", "en", "Dear Suharto,"),
        (person(given="Scott", family="Scott", honorific="Mr"), "email", "en", "Dear customer,"),
        (ana(honorific="Mrs"), "letter", "fil", "Mahal na Gng. Santos,"),
        (ana(honorific="Bb."), "email", "fil-PH", "Mahal na Bb. Santos,"),
        (ana(gender="m"), "sms", "fil", "Magandang araw po, G. Santos."),
        (ana(), "email", "fil", "Magandang araw po."),
        (ana(), "letter", "tl", "Mahal naming kostumer,"),
        (ana(first_name=GIVEN), "sms", "fil", "Magandang araw po, Ana!"),
        (ana(first_name=GIVEN, formality="informal"), "email", "fil", "Kumusta, Ana!"),
        (nino(gender="f"), "letter", "ka", "პატივცემულო ქალბატონო მაისურაძე,"),
        (nino(honorific="ბატონი"), "sms", "ka", "ბატონო მაისურაძე!"),
        (nino(gender="f", first_name=GIVEN), "email", "ka", "პატივცემულო ქალბატონო ნინო,"),
        (
            nino(gender="f", first_name=GIVEN, formality="formal"),
            "email",
            "ka",
            "პატივცემულო ქალბატონო ნინო,",
        ),
        (nino(first_name=GIVEN, formality="informal"), "email", "ka", "გამარჯობა, ნინო!"),
        (nino(), "letter", "ka", "პატივცემულო მომხმარებელო,"),
        (nino(), "sms", "ka", "გამარჯობა!"),
        (person("შპს ჩაი", kind="organisation"), "email", "ka", "მოგესალმებით, შპს ჩაი!"),
        (lan(gender="f"), "letter", "vi", "Kính gửi Quý khách,"),
        (lan(gender="f"), "zalo", "vi-VN", "Chào Quý khách,"),
        (lan(gender="f", first_name=GIVEN), "email", "vi", "Kính gửi Bà Lan,"),
        (lan(gender="f", first_name=GIVEN, formality="formal"), "zalo", "vi", "Chào Bà Lan,"),
        (lan(gender="f", first_name=GIVEN, formality="informal"), "email", "vi", "Chào chị Lan,"),
        (lan(first_name=GIVEN), "email", "vi", "Kính gửi Quý khách Lan,"),
        (ann(honorific="Mr", name_order="given_first"), "email", "vi", "Kính gửi Ông Lee,"),
        (person("Công ty Trà", kind="organisation"), "email", "vi", "Kính gửi Công ty Trà,"),
    ],
)
def test_a_greeting_is_as_custom_has_it(contact: Contact, channel: str, locale: str, wanted: str) -> None:
    assert greeting(contact, channel, locale) == wanted


def test_the_contacts_own_language_is_used_and_english_where_it_is_not_known() -> None:
    assert greeting(nino(locale="ka-GE", gender="f"), "sms") == "ქალბატონო მაისურაძე!"
    assert greeting(ann(locale="xx", honorific="Ms"), "email") == "Dear Ms Lee,"
    assert greeting(ann(locale="ka", honorific="Ms"), "email", "en") == "Dear Ms Lee,"


def german(who: Addressee, medium: Medium) -> str:
    return f"Guten Tag {who.given or who.family},"


@attrs.define(eq=False)
class Languages:
    """A plugin with greetings."""

    greetings: tuple[Greeting, ...]
    name: str = "languages"

    @hookimpl
    def crmkit_greetings(self) -> tuple[Greeting, ...]:
        return self.greetings


@pytest.mark.parametrize(
    "given, family",
    [
        ("José", "Jose"),
        ("Maria", "MariaSantos"),
        ("Ann", "O'Ann"),
        ("Ann", "Ａｎｎ"),
        ("Ann", "A\u00adnn"),
        ("A\u200bnn", "Ann"),
        ("Ann’", "Ann"),
    ],
)
@pytest.mark.parametrize("locale", ["en", "fil", "ka", "vi"])
def test_a_family_name_that_hides_the_first_name_is_not_used(given: str, family: str, locale: str) -> None:
    hidden = person(given=given, family=family, gender="f", name_order="given_first")
    assert greeting(hidden, locale=locale) == greeting(person(gender="f"), locale=locale)


def test_a_plugin_brings_a_language_or_replaces_one() -> None:
    crm = memory_crm(plugins=[Languages((Greeting("de", german), Greeting("EN", lambda who, medium: "Hi,")))])
    assert crm.greeting(ann(locale="de_AT")) == "Guten Tag Lee,"
    assert crm.greeting(ann(locale="de", first_name=GIVEN)) == "Guten Tag Ann,"
    assert crm.greeting(ann()) == "Hi,"
    assert crm.greeting(nino(gender="f"), locale="ka") == "პატივცემულო ქალბატონო მაისურაძე,"


@pytest.mark.parametrize("said", ["", " ", None, 3])
def test_a_language_that_says_nothing_is_named(said: Any) -> None:
    crm = memory_crm(plugins=[Languages((Greeting("de", lambda who, medium: said),))])
    with pytest.raises(ValueRefused, match="locale 'de' answered"):
        crm.greeting(ann(locale="de"))


def test_the_permission_has_who_when_and_how_and_can_be_withdrawn() -> None:
    crm = memory_crm()
    with crm.begin(actor="staff:bo") as tx:
        contact = tx.contacts.add("Ann Lee", given_name="Ann", family_name="Lee")
        permitted = tx.contacts.permit_first_name(contact.id, how="on the phone")
        assert permitted.first_name == FirstNamePermission(by="staff:bo", at=tx.now, how="on the phone")
        assert tx.contacts.permit_first_name(contact.id, how="again") == permitted
        assert crm.greeting(permitted) == "Dear Ann,"
        assert crm.greeting(tx.contacts.withdraw_first_name(contact.id)) == "Dear customer,"
        with pytest.raises(ValueRefused, match="how"):
            tx.contacts.permit_first_name(contact.id, how="")


def test_a_template_greets_as_it_is_permitted_when_it_is_sent() -> None:
    template = Template(
        name="hi", subject="{{ greeting }}", text="{{ greeting }} {{ word }}", html="<p>{{ greeting }}"
    )
    georgian = Template(name="hi", locale="ka", text="{{ greeting }}")
    crm = memory_crm(templates=[template, georgian])
    with crm.begin() as tx:
        contact = tx.contacts.add(
            "Ann O'Hara", given_name="Ann", family_name="O'Hara & <Lee>", honorific="Ms", points=[MAIL]
        )
        other = tx.contacts.add("ნინო", family_name="ძე", gender="f", locale="ka-GE")
        message = Message(topic="t", template="hi", data={"word": "!"})
        for channel, to in (("email", contact), ("sms", contact), ("email", other)):
            tx.messages.queue(message, channel=channel, key=channel, contact_id=to.id)
    first, short, second = outbox(crm)
    assert (first.text, short.text) == ("Dear Ms O'Hara & <Lee>, !", "Hello Ms O'Hara & <Lee>, !")
    assert "&lt;Lee&gt;" in first.html and first.subject == "Dear Ms O'Hara & <Lee>,"
    assert second.text == "პატივცემულო ქალბატონო ძე,"
    with crm.begin() as tx:
        tx.contacts.permit_first_name(contact.id, how="asked")
    assert outbox(crm)[0].text == "Dear Ann, !"


def test_a_message_may_bring_a_greeting_of_its_own() -> None:
    crm = memory_crm(templates=[Template(name="hi", text="{{ greeting }}")])
    with crm.begin() as tx:
        contact = tx.contacts.add("Ann Lee", points=[MAIL])
        message = Message(topic="t", template="hi", data={"greeting": "Ahoy"})
        tx.messages.queue(message, channel="email", key="1", contact_id=contact.id)
        assert outbox(tx)[0].text == "Ahoy"


MAIL = ContactPoint.email("ann@example.com")
