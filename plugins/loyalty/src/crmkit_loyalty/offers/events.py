"""What offers and gifts tell the log."""

from __future__ import annotations

import attrs

from crmkit import Event, Money, personal


@attrs.frozen(kw_only=True)
class OfferRedeemed(Event):
    """An offer was used.

    Args:
        offer: its name.
        key: the caller's key.
        cost: what that costs the shop.
        units: units that it gives.
    """

    offer: str
    key: str
    cost: Money
    units: int = 0


@attrs.frozen(kw_only=True)
class OfferReleased(Event):
    """The use of an offer was given back.

    Args:
        offer: its name.
        key: the key of the use.
    """

    offer: str
    key: str


@attrs.frozen(kw_only=True)
class GiftGiven(Event):
    """Something was given to a contact.

    Args:
        key: the caller's key.
        cost: what it cost, if that is known.
        what: what it was.
        why: the occasion, in the shop's words.
    """

    key: str
    cost: Money | None = None
    what: str = personal(default="")
    why: str = personal(default="")


EVENTS: tuple[type[Event], ...] = (GiftGiven, OfferRedeemed, OfferReleased)
