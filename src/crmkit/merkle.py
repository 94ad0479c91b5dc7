"""Merkle trees over the log, with the leaves and nodes of RFC 6962, section 2.1.

A leaf is hashed with the prefix 0x00 and a node with 0x01, so that no node can be passed off as a leaf. A seal, the
link of the chain, has a prefix of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import attrs

from crmkit.errors import ValueRefused

LEAF, NODE, SEAL = b"\x00", b"\x01", b"\x02"

#: What the first seal names as the one before it.
ORIGIN = "0" * 64

_encode = json.JSONEncoder(ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def commitment(salt: str, text: str) -> str:
    """Return what commits to personal values without telling them: nobody can guess them while the salt is unknown.

    Args:
        salt: random, kept with the values and erased with them.
        text: the values as they are stored.
    """
    return sha256(f"{salt}:{text}".encode()).hexdigest()


def leaf_hash(fields: Sequence[Any]) -> str:
    """Return the hash of a leaf.

    Args:
        fields: whole numbers, texts and None; their order and number matter.
    """
    return sha256(LEAF + _encode(list(fields)).encode()).hexdigest()


def node_hash(left: str, right: str) -> str:
    """Return the hash of two subtrees."""
    return sha256(NODE + bytes.fromhex(left) + bytes.fromhex(right)).hexdigest()


def seal_hash(fields: Sequence[Any]) -> str:
    """Return the hash of a seal, the seal before it being one of the fields."""
    return sha256(SEAL + _encode(list(fields)).encode()).hexdigest()


def root_hash(leaves: Sequence[str]) -> str:
    """Return the root over the hashes of leaves; of one leaf it is that leaf.

    An odd one out goes up as it is, which gives the tree of RFC 6962: the left part is the largest power of two.

    Raises:
        ValueRefused: if there are none.
    """
    if not leaves:
        raise ValueRefused("a Merkle tree needs at least one leaf")
    level = list(leaves)
    while len(level) > 1:
        level = _above(level)
    return level[0]


def _above(level: Sequence[str]) -> list[str]:
    pairs = zip(level[::2], level[1::2], strict=False)
    return [node_hash(left, right) for left, right in pairs] + list(level[len(level) // 2 * 2 :])


@attrs.frozen
class Step:
    """A step of a proof: the hash of the subtree beside, and whether that one stands to the left."""

    hash: str
    left: bool


def proof_of(leaves: Sequence[str], place: int) -> tuple[Step, ...]:
    """Return the steps from a leaf to the root.

    Args:
        leaves: the hashes of all leaves.
        place: which, counted from 0.
    """
    steps, level = [], list(leaves)
    while len(level) > 1:
        beside = place ^ 1
        if beside < len(level):
            steps.append(Step(level[beside], beside < place))
        level, place = _above(level), place // 2
    return tuple(steps)


def root_from(leaf: str, steps: Sequence[Step]) -> str:
    """Return the root that a proof leads to from a leaf."""
    for step in steps:
        leaf = node_hash(step.hash, leaf) if step.left else node_hash(leaf, step.hash)
    return leaf
