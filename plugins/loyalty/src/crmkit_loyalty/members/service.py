"""Members(tx): who takes part in the programme, and under which number."""

from __future__ import annotations

import secrets
from datetime import datetime
from uuid import UUID

from crmkit import Conflict, LogEntry, NotFound, RetryTransaction, Transaction, ValueRefused
from crmkit_loyalty.configured import settings_of
from crmkit_loyalty.members.events import MemberJoined, MemberLeft
from crmkit_loyalty.members.settings import NUMBER_LIMIT
from crmkit_loyalty.members.store import Membership, MemberStore
from crmkit_loyalty.tiers.service import Tiers
from crmkit_loyalty.triggers import tell

ATTEMPTS = 50


class Members:
    """Keeps memberships.

    Args:
        tx: a transaction of a CRM that has the loyalty plugin.

    Raises:
        ConfigError: if it has not.
    """

    def __init__(self, tx: Transaction) -> None:
        self._settings = settings_of(tx, "Members").members
        self._tx = tx
        self._store = MemberStore(tx)

    def join(
        self,
        contact_id: UUID,
        *,
        number: str = "",
        at: datetime | None = None,
        cause: LogEntry | None = None,
    ) -> Membership:
        """Make a contact a member; of whoever is one the membership is returned.

        Args:
            contact_id: who.
            number: one that the member has already; by default a new one of the pattern.
            at: since when; now by default.
            cause: the event that caused it, if any.

        Raises:
            NotFound: if there is no such contact.
            AlreadyErased: if the contact was erased.
            Conflict: if the number is somebody else's.
        """
        contact = self._tx.contacts.get(contact_id)
        if stored := self._store.lasting(contact.ids):
            return stored
        self._tx.privacy.refuse_erased(contact_id)
        with self._tx.sql.isolated():
            made = self._claimed(contact_id, _canonical(number), at or self._tx.now)
            if made is None:
                return self._of(contact_id)
            event = MemberJoined(membership_id=made.id, number=made.number)
            self._tx.events.append(event, contact_id=contact_id, subject_id=made.id, cause=cause)
            tell(self._tx, "member.joined", contact_id, key="joined", payload={}, at=made.joined_at)
        return made

    def leave(self, contact_id: UUID, *, reason: str = "") -> Membership:
        """End a contact's membership; points, tiers and cards stay what they are.

        Args:
            contact_id: whose.
            reason: the words that were given.

        Raises:
            NotFound: if the contact is no member.
        """
        found = self._store.lasting(self._tx.contacts.ids(contact_id), locked=True)
        if found is None:
            raise NotFound(f"contact {contact_id} is no member")
        with self._tx.sql.isolated():
            self._store.end(found.id, self._tx.now)
            event = MemberLeft(membership_id=found.id, reason=reason)
            self._tx.events.append(event, contact_id=found.contact_id, subject_id=found.id)
        return Membership(
            id=found.id,
            contact_id=found.contact_id,
            number=found.number,
            joined_at=found.joined_at,
            left_at=self._tx.now,
        )

    def of(self, contact_id: UUID) -> Membership | None:
        """Return a contact's membership, or None if it is no member."""
        return self._store.lasting(self._tx.contacts.ids(contact_id))

    def by_number(self, number: str) -> Membership:
        """Return the membership with a number, ended ones included.

        Args:
            number: as somebody typed it; small letters, spaces and hyphens do not matter.

        Raises:
            NotFound: if there is none; the message says so where the check digit is wrong.
        """
        wanted = _canonical(number)
        found = self._store.by_number(wanted) if wanted else None
        if found is None:
            mistyped = (
                "; its check digit is wrong, so it was mistyped" if self._settings.mistyped(wanted) else ""
            )
            raise NotFound(f"there is no member with this number{mistyped}")
        return found

    def benefits(self, contact_id: UUID) -> tuple[str, ...]:
        """Return what a contact has: of every member, and of its tier; nothing if it is no member."""
        if self.of(contact_id) is None:
            return ()
        tier = Tiers(self._tx).of(contact_id)
        return (*self._settings.benefits, *(tier.benefits if tier else ()))

    def _claimed(self, contact_id: UUID, number: str, at: datetime) -> Membership | None:
        """Write a membership; None if somebody else has just made the contact a member."""
        for _ in range(1 if number else ATTEMPTS):
            made = Membership(
                id=self._tx.new_id(), contact_id=contact_id, number=number or self._new_number(), joined_at=at
            )
            if self._store.claim(made):
                return made
            if self._store.lasting([contact_id], locked=True):
                return None
        wrong = (
            f"number {number!r} is another member's" if number else f"{ATTEMPTS} numbers in a row were taken"
        )
        raise Conflict(f"{wrong}; settings['loyalty']['members']['number'] is {self._settings.number!r}")

    def _of(self, contact_id: UUID) -> Membership:
        found = self._store.lasting([contact_id], locked=True)
        if found is None:
            raise RetryTransaction(f"the membership of contact {contact_id} cannot be seen yet")
        return found

    def _new_number(self) -> str:
        digits = self._settings.digits
        return self._settings.numbered(f"{secrets.randbelow(10**digits):0{digits}}")


def _canonical(number: object) -> str:
    if not isinstance(number, str) or len(number) > 2 * NUMBER_LIMIT:
        raise ValueRefused(
            f"a member's number is a text of at most {NUMBER_LIMIT} characters, not {number!r}"
        )
    found = number.upper().replace(" ", "").replace("-", "")
    if len(found) > NUMBER_LIMIT or (found and not (found.isascii() and found.isalnum())):
        raise ValueRefused(
            f"a member's number has letters and digits, at most {NUMBER_LIMIT}, not {number!r}"
        )
    return found
