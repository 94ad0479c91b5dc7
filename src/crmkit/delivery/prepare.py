"""Between the claim and the send: what is checked again, and the texts that are filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from crmkit.channels import Channel
from crmkit.consent import NOTHING_KNOWN, Standing
from crmkit.contacts import Contact
from crmkit.delivery.cases import Case, Verdict
from crmkit.delivery.greet import with_greeting
from crmkit.delivery.permits import refusal
from crmkit.delivery.unsubscribing import unsubscribe_url, with_way_out
from crmkit.errors import NotFound
from crmkit.messages import Delivery, DeliveryState, DeliveryStatus
from crmkit.templates import render

if TYPE_CHECKING:
    from crmkit.crm import CRM


def prepare(
    crm: CRM, channel: Channel, case: Case, contact: Contact | None, standing: Standing = NOTHING_KNOWN
) -> Delivery | Verdict:
    """Return a delivery as its channel gets it, or the verdict if it cannot or must not go.

    Args:
        crm: the CRM.
        channel: the delivery's.
        case: the delivery.
        contact: whom it goes to, as the contact is now.
        standing: what is known of consents and suppressions.

    Raises:
        SuppressionFailed: if a plugin could not say whether it may go; anything that `channel.check` raises.
    """
    delivery = case.status.delivery
    if not delivery.address:
        return Verdict(state=DeliveryState.REJECTED, reason="bad_address: it has no address")
    refused = refusal(crm, case, standing)
    if refused is not None:
        return refused
    suppressed = crm.hooks.suppress_delivery(delivery, contact)
    if suppressed is not None:
        return Verdict(state=DeliveryState.SUPPRESSED, reason=f"{suppressed.owner}: {suppressed.value}")
    rendered = rendered_delivery(crm, case.status, contact)
    if isinstance(rendered, Verdict) or not hasattr(channel, "check"):
        return rendered
    problems = channel.check(rendered)
    if not problems:
        return rendered
    reason = "; ".join(f"{problem.field}: {problem.reason}" for problem in problems)
    return Verdict(state=DeliveryState.REJECTED, reason=reason)


def rendered_delivery(crm: CRM, status: DeliveryStatus, contact: Contact | None = None) -> Delivery | Verdict:
    """Return a delivery with its template filled in, or the verdict if that cannot be done.

    Args:
        crm: the CRM, which knows the templates.
        status: the delivery as the database holds it.
        contact: whom it goes to, for the greeting; without one that names nobody.
    """
    url = unsubscribe_url(crm, status.delivery)
    delivery = with_way_out(status.delivery, url)
    if not status.template:
        return delivery
    try:
        template = crm.registry.template(status.template, status.delivery.locale)
    except NotFound as error:
        return Verdict(state=DeliveryState.HELD, reason=str(error), attempt=status.delivery.attempt - 1)
    try:
        data = {"unsubscribe_url": url, **status.data} if url else status.data
        texts = render(template, with_greeting(crm, template, delivery, contact, data))
    except (Exception, SystemExit) as error:
        return Verdict(state=DeliveryState.REJECTED, reason=f"it cannot be rendered: {error}")
    return attrs.evolve(delivery, subject=texts.subject, text=texts.text, html=texts.html)
