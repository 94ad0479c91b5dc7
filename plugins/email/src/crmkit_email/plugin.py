"""What crmkit loads: the email channel, and the thank-you for a paid order."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from crmkit import Channel, hookimpl
from crmkit_email.settings import EmailSettings
from crmkit_email.smtp import SmtpChannel


@attrs.define(eq=False)
class EmailPlugin:
    """Sends mail over SMTP.

    Args:
        settings: the server, the account, the sender.
    """

    settings: EmailSettings

    @hookimpl
    def crmkit_channels(self) -> Iterable[Channel]:
        """Return the email channel."""
        return [SmtpChannel(self.settings)]
