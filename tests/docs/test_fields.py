"""The reference lists every field that every CRM has, with its type and its words."""

from __future__ import annotations

from pathlib import Path

import pytest

from crmkit.expressions import Field, FieldType
from crmkit.expressions.core import FieldTable, core_fields
from crmkit.rewards import COUNTERS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "fields.md"
TABLE = FieldTable(core_fields(("news",)))
EVERY = [TABLE[name] for name in (*TABLE, *(f"orders.{what}.EUR" for what in ("count", "total", "average")))]


def faults(fields: list[Field], page: str) -> list[str]:
    """Return a line for each field that the page does not list as it is, and each that is not there."""
    rows = {f"| `{field.name}` | {field.kind} | {field.doc} |" for field in fields}
    listed = {line for line in page.splitlines() if line.startswith("| `")}
    return sorted(
        [f"not listed: {row}" for row in rows - listed] + [f"not there: {row}" for row in listed - rows]
    )


def test_the_reference_lists_every_field() -> None:
    assert faults(EVERY, PAGE.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("change", [Field("new", FieldType.TEXT, doc="x"), None])
def test_a_drift_is_reported(change: Field | None) -> None:
    drifted = EVERY[1:] if change is None else [*EVERY, change]
    assert len(faults(drifted, PAGE.read_text(encoding="utf-8"))) == 1


def test_rules_and_segments_have_one_vocabulary() -> None:
    assert set(TABLE) >= COUNTERS
