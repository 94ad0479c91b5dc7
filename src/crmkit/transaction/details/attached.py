"""What `tx.contacts` offers besides finding and changing contacts, each part made when it is first asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import UUID

from crmkit.contacts import EDITABLE, Contact, FieldChange, FirstNamePermission
from crmkit.errors import ValueRefused
from crmkit.events import ContactUpdated, LogEntry, StageChanged
from crmkit.settings import did_you_mean
from crmkit.transaction.details.facts import PersonalFacts
from crmkit.transaction.details.notes import Notes
from crmkit.transaction.details.points import Points
from crmkit.transaction.details.preferences import Preferences
from crmkit.transaction.details.profile import Profile, profile
from crmkit.transaction.details.relations import Relations
from crmkit.transaction.details.stages import Stages
from crmkit.transaction.details.tags import Tags
from crmkit.transaction.details.values import Values

if TYPE_CHECKING:
    from crmkit.transaction.contacts import Contacts
    from crmkit.transaction.unit import Transaction


class Attached:
    """The parts of `tx.contacts` that have a name of their own."""

    _tx: Transaction

    @cached_property
    def tags(self) -> Tags:
        """Words that contacts are marked with."""
        return Tags(self._tx)

    @cached_property
    def notes(self) -> Notes:
        """Notes, calls and interviews."""
        return Notes(self._tx)

    @cached_property
    def preferences(self) -> Preferences:
        """What contacts like and dislike."""
        return Preferences(self._tx)

    @cached_property
    def relations(self) -> Relations:
        """How contacts stand to one another and to others."""
        return Relations(self._tx)

    @cached_property
    def facts(self) -> PersonalFacts:
        """Dated personal facts."""
        return PersonalFacts(self._tx)

    @cached_property
    def values(self) -> Values:
        """Custom fields."""
        return Values(self._tx)

    @cached_property
    def points(self) -> Points:
        """What is known about the addresses of contacts."""
        return Points(self._tx)

    @cached_property
    def stages(self) -> Stages:
        """Where contacts stand as customers."""
        return Stages(self._tx)

    def permit_first_name(self, id: UUID, *, how: str) -> Contact:
        """Note that a contact may be called by the first name; a permission that stands is left as it is.

        Args:
            id: who may be called so.
            how: on what occasion it was given: "on the phone", "profile page".

        Raises:
            NotFound: if there is no such contact.
        """
        contact = self._contacts.get(id)
        if contact.first_name is not None:
            return contact
        given = FirstNamePermission(by=self._tx.actor, at=self._tx.now, how=how)
        return self._contacts.update(id, first_name=given)

    def withdraw_first_name(self, id: UUID) -> Contact:
        """Note that a contact may not, or no longer, be called by the first name; each of its ids loses the permission.

        Raises:
            NotFound: if there is no such contact.
        """
        contact = self._contacts.update(id, first_name=None)
        with self._tx.sql.isolated():
            for one in self._tx.crm.store.get(self._tx, contact.merged or ()).values():
                if (
                    one.first_name is not None
                ):  # it did not count for the name that is read, and would after an undo
                    self._tx.crm.store.update(self._tx, one.id, {"first_name": None})
                    told = ContactUpdated(fields=("first_name",), before={"first_name": one.first_name.how})
                    self._tx.events.append(told, contact_id=one.id, subject_id=one.id)
        return contact

    def history(self, id: UUID, field: str, *, limit: int = 1000) -> list[FieldChange]:
        """Return how a field of a contact changed, the oldest change first.

        Args:
            id: whose.
            field: such as "classification", "source", "owner" or "stage".
            limit: at most how many events of the contact are looked at, the latest first.

        Raises:
            ValueRefused: if a contact has no such field.
        """
        if field not in EDITABLE:
            raise ValueRefused(f"a contact has no field {field!r}{did_you_mean(field, list(EDITABLE))}")
        types = ("ContactUpdated", "StageChanged") if field == "stage" else ("ContactUpdated",)
        entries = self._tx.events.timeline(id, limit=limit, types=types)
        return [change for entry in reversed(entries) for change in _changes(entry, field)]

    def profile(self, id: UUID, *, limit: int = 50) -> Profile:
        """Return all that is known about a contact in one view.

        Args:
            id: whose.
            limit: at most how many notes, order roles and events.

        Raises:
            NotFound: if there is no such contact.
        """
        return profile(self._tx, id, limit=limit)

    @property
    def _contacts(self) -> Contacts:
        return self._tx.contacts


def _changes(entry: LogEntry, field: str) -> Sequence[FieldChange]:
    event = entry.event
    if isinstance(event, StageChanged):
        before, after, why = event.before, event.after, event.reason or event.why
    elif isinstance(event, ContactUpdated) and field in event.fields:
        before, after, why = event.before.get(field, ""), event.after.get(field, ""), ""
    else:
        return ()
    return (FieldChange(before=before, after=after, at=entry.occurred_at, actor=entry.actor, why=why),)
