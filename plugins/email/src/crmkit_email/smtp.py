"""The email channel: deliveries go to one SMTP server, over one connection a batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from time import monotonic

import attrs

from crmkit import (
    AuthLost,
    ChannelSpec,
    Dedup,
    Deferred,
    Delivery,
    Outcome,
    PointKind,
    Problem,
    Rejected,
    SendContext,
    Unknown,
)
from crmkit_email.answers import Reply, answered, refused
from crmkit_email.connection import Broken, Connection, NotConnected, connect
from crmkit_email.headers import BadMail
from crmkit_email.message import Mail, build
from crmkit_email.settings import EmailSettings


@attrs.define(eq=False)
class SmtpChannel:
    """Sends mail to an SMTP server.

    SMTP knows no key by which a repeat is told from a new mail, so the dedup class is `NONE`.

    Args:
        settings: the server, the account, the sender.
    """

    settings: EmailSettings
    spec: ChannelSpec = attrs.field(init=False)

    @spec.default
    def _spec(self) -> ChannelSpec:
        timeout = timedelta(seconds=self.settings.timeout)
        return ChannelSpec(name="email", address_kind=PointKind.EMAIL, dedup=Dedup.NONE, timeout=timeout)

    @contextmanager
    def open(self, ctx: SendContext) -> Iterator[SmtpSender]:
        """Give a sender; it connects at its first delivery and says goodbye when the block ends.

        Args:
            ctx: what the core lends; each delivery brings its own.
        """
        sender = SmtpSender(self.settings)
        try:
            yield sender
        finally:
            sender.close()

    def check(self, delivery: Delivery) -> list[Problem]:
        """Return what keeps the delivery from becoming a mail, without touching the network."""
        try:
            build(delivery, self.settings, delivery.queued_at)
        except BadMail as error:
            return [Problem(error.field, error.reason)]
        return []


class SmtpSender:
    """Sends one batch, mail by mail, over one connection that it opens anew when the server has closed it.

    Args:
        settings: the server, the account, the sender.
    """

    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings
        self._connection: Connection | None = None
        self._auth_lost: AuthLost | None = None

    def send(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        """Send one mail in one SMTP transaction and answer what came of it.

        The hand-off is marked when the server has agreed to take the content ("354") and before the first
        byte of it: MAIL, RCPT and DATA have no effect by themselves, so whatever breaks off before is known
        not to have been sent. Only silence after the content is `Unknown`.

        Args:
            delivery: what to send.
            ctx: deadline, clock and hand-off.
        """
        if self._auth_lost:
            return self._auth_lost  # to ask again for each mail would lock the account
        try:
            outcome = self._send(build(delivery, self._settings, ctx.now()), ctx)
        except BadMail as error:
            return Rejected(str(error), error.code)
        except NotConnected as error:
            outcome = error.outcome
        except Broken as error:
            self._connection = None
            return Deferred(reason=f"the connection broke off before the mail was sent: {error}")
        except BaseException:
            self._drop()
            raise
        if isinstance(outcome, AuthLost):
            self._auth_lost = outcome
        return outcome

    def close(self) -> None:
        """Say goodbye to the server, if there is a connection."""
        connection, self._connection = self._connection, None
        if connection:
            connection.quit()

    def _send(self, mail: Mail, ctx: SendContext) -> Outcome:
        until = monotonic() + min(self._settings.timeout, ctx.seconds_left)
        connection, reply = self._begin(mail, until)
        step = "MAIL"
        for following in (f"RCPT TO:<{mail.recipient}>", "DATA"):
            if not 200 <= reply.code <= 299:
                return self._refused(step, reply, until)
            step = following[:4]
            reply = connection.ask(following, until)
        if reply.code != 354:
            return self._refused(step, reply, until)
        ctx.handoff()
        return self._transmit(connection, mail, until)

    def _begin(self, mail: Mail, until: float) -> tuple[Connection, Reply]:
        """Return the connection and its answer to MAIL.

        Servers close idle and long-lived connections between two mails, with a 421 or without; of this mail
        they know nothing then, so a new connection is no retry.
        """
        if self._connection:
            with suppress(Broken):
                reply = self._connection.begin(mail, until)
                if reply.code != 421:
                    return self._connection, reply
            self._drop()
        self._connection = connect(self._settings, until)
        return self._connection, self._connection.begin(mail, until)

    def _refused(self, step: str, reply: Reply, until: float) -> Outcome:
        if self._connection and 400 <= reply.code <= 599 and reply.code != 421:
            with suppress(Broken):
                self._connection.ask("RSET", until)
                return refused(step, reply)
        self._drop()
        return refused(step, reply)

    def _transmit(self, connection: Connection, mail: Mail, until: float) -> Outcome:
        try:
            reply = connection.transmit(mail.content, until)
        except Broken as error:
            self._connection = None
            return Unknown(f"the connection broke off after the mail was sent: {error}")
        if reply.code == 421 or not 200 <= reply.code <= 599:
            self._drop()
        return answered(reply)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            connection.close()
