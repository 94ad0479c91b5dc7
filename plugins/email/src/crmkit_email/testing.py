"""A real SMTP server on loopback that keeps what it gets and misbehaves as it is told.

In a test, `with SmtpServer() as server`; as a process of its own,
`python -m crmkit_email.testing --port 0 --maildir DIR`, which prints its port and writes each mail to DIR.
It needs `aiosmtpd`, which comes with `pip install crmkit-email[testing]`.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import sys
import threading
from contextlib import suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import attrs
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

#: Instead of an answer: close the connection.
DROP = "drop"
#: Instead of an answer: stay silent.
STALL = "stall"
#: The steps at which the server can be told what to answer; "content" follows the mail's final dot.
STEPS = ("AUTH", "MAIL", "RCPT", "DATA", "content")


@attrs.frozen
class Received:
    """A mail as it came over the wire.

    Args:
        sender: the envelope sender.
        recipients: the envelope recipients.
        content: the bytes between DATA and the final dot.
    """

    sender: str
    recipients: tuple[str, ...]
    content: bytes = attrs.field(repr=False)

    @property
    def message(self) -> EmailMessage:
        """The mail, read by the strict parser."""
        return message_from_bytes(self.content, policy=policy.default)


class SmtpServer:
    """A context manager that runs an SMTP server in a thread.

    `received` are the mails that it took, also those whose answer it withheld; `connections` counts the
    connections, `commands` are the commands of all of them in their order.

    Args:
        port: where to listen on 127.0.0.1; 0 takes a free one, which `port` tells.
        login: user name and password that it demands, if any.
        tls: the certificate to offer STARTTLS with, if any.
        smtputf8: whether to offer SMTPUTF8.
        maildir: a folder to write each mail to.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        login: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        smtputf8: bool = True,
        maildir: Path | None = None,
    ) -> None:
        self.port = port
        self.login = login
        self.tls = tls
        self.smtputf8 = smtputf8
        self.maildir = maildir
        self.received: list[Received] = []
        self.commands: list[str] = []
        self.connections = 0
        self._answers: dict[tuple[str, str], list[str]] = {}

    def answer(self, step: str, who: str, *answers: str) -> None:
        """Tell the server what to answer; without further answers it goes back to its own.

        Args:
            step: one of `STEPS`.
            who: the local part of the sender at MAIL, else of the recipient; "*" for any, and at AUTH.
            answers: one for each time, such as "452 4.2.2 mailbox full", `DROP` or `STALL`.
        """
        if step not in STEPS:
            raise ValueError(f"step {step!r} is not one of {', '.join(STEPS)}")
        self._answers[step, who] = list(answers)

    def scripted(self, step: str, address: str) -> str | None:
        """Take and return the answer that was asked for at that step, if any."""
        for who in (address.rpartition("@")[0], "*"):
            answers = self._answers.get((step, who))
            if answers:
                return answers.pop(0)
        return None

    def keep(self, envelope: Envelope) -> None:
        """Keep a mail."""
        content = envelope.original_content or b""
        mail = Received(envelope.mail_from or "", tuple(envelope.rcpt_tos), content)
        if self.maildir:
            # under its final name only when it is whole: other processes count the files
            draft = self.maildir / f"{len(self.received):06}.part"
            draft.write_bytes(content)
            draft.rename(draft.with_suffix(".eml"))
        self.received.append(mail)

    def __enter__(self) -> SmtpServer:
        self._loop = asyncio.new_event_loop()
        listening = self._loop.create_server(lambda: _Protocol(self), "127.0.0.1", self.port)
        self._server = self._loop.run_until_complete(listening)
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, name="smtp-server", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def hang_up(self) -> None:
        """Close every connection, as a server does that restarts."""
        asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop).result(10)

    async def _hang_up(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _stop(self) -> None:
        self._server.close()
        await self._hang_up()


class _Protocol(SMTP):
    """Looks up what it was told to answer before it does what a server does."""

    def __init__(self, owner: SmtpServer) -> None:
        super().__init__(
            _Handler(owner),
            hostname="mail.test",
            enable_SMTPUTF8=owner.smtputf8,
            tls_context=owner.tls,
            auth_required=owner.login is not None,
            authenticator=_authenticator(owner) if owner.login else None,
            loop=owner._loop,
        )
        self._owner = owner
        # on loopback only; as an argument it would warn at each connection
        self._auth_require_tls = owner.login is None

    def connection_made(self, transport: Any) -> None:
        if self._original_transport is None:  # else it is the same one, now encrypted
            self._owner.connections += 1
        super().connection_made(transport)

    async def smtp_AUTH(self, arg: str) -> None:
        if not await self._told("AUTH", arg):
            await super().smtp_AUTH(arg)

    async def smtp_MAIL(self, arg: str | None) -> None:
        if not await self._told("MAIL", arg):
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:
        if not await self._told("RCPT", arg):
            await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str | None) -> None:
        if not await self._told("DATA", arg):
            await super().smtp_DATA(arg)

    async def smtp_RSET(self, arg: str | None) -> None:
        self._owner.commands.append("RSET")
        await super().smtp_RSET(arg)

    async def _told(self, step: str, arg: str | None) -> bool:
        self._owner.commands.append(f"{step} {arg or ''}".rstrip())
        said = arg or f"<{self.envelope.rcpt_tos[-1] if self.envelope and self.envelope.rcpt_tos else ''}>"
        answer = self._owner.scripted(step, said.partition("<")[2].partition(">")[0])
        if answer is None:
            return False
        await self.push(await _act(self, answer))
        if answer.startswith("421"):
            _transport(self).close()
        return True


class _Handler:
    def __init__(self, owner: SmtpServer) -> None:
        self._owner = owner

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = self._owner.scripted("content", envelope.rcpt_tos[-1])
        if answer is None or answer in (DROP, STALL) or answer.startswith("2"):
            self._owner.keep(envelope)
        if answer is None:
            return f"250 2.0.0 Ok: queued as {len(self._owner.received):08X}"
        return await _act(server, answer)


async def _act(server: SMTP, answer: str) -> str:
    if answer == STALL:
        await asyncio.sleep(3600)
    if answer == DROP:
        _transport(server).abort()
        raise asyncio.CancelledError
    return answer


def _transport(server: SMTP) -> asyncio.Transport:
    return cast(asyncio.Transport, server.transport)


def _authenticator(owner: SmtpServer) -> Any:
    def authenticate(
        server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any
    ) -> AuthResult:
        right = isinstance(given, LoginPassword) and owner.login is not None
        right = right and (given.login.decode(), given.password.decode()) == owner.login
        return AuthResult(success=right, handled=False)

    return authenticate


def main(words: list[str]) -> int:
    """Run the server until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m crmkit_email.testing", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="where to listen; 0 takes a free port")
    parser.add_argument("--maildir", type=Path, required=True, help="the folder to write each mail to")
    parser.add_argument(
        "--answer",
        nargs=3,
        action="append",
        default=[],
        metavar=("STEP", "WHO", "ANSWER"),
        help=f"what to answer once, at {', '.join(STEPS)}, to a local part",
    )
    options = parser.parse_args(words)
    options.maildir.mkdir(parents=True, exist_ok=True)
    server = SmtpServer(port=options.port, maildir=options.maildir)
    for step, who, answer in options.answer:
        server.answer(step, who, answer)
    with server:
        print(server.port, flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
