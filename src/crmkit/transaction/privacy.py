"""tx.privacy: what is known of a person, told or erased, and what must be kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs

from crmkit.clock import FOREVER, instant
from crmkit.errors import AlreadyErased, ErasureHeld, NotFound, RetryTransaction, ValueRefused
from crmkit.events import ContactErased, LegalHoldEnded, LegalHoldPlaced
from crmkit.privacy.export import addresses_of, export
from crmkit.privacy.refusals import keep_refusals
from crmkit.privacy.stores import clear_contact
from crmkit.privacy.values import Erasure, LegalHold
from crmkit.sql import erasures as rows
from crmkit.sql import persons
from crmkit.sql.merges import holding, lock_merges
from crmkit.sql.privacy import declarations
from crmkit.text import clean

if TYPE_CHECKING:
    from crmkit.contacts import Contact
    from crmkit.transaction.unit import Transaction

REASON_LIMIT = 200

#: When an erased contact is cleared again, for what transactions wrote that were open at the time; then daily while
#: something is left.
SWEEPS = (timedelta(minutes=2), timedelta(hours=1), timedelta(days=1))


class Privacy:
    """Exports and erases what is known of a contact, by what the tables declare.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def export(self, contact_id: UUID) -> dict[str, Any]:
        """Return everything that is recorded of a contact, as plain data.

        Args:
            contact_id: whose; what is recorded under ids that were merged into it is told as well.

        Raises:
            NotFound: if there is no such contact.
        """
        return export(self._tx, contact_id)

    def erase(self, contact_id: UUID, *, reason: str = "") -> Erasure:
        """Erase what is personal of a contact, in every table; doing it again changes nothing.

        The log, the orders and the ledger stay, and say no more whose they were. Tables that a legal hold names are
        left until it ends; one that names none refuses the erasure.

        Args:
            contact_id: who.
            reason: why; it is kept, so it should not say who.

        Raises:
            NotFound: if there is no such contact.
            ErasureHeld: if a legal hold keeps everything; nothing is erased.
        """
        reason = clean(reason, "reason of an erasure", limit=REASON_LIMIT)
        ids = self._tx.contacts.ids(contact_id)
        with self._tx.sql.isolated():
            self._lock_person(contact_id, ids)
            if (known := self._erased(ids)) is not None:
                return self._cleared(known, ids)
            contact = self._tx.contacts.get(contact_id)
            held = self._held(ids)
            return self._first(contact, ids, reason, held)

    def erased(self, contact_id: UUID) -> Erasure | None:
        """Return that a contact was erased and what is still open of it, or None."""
        found = rows.read_erasures(self._tx.sql, self._tx.contacts.ids(contact_id))
        return _erasure(found[0]) if found else None

    def pending(self, *, limit: int = 100, after: Erasure | None = None) -> Sequence[Erasure]:
        """Return erasures of which something is left, held, or for the host to clear, the longest due first.

        Args:
            limit: at most how many are looked at.
            after: the last one of the page before.
        """
        edge = (after.due_at, after.contact_id) if after else None
        found = map(_erasure, rows.due_erasures(self._tx.sql, None, limit, edge))
        return [one for one in found if not one.complete]

    def confirm_host_erased(self, contact_id: UUID) -> Erasure:
        """Take the host's word that it has cleared the columns of its own table.

        Raises:
            NotFound: if the contact was not erased.
        """
        found = self.erased(contact_id)
        if found is None:
            raise NotFound(f"contact {contact_id} was not erased, so there is nothing to confirm")
        return self._write(attrs.evolve(found, host=()))

    def hold(
        self, contact_id: UUID, *, reason: str, until: datetime = FOREVER, tables: Sequence[str] = ()
    ) -> LegalHold:
        """Keep a contact's data from erasure and retention.

        Args:
            contact_id: whose.
            reason: what demands it; it is kept, so it should not say who.
            until: until when; for good by default, which `release` ends.
            tables: which tables are kept, by their names without the prefix; all of them by default.

        Raises:
            NotFound: if there is no such contact.
            ValueRefused: if a table is unknown, or `until` has passed.
        """
        self._tx.contacts.get(contact_id)
        known = {one.name for one in declarations(self._tx.sql.tables)}
        if unknown := set(tables) - known:
            raise ValueRefused(
                f"a legal hold names {sorted(unknown)}; tables of contacts are {sorted(known)}"
            )
        if (until := instant(until, "until")) <= self._tx.now:
            raise ValueRefused(f"a legal hold until {until.isoformat()} has ended already")
        hold = LegalHold(
            id=self._tx.new_id(),
            contact_id=contact_id,
            reason=clean(reason, "reason of a legal hold", limit=REASON_LIMIT, empty=False),
            tables=sorted(set(tables)),
            placed_at=self._tx.now,
            until=until,
            actor=self._tx.actor,
        )
        event = LegalHoldPlaced(hold_id=hold.id, reason=hold.reason, until=until, tables=hold.tables)
        with self._tx.sql.isolated():
            rows.lock_contacts(self._tx.sql, self._tx.contacts.ids(contact_id))
            rows.add_hold(self._tx.sql, attrs.asdict(hold) | {"tables": list(hold.tables)})
            self._tx.events.append(event, contact_id=contact_id)
        return hold

    def release(self, hold_id: UUID) -> None:
        """End a legal hold before its time; what it kept of somebody who was erased is erased with the next run.

        Raises:
            NotFound: if there is no such hold, or it has ended.
        """
        ended = rows.end_hold(self._tx.sql, hold_id, self._tx.now)
        if ended is None:
            raise NotFound(f"no legal hold has the id {hold_id}, or it has ended")
        self._tx.events.append(LegalHoldEnded(hold_id=hold_id), contact_id=ended["contact_id"])
        if (erased := self.erased(ended["contact_id"])) is not None:
            self._write(attrs.evolve(erased, due_at=self._tx.now))

    def holds(self, contact_id: UUID) -> Sequence[LegalHold]:
        """Return the legal holds on a contact that have not ended, the oldest first."""
        found = rows.read_holds(self._tx.sql, self._tx.contacts.ids(contact_id), self._tx.now)
        return [LegalHold(**row) for row in found]

    def refuse_erased(self, contact_id: UUID) -> None:
        """Refuse to give somebody who was erased anything new; waits for an erasure that is under way.

        Raises:
            AlreadyErased: naming when.
        """
        ids = self._tx.contacts.ids(contact_id)
        rows.lock_contacts(self._tx.sql, ids)
        if found := rows.read_erasures(self._tx.sql, ids, locked=True):
            raise AlreadyErased(contact_id, found[0]["erased_at"])

    def _lock_person(self, contact_id: UUID, ids: Sequence[UUID]) -> None:
        """Keep others from changing a contact and from merging it.

        Raises:
            RetryTransaction: if others were merged with it, or it parted from some, after its ids were read.
        """
        lock_merges(self._tx.sql)
        rows.lock_contacts(self._tx.sql, ids)
        held = holding(self._tx.sql, [contact_id]).values()
        if {contact_id, *(id for merge in held for id in (merge.loser_id, merge.into_id))} != set(ids):
            raise RetryTransaction(f"contact {contact_id} was merged by another transaction meanwhile")

    def _erased(self, ids: Sequence[UUID]) -> Erasure | None:
        found = rows.read_erasures(self._tx.sql, ids, locked=True)
        return _erasure(found[0]) if found else None

    def _held(self, ids: Sequence[UUID]) -> tuple[str, ...]:
        """Return the tables that legal holds keep.

        Raises:
            ErasureHeld: if one keeps everything.
        """
        holds = [LegalHold(**row) for row in rows.read_holds(self._tx.sql, ids, self._tx.now)]
        for hold in holds:
            if not hold.tables:
                raise ErasureHeld(hold.contact_id, hold)
        names = {name for hold in holds for name in hold.tables}
        # what is personal of the log stands beside it
        return tuple(sorted(names | ({"event_personal"} if "events" in names else set())))

    def _first(self, contact: Contact, ids: Sequence[UUID], reason: str, held: tuple[str, ...]) -> Erasure:
        tx = self._tx
        made = Erasure(
            contact_id=contact.id,
            erased_at=tx.now,
            actor=tx.actor,
            reason=reason,
            due_at=tx.now + SWEEPS[0],
            held=held,
        )
        if not rows.claim_erasure(tx.sql, _row(made)):
            raise RetryTransaction(f"contact {contact.id} is being erased by another transaction")
        for id in ids:  # whoever asks by an id that was merged is told as well
            if id != contact.id:
                rows.claim_erasure(tx.sql, _row(attrs.evolve(made, contact_id=id, due_at=FOREVER)))
        left = self._left(contact)
        keep_refusals(tx, contact)
        self._clear(ids, held, contact)
        event = ContactErased(reason=reason, held=held)
        tx.events.append(event, contact_id=contact.id, key=f"contact:{contact.id}:erased")
        return self._write(attrs.evolve(made, left=left, host=self._host(ids, held)))

    def _cleared(self, erasure: Erasure, ids: Sequence[UUID]) -> Erasure:
        """Clear once more somebody who was erased, and ask plugins again that had something left."""
        contact = self._tx.contacts.get_many([erasure.contact_id]).get(erasure.contact_id)
        left = self._left(contact) if erasure.left and contact is not None else erasure.left
        held = self._held(ids)
        self._clear(ids, held, contact)
        host = self._host(ids, held) if erasure.held and not held else erasure.host
        again = attrs.evolve(erasure, held=held, left=left, host=host, sweeps=erasure.sweeps + 1)
        return self._write(attrs.evolve(again, due_at=self._due(again)))

    def _due(self, erasure: Erasure) -> datetime:
        if erasure.sweeps < len(SWEEPS):
            return self._tx.now + SWEEPS[erasure.sweeps]
        return FOREVER if erasure.complete else self._tx.now + SWEEPS[-1]

    def _left(self, contact: Contact) -> dict[str, str]:
        left: dict[str, list[str]] = {}
        for one in self._tx.crm.hooks.erase(self._tx, contact):
            left.setdefault(one.owner, []).append(one.value)
        return {owner: "; ".join(what) for owner, what in left.items()}

    def _host(self, ids: Sequence[UUID], held: Sequence[str]) -> tuple[str, ...]:
        """Clear contacts outside the CRM's tables, unless they are held; return what the host has to clear."""
        if {"contacts", "contact_points"} & set(held):
            return ()
        return tuple(sorted({name for id in ids for name in clear_contact(self._tx, id)}))

    def _clear(self, ids: Sequence[UUID], held: Sequence[str], contact: Contact | None) -> None:
        sql = self._tx.sql
        whose = persons.person(sql, ids, addresses=addresses_of(contact), own=True)
        if "deliveries" not in held:
            persons.cancel_deliveries(sql, whose)
        if "contact_points" not in held:
            persons.delete_points(sql, ids)
        for one in declarations(sql.tables):
            if one.name not in held:
                persons.clear(sql, one, whose)
        if "failures" not in held:
            persons.clear_mentions(sql, whose.addresses)

    def _write(self, erasure: Erasure) -> Erasure:
        row = _row(erasure)
        rows.change_erasure(self._tx.sql, row.pop("contact_id"), row)
        return erasure


def _row(erasure: Erasure) -> dict[str, Any]:
    held, host = list(erasure.held), list(erasure.host)
    return attrs.asdict(erasure) | {"held": held, "host": host, "left": dict(erasure.left)}


def _erasure(row: Any) -> Erasure:
    return Erasure(**row)
