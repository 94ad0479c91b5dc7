"""One unit of work on one connection."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Self
from uuid import UUID

from crmkit.errors import TransactionError
from crmkit.events import actor as check_actor
from crmkit.sql.connection import Sql
from crmkit.transaction.contacts import Contacts
from crmkit.transaction.events import Events
from crmkit.transaction.messages import Messages
from crmkit.transaction.orders import Orders
from crmkit.transaction.reactions import Reactions

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from crmkit.crm import CRM


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
        self.reactions = Reactions(self)
        self.contacts = Contacts(self)
        self.events = Events(self)
        self.orders = Orders(self)
        self.messages = Messages(self)

    @property
    def now(self) -> datetime:
        """The present instant of the CRM's clock."""
        return self.crm.clock()

    def new_id(self) -> UUID:
        """Return a new id, later in order than all before it in this process."""
        return self.crm.new_id()

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
