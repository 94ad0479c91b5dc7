"""The settings of the email plugin."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import attrs

from crmkit import Secret, SettingsError, ValueRefused
from crmkit_email.mailbox import Mailbox, mailbox, parse_mailbox

PORTS = {"none": 25, "starttls": 587, "tls": 465}

_LOOPBACK = re.compile(r"localhost|127(\.\d+){3}|::1")
_NAME = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.?|\[?[0-9A-Fa-f.:]+\]?")


def _wrong(name: str, value: object, right: str) -> SettingsError:
    return SettingsError(f"settings['email'][{name!r}] is {value!r}; {right}")


def _host(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise _wrong(attribute.name, value, "must be a host name or IP address such as 'smtp.shop.example'")


def _port(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if type(value) is not int or not 1 <= value <= 65535:
        raise _wrong(attribute.name, value, "must be a number from 1 to 65535, mostly 587, 465 or 25")


def _security(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value not in PORTS:
        raise _wrong(attribute.name, value, "must be 'starttls', 'tls' or 'none'")


def _timeout(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 600:
        raise _wrong(attribute.name, value, "must be seconds, more than 0 and at most 600")


def _flag(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, bool):
        raise _wrong(attribute.name, value, "must be True or False")


def _file(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or (value and not Path(value).is_file()):
        raise _wrong(attribute.name, value, "must be the path of a file with CA certificates (PEM)")


def _credential(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    # smtplib encodes both as ASCII, and its UnicodeEncodeError would carry the password along
    text = value.reveal() if isinstance(value, Secret) else value
    if not isinstance(text, str) or not text.isascii() or not text.isprintable():
        raise SettingsError(f"settings['email'][{attribute.name!r}] must be printable ASCII text")


def _mailbox(name: str, value: object) -> Mailbox:
    if isinstance(value, Mailbox):
        return value
    if not isinstance(value, str):
        raise _wrong(name, value, "must be an address such as 'Shop <hello@shop.example>'")
    try:
        found = parse_mailbox(value)
    except ValueRefused as error:
        raise SettingsError(f"settings['email'][{name!r}]: {error}") from None
    if not found.local.isascii():
        raise _wrong(name, value, "its part before the @ must be ASCII, or many servers refuse the mail")
    return found


def _sender(value: str | Mailbox) -> Mailbox:
    return _mailbox("sender", value)


def _reply_to(value: str | Mailbox | None) -> Mailbox | None:
    return _mailbox("reply_to", value) if value else None


@attrs.frozen(kw_only=True)
class EmailSettings:
    """The settings of the email plugin, given as `settings={"email": {...}}`.

    Args:
        host: the SMTP server.
        security: "starttls" (the connection is encrypted before anything is said), "tls" (from its first
            byte) or "none".
        port: its port; by default the usual one of the security: 587, 465 or 25.
        username: the account, or empty if the server wants none.
        password: the account's password.
        sender: who writes, such as "Shop <hello@shop.example>".
        reply_to: where answers go, if not to the sender.
        envelope_sender: where bounces go, if not to the sender; `{id}` in it stands for the delivery's id
            ("bounces+{id}@shop.example"), "<>" asks for none.
        timeout: the seconds that one send, connecting included, may take.
        helo: the name under which this machine introduces itself; by default its own.
        ca_file: PEM file of the authorities to trust, by default those of the system.
        thank_you: whether to thank by mail for an order when it is paid.

    Raises:
        SettingsError: if a value is wrong; a password never shows in it.
    """

    host: str = attrs.field(validator=_host)
    security: str = attrs.field(default="starttls", validator=_security)
    port: int = attrs.field(validator=_port)
    username: str = attrs.field(default="", validator=_credential)
    password: Secret = attrs.field(default=Secret(""), converter=Secret, validator=_credential, repr=False)
    sender: Mailbox = attrs.field(converter=_sender)
    reply_to: Mailbox | None = attrs.field(default=None, converter=_reply_to)
    envelope_sender: str = attrs.field(default="")
    timeout: float = attrs.field(default=60.0, validator=_timeout)
    helo: str = attrs.field(default="")
    ca_file: str = attrs.field(default="", validator=_file)
    thank_you: bool = attrs.field(default=True, validator=_flag)

    @port.default
    def _usual_port(self) -> int:
        return PORTS.get(self.security, 25)

    @envelope_sender.validator
    def _one_address(self, attribute: attrs.Attribute[str], value: object) -> None:
        if not isinstance(value, str):
            raise _wrong(attribute.name, value, "must be one bare address, '<>', or empty")
        if value in ("", "<>"):
            return
        try:
            if mailbox(value.replace("{id}", "0" * 32)).local.isascii():
                return
        except ValueRefused:
            pass
        raise _wrong(
            attribute.name, value, "must be one bare address like 'bounces+{id}@shop.example', or '<>'"
        )

    @helo.validator
    def _host_name(self, attribute: attrs.Attribute[str], value: object) -> None:
        if value:
            _host(self, attribute, value)

    def __attrs_post_init__(self) -> None:
        if bool(self.username) != bool(self.password):
            lacking = "password" if self.username else "username"
            raise SettingsError(
                f"settings['email'] has no {lacking!r}; give both username and password, or none"
            )
        if self.password and self.security == "none" and not _LOOPBACK.fullmatch(self.host):
            raise _wrong(
                "security", "none", f"the password would go to {self.host} in clear; use 'starttls' or 'tls'"
            )

    def bounce_address(self, delivery_id: str) -> str:
        """Return the envelope sender of the delivery with that id, empty for none."""
        if self.envelope_sender == "<>":
            return ""
        return self.envelope_sender.replace("{id}", delivery_id) or self.sender.address
