"""One SMTP connection: opened, encrypted, logged in, and asked command by command."""

from __future__ import annotations

import smtplib
import ssl
from base64 import b64encode
from functools import cache
from time import monotonic

from crmkit import AuthLost, Deferred, Outcome, Scope
from crmkit_email.answers import Reply
from crmkit_email.headers import BadMail
from crmkit_email.message import Mail
from crmkit_email.settings import EmailSettings


class Broken(Exception):
    """The connection broke off or stayed silent; it is closed."""


class NotConnected(Exception):
    """No connection came about.

    Args:
        outcome: what that means for a delivery.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(repr(outcome))
        self.outcome = outcome


class Connection:
    """An open SMTP connection, used by one thread.

    Args:
        smtp: connected, past EHLO and AUTH.
    """

    def __init__(self, smtp: smtplib.SMTP) -> None:
        self._smtp = smtp
        self._international = smtp.has_extn("smtputf8")
        self._sizes = smtp.has_extn("size")
        self._seconds = 0.0
        if self._international:
            smtp.command_encoding = "utf-8"

    def begin(self, mail: Mail, until: float) -> Reply:
        """Send the MAIL command of a mail and return the answer.

        Args:
            mail: what is to be sent.
            until: how long to wait at most, as an instant of the monotonic clock.

        Raises:
            BadMail: if its address is not ASCII and the server takes none but ASCII.
            Broken: if there is no answer.
        """
        command = f"MAIL FROM:<{mail.sender}>"
        if self._sizes:
            command += f" SIZE={len(mail.content)}"
        if mail.international:
            if not self._international:
                reason = f"{mail.recipient!r} is not ASCII before the @, and the server offers no SMTPUTF8"
                raise BadMail("address", reason, "bad_address")
            command += " BODY=8BITMIME SMTPUTF8"
        return self.ask(command, until)

    def ask(self, command: str, until: float) -> Reply:
        """Send one command and return the answer.

        Args:
            command: one line without its end.
            until: how long to wait at most, as an instant of the monotonic clock.

        Raises:
            Broken: if there is no answer.
        """
        try:
            self._wait_until(until)
            return Reply(*self._smtp.docmd(command))
        except (OSError, smtplib.SMTPException) as error:
            raise self._broken(command.partition(" ")[0], error) from None

    def transmit(self, content: bytes, until: float) -> Reply:
        """Send a mail's content, to which the server has agreed, and return the answer.

        Args:
            content: lines that end in CRLF, the last one too.
            until: how long to wait at most, as an instant of the monotonic clock.

        Raises:
            Broken: if there is no answer.
        """
        try:
            self._wait_until(until)
            self._smtp.send(content.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            return Reply(*self._smtp.getreply())
        except (OSError, smtplib.SMTPException) as error:
            raise self._broken("content", error) from None

    def close(self) -> None:
        """Close without a word; a server in the middle of a mail drops what it has of it."""
        self._smtp.close()

    def quit(self) -> None:
        """Say goodbye and close."""
        try:
            self._wait_until(monotonic() + 2)
            self._smtp.quit()
        except (OSError, smtplib.SMTPException):
            self._smtp.close()

    def _wait_until(self, until: float) -> None:
        seconds = _left(until)
        # each change is a system call, so up to a tenth is let pass
        if not 0.9 * self._seconds < seconds <= self._seconds:
            self._seconds = seconds
            _wait_at_most(self._smtp, seconds)

    def _broken(self, step: str, error: Exception) -> Broken:
        self._smtp.close()
        return Broken(f"{step}: {error}")


def _wait_at_most(smtp: smtplib.SMTP, seconds: float) -> None:
    if smtp.sock is not None:
        smtp.sock.settimeout(seconds)


def _left(until: float) -> float:
    return max(until - monotonic(), 0.01)


def connect(settings: EmailSettings, until: float) -> Connection:
    """Return a connection past EHLO, STARTTLS and AUTH.

    Args:
        settings: which server, how encrypted, which account.
        until: how long each step may wait at most, as an instant of the monotonic clock.

    Raises:
        NotConnected: if the server cannot be reached, is not who it should be, or refuses the account.
    """
    where = f"{settings.host}:{settings.port}"
    try:
        smtp = _greet(settings, _left(until))
    except (OSError, smtplib.SMTPException) as error:
        raise NotConnected(_away(f"{where}: {_said(error)}")) from None
    try:
        _wait_at_most(smtp, _left(until))
        _introduce(smtp, settings)
        _wait_at_most(smtp, _left(until))
        if settings.username:
            smtp.login(settings.username, settings.password.reveal())
    except (OSError, smtplib.SMTPException) as error:
        smtp.close()
        raise NotConnected(_unfit(where, error, settings)) from None
    except BaseException:
        smtp.close()
        raise
    return Connection(smtp)


def _greet(settings: EmailSettings, seconds: float) -> smtplib.SMTP:
    host, port, helo = settings.host, settings.port, settings.helo or None
    if settings.security == "tls":
        return smtplib.SMTP_SSL(host, port, helo, timeout=seconds, context=_tls(settings.ca_file))
    return smtplib.SMTP(host, port, helo, timeout=seconds)


def _introduce(smtp: smtplib.SMTP, settings: EmailSettings) -> None:
    smtp.ehlo_or_helo_if_needed()
    if settings.security != "starttls":
        return
    if not smtp.has_extn("starttls"):
        raise smtplib.SMTPException("it offers no STARTTLS, and security is 'starttls'")
    code, said = smtp.starttls(context=_tls(settings.ca_file))
    if code != 220:
        raise smtplib.SMTPResponseException(code, said)
    smtp.ehlo_or_helo_if_needed()


@cache
def _tls(ca_file: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file or None)


def _away(reason: str) -> Deferred:
    return Deferred(scope=Scope.CHANNEL, reason=reason)


def _unfit(where: str, error: Exception, settings: EmailSettings) -> Outcome:
    if isinstance(error, smtplib.SMTPResponseException) and settings.password:
        error.smtp_error = _masked(error.smtp_error, settings)
    reason = f"{where}: {_said(error)}"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return AuthLost(f"{reason} The account {settings.username!r} cannot log in there.")
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return AuthLost(reason) if error.smtp_code >= 500 else Deferred(scope=Scope.ACCOUNT, reason=reason)
    return _away(reason)


def _said(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return str(Reply(error.smtp_code, _bytes(error.smtp_error)))
    return str(error) or type(error).__name__


def _masked(said: bytes | str, settings: EmailSettings) -> bytes:
    """Servers have been seen to repeat what they refuse."""
    password = settings.password.reveal().encode()
    plain = b"\0" + settings.username.encode() + b"\0" + password
    text = _bytes(said)
    for secret in (password, b64encode(plain), b64encode(password)):
        text = text.replace(secret, b"***")
    return text


def _bytes(said: bytes | str) -> bytes:
    return said if isinstance(said, bytes) else said.encode()
