"""Encryption and accounts: what is refused stays refused, and no secret shows anywhere."""

from __future__ import annotations

import logging
import shutil
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crmkit import Accepted, AuthLost, Deferred, Delivery, Outcome, Scope
from crmkit_email import EmailSettings, SmtpChannel
from crmkit_email.testing import SmtpServer

PASSWORD = "hunter2-of-the-shop"
PLAIN = b64encode(f"\0shop\0{PASSWORD}".encode()).decode()
ACCOUNT = {"username": "shop", "password": PASSWORD}


def attempt(settings: EmailSettings, watch: Any, *deliveries: Delivery) -> list[Outcome]:
    """Send deliveries in one batch."""
    with SmtpChannel(settings).open(watch.ctx) as sender:
        return [sender.send(delivery, watch.ctx) for delivery in deliveries]


@pytest.fixture
def guarded() -> Iterator[SmtpServer]:
    """A server that demands an account."""
    with SmtpServer(login=("shop", PASSWORD)) as server:
        yield server


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PEM file with a certificate for 127.0.0.1 and its key."""
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("the openssl command, which makes the certificate, is not installed")
    folder = tmp_path_factory.mktemp("tls")
    words = (
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout key.pem -out cert.pem "
        "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run([openssl, *words.split()], cwd=folder, check=True, capture_output=True)
    return folder / "cert.pem"


@pytest.fixture
def encrypted(certificate: Path) -> Iterator[SmtpServer]:
    """A server that offers STARTTLS and demands an account."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    with SmtpServer(tls=context, login=("shop", PASSWORD)) as server:
        yield server


def test_the_right_account_sends(guarded: SmtpServer, watch: Any, make_settings: Any, delivery: Any) -> None:
    (outcome,) = attempt(make_settings(guarded.port, **ACCOUNT), watch, delivery())
    assert isinstance(outcome, Accepted)


def test_law_8_a_wrong_password_is_auth_lost_and_tried_once(
    guarded: SmtpServer, watch: Any, make_settings: Any, delivery: Any
) -> None:
    settings = make_settings(guarded.port, username="shop", password="wrong")
    first, second = attempt(settings, watch, delivery(), delivery())
    assert isinstance(first, AuthLost)
    assert first.reason.startswith("127.0.0.1")
    assert second is first
    assert guarded.connections == 1
    assert {command[:4] for command in guarded.commands} == {"AUTH"}
    assert watch.at_handoff == []


def test_a_server_that_demands_an_account_we_lack_is_auth_lost(
    guarded: SmtpServer, watch: Any, make_settings: Any, delivery: Any
) -> None:
    assert isinstance(attempt(make_settings(guarded.port), watch, delivery())[0], AuthLost)


def test_an_account_at_a_server_that_knows_none_is_auth_lost(
    server: SmtpServer, watch: Any, make_settings: Any, delivery: Any
) -> None:
    """aiosmtpd offers AUTH only when it demands it."""
    (outcome,) = attempt(make_settings(server.port, **ACCOUNT), watch, delivery())
    assert isinstance(outcome, AuthLost)
    assert "'shop'" in outcome.reason


def test_starttls_comes_before_the_account(
    encrypted: SmtpServer, certificate: Path, watch: Any, make_settings: Any, delivery: Any
) -> None:
    settings = make_settings(encrypted.port, security="starttls", ca_file=str(certificate), **ACCOUNT)
    first, second = attempt(settings, watch, delivery(), delivery())
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert encrypted.connections == 1


def test_a_certificate_that_nobody_vouches_for_defers_the_channel(
    encrypted: SmtpServer, watch: Any, make_settings: Any, delivery: Any
) -> None:
    (outcome,) = attempt(make_settings(encrypted.port, security="starttls", **ACCOUNT), watch, delivery())
    assert isinstance(outcome, Deferred)
    assert outcome.scope is Scope.CHANNEL
    assert "CERTIFICATE_VERIFY_FAILED" in outcome.reason


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_nothing_is_said_in_clear_when_encryption_is_asked_for(
    security: str, guarded: SmtpServer, watch: Any, make_settings: Any, delivery: Any
) -> None:
    settings = make_settings(guarded.port, security=security, timeout=1, **ACCOUNT)
    (outcome,) = attempt(settings, watch, delivery())
    assert isinstance(outcome, Deferred)
    assert outcome.scope is Scope.CHANNEL
    assert guarded.commands == []


@pytest.mark.parametrize("code, outcome", [("535 5.7.8", AuthLost), ("454 4.7.0", Deferred)])
@pytest.mark.parametrize("form", [PASSWORD, PLAIN, b64encode(PASSWORD.encode()).decode()])
def test_law_12_a_server_that_repeats_the_password_does_not_make_it_show(
    code: str, outcome: type, form: str, guarded: SmtpServer, watch: Any, make_settings: Any, delivery: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    guarded.answer("AUTH", "*", *[f"{code} I refuse {form}"] * 5)
    settings = make_settings(guarded.port, **ACCOUNT)
    caplog.set_level(logging.DEBUG, logger="crmkit")
    (found,) = attempt(settings, watch, delivery())
    assert isinstance(found, (AuthLost, Deferred))
    assert isinstance(found, outcome)
    assert "I refuse ***" in found.reason
    assert form not in f"{found!r} {settings!r} {SmtpChannel(settings)!r}"
    assert form not in "".join(record.getMessage() for record in caplog.records if record.name != "mail.log")


def test_law_13_two_channels_share_nothing(watch: Any, make_settings: Any, delivery: Any) -> None:
    with SmtpServer(login=("shop", PASSWORD)) as one, SmtpServer() as other:
        wrong = SmtpChannel(make_settings(one.port, username="shop", password="wrong"))
        right = SmtpChannel(make_settings(other.port))
        with wrong.open(watch.ctx) as first, right.open(watch.ctx) as second:
            assert isinstance(first.send(delivery(), watch.ctx), AuthLost)
            assert isinstance(second.send(delivery(), watch.ctx), Accepted)
