"""Weights learned from the records themselves: EM under each blocking rule, without the fields that are blocked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs
import numpy as np
import numpy.typing as npt

from crmkit.duplicates.blocks import Blocks
from crmkit.duplicates.columns import Columns
from crmkit.duplicates.levels import FIELDS, PLACE_FIELDS
from crmkit.duplicates.pairs import Pairs, Table
from crmkit.duplicates.weights import Weights

Counts = npt.NDArray[np.float64]

#: Pairs that are looked at under one rule, and at random.
SAMPLE, RANDOM = 60_000, 200_000

#: How many pairs the weights that stand before learning count for.
_BELIEF = 20.0
_RARE = 2000.0
_ROUNDS, _STILL = 60, 1e-5

#: Fields that follow from others: within a postcode the locality says nothing.
_FOLLOW = {
    "postcode": ("locality", "region", "country"),
    "street": PLACE_FIELDS,
    "given": (),
    "email": (),
}


@attrs.define(eq=False)
class Session:
    """What EM found under one rule.

    Args:
        rule: the fields that all pairs agree in.
        share: of the records that have a value under the rule, those whose pairs were compared.
        matches: how many of these pairs are duplicates.
        counts: by field that is not blocked, how many duplicates of the sample have each level.
    """

    rule: tuple[str, ...]
    share: float
    matches: float
    counts: Mapping[str, Counts]


def learn(columns: Columns, rules: Iterable[Blocks]) -> Weights:
    """Return the weights that fit the records best, starting from those of `FIELDS`.

    Args:
        columns: the records.
        rules: pairs that agree under each blocking rule.
    """
    start = Weights()
    table = Table(columns, start)
    u = _by_chance(table)
    sessions = [_session(table, u, one) for one in rules if one.share and len(one.left)]
    m = {name: _duplicates(name, sessions) for name in FIELDS}
    return Weights(m, u, _prior(table, m, sessions))


def _by_chance(table: Table) -> dict[str, tuple[float, ...]]:
    """Return how often records that have nothing to do with each other agree: exactly by the counts of values."""
    pairs = Pairs(table, *_random(len(table.columns)))
    pairs.compare_all()
    found = {}
    for name, field in FIELDS.items():
        size = len(field.levels)
        seen = np.bincount(pairs.levels[name], minlength=size + 1)[1:].astype(float)
        believed = np.array(field.u)
        rest = (seen[1:] + _RARE * believed[1:]) / (seen[1:].sum() + _RARE * believed[1:].sum())
        exact = _exactly(table, name, believed[0])
        found[name] = (exact, *np.maximum(rest * (1 - exact), believed[1:] / 2).tolist())
    return found


def _exactly(table: Table, name: str, believed: float) -> float:
    counts = table.counts(name).astype(float)
    present = counts.sum()
    alike, every = (counts * (counts - 1)).sum() / 2, present * (present - 1) / 2
    return float(min((alike + _RARE * believed) / (every + _RARE), 0.99))


def _random(rows: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return pairs of rows: all if they are few, else as many as are enough."""
    if rows * (rows - 1) // 2 <= RANDOM:
        left, right = np.triu_indices(rows, 1)
        return left.astype(np.int64), right.astype(np.int64)
    draw = np.random.default_rng(1969)  # the same for the same records
    left, right = draw.integers(0, rows, (2, RANDOM))
    kept = left != right
    return np.minimum(left, right)[kept], np.maximum(left, right)[kept]


def _session(table: Table, u: Mapping[str, tuple[float, ...]], pairs: Blocks) -> Session:
    """Run EM over the pairs of one rule; u stays, m and the share of duplicates are found."""
    step = max(1, -(-len(pairs.left) // SAMPLE))
    sample = Pairs(table, pairs.left[::step], pairs.right[::step])
    sample.compare_all()
    names = [name for name in FIELDS if name not in _blocked(pairs.rule)]
    patterns, counts = _patterns(sample, names)
    share = 0.1
    m = {name: np.array(FIELDS[name].m) for name in names}
    duplicates = counts
    for _ in range(_ROUNDS):
        weight = np.log(share / (1 - share)) + sum(
            np.r_[0.0, np.log(m[name] / np.array(u[name]))][patterns[name]] for name in names
        )
        duplicates = counts / (1 + np.exp(-np.clip(weight, -500, 500)))
        before, share = share, float((duplicates.sum() + 0.1) / (counts.sum() + 1))
        m = {name: _share(name, _count(name, patterns[name], duplicates)) for name in names}
        if abs(share - before) < _STILL:
            break
    found = {name: _count(name, patterns[name], duplicates) for name in names}
    return Session(pairs.rule, pairs.share, float(duplicates.sum()) * step, found)


def _blocked(rule: tuple[str, ...]) -> set[str]:
    return set(rule) | {name for field in rule for name in _FOLLOW.get(field, ())}


def _patterns(pairs: Pairs, names: list[str]) -> tuple[dict[str, npt.NDArray[np.int64]], Counts]:
    """Return the combinations of levels that occur, in a fixed order, and how often each does."""
    code = np.zeros(len(pairs.left), np.int64)
    for name in names:
        code = code * 8 + pairs.levels[name]
    found, counts = np.unique(code, return_counts=True)
    patterns = {}
    for name in reversed(names):
        patterns[name] = found % 8
        found = found // 8
    return patterns, counts.astype(float)


def _count(name: str, levels: npt.NDArray[np.int64], duplicates: Counts) -> Counts:
    size = len(FIELDS[name].levels)
    return np.bincount(levels, weights=duplicates, minlength=size + 1)[1:].astype(float)


def _share(name: str, counts: Counts) -> Counts:
    believed: Counts = np.array(FIELDS[name].m)
    share: Counts = (counts + _BELIEF * believed) / (counts.sum() + _BELIEF)
    return share


def _duplicates(name: str, sessions: list[Session]) -> tuple[float, ...]:
    counts = [session.counts[name] for session in sessions if name in session.counts]
    total = np.sum(counts, axis=0) if counts else np.zeros(len(FIELDS[name].levels))
    return tuple(_share(name, total).tolist())


def _prior(table: Table, m: Mapping[str, tuple[float, ...]], sessions: list[Session]) -> float:
    """Return the share of duplicates among all pairs: those found under the rules, and those that no rule shows."""
    rows = len(table.columns)
    found = shown = 0.0
    for session in sessions:
        present = [np.count_nonzero(table.columns.codes(name)) / rows for name in session.rule]
        agreeing = np.prod([m[name][0] for name in session.rule]) * np.prod(present) * session.share
        found, shown = found + session.matches, shown + float(agreeing)
    every = max(rows * (rows - 1) / 2, 1.0)
    believed = Weights().prior * _RARE
    return float(min((found / max(shown, 0.01) + believed) / (every + _RARE), 0.5))
