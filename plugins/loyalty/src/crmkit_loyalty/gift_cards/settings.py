"""The settings of gift cards."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import attrs

from crmkit_loyalty.nested import chosen, whole


class RestorePolicy(StrEnum):
    """Which part of a refund goes back to the gift cards that paid for the order."""

    CARDS_FIRST = "cards_first"  #: what is given back goes to the cards until they have what they paid
    CARDS_LAST = "cards_last"  #: the cards get what is left once everything else was given back
    BY_HAND = "by_hand"  #: nothing but what `GiftCards.restore` is told


def _policy(value: Any) -> RestorePolicy:
    return chosen(RestorePolicy, "gift_cards", "restore")(value)


def _months(value: Any) -> int | None:
    found: int | None = whole("gift_cards", "months", 1, 1200, none=True)(value)
    return found


@attrs.frozen(kw_only=True)
class GiftCardSettings:
    """The settings of gift cards, given as `settings={"loyalty": {"gift_cards": {...}}}`.

    Args:
        months: for how many months a card is valid, in the programme's zone; None for ever.
        restore: what a refund gives back to cards: "cards_first", "cards_last" or "by_hand".
    """

    months: int | None = attrs.field(default=None, converter=_months)
    restore: RestorePolicy = attrs.field(default=RestorePolicy.CARDS_FIRST, converter=_policy)
