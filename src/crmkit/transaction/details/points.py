"""tx.contacts.points: addresses of a contact are verified, labelled, preferred and taken away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from crmkit.clock import ending
from crmkit.contacts import Contact, ContactPoint
from crmkit.errors import NotFound
from crmkit.events import ContactPointChanged, ContactPointRemoved

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction


class Points:
    """Changes the details of contact points; who did it and when stands on the timeline.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def verify(self, contact_id: UUID, point: ContactPoint, *, at: datetime | None = None) -> Contact:
        """Note that a point was shown to be the contact's own, by the transaction's actor; the first time counts.

        Args:
            contact_id: whose.
            point: which.
            at: when; now by default.

        Raises:
            NotFound: if the contact does not have the point.
        """
        kept = self._own(contact_id, point)
        if kept.verified_at is not None:
            return self._tx.contacts.get(contact_id)
        return self._set(contact_id, kept, verified_at=self._tx.now if at is None else ending(at, "at"))

    def distrust(self, contact_id: UUID, point: ContactPoint) -> Contact:
        """Take back that a point was verified.

        Raises:
            NotFound: if the contact does not have the point.
        """
        return self._set(contact_id, self._own(contact_id, point), verified_at=None)

    def label(self, contact_id: UUID, point: ContactPoint, label: str) -> Contact:
        """Say what the contact uses a point for: "home", "work", "mobile"; an empty label takes it away.

        Raises:
            NotFound: if the contact does not have the point.
        """
        return self._set(contact_id, self._own(contact_id, point), label=label)

    def prefer(self, contact_id: UUID, point: ContactPoint) -> Contact:
        """Make a point the one of its kind to use; the one preferred until then no longer is.

        Raises:
            NotFound: if the contact does not have the point.
        """
        return self._set(contact_id, self._own(contact_id, point), primary=True)

    def remove(self, contact_id: UUID, point: ContactPoint) -> Contact:
        """Take a point away; where other contacts share it, it resolves to the next of them.

        A point that the contact does not have is left alone, so that this may be repeated.

        Raises:
            NotFound: if there is no such contact.
        """
        contact = self._tx.contacts.get(contact_id)
        kept = next((one for one in contact.points if one == point), None)
        if kept is None:
            return contact
        self._tx.contacts.refresh()
        with self._tx.sql.isolated():
            for id in self._tx.contacts.holders(contact_id, kept):
                self._tx.crm.store.remove_point(self._tx, id, kept)
            event = ContactPointRemoved(kind=kept.kind, point=str(kept))
            self._tx.events.append(event, contact_id=contact_id, subject_id=contact_id)
        return self._tx.contacts.get(contact_id)

    def let_prefer(self, contact: Contact, points: Sequence[ContactPoint]) -> None:
        """Let points that were just given or changed be primary: nobody who is the same person prefers another one.

        Args:
            contact: whose, as it was before.
            points: those of them that are not primary change nothing.
        """
        preferred = {point.kind: point for point in points if point.primary}
        if not preferred or not contact.merged:
            return
        for part in self._tx.crm.store.get(self._tx, contact.ids).values():
            for point in part.points:
                if point.primary and preferred.get(point.kind, point) != point:
                    self._tx.crm.store.set_point(self._tx, part.id, point.with_(primary=False))

    def _own(self, contact_id: UUID, point: ContactPoint) -> ContactPoint:
        for kept in self._tx.contacts.get(contact_id).points:
            if kept == point:
                return kept
        raise NotFound(f"contact {contact_id} has no point {point}")

    def _set(self, contact_id: UUID, kept: ContactPoint, **details: Any) -> Contact:
        wanted = kept.with_(**details)
        changed = [name for name in details if getattr(wanted, name) != getattr(kept, name)]
        if not changed:
            return self._tx.contacts.get(contact_id)
        event = ContactPointChanged(
            fields=tuple(changed), point=str(kept), before=_said(kept, changed), after=_said(wanted, changed)
        )
        contact = self._tx.contacts.get(contact_id)
        self._tx.contacts.refresh()
        with self._tx.sql.isolated():
            for id in self._tx.contacts.holders(contact_id, kept):
                self._tx.crm.store.set_point(self._tx, id, wanted)
            if wanted.primary and not kept.primary:
                self.let_prefer(contact, [wanted])
            self._tx.events.append(event, contact_id=contact_id, subject_id=contact_id)
        return self._tx.contacts.get(contact_id)


def _said(point: ContactPoint, fields: list[str]) -> Mapping[str, str]:
    said = {name: getattr(point, name) for name in fields}
    return {name: "" if value is None else str(value) for name, value in said.items()}
