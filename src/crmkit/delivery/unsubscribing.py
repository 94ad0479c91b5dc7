"""The way out that goes with every message one can refuse: the headers of RFC 8058, and the link for the text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from crmkit.messages import Delivery
from crmkit.tokens import Token, TokenAct, write_token
from crmkit.transaction.standings import SentDigests

if TYPE_CHECKING:
    from crmkit.crm import CRM

HEADER = "List-Unsubscribe"
ONE_CLICK: Mapping[str, str] = {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def unsubscribe_url(crm: CRM, delivery: Delivery) -> str:
    """Return where the recipient of a delivery unsubscribes; empty if the settings say no place, or nobody can.

    Args:
        crm: the CRM; none of its transactions may be open where its secret was never read.
        delivery: the delivery.
    """
    purpose = crm.settings.purposes.get(delivery.purpose)
    if not crm.settings.unsubscribe_url or purpose is None or not purpose.is_optional:
        return ""
    secret = crm.read_secret()
    digest = SentDigests(crm, secret).of(delivery.channel, delivery.address)
    if not digest:
        return ""
    said = Token(
        act=TokenAct.UNSUBSCRIBE,
        purpose=delivery.purpose,
        channel=delivery.channel,
        digest=digest,
        nonce=delivery.id,
        contact_id=delivery.contact_id,
    )
    return crm.settings.unsubscribe_url.replace("{token}", write_token(secret, said))


def with_way_out(delivery: Delivery, url: str) -> Delivery:
    """Return a delivery with the headers by which a mail program unsubscribes, unless it has its own.

    Args:
        delivery: the delivery.
        url: where one unsubscribes, or empty.
    """
    if not url or any(name.casefold() == HEADER.casefold() for name in delivery.headers):
        return delivery
    return attrs.evolve(delivery, headers={**delivery.headers, HEADER: f"<{url}>", **ONE_CLICK})
