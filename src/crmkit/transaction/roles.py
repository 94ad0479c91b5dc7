"""tx.orders.roles and its like: whom an order concerns besides its buyer."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import attrs

from crmkit.errors import NotFound
from crmkit.events import LogEntry, OrderRelated, OrderUnrelated
from crmkit.orders import Order, OrderRole, role_of
from crmkit.sql import roles as rows
from crmkit.sql.orders import OrderRow

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction


@attrs.frozen(kw_only=True)
class OrderPart:
    """That a contact has a role in an order.

    Args:
        order_key: the order number.
        role: user or beneficiary.
        contact_id: the contact, under the id that was named.
    """

    order_key: str
    role: OrderRole = attrs.field(converter=OrderRole)
    contact_id: UUID


class OrderRoles:
    """The part of `tx.orders` that says whom an order concerns."""

    _tx: Transaction

    def relate(self, key: str, role: OrderRole | str, contact_id: UUID) -> None:
        """Give a contact a role in an order; one that it has already is left alone.

        Args:
            key: the order number.
            role: "user" or "beneficiary"; the buyer is the order's own contact.
            contact_id: whose role it is.

        Raises:
            NotFound: if there is no such order or contact.
            ValueRefused: if there is no such role.
        """
        wanted, row = role_of(role), self._row(key, lock=True)
        ids = self._tx.contacts.get(contact_id).ids
        self._tx.privacy.refuse_erased(contact_id)
        if any(had == wanted and id in ids for had, id in rows.read_roles(self._tx.sql, row.id)):
            return
        with self._tx.sql.isolated():
            if rows.claim_role(self._tx.sql, row.id, wanted, contact_id, row.placed_at):
                event = OrderRelated(order_key=row.key, role=wanted)
                self._tx.events.append(event, contact_id=contact_id, subject_id=row.id)

    def unrelate(self, key: str, role: OrderRole | str, contact_id: UUID) -> None:
        """Take a role in an order from a contact; one that it does not have is left alone.

        Raises:
            NotFound: if there is no such order.
            ValueRefused: if there is no such role.
        """
        wanted, row = role_of(role), self._row(key, lock=True)
        with self._tx.sql.isolated():
            if rows.remove_role(self._tx.sql, row.id, wanted, self._tx.contacts.ids(contact_id)):
                event = OrderUnrelated(order_key=row.key, role=wanted)
                self._tx.events.append(event, contact_id=contact_id, subject_id=row.id)

    def roles(self, key: str) -> dict[OrderRole, tuple[UUID, ...]]:
        """Return whom an order concerns, by role; the buyer is there if the order has a contact.

        Merged contacts are told by the id of the one that goes on.

        Raises:
            NotFound: if there is no such order.
        """
        row = self._row(key, lock=False)
        given = [(OrderRole(role), id) for role, id in rows.read_roles(self._tx.sql, row.id)]
        if row.contact_id is not None:
            given.insert(0, (OrderRole.BUYER, row.contact_id))
        found: dict[OrderRole, dict[UUID, None]] = {}
        for role, id in given:
            found.setdefault(role, {})[self._tx.contacts.ids(id)[0]] = None
        return {role: tuple(ids) for role, ids in found.items()}

    def parts_of(self, contact_id: UUID, *, limit: int = 1000) -> list[OrderPart]:
        """Return in which orders a contact has a role besides the buyer's, the latest order first.

        Args:
            contact_id: whose.
            limit: at most how many.
        """
        ids = self._tx.contacts.ids(contact_id)
        return [
            OrderPart(order_key=row.key, role=row.role, contact_id=row.contact_id)
            for row in rows.read_roles_of(self._tx.sql, ids, limit)
        ]

    def _related(self, order: Order, row: OrderRow, cause: LogEntry) -> list[LogEntry]:
        """Write the roles of an order that is being recorded; return their events, yet to be appended."""
        if not order.roles:
            return []
        ids = {id for _, id in order.roles}
        if missing := ids - self._tx.contacts.get_many(sorted(ids)).keys():
            raise NotFound(f"order {order.key!r} has a role for {min(missing)}, and no contact has that id")
        entries = []
        for role, contact_id in order.roles:
            self._tx.privacy.refuse_erased(contact_id)
            rows.claim_role(self._tx.sql, row.id, role, contact_id, row.placed_at)
            event = OrderRelated(order_key=row.key, role=role)
            entries.append(
                self._tx.events.entry(
                    event,
                    contact_id=contact_id,
                    subject_id=row.id,
                    cause=cause,
                    occurred_at=order.placed_at,
                )
            )
        return entries

    def _row(self, key: str, *, lock: bool) -> OrderRow:
        raise NotImplementedError
