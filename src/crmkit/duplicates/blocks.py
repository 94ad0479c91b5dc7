"""Which pairs are compared at all: those that agree in some field, in blocks of a bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
import numpy as np
import numpy.typing as npt

from crmkit.duplicates.columns import Columns

Rows = npt.NDArray[np.int64]

#: No block is larger, whatever the budget.
LARGEST_BLOCK = 500

#: How many pairs one rule may give for each record, and in all for the small.
PAIRS_EACH, PAIRS_FREE = 4, 1_000_000

#: Blocks that are too large are divided by each of these in turn.
DIVIDERS = ("family", "given", "birth", "postcode")

#: The rules: records that agree in all fields of one are compared.
RULES = (
    ("email",),
    ("phone",),
    ("given", "family"),
    ("birth",),
    ("postcode",),
    ("family",),
    ("given",),
    ("street", "number"),
)


@attrs.frozen(kw_only=True)
class Cut:
    """Blocks that were too large to compare every pair of them.

    Args:
        rule: the fields that the records of a block have in common.
        limit: the largest block that was compared whole.
        blocks: how many were larger.
        largest: the size of the largest.
        pairs: how many pairs they hold.
        divided: whether they were divided further by other fields; else they were left out.
    """

    rule: tuple[str, ...]
    limit: int
    blocks: int
    largest: int
    pairs: int
    divided: bool

    def __str__(self) -> str:
        what = "divided by further fields" if self.divided else "left out"
        return (
            f"{'+'.join(self.rule)}: {self.blocks:,} blocks of more than {self.limit} records "
            f"(the largest has {self.largest:,}) were {what}"
        )


@attrs.define
class Blocks:
    """The pairs of one rule.

    Args:
        rule: the fields that both have in common.
        left: rows, each less than its right one.
        right: rows.
        share: of the records that have a value under the rule, those in blocks that were compared; 0 for the parts of
            divided blocks.
    """

    rule: tuple[str, ...]
    left: Rows
    right: Rows
    share: float


def blocks(columns: Columns, cuts: list[Cut]) -> Iterator[Blocks]:
    """Yield the pairs of each rule, and those of its divided blocks as rules of their own.

    Args:
        columns: the records.
        cuts: what was cut is added to it.
    """
    budget = max(PAIRS_FREE, PAIRS_EACH * len(columns))
    for rule in RULES:
        rows, keys = _entries(columns, rule)
        whole, large = _pairs(rows, keys, budget, rule, cuts, divided=True)
        yield Blocks(rule, *whole, 1 - len(large) / max(len(rows), 1))
        for divider in DIVIDERS if len(large) else ():
            if divider in rule:
                continue
            rows, keys = _entries(columns, (*rule, divider), large)
            part, _ = _pairs(rows, keys, budget, (*rule, divider), cuts, divided=False)
            yield Blocks((*rule, divider), *part, 0.0)


def _entries(columns: Columns, rule: Sequence[str], among: Rows | None = None) -> tuple[Rows, Rows]:
    """Return rows with their keys under a rule; a row with several values stands there several times."""
    rows = np.arange(len(columns), dtype=np.int64) if among is None else among
    keys = np.zeros(len(rows), dtype=np.int64)
    if rule[:2] == ("given", "family"):  # in either order
        given, family = (columns.codes(name)[rows].astype(np.int64) for name in rule[:2])
        present = (given > 0) & (family > 0)
        low, high = np.minimum(given, family)[present], np.maximum(given, family)[present]
        rows, keys, rule = rows[present], _ranked(low * len(columns.texts("given")) + high), rule[2:]
    for name in rule:
        found = []
        for slot in range(columns.slots(name)):
            codes = columns.codes(name, slot)[rows].astype(np.int64)
            present = codes > 0
            found.append((rows[present], keys[present] * len(columns.texts(name)) + codes[present]))
        rows = np.concatenate([part for part, _ in found])
        keys = _ranked(np.concatenate([part for _, part in found]))
    return rows, keys


def _ranked(keys: Rows) -> Rows:
    """Return small numbers in place of large ones, so that the next field still fits beside them."""
    if not len(keys) or keys.max() < 2**31:
        return keys
    ranked: Rows = np.unique(keys, return_inverse=True)[1].astype(np.int64)
    return ranked


def _pairs(
    rows: Rows, keys: Rows, budget: int, rule: tuple[str, ...], cuts: list[Cut], *, divided: bool
) -> tuple[tuple[Rows, Rows], Rows]:
    """Return the pairs within the blocks, and the rows of those that are too large."""
    order = np.argsort(keys, kind="stable")
    rows, keys = rows[order], keys[order]
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(keys) else np.zeros(0, np.int64)
    sizes = np.diff(np.r_[starts, len(keys)])
    limit = _limit(sizes, budget)
    large = sizes > limit
    if large.any():
        pairs = int((sizes[large] * (sizes[large] - 1) // 2).sum())
        cuts.append(
            Cut(
                rule=rule,
                limit=limit,
                blocks=int(large.sum()),
                largest=int(sizes.max()),
                pairs=pairs,
                divided=divided,
            )
        )
    outside = np.unique(rows[np.repeat(large, sizes)])
    return _within(rows, starts[~large], sizes[~large]), outside


def _limit(sizes: Rows, budget: int) -> int:
    """Return the size up to which all blocks together stay within the budget."""
    counts = np.bincount(np.minimum(sizes, LARGEST_BLOCK + 1), minlength=LARGEST_BLOCK + 2)
    each = np.arange(LARGEST_BLOCK + 2, dtype=np.int64)
    total = np.cumsum(counts * each * (each - 1) // 2)
    return max(2, int(np.searchsorted(total[: LARGEST_BLOCK + 1], budget, side="right")) - 1)


def _within(rows: Rows, starts: Rows, sizes: Rows) -> tuple[Rows, Rows]:
    starts, sizes = starts[sizes > 1], sizes[sizes > 1]
    places = np.repeat(starts, sizes) + _counting(sizes)
    follow = np.repeat(starts + sizes, sizes) - places - 1  # how many stand behind each in its block
    left = np.repeat(places, follow)
    right = left + 1 + _counting(follow)
    one, other = rows[left], rows[right]
    kept = one != other
    return np.minimum(one, other)[kept], np.maximum(one, other)[kept]


def _counting(lengths: Rows) -> Rows:
    """Return 0, 1, 2 ... anew for each length."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total, dtype=np.int64) - np.repeat(ends - lengths, lengths)
