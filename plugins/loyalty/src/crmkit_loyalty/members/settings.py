"""The settings of membership."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import attrs

from crmkit_loyalty.codes import check_digit
from crmkit_loyalty.nested import refused

NUMBER_LIMIT = 40

_PATTERN = re.compile(r"[A-Z0-9]*#{6,18}\??")


def _pattern(value: Any) -> str:
    if not isinstance(value, str) or not _PATTERN.fullmatch(value) or len(value) > NUMBER_LIMIT:
        right = "must be capital letters and digits, 6 to 18 '#' for random digits, and '?' for a check digit"
        raise refused("members", "number", value, f"{right}, such as 'M########?'")
    return value


def _benefits(value: Iterable[Any]) -> tuple[str, ...]:
    found = (value,) if isinstance(value, str) else tuple(value)
    if any(not isinstance(one, str) or not one for one in found):
        raise refused("members", "benefits", value, "must be texts such as ['free returns']")
    return found


def _on_order(value: Any) -> bool:
    if not isinstance(value, bool):
        raise refused("members", "join_on_order", value, "must be True or False")
    return value


@attrs.frozen(kw_only=True)
class MemberSettings:
    """The settings of membership, given as `settings={"loyalty": {"members": {...}}}`.

    Args:
        number: how a member's number is made: `#` is a random digit, `?` the check digit (Luhn).
        benefits: what every member has, in the shop's words.
        join_on_order: whether whoever pays for an order becomes a member.
    """

    number: str = attrs.field(default="########?", converter=_pattern)
    benefits: tuple[str, ...] = attrs.field(default=(), converter=_benefits)
    join_on_order: bool = attrs.field(default=False, converter=_on_order)

    def numbered(self, digits: str) -> str:
        """Return the number that some digits make, as many as the pattern has `#`."""
        head, _, tail = self.number.partition("#")
        return head + digits + (check_digit(digits) if tail.endswith("?") else "")

    @property
    def digits(self) -> int:
        """How many random digits a number has."""
        return self.number.count("#")

    def mistyped(self, number: str) -> bool:
        """Whether a number is one of this pattern, but for its check digit."""
        head = self.number.partition("#")[0]
        digits = number.removeprefix(head)
        if not self.number.endswith("?") or head + digits != number or len(digits) != self.digits + 1:
            return False
        return digits.isdecimal() and check_digit(digits[:-1]) != digits[-1]
