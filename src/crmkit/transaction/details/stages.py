"""tx.contacts.stages: where contacts stand as customers, by rule or by staff's word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import attrs

from crmkit.clock import FOREVER
from crmkit.contacts import Contact, FieldChange, Stage
from crmkit.contacts.details import one_of
from crmkit.errors import ValueRefused
from crmkit.events import LogEntry, StageChanged, StageReleased
from crmkit.sql import stages as rows
from crmkit.sql.contacts import OwnContacts
from crmkit.sql.erasures import lock_as_read
from crmkit.stages import OrderFacts, Verdict, decide
from crmkit.text import clean

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction


_AT_ONCE = 1000


class Stages:
    """Sets stages and lets the rule derive them from orders; every change is on the timeline.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def set(self, contact_id: UUID, stage: Stage | str, *, reason: str = "") -> Contact:
        """Set a contact's stage by staff's word; it is kept until an order paid later lifts it higher.

        Args:
            contact_id: whose.
            stage: "lead", "first_time", "repeat", "loyal", "lapsed" or "lost".
            reason: why, in words.

        Raises:
            NotFound: if there is no such contact.
            ValueRefused: if there is no such stage.
        """
        wanted = Stage(one_of(Stage, stage, "stage"))
        reason = clean(reason, "reason of a stage", limit=200)
        contact = self._tx.contacts.get(contact_id)
        self._tx.privacy.refuse_erased(contact_id)
        with self._tx.sql.isolated():
            if contact.stage is not wanted:
                self._change(contact, contact_id, wanted, reason)
            kept = rows.read_kept(self._tx.sql, contact.ids)
            said = _standing(contact, kept)
            if contact.stage is not wanted or said is None or contact_id not in (contact.id, said.contact_id):
                # also where it was addressed, which is somebody else's once the merge is undone
                self._keep({contact.id, contact_id}, kept, self._tx.now, FOREVER)
        return self._tx.contacts.get(contact_id)

    def release(self, contact_id: UUID) -> Stage:
        """Hand a contact whose stage staff had set back to the rule, and return what that says.

        Raises:
            NotFound: if there is no such contact.
        """
        contact = self._tx.contacts.get(contact_id)
        kept = rows.read_kept(self._tx.sql, contact.ids)
        if said := _standing(contact, kept):
            with self._tx.sql.isolated():
                self._keep({said.contact_id, contact_id} & kept.keys(), kept, FOREVER, self._tx.now)
                self._tx.events.append(StageReleased(), contact_id=contact_id, subject_id=contact_id)
        return self.derive(contact_id)

    def derive(self, contact_id: UUID) -> Stage:
        """Let the rule look at a contact's orders now, and return its stage; the worker does so by itself.

        Raises:
            NotFound: if there is no such contact.
        """
        self._tx.contacts.get(contact_id)
        derive_stages(self._tx, [contact_id])
        return self._tx.contacts.get(contact_id).stage

    def history(self, contact_id: UUID, *, limit: int = 1000) -> list[FieldChange]:
        """Return how a contact's stage changed, the oldest change first."""
        return self._tx.contacts.history(contact_id, "stage", limit=limit)

    def _keep(
        self, ids: Iterable[UUID], kept: Mapping[UUID, rows.Kept], kept_at: datetime, due_at: datetime
    ) -> None:
        rows.write_many(self._tx.sql, [rows.Kept(id, kept_at, due_at) for id in sorted(ids)], kept)

    def _change(self, contact: Contact, addressed: UUID, stage: Stage, reason: str) -> None:
        event = StageChanged(before=contact.stage, after=stage, why="staff", reason=reason)
        self._tx.contacts.refresh()
        for id in sorted({contact.id, addressed}):
            self._tx.crm.store.update(self._tx, id, {"stage": stage})
        self._tx.events.append(event, contact_id=addressed, subject_id=addressed)


@attrs.frozen
class _Decided:
    """What the rule says about a contact; `before` is what its row said, if it has one."""

    contact: Contact
    verdict: Verdict
    before: rows.Kept | None

    @property
    def after(self) -> rows.Kept | None:
        """What its row is to say; None where staff's word is about another id, with which it goes once they part."""
        if self.before is None or not self.verdict.kept:
            return rows.Kept(self.contact.id, FOREVER, self.verdict.due_at)
        if self.before.contact_id != self.contact.id:
            return None
        return rows.Kept(self.contact.id, self.before.kept_at, self.verdict.due_at)


def derive_stages(tx: Transaction, ids: Iterable[UUID]) -> int:
    """Let the rule look at many contacts; return how many changed their stage.

    Args:
        tx: the transaction.
        ids: any of the contacts' ids; those that no contact has are passed over.
    """
    wanted = list(dict.fromkeys(ids))
    _lock(tx, wanted)
    contacts = {contact.id: contact for contact in tx.contacts.get_many(wanted).values()}
    every = [id for contact in contacts.values() for id in contact.ids]
    facts, kept = rows.read_order_facts(tx.sql, every), rows.read_kept(tx.sql, every)
    decided = [_decide(tx, contact, facts, kept) for contact in contacts.values()]
    others = [id for one in decided for id in one.contact.ids[1:] if id in kept]
    with tx.sql.isolated():
        rows.never_due(tx.sql, [*others, *_vanished(wanted, contacts)])
        after = [one.after for one in decided if one.after is not None]
        rows.write_many(tx.sql, [one for one in after if one != kept.get(one.contact_id)], kept)
        changed = _written(tx, [one for one in decided if one.contact.stage is not one.verdict.stage])
        tx.events.append_new([_told(tx, one) for one in changed])
    return len(changed)


def _lock(tx: Transaction, ids: Sequence[UUID]) -> None:
    """Keep others from changing the contacts: staff's word, written meanwhile, would be overwritten unseen."""
    in_order = sorted(ids)
    for start in range(0, len(in_order), _AT_ONCE):
        lock_as_read(tx.sql, in_order[start : start + _AT_ONCE])


def _decide(
    tx: Transaction, contact: Contact, facts: Mapping[UUID, OrderFacts], kept: Mapping[UUID, rows.Kept]
) -> _Decided:
    mine = sum((facts[id] for id in contact.ids if id in facts), OrderFacts())
    before = _standing(contact, kept)
    since = before.kept_at if before else None
    return _Decided(contact, decide(contact.stage, since, mine, tx.crm.stage_rules, tx.now), before)


def _written(tx: Transaction, decided: Sequence[_Decided]) -> list[_Decided]:
    """Write stages to the store; return those it has let be written."""
    tx.contacts.refresh()
    if type(tx.crm.store) is OwnContacts:
        rows.write_stages(tx.sql, [(one.contact.id, one.verdict.stage) for one in decided], tx.now)
        return list(decided)
    return [one for one in decided if _is_written(tx, one)]


def _is_written(tx: Transaction, one: _Decided) -> bool:
    try:
        with tx.sql.isolated():
            tx.crm.store.update(tx, one.contact.id, {"stage": one.verdict.stage})
    except ValueRefused:
        return False  # the host keeps stages in a table of its own that is only read: its word stands
    return True


def _told(tx: Transaction, one: _Decided) -> LogEntry:
    event = StageChanged(
        before=one.contact.stage, after=one.verdict.stage, why="rule", reason=one.verdict.reason
    )
    return tx.events.entry(event, contact_id=one.contact.id, subject_id=one.contact.id)


def _vanished(wanted: Iterable[UUID], contacts: Mapping[UUID, Contact]) -> list[UUID]:
    """Return the ids that no contact has any more, so that nobody looks at them for ever."""
    found = {id for contact in contacts.values() for id in contact.ids}
    return [id for id in wanted if id not in found]


def _standing(contact: Contact, kept: Mapping[UUID, rows.Kept]) -> rows.Kept | None:
    """Return what staff said: about the contact that goes on, or where nobody ever looked at it about another id."""
    asked = contact.ids[:1] if contact.id in kept else contact.ids
    said = [kept[id] for id in asked if id in kept and kept[id].kept_at != FOREVER]
    return said[0] if said else None
