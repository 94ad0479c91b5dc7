"""Orders of the past come from a file: recorded as history, so that nobody is mailed or rewarded for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from crmkit.crm import CRM
from crmkit.errors import CrmkitError, KeyConflict, TransactionError, ValueRefused
from crmkit.exchange.applying import Outcome
from crmkit.exchange.build import Builder
from crmkit.exchange.importing import Run, Told, rejects_beside, silent
from crmkit.exchange.incoming import Incoming, Rejected
from crmkit.exchange.order_rows import Group, OrderBuilder, Return, Sale, group
from crmkit.exchange.plan import Plan
from crmkit.exchange.report import ImportReport
from crmkit.exchange.sources import Source, Table
from crmkit.orders import LineKind, OrderState, Refund, Returned
from crmkit.sql.imports import latest_orders
from crmkit.transaction import Transaction
from crmkit.transaction.orders import step_key

#: Among how many of a contact's latest orders the one is looked for that goods are brought back of.
_LOOKED_AT = 200


def import_orders(
    crm: CRM,
    plan: Plan,
    *,
    effects: Collection[str] = (),
    dry_run: bool = False,
    again: bool = False,
    batch: int = 1000,
    rejects: Path | None = None,
    actor: str = "system",
    told: Told | None = None,
) -> ImportReport:
    """Take the orders of a CSV file over as history; the same call after a crash goes on where the last commit was.

    An order is taken whole or not at all. Orders of negative quantities are refunds of the customer's latest earlier
    order that has so many left, or of the one that the column `refund_of` names.

    Args:
        crm: the CRM.
        plan: how the file is read; made by `look`.
        effects: plugins whose rules and reactions run all the same.
        dry_run: whether everything is undone at the end.
        again: whether to begin anew although the file was taken over before, or in part.
        batch: how many rows are committed together, roughly.
        rejects: where rejected rows are written; by default beside the file, `FILE.rejects.csv`, of a dry run
            `FILE.dry-run.rejects.csv`.
        actor: who imports, as for `crm.begin`.
        told: called after each batch with the report so far.

    Raises:
        ValueRefused: if the file as a whole cannot be taken, or a plugin of the effects is not enabled.
        Conflict: if another process is importing the same file.
    """
    fields = set(plan.columns.columns.values()) | set(plan.columns.constants)
    for needed in ("order", "placed_at", "sku"):
        if needed not in fields:
            raise ValueRefused(
                f"no column is mapped to {needed!r}; an order needs its number, its date and skus"
            )
    known = [plugin.name for plugin in crm.plugins]
    if unknown := sorted(set(effects) - set(known)):
        raise ValueRefused(f"effects name {unknown}; enabled plugins are {known}")
    source = OrderFile.of(crm, plan)
    work = partial(_work, source.builder, tuple(sorted(effects)))
    key = plan.key("orders", tuple(sorted(effects)))
    size = max(1, batch // 10)
    run = Run(crm, plan, source, key, "orders", work, size, actor, told or silent)
    path = rejects or rejects_beside(plan, source, dry_run=dry_run)
    return run.dry(path) if dry_run else run.real(path, again=again)


@attrs.define
class OrderFile:
    """A CSV file of orders; its rows come in groups.

    Args:
        table: its rows.
        builder: makes orders of them.
    """

    table: Table
    builder: OrderBuilder
    suffix: str = ".rejects.csv"
    left_out: Counter[str] = attrs.field(factory=Counter)
    ignored: Counter[str] = attrs.field(factory=Counter)

    @classmethod
    def of(cls, crm: CRM, plan: Plan) -> OrderFile:
        """Return the file of a plan."""
        table = plan.table()
        return cls(table, OrderBuilder(plan.columns, table, Builder(plan.columns, crm.new_id)))

    def rows(self) -> Iterator[Group]:
        """Yield the rows order by order."""
        return group(self.table.rows(), self.table, self.builder.columns.constants)

    def read(self, row: Any) -> Incoming | Rejected:
        """Refuse: rows of orders are no contacts."""
        raise NotImplementedError

    def head(self) -> str:
        """Return the header of a file of rejects."""
        return self.table.head()

    def rejected(self, one: Rejected) -> str:
        """Return a rejected row with its line and the reason."""
        return self.table.rejected(one)


def _work(
    builder: OrderBuilder, effects: tuple[str, ...], tx: Transaction, source: Source, groups: Sequence[Group]
) -> list[Outcome]:
    return [outcome for one in groups for outcome in _taken(builder, effects, tx, one)]


def _taken(builder: OrderBuilder, effects: tuple[str, ...], tx: Transaction, one: Group) -> list[Outcome]:
    try:
        made = builder.build(one)
        with tx.sql.isolated():
            what = _refund(tx, made) if isinstance(made, Return) else _record(tx, made, effects)
    except TransactionError:
        raise
    except KeyConflict:
        return _rejected(
            one, f"order {one.key!r} is recorded with other content; sort the file by order number"
        )
    except CrmkitError as error:
        return _rejected(one, str(error))
    return [Outcome(row, what) for row in one.rows]


def _rejected(one: Group, reason: str) -> list[Outcome]:
    return [Outcome(Rejected(row.line, reason, row.cells), "rejected") for row in one.rows]


def _record(tx: Transaction, sale: Sale, effects: tuple[str, ...]) -> str:
    order, state = sale.order, sale.state
    first = OrderState.PLACED if state in (OrderState.PLACED, OrderState.CANCELLED) else OrderState.PAID
    with tx.reactions.only(effects):
        outcome = tx.orders.record(order, state=first, history=True, effects=effects)
        if outcome.replayed:
            return "unchanged"
        if state is OrderState.CANCELLED:
            tx.orders.cancel(order.key, at=order.placed_at, history=True)
        elif state is OrderState.SHIPPED:
            tx.orders.shipped(order.key, at=order.placed_at, history=True)
        elif state is OrderState.REFUNDED:
            tx.orders.refund(order.key, Refund.whole("import"), at=order.placed_at, history=True)
    return "added"


def _refund(tx: Transaction, back: Return) -> str:
    keys = [back.of] if back.of else _bought(tx, back)
    if any(tx.events.by_key(step_key(key, "refund", back.key)) for key in keys):
        return "unchanged"
    left = dict(back.quantities)
    parts: dict[str, dict[str, int]] = {}
    for key in keys:
        for sku, line, count in _left(tx, key):
            if sku in left and (count >= left[sku] or back.of):
                parts.setdefault(key, {})[line] = min(count, left[sku])
                left[sku] -= min(count, left[sku])
                left = {one: rest for one, rest in left.items() if rest}
        if not left:
            break
    if left:
        raise ValueRefused(f"goods are brought back that no earlier order has left: {left}")
    for key, counts in parts.items():
        tx.orders.refund(key, Refund.of_lines(back.key, counts, reason="import"), at=back.at, history=True)
    return "added"


def _bought(tx: Transaction, back: Return) -> list[str]:
    contact = tx.contacts.resolve(back.points) if back.points else None
    if contact is None:
        raise ValueRefused(
            "goods are brought back by nobody who is known; name the order in a column 'refund_of'"
        )
    return latest_orders(tx.sql, tx.contacts.ids(contact.id), back.at, _LOOKED_AT)


def _left(tx: Transaction, key: str) -> Iterator[tuple[str, str, int]]:
    """Yield sku, line and how many of it are left of an order."""
    record = tx.orders.get(key)
    for line in record.order.lines:
        if line.kind is not LineKind.DISCOUNT:
            gone = record.returned.get(line.id, Returned()).quantity
            if line.quantity > gone:
                yield line.sku, line.id, line.quantity - gone
