"""One unit of work on one connection."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Self, cast
from uuid import UUID

from crmkit.digests import digest
from crmkit.errors import TransactionError
from crmkit.events import actor as check_actor
from crmkit.sql.connection import Sql
from crmkit.stores import HostStore
from crmkit.transaction.consents import Consents
from crmkit.transaction.contacts import Contacts
from crmkit.transaction.events import Events
from crmkit.transaction.merges import Merges
from crmkit.transaction.messages import Messages
from crmkit.transaction.orders import Orders
from crmkit.transaction.privacy import Privacy
from crmkit.transaction.reactions import Reactions
from crmkit.transaction.rewards import Rewards
from crmkit.transaction.suppressions import Suppressions

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from crmkit.crm import CRM
    from crmkit.transaction.duplicates import Duplicates
    from crmkit.transaction.segments import Segments


class Transaction:
    """What is recorded through it is committed or rolled back together, with the host's own rows.

    Made by `crm.begin()`, `crm.transact()` and `crm.join()`; used by one thread.

    Args:
        crm: the CRM.
        connection: a SQLAlchemy connection in a transaction.
        actor: who acts: "system", "staff:NAME", "contact:ID" or "plugin:NAME".
    """

    def __init__(self, crm: CRM, connection: Connection, actor: str) -> None:
        self.crm = crm
        self.actor = check_actor(actor)
        self.sql = Sql(connection, crm.tables)
        if crm.store.capabilities.host:
            cast(HostStore, crm.store).begin(self)
        self.reactions = Reactions(self)
        self.contacts = Contacts(self)
        self.events = Events(self)
        self.orders = Orders(self)
        self.rewards = Rewards(self)
        self.messages = Messages(self)

    @cached_property
    def merges(self) -> Merges:
        """Contacts that are one person: merged, and unmerged again."""
        return Merges(self)

    @cached_property
    def privacy(self) -> Privacy:
        """What is known of a person, told or erased, and what must be kept."""
        return Privacy(self)

    @cached_property
    def segments(self) -> Segments:
        """Named expressions over contacts, and who they hold."""
        from crmkit.transaction.segments import Segments  # brings in what few transactions need

        return Segments(self)

    @cached_property
    def duplicates(self) -> Duplicates:
        """Contacts that may be one, and what was judged of them."""
        from crmkit.transaction.duplicates import Duplicates  # brings in what few transactions need

        return Duplicates(self)

    @cached_property
    def consents(self) -> Consents:
        """What contacts allow, and what they have refused."""
        return Consents(self)

    @cached_property
    def suppressions(self) -> Suppressions:
        """Which addresses are written to no more."""
        return Suppressions(self)

    @property
    def now(self) -> datetime:
        """The present instant of the CRM's clock."""
        return self.crm.clock()

    def new_id(self) -> UUID:
        """Return a new id, later in order than all before it in this process."""
        return self.crm.new_id()

    def digest(self, purpose: str, value: str) -> bytes:
        """Return the HMAC of a personal value under the installation's secret.

        Args:
            purpose: what the digest is for; the same value has an unrelated digest under another purpose.
            value: the text, in the form in which it is compared.
        """
        return digest(self.crm.secret.within(self.sql), purpose, value)

    @property
    def secret_mark(self) -> str:
        """What shows whether the secret of digests is the one it was, without telling it."""
        return self.digest("secret mark", "").hex()

    def table(self, name: str) -> Table:
        """Return one of the CRM's tables by its name without the prefix, for a plugin's own statements."""
        return self.crm.tables[name]

    def close(self) -> None:
        """End the transaction's use: any further call on it is refused."""
        self.sql = _Closed()  # type: ignore[assignment]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<crmkit Transaction, actor {self.actor}>"


class _Closed:
    """Stands where the connection stood once the transaction has ended."""

    def __getattr__(self, name: str) -> Iterable[None]:
        raise TransactionError("the transaction has ended; begin another one")
