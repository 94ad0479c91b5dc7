"""Many pairs of records: their values, their levels and what these weigh, field by field."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from crmkit.duplicates.blocks import Rows
from crmkit.duplicates.columns import VOCABULARIES, Codes, Columns
from crmkit.duplicates.compare import METHODS, UNKNOWN, Levels, Texts, equal
from crmkit.duplicates.levels import AREA_FIELDS, FIELDS, PLACE_FIELDS
from crmkit.duplicates.weights import Weights

Bits = npt.NDArray[np.float32]

#: Fields of which a contact has several values, those that are chosen together standing together.
GROUPS: tuple[tuple[str, ...], ...] = (("email",), ("phone",), PLACE_FIELDS)

#: How many contacts are imagined beside the real ones, so that few of them do not make every value look rare.
_IMAGINED = 1000


class Table:
    """The records with what is computed once for all pairs of them.

    Args:
        columns: the records.
        weights: for the levels.
    """

    def __init__(self, columns: Columns, weights: Weights) -> None:
        self.columns, self.weights = columns, weights
        self.texts = {name: Texts(columns, name) for name in FIELDS}
        self.exact = {name: self._exact(name) for name in FIELDS}
        self.several = {group: self._several(group) for group in GROUPS}
        self.bits = {name: self._by_level(name) for name in FIELDS}

    def counts(self, name: str) -> npt.NDArray[np.int64]:
        """Return how many records have each value of a field."""
        size = len(self.columns.texts(name))
        total = np.zeros(size, np.int64)
        for slot in range(self.columns.slots(name)):
            total += np.bincount(self.columns.codes(name, slot), minlength=size)
        total[0] = 0
        return total

    def _by_level(self, name: str) -> Bits:
        """Return the bits of every level; of the unknown one, those of the best that it can still be."""
        known = self.weights.bits[name]
        found = np.zeros(UNKNOWN + 1, np.float32)
        found[: len(known)] = known
        found[UNKNOWN] = known[
            3 if name in VOCABULARIES else 2
        ]  # whether names are swapped is known from the start
        return found

    def _exact(self, name: str) -> Bits:
        # two of those who have a value are the pair itself
        others = np.maximum(self.counts(name) - 2, 0)
        frequency = (others + _IMAGINED * FIELDS[name].u[0]) / (len(self.columns) + _IMAGINED)
        found = np.log2(self.weights.m[name][0] / frequency)
        floor = max(self.weights.bits[name][2], 0.0)
        return np.maximum(found, floor).astype(np.float32)

    def _several(self, group: tuple[str, ...]) -> npt.NDArray[np.bool_]:
        found = np.zeros(len(self.columns), np.bool_)
        for name in group:
            found |= self.columns.codes(name, 1) > 0
        return found


class Pairs:
    """Some pairs of rows; fields are compared one after another, and pairs that cannot be duplicates are dropped.

    Args:
        table: the records.
        left: rows.
        right: rows.
    """

    def __init__(self, table: Table, left: Rows, right: Rows) -> None:
        self.table, self.left, self.right = table, left, right
        self.codes: dict[str, tuple[Codes, Codes]] = {}
        self.levels: dict[str, Levels] = {}
        for name in FIELDS:
            column = table.columns.codes(name)
            self.codes[name] = column[left], column[right]
        for group in GROUPS:
            self._choose(group)
        for name, (one, other) in self.codes.items():
            self.levels[name] = equal(one, other)
        self._mark_swapped()

    def _choose(self, group: tuple[str, ...]) -> None:
        """Take those of several values that agree the most, weighed exactly; the first ones where none does."""
        several = self.table.several[group]
        some = np.flatnonzero(several[self.left] | several[self.right])
        if not len(some):
            return
        columns, slots = self.table.columns, self.table.columns.slots(group[0])
        left, right = self.left[some], self.right[some]
        best = np.zeros(len(some), np.float32)
        for mine in range(slots):
            for theirs in range(slots):
                values = {n: (columns.codes(n, mine)[left], columns.codes(n, theirs)[right]) for n in group}
                weight = _together(
                    {name: self._agreed(name, *pair) for name, pair in values.items()}, len(some)
                )
                better = weight > best
                best = np.maximum(best, weight)
                for name, (one, other) in values.items():
                    self.codes[name][0][some[better]] = one[better]
                    self.codes[name][1][some[better]] = other[better]

    def _agreed(self, name: str, one: Codes, other: Codes) -> Bits:
        same = (one == other) & (one > 0)
        return np.where(same, self.table.exact[name][one], np.float32(0))

    def _mark_swapped(self) -> None:
        (given, their_given), (family, their_family) = self.codes["given"], self.codes["family"]
        swapped = (given == their_family) & (family == their_given) & (given > 0) & (family > 0)
        swapped &= given != family
        for name in ("given", "family"):
            self.levels[name][swapped] = 2

    def compare(self, name: str) -> None:
        """Find the levels of a field where they are unknown."""
        unknown = np.flatnonzero(self.levels[name] == UNKNOWN)
        if len(unknown):
            one, other = self.codes[name]
            texts = self.table.texts[name]
            self.levels[name][unknown] = METHODS[name](texts, one[unknown], other[unknown])

    def compare_all(self) -> None:
        """Find the levels of every field."""
        for name in FIELDS:
            self.compare(name)

    def weights(self) -> Bits:
        """Return the bits for each pair; where a level is unknown, those of the best that it can still be."""
        bits = {name: self.field_bits(name, levels) for name, levels in self.levels.items()}
        return _together(bits, len(self.left)) + np.float32(self.table.weights.prior_bits)

    def counted(self) -> dict[str, Bits]:
        """Return the bits of each field as they count: of parts that follow from one another only the heaviest."""
        bits = {name: self.field_bits(name, levels) for name, levels in self.levels.items()}
        area = np.stack([bits[name] for name in AREA_FIELDS])
        heaviest = area.argmax(axis=0)
        for number, name in enumerate(AREA_FIELDS):
            bits[name] = np.where(heaviest == number, bits[name], np.minimum(bits[name], 0))
        return bits

    def field_bits(self, name: str, levels: Levels) -> Bits:
        """Return the bits of one field."""
        found = self.table.bits[name][levels]
        exact = np.flatnonzero(levels == 1)
        found[exact] = self.table.exact[name][self.codes[name][0][exact]]
        return found

    def keep(self, kept: npt.NDArray[np.bool_]) -> None:
        """Drop all other pairs."""
        if kept.all():
            return
        rows = np.flatnonzero(kept)
        self.left, self.right = self.left[rows], self.right[rows]
        self.codes = {name: (one[rows], other[rows]) for name, (one, other) in self.codes.items()}
        self.levels = {name: levels[rows] for name, levels in self.levels.items()}


def _together(bits: Mapping[str, Bits], size: int) -> Bits:
    """Return the sum of the fields' bits; of parts that follow from one another only the heaviest counts for."""
    total, area = np.zeros(size, np.float32), np.zeros(size, np.float32)
    for name, found in bits.items():
        if name in AREA_FIELDS:
            area = np.maximum(area, found)
            total += np.minimum(found, 0)
        else:
            total += found
    return total + area
