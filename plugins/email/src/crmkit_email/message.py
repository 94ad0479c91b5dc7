"""From a delivery to the bytes that a server is given."""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache

import attrs

from crmkit import Delivery, ValueRefused
from crmkit_email.form import encode_body, form
from crmkit_email.headers import CRLF, BadMail, further_lines, mailbox_line, one_line, text_line
from crmkit_email.mailbox import Mailbox, mailbox
from crmkit_email.settings import EmailSettings


@attrs.frozen
class Mail:
    """A mail ready for the wire.

    Args:
        sender: the envelope sender, empty for none.
        recipient: the one envelope recipient.
        content: header and body with CRLF at each line's end, dots not yet doubled.
        international: whether it needs a server that offers SMTPUTF8.
    """

    sender: str
    recipient: str
    content: bytes = attrs.field(repr=False)
    international: bool = False


def build(delivery: Delivery, settings: EmailSettings, now: datetime) -> Mail:
    """Return the mail that a delivery becomes.

    Its Message-ID comes from the delivery's id, so it is the same at each attempt.

    Args:
        delivery: what to send.
        settings: who sends it.
        now: the date to write on it.

    Raises:
        BadMail: if the address is not exactly one, or a text cannot be put into a mail.
    """
    recipient = _recipient(delivery)
    plain, text = _body(delivery.text, "text")
    rich, html = _body(delivery.html, "html")
    if not plain and not rich:
        raise BadMail("text", "is empty, and so is html; a mail needs one of them")
    content = form(plain, rich) % {
        b"head": _head(delivery, settings, recipient, now).encode(),
        b"text": text,
        b"html": html,
        b"boundary": delivery.id.hex.encode(),
    }
    sender = settings.bounce_address(delivery.id.hex)
    return Mail(sender, recipient.address, content, not recipient.local.isascii())


def _recipient(delivery: Delivery) -> Mailbox:
    try:
        return mailbox(delivery.address, one_line(delivery.name, "name"))
    except ValueRefused as error:
        raise BadMail("address", str(error), "bad_address") from None


def _body(body: str, field: str) -> tuple[str, bytes]:
    try:
        return encode_body(body)
    except UnicodeEncodeError as error:
        raise BadMail(
            field, f"holds a lone surrogate at position {error.start}, which is no character"
        ) from None


@lru_cache(maxsize=16)
def _date_line(second: datetime) -> str:
    return f"Date: {format_datetime(second)}{CRLF}"


def _head(delivery: Delivery, settings: EmailSettings, recipient: Mailbox, now: datetime) -> str:
    lines = {
        "from": mailbox_line("From", settings.sender),
        "to": mailbox_line("To", recipient),
        "subject": text_line("Subject", one_line(delivery.subject, "subject")),
        "date": _date_line(now.replace(microsecond=0)),
        "message-id": f"Message-ID: <{delivery.id.hex}@{settings.sender.domain}>{CRLF}",
        "auto-submitted": f"Auto-Submitted: auto-generated{CRLF}",
    }
    if settings.reply_to:
        lines["reply-to"] = mailbox_line("Reply-To", settings.reply_to)
    if delivery.headers:
        lines |= further_lines(delivery.headers)
    return "".join(lines.values())
