"""The channel against a real SMTP server: what each answer and each silence becomes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from crmkit import Accepted, AuthLost, Dedup, Deferred, Delivery, Outcome, Rejected, Scope, Unknown
from crmkit_email import EmailSettings, SmtpChannel
from crmkit_email.testing import DROP, STALL, SmtpServer

Make = Callable[..., Delivery]
MakeSettings = Callable[..., EmailSettings]


@pytest.fixture
def send(server: SmtpServer, watch: Any, make_settings: MakeSettings) -> Callable[..., list[Outcome]]:
    """Sends deliveries in one batch and returns what came of each."""

    def run(*deliveries: Delivery, **settings: Any) -> list[Outcome]:
        channel = SmtpChannel(make_settings(server.port, **settings))
        with channel.open(watch.ctx) as sender:
            return [sender.send(delivery, watch.ctx) for delivery in deliveries]

    return run


def test_a_batch_goes_over_one_connection(server: SmtpServer, watch: Any, send: Any, delivery: Make) -> None:
    """Also law 4: each delivery is one transaction, no more."""
    outcomes = send(*(delivery(f"p{n}@example.org") for n in range(3)))
    assert outcomes == [Accepted(f"{n:08X}") for n in (1, 2, 3)]
    assert server.connections == 1
    assert [mail.recipients for mail in server.received] == [(f"p{n}@example.org",) for n in range(3)]
    assert [command[:4] for command in server.commands] == ["MAIL", "RCPT", "DATA"] * 3
    assert len(watch.at_handoff) == 3


def test_the_hand_off_comes_when_the_server_has_agreed_and_before_the_content(
    server: SmtpServer, watch: Any, send: Any, delivery: Make
) -> None:
    send(delivery())
    assert watch.at_handoff == [(0, "DATA")]


def test_the_server_gets_the_bytes_that_were_built(server: SmtpServer, send: Any, delivery: Make) -> None:
    """Also lines that begin with a dot, which SMTP doubles on its way."""
    send(delivery(text=".\n..\n.a\n\n.", html="<p>.</p>\n.", name="Ana"))
    message = server.received[0].message
    text, html = message.iter_parts()
    assert text.get_content() == ".\r\n..\r\n.a\r\n\r\n.\r\n"
    assert html.get_content() == "<p>.</p>\r\n.\r\n"
    assert message["To"] == "Ana <anna@example.org>"


REFUSALS: list[tuple[str, str, Outcome]] = [
    ("RCPT", "550 5.1.1 no such user", Rejected("RCPT: 550 5.1.1 no such user", "bad_address")),
    ("RCPT", "550 no such user", Rejected("RCPT: 550 no such user", "bad_address")),
    ("RCPT", "550 5.7.1 spam", Rejected("RCPT: 550 5.7.1 spam", "5.7.1")),
    ("RCPT", "554 relaying denied", Rejected("RCPT: 554 relaying denied", "554")),
    ("RCPT", "452 4.2.2 mailbox full", Deferred(None, Scope.ADDRESS, "RCPT: 452 4.2.2 mailbox full")),
    ("RCPT", "450 4.7.1 greylisted", Deferred(None, Scope.ADDRESS, "RCPT: 450 4.7.1 greylisted")),
    ("RCPT", "421 4.7.0 too fast", Deferred(None, Scope.ACCOUNT, "RCPT: 421 4.7.0 too fast")),
    ("RCPT", "530 5.7.0 log in first", AuthLost("RCPT: 530 5.7.0 log in first")),
    ("MAIL", "550 5.7.1 not your address", AuthLost("MAIL: 550 5.7.1 not your address")),
    ("MAIL", "552 5.3.4 too large", Rejected("MAIL: 552 5.3.4 too large", "5.3.4")),
    ("MAIL", "452 4.3.1 no space", Deferred(None, Scope.ACCOUNT, "MAIL: 452 4.3.1 no space")),
    ("MAIL", "421 bye", Deferred(None, Scope.ACCOUNT, "MAIL: 421 bye")),
    ("DATA", "554 5.5.1 no valid recipients", Rejected("DATA: 554 5.5.1 no valid recipients", "5.5.1")),
    ("DATA", "451 4.3.0 later", Deferred(None, Scope.ADDRESS, "DATA: 451 4.3.0 later")),
]


@pytest.mark.parametrize("step, answer, outcome", REFUSALS, ids=lambda value: str(value)[:24])
def test_a_refusal_before_the_content_is_certain_and_hurts_no_other(
    step: str, answer: str, outcome: Outcome, server: SmtpServer, watch: Any, send: Any, delivery: Make
) -> None:
    """No hand-off is marked for it, and the next delivery of the batch goes out."""
    server.answer(step, "*", answer)
    first, second = send(delivery("full@example.org"), delivery())
    assert first == outcome
    if isinstance(outcome, AuthLost):
        assert second == outcome
        assert watch.at_handoff == []
    else:
        assert isinstance(second, Accepted)
        assert len(watch.at_handoff) == len(server.received) == 1


@pytest.mark.parametrize(
    "answer, outcome",
    [
        ("552 5.3.4 too big", Rejected("content: 552 5.3.4 too big", "5.3.4")),
        ("550 5.7.1 spam", Rejected("content: 550 5.7.1 spam", "5.7.1")),
        ("550 5.1.1 nobody", Rejected("content: 550 5.1.1 nobody", "bad_address")),
        ("550 we do not like it", Rejected("content: 550 we do not like it", "550")),
        ("451 4.7.0 later", Deferred(None, Scope.ADDRESS, "content: 451 4.7.0 later")),
        ("421 shutting down", Deferred(None, Scope.ACCOUNT, "content: 421 shutting down")),
        ("250 OK id=1abc-0002-Xy", Accepted("1abc-0002-Xy")),
        ("250 2.0.0 f1a2b3 Message accepted for delivery", Accepted("f1a2b3")),
        ("250 Ok 0100018b-000000", Accepted("0100018b-000000")),
        ("250 2.1.5 thank you", Accepted("")),
        ("354 go on", Unknown("the server's answer to the content makes no sense: 354 go on")),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_the_answer_to_the_content_means(
    answer: str, outcome: Outcome, server: SmtpServer, send: Any, delivery: Make
) -> None:
    server.answer("content", "odd", answer)
    assert send(delivery("odd@example.org"), delivery()) == [outcome, Accepted(f"{len(server.received):08X}")]


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("silence", [DROP, STALL])
def test_law_5_silence_before_the_hand_off_is_deferred(
    step: str, silence: str, server: SmtpServer, watch: Any, send: Any, delivery: Make
) -> None:
    server.answer(step, "*", silence)
    first, second = send(delivery(), delivery(), timeout=0.3)
    assert isinstance(first, Deferred)
    assert first.scope is Scope.ADDRESS
    assert isinstance(second, Accepted)
    assert len(watch.at_handoff) == len(server.received) == 1


@pytest.mark.parametrize("silence", [DROP, STALL])
def test_law_5_silence_after_the_hand_off_is_unknown(
    silence: str, server: SmtpServer, send: Any, delivery: Make
) -> None:
    """The server has the mail, but only we in this test know that."""
    server.answer("content", "anna", silence)
    first, second = send(delivery(), delivery("ben@example.org"), timeout=0.3)
    assert isinstance(first, Unknown)
    assert isinstance(second, Accepted)
    assert [mail.recipients[0] for mail in server.received] == ["anna@example.org", "ben@example.org"]
    assert server.connections == 2


def test_the_deadline_counts_when_it_comes_before_the_timeout(
    server: SmtpServer, watch: Any, send: Any, delivery: Make
) -> None:
    server.answer("RCPT", "*", STALL)
    watch.seconds = 0.2
    (outcome,) = send(delivery(), timeout=60)
    assert isinstance(outcome, Deferred)


@pytest.mark.parametrize("farewell", ["421 4.4.2 idle for too long", None])
def test_a_connection_closed_between_two_mails_is_opened_anew(
    farewell: str | None, server: SmtpServer, watch: Any, make_settings: MakeSettings, delivery: Make
) -> None:
    with SmtpChannel(make_settings(server.port)).open(watch.ctx) as sender:
        assert isinstance(sender.send(delivery(), watch.ctx), Accepted)
        if farewell:
            server.answer("MAIL", "*", farewell)
        else:
            server.hang_up()
        assert isinstance(sender.send(delivery(), watch.ctx), Accepted)
    assert server.connections == 2
    assert len(watch.at_handoff) == len(server.received) == 2


def test_a_server_that_always_says_421_is_asked_once_on_a_new_connection(
    server: SmtpServer, send: Any, delivery: Make
) -> None:
    server.answer("MAIL", "*", "421 no", "421 no", "421 no")
    assert isinstance(send(delivery())[0], Deferred)
    assert server.connections == 1


def test_a_failing_hand_off_sends_nothing_and_closes_the_connection(
    server: SmtpServer, watch: Any, make_settings: MakeSettings, delivery: Make
) -> None:
    """The server waits for the content; a goodbye would become part of it."""
    watch.crash = RuntimeError("the lease is lost")
    with SmtpChannel(make_settings(server.port)).open(watch.ctx) as sender:
        with pytest.raises(RuntimeError, match="lease"):
            sender.send(delivery(), watch.ctx)
        watch.crash = None
        assert isinstance(sender.send(delivery("ben@example.org"), watch.ctx), Accepted)
    assert [mail.recipients[0] for mail in server.received] == ["ben@example.org"]


def test_law_36_a_bad_address_never_reaches_the_server(
    server: SmtpServer, watch: Any, send: Any, delivery: Make
) -> None:
    outcomes = send(delivery("a@x.example, b@y.example"), delivery(subject="a\r\nBcc: e@y.example"))
    assert [outcome.code for outcome in outcomes] == ["bad_address", "bad_message"]
    assert server.connections == 0
    assert watch.at_handoff == []


def test_law_39_a_local_part_beyond_ascii_needs_smtputf8(
    server: SmtpServer, send: Any, delivery: Make
) -> None:
    assert isinstance(send(delivery("sơn@ví-dụ.vn", name="Sơn"))[0], Accepted)
    domain = "ví-dụ.vn".encode("idna").decode()
    assert server.received[0].recipients == (f"sơn@{domain}",)
    assert f"<sơn@{domain}>".encode() in server.received[0].content
    assert "SMTPUTF8" in server.commands[0]


def test_law_39_a_server_without_smtputf8_gets_none_of_it(
    watch: Any, make_settings: MakeSettings, delivery: Make
) -> None:
    with (
        SmtpServer(smtputf8=False) as server,
        SmtpChannel(make_settings(server.port)).open(watch.ctx) as sender,
    ):
        first = sender.send(delivery("sơn@example.org"), watch.ctx)
        assert isinstance(first, Rejected)
        assert first.code == "bad_address"
        assert isinstance(sender.send(delivery(), watch.ctx), Accepted)


def test_nobody_listening_defers_the_channel(watch: Any, make_settings: MakeSettings, delivery: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with SmtpChannel(make_settings(taken.getsockname()[1])).open(watch.ctx) as sender:
            outcome = sender.send(delivery(), watch.ctx)
    assert isinstance(outcome, Deferred)
    assert outcome.scope is Scope.CHANNEL
    assert "127.0.0.1" in outcome.reason


@pytest.mark.parametrize("greeting", [b"554 5.7.1 go away\r\n", b"421 too many\r\n", b"SSH-2.0\r\n", b""])
def test_a_server_that_does_not_greet_defers_the_channel(
    greeting: bytes, watch: Any, make_settings: MakeSettings, delivery: Make
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        settings = make_settings(listening.getsockname()[1], timeout=0.3)
        with (
            socket.create_connection(listening.getsockname()),
            SmtpChannel(settings).open(watch.ctx) as sender,
        ):

            def greet() -> None:
                listening.accept()[0].close()  # the connection of the test itself
                connection, _ = listening.accept()
                connection.sendall(greeting)
                connection.close()

            thread = threading.Thread(target=greet)
            thread.start()
            outcome = sender.send(delivery(), watch.ctx)
            thread.join()
    assert isinstance(outcome, Deferred)
    assert outcome.scope is Scope.CHANNEL


def test_the_channel_says_what_it_is(make_settings: MakeSettings) -> None:
    spec = SmtpChannel(make_settings(timeout=7)).spec
    assert (spec.name, spec.dedup, spec.timeout.total_seconds()) == ("email", Dedup.NONE, 7)


def test_check_names_the_field_without_a_server(make_settings: MakeSettings, delivery: Make) -> None:
    channel = SmtpChannel(make_settings())
    assert channel.check(delivery()) == []
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"address": "anna"}, "address"),
        ({"subject": "a\nb"}, "subject"),
        ({"text": ""}, "text"),
        ({"text": "\ud800"}, "text"),
        ({"headers": {"Bcc": "a@x.example"}}, "headers['Bcc']"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "headers['x-a']"),
        ({"headers": {"List-Unsubscribe": "<https://ví-dụ.vn/>"}}, "headers['List-Unsubscribe']"),
        ({"headers": {"X-Long": "x" * 998}}, "headers['X-Long']"),
        ({"headers": {"Reply-To": "a@x.example, b@x.example"}}, "headers['Reply-To']"),
    ]
    for changes, field in wrong:
        (problem,) = channel.check(delivery(**changes))
        assert problem.field == field
        assert problem.reason
