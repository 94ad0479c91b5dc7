"""The log is sealed in batches: a Merkle root for each, chained to the seal before it.

Appending an event costs no more than the digest of its personal values; writers never wait for each other. Sealing
goes by positions, which events get once they are committed, so that a late commit is sealed later.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import attrs

from crmkit.clock import micros
from crmkit.merkle import ORIGIN, root_hash, seal_hash
from crmkit.sql.relay import last_position, set_cursor
from crmkit.sql.seals import Seal, add_seal, commit_older, last_seal, read_leaves

if TYPE_CHECKING:
    from crmkit.crm import CRM
    from crmkit.transaction import Transaction

#: At most so many events stand under one seal.
BATCH = 500

#: The cursor that counts the seals: where the last ones were cut off it tells.
CURSOR = "seals"


def seal_events(crm: CRM) -> int:
    """Seal the events that have a position and no seal yet; return how many."""
    total, sealed = 0, BATCH
    while sealed == BATCH:
        sealed = crm.transact(seal_batch)
        total += sealed
    return total


def seal_batch(tx: Transaction) -> int:
    """Seal the next events; return how many, 0 as well if another process was faster."""
    before = last_seal(tx.sql)
    first = before.last + 1 if before else 1
    last = min(last_position(tx.sql), first + BATCH - 1)
    if last < first:
        return 0
    commit_older(tx.sql, first, last)
    found = {event.position: event.leaf for event in read_leaves(tx.sql, first, last)}
    # an event that is not there any more must not stop the sealing; verifying names it
    leaves = tuple(found.get(position, ORIGIN) for position in range(first, last + 1))
    made = Seal(
        number=before.number + 1 if before else 1,
        first=first,
        last=last,
        sealed_at=tx.now,
        leaves=leaves,
        root=root_hash(leaves),
        previous=before.seal if before else ORIGIN,
        seal="",
    )
    if not add_seal(tx.sql, attrs.evolve(made, seal=chained(made))):
        return 0
    set_cursor(tx.sql, CURSOR, made.number)
    return last - first + 1


def chained(seal: Seal) -> str:
    """Return the hash that a seal must have."""
    at: datetime = seal.sealed_at
    return seal_hash((seal.number, seal.first, seal.last, micros(at), seal.root, seal.previous))
