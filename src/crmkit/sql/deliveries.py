"""Deliveries in SQL: queued in the caller's transaction, looked at by anybody."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError

from crmkit import codec
from crmkit.errors import RetryTransaction
from crmkit.messages import Delivery, DeliveryState, DeliveryStatus, Repeat
from crmkit.sql.connection import Row, Sql
from crmkit.sql.consents import pages
from crmkit.sql.types import Written, write_json

_CONTENT = ("subject", "text", "html", "template", "data", "headers")


def delivery_row(status: DeliveryStatus, recipient: str) -> dict[str, Any]:
    """Return the row of a delivery that is being queued for a recipient: a contact's id, or an address."""
    delivery = status.delivery
    content = {
        "subject": delivery.subject,
        "text": delivery.text,
        "html": delivery.html,
        "headers": dict(delivery.headers),
        "template": status.template,
        "data": codec.plain(status.data) if status.data else {},
    }
    return {
        "id": delivery.id,
        "key": delivery.key,
        "channel": delivery.channel,
        "recipient": recipient,
        "address": delivery.address,
        "contact_id": delivery.contact_id,
        "topic": delivery.topic,
        "purpose": delivery.purpose,
        "repeat": delivery.repeat,
        "state": status.state,
        "due_at": status.due_at,
        "expires_at": status.expires_at,
        "queued_at": delivery.queued_at,
        "attempt": 0,
        "claim": None,
        "reason": status.reason,
        "provider_id": status.provider_id,
        "name": delivery.name,
        "locale": delivery.locale,
        "content": {name: value for name, value in content.items() if value},
    }


def read_delivery(row: Any) -> DeliveryStatus:
    """Return what a row of the deliveries table holds."""
    stored = row.content
    content = {name: stored[name] for name in _CONTENT if name in stored}
    template, data = content.pop("template", ""), content.pop("data", {})
    return DeliveryStatus(
        delivery=Delivery(
            id=row.id,
            key=row.key,
            channel=row.channel,
            address=row.address,
            name=row.name,
            contact_id=row.contact_id,
            topic=row.topic,
            purpose=row.purpose,
            locale=row.locale,
            attempt=row.attempt,
            repeat=Repeat(row.repeat),
            queued_at=row.queued_at,
            **content,
        ),
        state=DeliveryState(row.state),
        reason=row.reason,
        due_at=row.due_at,
        expires_at=row.expires_at,
        provider_id=row.provider_id,
        template=template,
        data=data,
    )


def claim_delivery(sql: Sql, status: DeliveryStatus, recipient: str) -> bool:
    """Queue a delivery unless its (key, channel, recipient) is taken; say whether it was queued."""
    return sql.claim(sql.tables["deliveries"], delivery_row(status, recipient))


def shared_columns(status: DeliveryStatus, recipient: str) -> dict[str, Any]:
    """Return the row of a delivery as a start for others of the same message, which is written as JSON only once."""
    row = delivery_row(status, recipient)
    return row | {"content": Written(write_json(row["content"]))}


def insert_deliveries(sql: Sql, rows: Sequence[Row]) -> bool:
    """Queue many deliveries at once, or none if the key of one is taken; say whether they were queued."""
    try:
        with sql.isolated():
            sql.insert(sql.tables["deliveries"], rows)
    except IntegrityError:
        return False
    return True


def claimed_delivery(sql: Sql, key: str, channel: str, recipient: str) -> DeliveryStatus:
    """Return the delivery that was queued under a key before.

    Raises:
        RetryTransaction: if this transaction's isolation level hides it.
    """
    c = sql.tables["deliveries"].c
    mine = (c.key == key) & (c.channel == channel) & (c.recipient == recipient)
    statement = select(sql.tables["deliveries"]).where(mine).with_for_update(read=True)
    row = sql.execute(statement).first()
    if row is None:
        raise RetryTransaction(f"delivery {key!r} was queued by a transaction that this one cannot see yet")
    return read_delivery(row)


def read_twins(sql: Sql, channel: str, names: Sequence[tuple[str, str]]) -> list[DeliveryStatus]:
    """Return deliveries over a channel by their keys and recipients, in the order of their ids.

    Args:
        sql: the transaction's connection.
        channel: over which channel.
        names: pairs of a key and a recipient.
    """
    table = sql.tables["deliveries"]
    c = table.c
    clauses = [
        (c.key == key) & (c.channel == channel) & (c.recipient == recipient) for key, recipient in names
    ]
    statement = select(table).where(or_(*clauses)).order_by(c.id)
    return [read_delivery(row) for row in sql.execute(statement)] if clauses else []


def deliveries_by_key(sql: Sql, keys: Iterable[str], channel: str) -> dict[str, DeliveryStatus]:
    """Return the deliveries over a channel that were queued under some keys, by key.

    They are read past the transaction's snapshot: whoever asks was just told that one of the keys is taken.
    """
    table = sql.tables["deliveries"]
    found: dict[str, DeliveryStatus] = {}
    for page in pages(keys):
        mine = select(table).where(table.c.key.in_(page), table.c.channel == channel)
        found |= {row.key: read_delivery(row) for row in sql.execute(mine.with_for_update(read=True))}
    return found


def list_deliveries(
    sql: Sql, states: Iterable[DeliveryState], limit: int, after: UUID | None = None
) -> list[DeliveryStatus]:
    """Return deliveries in some states, oldest first.

    Args:
        sql: the transaction's connection.
        states: which.
        limit: at most how many of each state.
        after: the id of the last delivery of the page before.
    """
    table = sql.tables["deliveries"]
    found: list[DeliveryStatus] = []
    for state in dict.fromkeys(states):
        statement = select(table).where(table.c.state == state)
        if after is not None:
            statement = statement.where(table.c.id > after)
        ordered = statement.order_by(table.c.queued_at, table.c.id).limit(limit)
        found += [read_delivery(row) for row in sql.execute(ordered)]
    return sorted(found, key=lambda status: (status.delivery.queued_at, status.delivery.id))


def read_deliveries(sql: Sql, ids: Sequence[UUID]) -> dict[UUID, DeliveryStatus]:
    """Return deliveries by id."""
    table = sql.tables["deliveries"]
    rows = sql.execute(select(table).where(table.c.id.in_(list(ids))))
    return {row.id: read_delivery(row) for row in rows}


def count_deliveries(sql: Sql) -> dict[tuple[DeliveryState, str], int]:
    """Return how many deliveries stand in each state, for each reason."""
    c = sql.tables["deliveries"].c
    rows = sql.execute(select(c.state, c.reason, func.count().label("n")).group_by(c.state, c.reason))
    return {(DeliveryState(row.state), row.reason): int(row.n) for row in rows}


def same_message(stored: DeliveryStatus, given: DeliveryStatus) -> bool:
    """Return whether two deliveries to one recipient say the same, whatever became of them and of the address."""

    if _is_cleared(stored):  # the contact was erased, and the words with it
        return (stored.delivery.topic, stored.delivery.repeat) == (
            given.delivery.topic,
            given.delivery.repeat,
        )

    def content(status: DeliveryStatus) -> Any:
        kept = attrs.asdict(status.delivery, recurse=False)
        for name in ("id", "attempt", "queued_at", "address", "name", "locale"):
            del kept[name]
        return {**kept, "headers": dict(kept["headers"]), "template": status.template}, codec.plain(
            status.data
        )

    return bool(content(stored) == content(given))


def _is_cleared(status: DeliveryStatus) -> bool:
    """Return whether a delivery says nothing any more: a message without text or template is never queued."""
    return not (status.template or status.delivery.text or status.delivery.html)
