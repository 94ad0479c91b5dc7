"""What Hypothesis calls when it is imported, through its entry point: `st.from_type(Order)` works from then on."""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: Value classes by module, and the strategy for each.
_TYPES = {
    ("contacts", "Contact"): "contacts",
    ("contacts", "ContactPoint"): "points",
    ("messages", "Message"): "messages",
    ("money", "Money"): "money",
    ("orders", "Order"): "orders",
    ("orders", "OrderLine"): "order_lines",
    ("rewards", "Facts"): "facts",
}


def register() -> None:
    """Register a strategy for each of crmkit's input values; they are imported when first drawn from."""
    from hypothesis import strategies as st

    for (module, name), strategy in _TYPES.items():
        cls = getattr(import_module(f"crmkit.{module}"), name)
        st.register_type_strategy(cls, _later(strategy))


def _later(name: str) -> Any:
    def resolve(_: type) -> Any:
        return getattr(import_module("crmkit.testing.strategies"), name)()

    return resolve
