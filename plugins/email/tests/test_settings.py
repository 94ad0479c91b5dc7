"""Every wrong setting is named with its path, its value and what would have been right."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import attrs
import pytest

from crmkit import Secret, SettingsError
from crmkit_email import EmailSettings
from crmkit_email.mailbox import Mailbox

GIVEN: dict[str, Any] = {"host": "mail.shop.example", "sender": "Shop <hello@shop.example>"}


@pytest.mark.parametrize(
    "name, value, right",
    [
        ("host", "", "host name"),
        ("host", "mail shop", "host name"),
        ("host", "https://mail.example", "host name"),
        ("host", "mail\r\nx", "host name"),
        ("port", 0, "1 to 65535"),
        ("port", "587", "1 to 65535"),
        ("port", True, "1 to 65535"),
        ("security", "ssl", "'starttls', 'tls' or 'none'"),
        ("sender", "", "exactly one"),
        ("sender", "Shop", "not valid|exactly one|end in its address"),
        ("sender", "a@x.example, b@x.example", "exactly one"),
        ("sender", "Smith, Jo <a@x.example>", "double quotes"),
        ("sender", "Shop <a@x.example>\r\nBcc: e@y.example", "line break"),
        ("sender", "team: a@x.example;", "exactly one"),
        ("sender", "a@x.example (Shop)", "end in its address"),
        ("sender", "sơn@x.example", "ASCII"),
        ("sender", 7, "address such as"),
        ("reply_to", "nobody", "not valid|exactly one|end in its address"),
        ("envelope_sender", "Shop <a@x.example>", "bare address"),
        ("envelope_sender", "bounces+{name}", "bare address"),
        ("envelope_sender", None, "bare address"),
        ("timeout", 0, "seconds"),
        ("timeout", float("nan"), "seconds"),
        ("timeout", "60", "seconds"),
        ("timeout", True, "seconds"),
        ("helo", "my shop", "host name"),
        ("ca_file", "/does/not/exist.pem", "PEM"),
        ("thank_you", "yes", "True or False"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: object, right: str) -> None:
    with pytest.raises(SettingsError, match=right) as caught:
        EmailSettings(**(GIVEN | {name: value}))
    assert f"settings['email'][{name!r}]" in str(caught.value)


@pytest.mark.parametrize("given", [{"username": "shop"}, {"password": "s3cret"}])
def test_half_an_account_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="both username and password") as caught:
        EmailSettings(**GIVEN, **given)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("password", ["s3crét", "s3cret\r\nQUIT"])
def test_a_password_that_smtplib_cannot_send_is_refused_unseen(password: str) -> None:
    with pytest.raises(SettingsError, match="printable ASCII") as caught:
        EmailSettings(**GIVEN, username="shop", password=password)
    assert "s3cr" not in str(caught.value)


def test_a_password_does_not_travel_in_clear_but_on_loopback() -> None:
    account: dict[str, Any] = {"username": "shop", "password": "s3cret", "security": "none"}
    with pytest.raises(SettingsError, match="in clear; use 'starttls' or 'tls'") as caught:
        EmailSettings(**GIVEN, **account)
    assert "s3cret" not in str(caught.value)
    for host in ("localhost", "127.0.0.1", "::1"):
        EmailSettings(**(GIVEN | {"host": host}), **account)


def test_law_12_the_password_never_shows() -> None:
    settings = EmailSettings(**GIVEN, username="shop", password=Secret("s3cret"))
    assert "s3cret" not in f"{settings!r} {settings} {attrs.asdict(settings)}"
    with pytest.raises(TypeError):
        pickle.dumps(settings)


@pytest.mark.parametrize("security, port", [("none", 25), ("starttls", 587), ("tls", 465)])
def test_the_port_follows_the_security(security: str, port: int) -> None:
    assert EmailSettings(**GIVEN, security=security).port == port


@pytest.mark.parametrize(
    "text, box",
    [
        ("hello@shop.example", Mailbox("", "hello", "shop.example")),
        ("<hello@shop.example>", Mailbox("", "hello", "shop.example")),
        ("Shop <hello@shop.example>", Mailbox("Shop", "hello", "shop.example")),
        ('"Müller, Söhne" <x@müller.de>', Mailbox("Müller, Söhne", "x", "xn--mller-kva.de")),
        ("ნინოს მაღაზია <hello@shop.example>", Mailbox("ნინოს მაღაზია", "hello", "shop.example")),
        ("Cửa hàng Sơn <son@ví-dụ.vn>", Mailbox("Cửa hàng Sơn", "son", "ví-dụ.vn".encode("idna").decode())),
    ],
)
def test_the_sender_is_one_address_with_any_name(text: str, box: Mailbox) -> None:
    assert EmailSettings(**(GIVEN | {"sender": text})).sender == box


def test_bounces_go_where_the_settings_say() -> None:
    assert EmailSettings(**GIVEN).bounce_address("7") == "hello@shop.example"
    assert EmailSettings(**GIVEN, envelope_sender="<>").bounce_address("7") == ""
    assert EmailSettings(**GIVEN, envelope_sender="b+{id}@x.example").bounce_address("7") == "b+7@x.example"


def test_the_readme_names_every_setting() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    table = [line.split("|")[1] for line in readme.splitlines() if line.startswith("| `")]
    named = {name for cell in table for name in re.findall(r"`(\w+)`", cell)}
    assert named == {field.name for field in attrs.fields(EmailSettings)}
