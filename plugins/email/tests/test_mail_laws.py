"""Laws of a mail's bytes, each tried on what we build and on a builder that is known to break it.

The numbers are those of the catalogue of delivery laws. The broken builders are what people write: the
standard library's own policy, and text put together by hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import Header, decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any
from uuid import UUID

import pytest
from hypothesis import Phase, assume, example, given, settings
from hypothesis import strategies as st

from crmkit import Delivery
from crmkit_email import BadMail, EmailSettings, Mail, build

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SETTINGS = EmailSettings(host="localhost", security="none", sender="Shop <hello@shop.example>")

Builder = Callable[[Delivery, EmailSettings, datetime], Mail]
Law = Callable[[Builder], None]

quick = settings(database=None, report_multiple_bugs=False, phases=[Phase.explicit, Phase.generate])


def make(**changes: Any) -> Delivery:
    """Return a delivery."""
    given: dict[str, Any] = {
        "id": UUID(int=7), "key": "k", "channel": "email", "address": "anna@example.org", "topic": "thank-you",
        "subject": "Thank you", "text": "Thank you.\n", "queued_at": NOW,
    }  # fmt: skip
    return Delivery(**(given | changes))


def parsed(content: bytes) -> EmailMessage:
    """Return what the strict parser reads."""
    return message_from_bytes(content, policy=policy.default)


def raw_headers(content: bytes) -> list[bytes]:
    """Return the physical lines of the header."""
    return content.partition(b"\r\n\r\n")[0].split(b"\r\n")


# The broken builders.


def stock_policy(delivery: Delivery, settings: EmailSettings, now: datetime) -> Mail:
    """What the documentation of `email` shows."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = str(settings.sender)
    message["To"] = f"{delivery.name} <{delivery.address}>" if delivery.name else delivery.address
    message["Subject"] = delivery.subject
    for name, value in delivery.headers.items():
        message[name] = value
    message.set_content(delivery.text)
    if delivery.html:
        message.add_alternative(delivery.html, subtype="html")
    return Mail(settings.sender.address, parseaddr(delivery.address)[1], bytes(message))


def by_hand(delivery: Delivery, settings: EmailSettings, now: datetime) -> Mail:
    """Text put together with f-strings."""
    more = "".join(f"{name}: {value}\n" for name, value in delivery.headers.items())
    text = (
        f"From: {settings.sender}\nTo: {delivery.name} <{delivery.address}>\nSubject: {delivery.subject}\n{more}"
        f"Message-ID: <{delivery.attempt}@shop.example>\n\n{delivery.text}"
    )
    return Mail(settings.sender.address, parseaddr(delivery.address)[1], text.encode("utf-8", "replace"))


def one_long_word(delivery: Delivery, settings: EmailSettings, now: datetime) -> Mail:
    """Encoded-words whose length nobody limits."""
    subject = Header(delivery.subject, "utf-8", maxlinelen=998).encode()
    name = Header(delivery.name, "utf-8", maxlinelen=998).encode()
    text = f"To: {name} <{delivery.address}>\r\nSubject: {subject}\r\n\r\n{delivery.text}"
    return Mail(settings.sender.address, delivery.address, text.encode())


# What people are called and what they are written about.

GEORGIAN = "გმადლობთ თქვენი შეკვეთისთვის"
VIETNAMESE = "Nguye\u0302\u0303n Thi\u0323 Minh Khai"
FAMILY = "👨‍👩‍👧 🇬🇪 שלום"
one_line = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=200) | st.text(
    'aä =?_"\\,<>@()ვ😀e\u0301', max_size=200
)


def squeezed(text: str) -> str:
    """Return the text without gaps: Python's parser puts one between encoded-words, until 3.12."""
    return "".join(text.split())


# The laws.


def law_34_tokens_are_raw(builder: Builder) -> None:
    """Token headers leave as raw ASCII in one line, however long."""

    @quick
    @given(
        st.sampled_from([20, 60, 80, 200, 900]),
        st.sampled_from(["List-Unsubscribe", "References", "List-Id"]),
    )
    def run(length: int, name: str) -> None:
        value = f"<https://shop.example/u?t={'a-Z_9.' * length}"[:length] + ">"
        mail = builder(make(headers={name: value}), SETTINGS, NOW)
        assert f"{name}: {value}".encode() in raw_headers(mail.content)

    run()


def law_35_subject_round_trips(builder: Builder) -> None:
    """A strict parser reads the subject that was given; encoded-words have at most 75 characters."""

    @quick
    @given(one_line)
    @example(GEORGIAN * 5)
    @example(VIETNAMESE * 9)
    @example(FAMILY * 20)
    @example("=?utf-8?q?not_encoded?= by us")
    @example("word " * 60)
    @example("x" * 300)
    def run(subject: str) -> None:
        mail = builder(make(subject=subject), SETTINGS, NOW)
        assert parsed(mail.content)["Subject"] == subject.strip(" ")
        _words_are_short(mail.content)

    run()


def law_35_names_round_trip(builder: Builder) -> None:
    """A strict parser reads one recipient with the name and the address that were given."""

    @quick
    @given(one_line)
    @example(GEORGIAN)
    @example(VIETNAMESE)
    @example("Nguyễn " * 28)
    @example("x" * 200)
    @example('Smith, John "Jo" <jo@evil.example>')
    @example("=?utf-8?q?a=22_=3Cevil=40x=3E?=")
    @example("Björk")
    def run(name: str) -> None:
        mail = builder(make(name=name), SETTINGS, NOW)
        (address,) = parsed(mail.content)["To"].addresses
        assert address.addr_spec == "anna@example.org"
        assert squeezed(address.display_name) == squeezed(name)
        if all(len(part) <= 10 for part in name.split(" ")):
            assert address.display_name.split() == name.split()
        _, phrase = next(pair for pair in message_from_bytes(mail.content).raw_items() if pair[0] == "To")
        if phrase.startswith("=?"):
            read = str(make_header(decode_header(phrase.rpartition("<")[0].rstrip())))
            assert read == " ".join(part for part in name.split(" ") if part)
        _words_are_short(mail.content)

    run()


def _words_are_short(content: bytes) -> None:
    for line in raw_headers(content):
        assert len(line) <= 998
        assert all(len(word) <= 75 for word in re.findall(rb"=\?[^ ]+\?=", line))


def law_36_one_recipient(builder: Builder) -> None:
    """What is not exactly one address is refused, never cut to its first part."""
    wrong = (
        "", " ", "<>", "anna", "@x.example", "a@", "a@@x.example", "a@x..example", "a@localhost", "a@-x.example",
        "a@x.example, b@y.example", "a@x.example;b@y.example", "a@x.example b@y.example", "group:a@x.example;",
        "a@x.example>\r\nRCPT TO:<evil@y.example", "a@x.example\r\nBcc: e@y.example", "a@x.example\n", "\na@x.example",
        "Anna <a@x.example>", "<a@x.example>", "a@x.example>", "a@x.example> SIZE=1", "a@x.example (b)",
        "a@x.example\0", "a b@x.example", "é\ud800@x.example", "a@" + "x." * 130 + "example",
    )  # fmt: skip
    for address in wrong:
        with pytest.raises(BadMail) as caught:
            builder(make(address=address), SETTINGS, NOW)
        assert caught.value.code == "bad_address"


def law_36_nothing_is_injected(builder: Builder) -> None:
    """A line break in any text of one line is refused, and nothing becomes a header that was not one."""

    @quick
    @given(
        st.sampled_from(["name", "subject", "header", "header name"]),
        st.text("ab :\r\n\0\v\x1c\x7f\x85\u2028", min_size=1, max_size=9),
    )
    @example("subject", "a\r\nBcc: evil@y.example")
    @example("name", "a\nBcc: evil@y.example")
    @example("header", "a\r\n\r\nbody")
    def run(place: str, text: str) -> None:
        places: dict[str, dict[str, Any]] = {
            "name": {"name": text}, "subject": {"subject": text},
            "header": {"headers": {"X-Shop": text}}, "header name": {"headers": {text: "x"}},
        }  # fmt: skip
        try:
            mail = builder(make(**places[place]), SETTINGS, NOW)
        except BadMail:
            return
        names = {
            line.partition(b":")[0].lower()
            for line in raw_headers(mail.content)
            if line[:1] not in (b" ", b"\t")
        }
        assert names <= ALLOWED | {text.lower().encode("utf-8", "replace")}
        assert parsed(mail.content).get_content() == "Thank you.\r\n"

    run()


ALLOWED = {
    b"from", b"to", b"subject", b"date", b"message-id", b"auto-submitted", b"mime-version", b"content-type",
    b"content-transfer-encoding", b"x-shop",
}  # fmt: skip


def law_37_only_crlf(builder: Builder) -> None:
    """No bare CR or LF leaves, whatever line ends the texts have, and no line is too long for SMTP."""

    @quick
    @given(bodies, bodies)
    @example("a\nb\r\nc\rd", "<p>\r</p>")
    @example("x" * 5000, "ვ" * 3000)
    def run(text: str, html: str) -> None:
        assume(text)
        content = builder(make(text=text, html=html), SETTINGS, NOW).content
        assert not re.search(rb"(?<!\r)\n|\r(?!\n)", content)
        assert content.endswith(b"\r\n")
        assert max(map(len, content.split(b"\r\n"))) <= 998

    run()


def bodies_round_trip(builder: Builder) -> None:
    """A strict parser reads the texts that were given, each once, and finds no defect."""

    @quick
    @given(bodies, bodies)
    @example("From anna\n.\n..\n. \n.. x\n", "<p>=_x</p>\n")
    @example("--=_00000000000000000000000000000007--\nend", "")
    @example("trailing \t\n \n", "\n\n")
    @example("100 % %(head)b %s\n", "<b>%</b>")
    @example("=" * 200, "\t" * 200)
    def run(text: str, html: str) -> None:
        assume(text)
        message = parsed(builder(make(text=text, html=html), SETTINGS, NOW).content)
        parts = list(message.iter_parts()) if message.is_multipart() else [message]
        assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"][: 1 + bool(html)]
        for part, body in zip(parts, (text, html), strict=False):
            assert part.get_content() == canonical(body)
            assert not part.defects
        assert not message.defects

    run()


bodies = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=300) | st.text(
    "a=.-_ \t\r\nვ", max_size=1500
)


def canonical(body: str) -> str:
    """Return the text with CRLF as its line ends, the last one too."""
    lines = body.replace("\r\n", "\n").replace("\r", "\n")
    return (lines if lines.endswith("\n") else lines + "\n").replace("\n", "\r\n")


def law_38_no_bcc(builder: Builder) -> None:
    """Bcc and the other headers that are ours are refused, in any case."""
    ours = (
        "Bcc", "bcc", "BCC", "From", "To", "Cc", "Subject", "Date", "Message-Id", "MIME-Version", "Content-Type",
        "content-transfer-encoding", "Sender", "Resent-Bcc", "Return-Path",
    )  # fmt: skip
    for name in ours:
        with pytest.raises(BadMail, match=re.escape(name)):
            builder(make(headers={name: "evil@y.example"}), SETTINGS, NOW)


def law_39_domains_are_ascii(builder: Builder) -> None:
    """A non-ASCII domain is punycoded in header and envelope; a non-ASCII local part needs SMTPUTF8."""
    mail = builder(make(address="son@ví-dụ.vn", name="Sơn"), SETTINGS, NOW)
    domain = "ví-dụ.vn".encode("idna").decode()
    assert mail.recipient == f"son@{domain}"
    assert f"<son@{domain}>".encode() in b" ".join(raw_headers(mail.content))
    assert not mail.international
    assert builder(make(address="sơn@example.org"), SETTINGS, NOW).international


def law_42_automatic_mail_says_so(builder: Builder) -> None:
    """Automatic mail carries Auto-Submitted, once, and bounces go to the envelope sender of the settings."""
    content = builder(make(), SETTINGS, NOW).content
    assert [line for line in raw_headers(content) if line.lower().startswith(b"auto-")] == [
        b"Auto-Submitted: auto-generated"
    ]
    verp = EmailSettings(host="x", sender="a@shop.example", envelope_sender="bounces+{id}@shop.example")
    assert builder(make(), verp, NOW).sender == f"bounces+{UUID(int=7).hex}@shop.example"
    null = EmailSettings(host="x", sender="a@shop.example", envelope_sender="<>")
    assert builder(make(), null, NOW).sender == ""


def the_message_id_is_stable(builder: Builder) -> None:
    """Every attempt has the Message-ID that the delivery's id gives, under the sender's domain."""
    mails = [builder(make(attempt=attempt), SETTINGS, NOW) for attempt in (1, 2)]
    assert {parsed(mail.content)["Message-ID"] for mail in mails} == {f"<{UUID(int=7).hex}@shop.example>"}


LAWS: dict[Law, Builder] = {
    law_34_tokens_are_raw: stock_policy,
    law_35_subject_round_trips: one_long_word,
    law_35_names_round_trip: by_hand,
    law_36_one_recipient: by_hand,
    law_36_nothing_is_injected: by_hand,
    law_37_only_crlf: by_hand,
    bodies_round_trip: by_hand,
    law_38_no_bcc: stock_policy,
    law_39_domains_are_ascii: stock_policy,
    law_42_automatic_mail_says_so: stock_policy,
    the_message_id_is_stable: by_hand,
}


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_what_we_build_holds(law: Law) -> None:
    law(build)


@pytest.mark.parametrize("law, broken", LAWS.items(), ids=lambda value: value.__name__)
def test_a_broken_builder_is_caught_by(law: Law, broken: Builder) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        law(broken)


def test_the_date_is_that_of_the_clock() -> None:
    later = NOW.replace(hour=13, microsecond=5)
    dates = [parsed(build(make(), SETTINGS, now).content)["Date"].datetime for now in (NOW, later, NOW)]
    assert dates == [NOW, later.replace(microsecond=0), NOW]
