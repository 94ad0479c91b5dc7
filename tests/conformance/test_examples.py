"""The examples of the guides are as short as the guides say; tests/docs runs them."""

from __future__ import annotations

from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"


def test_the_channel_has_fifteen_lines() -> None:
    """Without its imports and docstrings, from the decorator on."""
    source = (EXAMPLES / "console_channel.py").read_text(encoding="utf-8")
    body = source[source.index("@attrs.define") :].splitlines()
    assert len([line for line in body if line.strip() and not line.strip().startswith('"""')]) <= 15


def test_the_suite_of_the_rule_has_five_lines() -> None:
    source = (EXAMPLES / "test_double_points.py").read_text(encoding="utf-8")
    assert len([line for line in source.splitlines() if line.strip()]) == 5
