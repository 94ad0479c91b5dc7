"""What crmkit loads: the email channel, and the thank-you for a paid order."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from crmkit import Channel, LogEntry, Message, OrderPaid, Reaction, Template, Transaction, hookimpl
from crmkit_email.settings import EmailSettings
from crmkit_email.smtp import SmtpChannel

#: The topic of the thank-you, and the name of its template.
THANK_YOU = "thank-you"

_THANK_YOU = Template(
    name=THANK_YOU,
    subject="Thank you for your order {{ order }}",
    text="Thank you for your order {{ order }}.\n\nWe have received your payment of {{ amount }}.\n",
    html=(
        "<p>Thank you for your order {{ order }}.</p>\n"
        "<p>We have received your payment of {{ amount }}.</p>\n"
    ),
)


@attrs.define(eq=False)
class EmailPlugin:
    """Sends mail over SMTP, and thanks for each order that is paid.

    Args:
        settings: the server, the account, the sender.
    """

    settings: EmailSettings

    @hookimpl
    def crmkit_channels(self) -> Iterable[Channel]:
        """Return the channel "email"."""
        return [SmtpChannel(self.settings)]

    @hookimpl
    def crmkit_templates(self) -> Iterable[Template]:
        """Return the words of the thank-you; the host's own template of that name wins."""
        return [_THANK_YOU]

    @hookimpl
    def crmkit_reactions(self) -> Iterable[Reaction]:
        """Return the thank-you, unless the settings turn it off."""
        return [Reaction(OrderPaid, self.thank)] if self.settings.thank_you else []

    def thank(self, tx: Transaction, entry: LogEntry) -> None:
        """Queue the thank-you for an order, in the transaction that records its payment.

        Args:
            tx: that transaction.
            entry: the `OrderPaid` event; one that concerns no contact is let pass.
        """
        paid = entry.event
        if not isinstance(paid, OrderPaid) or entry.contact_id is None:
            return
        data = {"order": paid.order_key, "amount": str(paid.amount)}
        message = Message(topic=THANK_YOU, template=THANK_YOU, data=data)
        tx.messages.queue(
            message, channel="email", key=f"{THANK_YOU}:{paid.order_key}", contact_id=entry.contact_id
        )
