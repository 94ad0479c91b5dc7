"""The bulk search: which of many records are duplicates, and how sure that is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from json import dumps

import attrs
import numpy as np
import numpy.typing as npt

from crmkit.duplicates.blocks import Blocks, Cut, Rows, blocks
from crmkit.duplicates.columns import VOCABULARIES, Columns
from crmkit.duplicates.compare import Levels
from crmkit.duplicates.learn import learn
from crmkit.duplicates.levels import FIELDS
from crmkit.duplicates.pairs import Bits, Pairs, Table
from crmkit.duplicates.weights import Weights

#: How many pairs are compared at a time: a few hundred bytes each.
_AT_ONCE = 200_000

#: Fields in the order in which they are compared: those that cost little and decide much come first.
_ORDER = (
    ("family", "given", "region", "country", "number"),
    ("birth",),
    ("street", "locality"),
    ("postcode", "phone", "email"),
)

#: Told what is being done, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]


@attrs.frozen(eq=False)
class Found:
    """The pairs that are duplicates with at least the probability that was asked for.

    Args:
        weights: as they were learned.
        left: rows, each less than its right one; in order.
        right: rows.
        bits: the weight of each pair.
        compared: how many pairs were compared.
        cuts: blocks that were too large to compare every pair of them.
        table: explains a pair.
    """

    weights: Weights
    left: Rows
    right: Rows
    bits: Bits
    compared: int
    cuts: tuple[Cut, ...]
    table: Table


def search(columns: Columns, least: float, progress: Progress | None = None) -> Found:
    """Find the duplicates among records.

    Args:
        columns: the records.
        least: the least weight, in bits.
        progress: told about each step.
    """
    say = progress or _silent
    cuts: list[Cut] = []
    say("blocking", 0, 1)
    rules = list(blocks(columns, cuts))
    say("learning", 0, 1)
    weights = learn(columns, rules)
    codes = _distinct(rules, len(columns))
    del rules
    table = Table(columns, weights)
    found = list(_scored(table, codes, least, say)) or [(_NONE, _NONE, _NONE.astype(np.float32))]
    say("comparing", len(codes), len(codes))
    left, right, bits = (np.concatenate([part[place] for part in found]) for place in range(3))
    return Found(weights, left, right, bits, len(codes), tuple(cuts), table)


_NONE: Rows = np.zeros(0, np.int64)


def _silent(what: str, done: int, every: int) -> None:
    pass


def _distinct(rules: list[Blocks], rows: int) -> Rows:
    """Return each pair once, as one number, in order; the rules' own lists are emptied on the way."""
    parts = []
    for rule in rules:
        parts.append(rule.left * rows + rule.right)
        rule.left = rule.right = _NONE
    codes = np.concatenate(parts) if parts else _NONE
    del parts
    codes.sort()
    return codes[np.r_[True, codes[1:] != codes[:-1]]] if len(codes) else codes


def _scored(table: Table, codes: Rows, least: float, say: Progress) -> Iterator[tuple[Rows, Rows, Bits]]:
    starts = range(0, len(codes), _AT_ONCE)
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 4)) as threads:
        parts = threads.map(lambda start: _compared(table, codes[start : start + _AT_ONCE], least), starts)
        for start, part in zip(starts, parts, strict=True):
            say("comparing", start, len(codes))
            yield part


def _compared(table: Table, codes: Rows, least: float) -> tuple[Rows, Rows, Bits]:
    rows = len(table.columns)
    pairs = Pairs(table, codes // rows, codes % rows)
    for names in _ORDER:
        for name in names:
            pairs.compare(name)
        pairs.keep(pairs.weights() >= least)
    return pairs.left, pairs.right, pairs.weights()


def explain(found: Found) -> Iterator[tuple[str, bool]]:
    """Yield for each pair what its fields say, as canonical JSON, and whether neither part of the names differs.

    Of each field that neither lacks the field, its level and the weight; few differ, so that each is written once.
    """
    said: dict[tuple[str, int, float], str] = {}
    for start in range(0, len(found.left), _AT_ONCE):
        pairs = Pairs(
            found.table, found.left[start : start + _AT_ONCE], found.right[start : start + _AT_ONCE]
        )
        pairs.compare_all()
        bits = pairs.counted()
        columns = [
            _said(said, name, pairs.levels[name], np.round(bits[name].astype(float), 2)) for name in FIELDS
        ]
        differ = np.zeros(len(pairs.left), np.bool_)
        for name in VOCABULARIES:
            differ |= pairs.levels[name] == len(FIELDS[name].levels)
        for row, other_name in zip(zip(*columns, strict=True), differ.tolist(), strict=True):
            yield f"[{','.join(filter(None, row))}]", not other_name


def _said(
    said: dict[tuple[str, int, float], str], name: str, levels: Levels, weights: npt.NDArray[np.float64]
) -> list[str]:
    """Return what a field says of each pair, as JSON; nothing where either lacks it."""
    found = []
    for level, weight in zip(levels.tolist(), weights.tolist(), strict=True):
        text = said.get((name, level, weight))
        if text is None:
            plain = {"field": name, "level": FIELDS[name].levels[level - 1], "weight": weight}
            text = dumps(plain, separators=(",", ":")) if level else ""
            said[name, level, weight] = text
        found.append(text)
    return found
