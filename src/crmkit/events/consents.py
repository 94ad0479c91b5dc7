"""Events of consent: what contacts allow and refuse, and which addresses are written to no more."""

from __future__ import annotations

from datetime import datetime

import attrs

from crmkit.clock import FOREVER
from crmkit.events.log import Event


@attrs.frozen(kw_only=True)
class ConsentGranted(Event):
    """A contact consented to a purpose."""

    purpose: str
    channel: str
    basis: str
    source: str = ""
    text_version: str = ""
    until: datetime = FOREVER


@attrs.frozen(kw_only=True)
class ConsentWithdrawn(Event):
    """A contact refused a purpose; an empty purpose or channel stands for all of them."""

    purpose: str
    channel: str
    source: str = ""


@attrs.frozen(kw_only=True)
class ConsentRequested(Event):
    """A contact was asked to confirm a consent."""

    purpose: str
    channel: str
    source: str = ""
    text_version: str = ""


@attrs.frozen(kw_only=True)
class AddressSuppressed(Event):
    """An address is written to no more, or not for a purpose; which one it is stands nowhere in clear."""

    reason: str
    purpose: str = ""
    channel: str = ""
    source: str = ""


@attrs.frozen(kw_only=True)
class SuppressionLifted(Event):
    """An address may be written to again."""

    reason: str
    purpose: str = ""
    channel: str = ""
    lifted_by: str
    lift_reason: str
