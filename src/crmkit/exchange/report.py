"""What an import came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import attrs

#: How many warnings and reasons are told one by one.
TOLD = 100


@attrs.define(kw_only=True)
class ImportReport:
    """What the rows of a file came to; `read` is the sum of the four below it.

    Args:
        read: rows.
        added: rows that are new contacts, or orders.
        updated: rows that changed or completed one that was there.
        unchanged: rows that said nothing new, or were skipped as duplicates.
        rejected: rows that were not taken; each stands in the file of rejects with its line and the reason.
        orders: of these rows, into how many orders and refunds the taken ones came together.
        left_out: pictures, sounds, keys and partial dates that were left out on purpose, by property.
        ignored: columns or properties that no field is for, by name.
        warned: how many warnings there are.
        warnings: the first of them, with their lines.
        reasons: of the first rejected rows, with their lines.
        resumed_from: how many rows had been taken before, by a run that did not finish.
        repeated: whether the whole file had been taken before, and nothing was done.
        dry_run: whether everything was undone at the end.
        rejects: the file of rejects; empty if there is none.
    """

    read: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    orders: int = 0
    left_out: Counter[str] = attrs.field(factory=Counter)
    ignored: Counter[str] = attrs.field(factory=Counter)
    warned: int = 0
    warnings: list[str] = attrs.field(factory=list)
    reasons: list[str] = attrs.field(factory=list)
    resumed_from: int = 0
    repeated: bool = False
    dry_run: bool = False
    rejects: str = ""

    def count(self, outcome: str) -> None:
        """Count a row: "added", "updated", "unchanged" or "rejected"."""
        self.read += 1
        setattr(self, outcome, getattr(self, outcome) + 1)

    def warn(self, line: int, text: str) -> None:
        """Note a warning."""
        self.warned += 1
        if len(self.warnings) < TOLD:
            self.warnings.append(f"line {line}: {text}")

    def reject(self, line: int, reason: str) -> None:
        """Note and count a rejected row."""
        self.count("rejected")
        if len(self.reasons) < TOLD:
            self.reasons.append(f"line {line}: {reason}")

    def plain(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return attrs.asdict(self, value_serializer=_plain)

    def counts(self) -> dict[str, Any]:
        """Return what is kept with the progress: counts, and nothing of any person."""
        names = (
            "read",
            "added",
            "updated",
            "unchanged",
            "rejected",
            "orders",
            "warned",
            "left_out",
            "ignored",
        )
        return {name: _plain(None, None, getattr(self, name)) for name in names}

    @classmethod
    def of(cls, counts: Mapping[str, Any]) -> ImportReport:
        """Return a report that goes on from kept counts."""
        given = dict(counts)
        for name in ("left_out", "ignored"):
            given[name] = Counter(given.get(name, {}))
        return cls(**given)


def _plain(_instance: Any, _field: Any, value: Any) -> Any:
    return dict(value) if isinstance(value, Counter) else value
