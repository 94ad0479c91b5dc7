"""The email channel against the channel suite, over a real SMTP server on loopback that can misbehave."""

from __future__ import annotations

from contextlib import AbstractContextManager

from crmkit.testing import BAD_EMAILS, ChannelSuite
from crmkit_email import EmailSettings, SmtpChannel
from crmkit_email.testing import DROP, SmtpServer

PASSWORD = "wrong-horse-battery"


class TestEmailChannel(ChannelSuite):
    secrets = (PASSWORD,)
    bad_addresses = BAD_EMAILS
    provider: SmtpServer

    def make_provider(self) -> AbstractContextManager[SmtpServer]:
        return SmtpServer(login=("shop", PASSWORD))

    def make_channel(self) -> SmtpChannel:
        return SmtpChannel(
            EmailSettings(
                host="127.0.0.1",
                port=self.provider.port,
                security="none",
                username="shop",
                password=PASSWORD,  # type: ignore[arg-type]  # the field converts it
                sender="Shop <hello@shop.example>",  # type: ignore[arg-type]
                helo="shop.example",
                timeout=5,
            )
        )

    def received(self) -> list[str]:
        return [", ".join(mail.recipients) for mail in self.provider.received]

    def attempts(self) -> int:
        return sum(command.startswith("MAIL") for command in self.provider.commands)

    def refuse(self) -> None:
        self.provider.answer("RCPT", "*", "550 5.1.1 no such user")

    def throttle(self) -> None:
        self.provider.answer("MAIL", "*", "450 4.7.0 too many messages, slow down")

    def drop_before(self) -> None:
        self.provider.answer("RCPT", "*", DROP)

    def drop_after(self) -> None:
        self.provider.answer("content", "*", DROP)

    def expire_login(self) -> None:
        # for each mechanism that may be tried
        self.provider.answer("AUTH", "*", *["535 5.7.8 the password has been changed"] * 5)
