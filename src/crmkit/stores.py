"""The ports behind which contacts, and the use of limits, are kept: own tables, a table of the host, anything else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable
from uuid import UUID

import attrs

from crmkit.contacts import Contact, ContactPoint, HostKey, PointKind
from crmkit.rewards import Asked, Used

if TYPE_CHECKING:
    from crmkit.sql.source import ContactSource
    from crmkit.transaction import Transaction


@attrs.frozen(kw_only=True)
class StoreCapabilities:
    """What a contact store can do; the conformance suite tests just that.

    Args:
        writable: contacts can be added and changed.
        shared_points: one point may belong to several contacts.
        host: it is a `HostStore`: contacts are rows of a table of the host.
        points_elsewhere: the kinds of contact points that do not all stand in the CRM's table `contact_points`:
            expressions read these from the contacts, one by one, and not in SQL.
    """

    writable: bool = True
    shared_points: bool = True
    host: bool = False
    points_elsewhere: frozenset[PointKind] = frozenset(PointKind)


@runtime_checkable
class ContactStore(Protocol):
    """Keeps contacts; every call works inside the given transaction."""

    @property
    def capabilities(self) -> StoreCapabilities:
        """What this store can do."""
        ...

    def get(self, tx: Transaction, ids: Iterable[UUID]) -> dict[UUID, Contact]:
        """Return the contacts with these ids; those that do not exist are left out."""
        ...

    def find(self, tx: Transaction, points: Sequence[ContactPoint]) -> Contact | None:
        """Return the contact that has the first point that anybody has, or None."""
        ...

    def add(self, tx: Transaction, contact: Contact) -> Contact:
        """Keep a new contact with its points, and return it.

        When another contact has one of the points, nothing is kept and that contact is returned:
        at most one contact is the owner of a point, however many add it at the same time.
        """
        ...

    def update(self, tx: Transaction, contact_id: UUID, changes: Mapping[str, Any]) -> None:
        """Change fields of a contact."""
        ...

    def add_points(
        self, tx: Transaction, contact_id: UUID, points: Sequence[ContactPoint], *, shared: bool = False
    ) -> tuple[ContactPoint, ...]:
        """Give a contact further points; return those that it did not have.

        One of them that is primary is its kind's only one from then on.

        Raises:
            PointTaken: if a point is another contact's and `shared` is false.
        """
        ...

    def set_point(self, tx: Transaction, contact_id: UUID, point: ContactPoint) -> None:
        """Give a point that the contact has the label, source, verification, preference and parts of this one.

        A primary point is its kind's only one from then on.
        """
        ...

    def remove_point(self, tx: Transaction, contact_id: UUID, point: ContactPoint) -> None:
        """Take a point away from a contact; where others share it, it resolves to the next of them."""
        ...

    def scan(self, tx: Transaction, *, after: UUID | None = None, limit: int = 1000) -> list[Contact]:
        """Return contacts in the order of their ids, for whoever has to see them all.

        Contacts that go on as another after a merge are left out.

        Args:
            tx: the transaction.
            after: the last id of the page before; None from the beginning.
            limit: at most how many.
        """
        ...

    def source(self, tx: Transaction) -> ContactSource | None:
        """Return where the contacts can be asked in SQL; None if they are nowhere in the transaction's database.

        As in `scan`, contacts that go on as another after a merge are left out.
        """
        ...


@runtime_checkable
class HostStore(ContactStore, Protocol):
    """A contact store over a table of the host, which has no column for the CRM's ids."""

    def begin(self, tx: Transaction) -> None:
        """Prepare a transaction that has just begun: set `tx.sql.watch`, which hears of rows before they go in."""
        ...

    def at(self, tx: Transaction, host: HostKey) -> Contact | None:
        """Return the contact of a row of the host's table, or None if there is no such row."""
        ...

    def identify(self, tx: Transaction, keys: Sequence[str]) -> dict[str, UUID]:
        """Return the ids of rows that have none in SQL, by their `ContactSource.key`.

        What is written about them through `tx.sql.insert` or `tx.sql.claim` afterwards keeps their ids.
        """
        ...

    def assign(self, tx: Transaction, ids: Iterable[UUID]) -> None:
        """Keep the ids of contacts, for whoever writes about them by other statements than these two."""
        ...


@runtime_checkable
class RewardLedger(Protocol):
    """Remembers what reward rules granted, so that limits over several events hold."""

    def used(self, tx: Transaction, asked: Sequence[Asked]) -> Mapping[Asked, Used]:
        """Return how much is used up of each limit that is asked about, with an answer to every question.

        What it answers it locks until the transaction ends, also where nothing has been used yet, so that two
        transactions cannot both grant what is left. It locks in one order, whatever the order of the questions.

        Args:
            tx: the transaction that decides.
            asked: the questions.
        """
        ...
