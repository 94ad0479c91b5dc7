"""The arithmetic of awards again, from nothing but their inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crmkit.errors import ValueRefused
from crmkit.programmes.effects import gifts, points, prices

Inputs = Mapping[str, Any]

#: By the word that an award's inputs hold as "effect"; a word that was used stays.
_AMOUNTS: Mapping[str, Callable[[Inputs], int]] = {
    "points": points.fixed_amount,
    "rate": points.rate_amount,
    "multiply": points.multiple_amount,
    "price": prices.price_amount,
    "buy_get": prices.buy_get_amount,
    "coupon": gifts.gift_amount,
    "gift_card": gifts.gift_amount,
    "free_product": gifts.gift_amount,
}


def recompute(inputs: Inputs) -> int:
    """Return what an award of a declared rule comes to by its inputs, before any cap or limit.

    Args:
        inputs: those of the award, as it was made or as the log has it.

    Raises:
        ValueRefused: if they are not those of a declared rule.
    """
    compute = _AMOUNTS.get(str(inputs.get("effect")))
    if compute is None:
        raise ValueRefused(f"inputs {dict(inputs)!r} are not those of a declared rule's award")
    return compute(inputs)


def described(inputs: Inputs) -> str:
    """Return the inputs of an award in words."""
    if inputs["effect"] in ("rate", "multiply"):
        return points.spent(inputs)
    said = (f"{name}={value}" for name, value in inputs.items() if name not in ("effect", "when", "read"))
    return f"{inputs['effect']} of {', '.join(said)}"
