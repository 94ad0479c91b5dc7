"""Between the claim and the send: what is checked again, and the texts that are filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from crmkit.channels import Channel
from crmkit.contacts import Contact
from crmkit.delivery.cases import Case, Verdict
from crmkit.errors import NotFound
from crmkit.messages import Delivery, DeliveryState, DeliveryStatus
from crmkit.templates import render

if TYPE_CHECKING:
    from crmkit.crm import CRM


def prepare(crm: CRM, channel: Channel, case: Case, contact: Contact | None) -> Delivery | Verdict:
    """Return a delivery as its channel gets it, or the verdict if it cannot or must not go.

    Args:
        crm: the CRM.
        channel: the delivery's.
        case: the delivery.
        contact: whom it goes to, as the contact is now.

    Raises:
        SuppressionFailed: if a plugin could not say whether it may go; anything that `channel.check` raises.
    """
    delivery = case.status.delivery
    if not delivery.address:
        return Verdict(state=DeliveryState.REJECTED, reason="bad_address: it has no address")
    refusal = crm.hooks.suppress_delivery(delivery, contact)
    if refusal is not None:
        return Verdict(state=DeliveryState.SUPPRESSED, reason=f"{refusal.owner}: {refusal.value}")
    rendered = rendered_delivery(crm, case.status)
    if isinstance(rendered, Verdict) or not hasattr(channel, "check"):
        return rendered
    problems = channel.check(rendered)
    if not problems:
        return rendered
    reason = "; ".join(f"{problem.field}: {problem.reason}" for problem in problems)
    return Verdict(state=DeliveryState.REJECTED, reason=reason)


def rendered_delivery(crm: CRM, status: DeliveryStatus) -> Delivery | Verdict:
    """Return a delivery with its template filled in, or the verdict if that cannot be done.

    Args:
        crm: the CRM, which knows the templates.
        status: the delivery as the database holds it.
    """
    if not status.template:
        return status.delivery
    try:
        template = crm.registry.template(status.template, status.delivery.locale)
    except NotFound as error:
        return Verdict(state=DeliveryState.HELD, reason=str(error), attempt=status.delivery.attempt - 1)
    try:
        texts = render(template, status.data)
    except (Exception, SystemExit) as error:
        return Verdict(state=DeliveryState.REJECTED, reason=f"it cannot be rendered: {error}")
    return attrs.evolve(status.delivery, subject=texts.subject, text=texts.text, html=texts.html)
