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
#: What else is shown as code in failing examples.
_SHOWN = {("orders", "Refund"), ("rewards", "Award"), ("rewards", "Lot"), ("rewards", "NoAward")}


def register() -> None:
    """Register a strategy for each of crmkit's input values, and that examples show them as code to be pasted.

    Strategies are imported when first drawn from. The profiles dev, ci and nightly are there too, unless the host
    has its own of these names.
    """
    from hypothesis import strategies as st
    from hypothesis.vendor.pretty import for_type_by_name

    for (module, name), strategy in _TYPES.items():
        cls = getattr(import_module(f"crmkit.{module}"), name)
        st.register_type_strategy(cls, _later(strategy))
    for module, name in (*_TYPES, *_SHOWN):
        home = getattr(import_module(f"crmkit.{module}"), name).__module__
        for_type_by_name(home, name, _shown)
    _profile("dev", max_examples=50)
    _profile("ci", max_examples=100, derandomize=True, database=None)
    _profile("nightly", max_examples=2000, print_blob=True)


def _profile(name: str, **options: Any) -> None:
    """Register a Hypothesis profile unless there is one of that name."""
    from hypothesis import settings
    from hypothesis.errors import InvalidArgument

    try:
        settings.get_profile(name)
    except InvalidArgument:
        settings.register_profile(name, deadline=None, **options)


def _shown(value: Any, printer: Any, cycle: bool) -> None:
    printer.text(import_module("crmkit.testing.writing").as_code(value))


def _later(name: str) -> Any:
    def resolve(_: type) -> Any:
        return getattr(import_module("crmkit.testing.strategies"), name)()

    return resolve
