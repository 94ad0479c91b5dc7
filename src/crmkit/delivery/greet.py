"""The greeting that a template may fill in: `{{ greeting }}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from crmkit.contacts import Contact
from crmkit.messages import Delivery
from crmkit.templates import Template

if TYPE_CHECKING:
    from crmkit.crm import CRM

NAME = "greeting"
_NOBODY = Contact(id=UUID(int=0))


def with_greeting(
    crm: CRM, template: Template, delivery: Delivery, contact: Contact | None, data: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return a template's data with the greeting, where the template asks for one and the data has none.

    It is made when the message is sent, so that a permission that was withdrawn meanwhile holds.

    Args:
        crm: the CRM, which knows the locales.
        template: what is filled in; the greeting is in its language.
        delivery: its channel says how much ceremony there is.
        contact: who is greeted; None if it is none.
        data: the message's own.
    """
    if NAME in data or not any(NAME in part for part in (template.subject, template.text, template.html)):
        return data
    locale = template.locale or delivery.locale
    return {NAME: crm.greeting(contact or _NOBODY, delivery.channel, locale), **data}
