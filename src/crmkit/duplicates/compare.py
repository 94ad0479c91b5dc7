"""The levels of many pairs at once; the same as those of `levels` for one pair."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import OSA, JaroWinkler
from rapidfuzz.process import cpdist

from crmkit.duplicates.columns import Codes, Columns
from crmkit.duplicates.levels import CLOSE, SIMILAR

Levels = npt.NDArray[np.uint8]

#: Stands for a level that nobody has computed yet.
UNKNOWN = 255


def equal(one: Codes, other: Codes) -> Levels:
    """Return missing or exact, and unknown where the values differ."""
    found = np.where(one == other, 1, UNKNOWN).astype(np.uint8)
    found[(one == 0) | (other == 0)] = 0
    return found


class Shapes:
    """What bounds the similarity of two texts without looking at them again.

    Args:
        texts: the texts.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        every = np.arange(len(texts))
        self.lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        letters = np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32).astype(np.int64)
        owners = np.repeat(every, self.lengths)
        self.firsts = np.zeros(len(texts), np.int64)
        self.firsts[self.lengths > 0] = letters[(np.cumsum(self.lengths) - self.lengths)[self.lengths > 0]]
        self.letters = np.zeros(len(texts), np.uint64)
        self.more = np.zeros(len(texts), np.int64)
        # two bits for each of 32 letters or groups of letters: whether it stands there, and whether it does twice
        group, counts = np.unique(owners * 32 + letters % 32, return_counts=True)
        first = np.left_shift(np.uint64(1), (group % 32).astype(np.uint64))
        np.bitwise_or.at(self.letters, group // 32, first)
        twice = counts > 1
        np.bitwise_or.at(self.letters, group[twice] // 32, first[twice] << np.uint64(32))
        np.add.at(self.more, group // 32, np.maximum(counts - 2, 0))
        self.ranks = np.empty(len(texts), np.int64)
        self.ranks[sorted(every.tolist(), key=texts.__getitem__)] = every

    def may_be(self, one: Codes, other: Codes, least: float) -> npt.NDArray[np.bool_]:
        """Tell where the similarity of Jaro and Winkler can be that much, by the letters that both have."""
        common = np.bitwise_count(self.letters[one] & self.letters[other]).astype(np.int64)
        common += np.minimum(self.more[one], self.more[other])
        jaro = (common / self.lengths[one] + common / self.lengths[other] + 1) / 3
        prefix = np.where(self.firsts[one] == self.firsts[other], 0.4, 0.0)
        may: npt.NDArray[np.bool_] = jaro + prefix * (1 - jaro) >= least - 1e-9
        return may


class Texts:
    """The texts of a column with what was computed from each once."""

    def __init__(self, columns: Columns, name: str) -> None:
        self.texts = columns.texts(name)

    @cached_property
    def shapes(self) -> Shapes:
        """What bounds their similarity."""
        return Shapes(self.texts)

    @cached_property
    def digits(self) -> npt.NDArray[np.uint8]:
        """The eight digits of each date."""
        joined = "".join(text.replace("-", "") or "00000000" for text in self.texts)
        return np.frombuffer(joined.encode(), np.uint8).reshape(-1, 8)

    def name(self, one: Codes, other: Codes) -> Levels:
        """Return the levels of different names, but for swapped ones."""
        level = self.text(one, other)
        shapes = self.shapes
        initial = (shapes.lengths[one] == 1) | (shapes.lengths[other] == 1)
        level[initial & (shapes.firsts[one] == shapes.firsts[other]) & (level == 4)] = 3
        return (level + 1).astype(np.uint8)

    def text(self, one: Codes, other: Codes) -> Levels:
        """Return the levels of different texts: close, similar or different."""
        level = np.full(len(one), 4, np.uint8)
        likely = np.flatnonzero(self.shapes.may_be(one, other, SIMILAR))
        found = self._alike(one[likely], other[likely])
        level[likely] = 2 + (found < CLOSE).astype(np.uint8) + (found < SIMILAR)
        return level

    def email(self, one: Codes, other: Codes) -> Levels:
        """Return the levels of different email addresses."""
        texts = self.texts
        mine = [texts[code].rpartition("@")[0] for code in one.tolist()]
        theirs = [texts[code].rpartition("@")[0] for code in other.tolist()]
        same = np.array([a == b for a, b in zip(mine, theirs, strict=True)], np.bool_)
        return np.where(same, 2, self.edit(one, other) + 1).astype(np.uint8)

    def edit(self, one: Codes, other: Codes) -> Levels:
        """Return the levels of different codes: close if they are one edit apart."""
        found = cpdist(
            [self.texts[code] for code in one.tolist()],
            [self.texts[code] for code in other.tolist()],
            scorer=OSA.distance,
            score_cutoff=1,
            dtype=np.uint8,
        )
        return np.where(found == 1, 2, 3).astype(np.uint8)

    def birth(self, one: Codes, other: Codes) -> Levels:
        """Return the levels of different dates."""
        left, right = self.digits[one], self.digits[other]
        wrong = left != right
        count = wrong.sum(axis=1)
        swapped = (
            (count > 0)
            & ~wrong[:, :4].any(axis=1)
            & (left[:, 4:6] == right[:, 6:8]).all(axis=1)
            & (left[:, 6:8] == right[:, 4:6]).all(axis=1)
        )
        same_digits = (np.sort(left, axis=1) == np.sort(right, axis=1)).all(axis=1)
        close = (count == 1) | swapped | ((count == 2) & same_digits)
        return np.where(close, 2, 3).astype(np.uint8)

    def same(self, one: Codes, other: Codes) -> Levels:
        """Return the level of different codes that are right or wrong."""
        return np.full(len(one), 2, np.uint8)

    def _alike(self, one: Codes, other: Codes) -> npt.NDArray[np.float64]:
        # the greedy matching of Jaro depends on the order for a few pairs
        ranks, texts = self.shapes.ranks, self.texts
        ordered = ranks[one] <= ranks[other]
        low, high = np.where(ordered, one, other), np.where(ordered, other, one)
        found: npt.NDArray[np.float64] = cpdist(
            [texts[code] for code in low.tolist()],
            [texts[code] for code in high.tolist()],
            scorer=JaroWinkler.normalized_similarity,
            score_cutoff=SIMILAR,
            dtype=np.float64,
        )
        return found


#: Which method of `Texts` compares a field.
METHODS: dict[str, Callable[[Texts, Codes, Codes], Levels]] = {
    "given": Texts.name,
    "family": Texts.name,
    "birth": Texts.birth,
    "email": Texts.email,
    "phone": Texts.edit,
    "number": Texts.same,
    "street": Texts.text,
    "locality": Texts.text,
    "postcode": Texts.edit,
    "region": Texts.same,
    "country": Texts.same,
}
