"""A worker written by hand: the same checks and the same rows, batch by batch, with Core and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from by_hand import END_OF_TIME, Hand, named, to_json
from places import Place
from sqlalchemy import Connection, Executable, Select, bindparam, func, select, update

from crmkit.clock import micros

LEASE = timedelta(minutes=5)
MAX_AGE = timedelta(days=3)
ATTEMPTS = 10
BATCH = 100


class HandWorker(Hand):
    """Numbers the events, claims what is due, checks it, sends it, settles it.

    Args:
        place: where the tables stand.
        installation: what the database must be stamped with to send from here.
        clock: gives the present instant.
    """

    def __init__(self, place: Place, installation: str, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(place, clock=clock)
        self.installation = installation

    def run(self, limit: int, send: Callable[[dict[str, Any]], object]) -> int:
        """Send at most `limit` messages; return how many were sent."""
        self.number()
        with self.begin() as connection:
            stamp = self.table["installation"].c
            place = connection.execute(select(stamp.value).where(stamp.name == "place")).scalar_one()
        if place != self.installation:
            raise RuntimeError("this is a copy")
        sent = 0
        while sent < limit and (done := self._batch(min(BATCH, limit - sent), send)):
            sent += done
        return sent

    def number(self) -> None:
        """Give committed events their positions."""
        while self._number(1000) == 1000:
            pass

    def _number(self, limit: int) -> int:
        with self.begin() as connection:
            last = connection.execute(self._cursor).scalar_one()
            ids = connection.execute(self._unnumbered, {"n": limit}).scalars().all()
            if ids:
                rows = [{"b_id": id, "b_position": last + offset} for offset, id in enumerate(ids, 1)]
                connection.execute(self._give_position, rows)
                cursors = self.table["cursors"]
                moved = update(cursors).where(cursors.c.name == "events").values(position=last + len(ids))
                connection.execute(moved)
        return len(ids)

    def _batch(self, size: int, send: Callable[[dict[str, Any]], object]) -> int:
        token = self.new_id()
        with self.begin() as connection:
            rows = self._claim(connection, size, token)
        for row in rows:
            message = json.loads(row.content)
            self._check(row)
            send({"to": row.address, **message})
        if rows:
            with self.begin() as connection:
                self._settle(connection, rows, token)
        return len(rows)

    def _claim(self, connection: Connection, size: int, token: Any) -> Sequence[Any]:
        now = micros(self.clock())
        rows = connection.execute(self.due, {"now": now, "n": size}).all()
        if not rows:
            return rows
        paused = connection.execute(self._pauses, {"now": now}).all()
        if paused:
            raise RuntimeError("the channel is paused")
        lease = now + LEASE // timedelta(microseconds=1)
        claimed = {"ids": [row.id for row in rows], "b_claim": token, "b_due": lease}
        connection.execute(self._take, claimed)
        people = {"ids": sorted({row.contact_id for row in rows if row.contact_id is not None})}
        connection.execute(self._people, people).all()
        return rows

    def _check(self, row: Any) -> None:
        now = micros(self.clock())
        if row.expires_at <= now or now - row.queued_at > MAX_AGE // timedelta(microseconds=1):
            raise RuntimeError("it is too old")
        if row.attempt >= ATTEMPTS or not row.address:
            raise RuntimeError("it cannot be sent")

    def _settle(self, connection: Connection, rows: Sequence[Any], token: Any) -> None:
        settled = {"ids": [row.id for row in rows], "b_claim": token}
        if connection.execute(self._done, settled).rowcount != len(rows):
            raise RuntimeError("the claim was lost")
        now = micros(self.clock())
        connection.execute(self.insert("events"), [self._event(row, now) for row in rows])

    def _event(self, row: Any, now: int) -> dict[str, Any]:
        id = named(row.id)
        return {
            "id": self.new_id(),
            "type": "MessageSent",
            "version": 1,
            "key": f"message:{id}:sent",
            "contact_id": row.contact_id,
            "subject_id": row.id,
            "actor": "system",
            "cause_id": None,
            "occurred_at": now,
            "recorded_at": now,
            "data": to_json({"channel": row.channel, "delivery_id": id, "topic": row.topic}),
            "digest": "",
        }

    @cached_property
    def _cursor(self) -> Select[Any]:
        cursors = self.table["cursors"].c
        return select(cursors.position).where(cursors.name == "events").with_for_update()

    @cached_property
    def _unnumbered(self) -> Select[Any]:
        events = self.table["events"].c
        waiting = select(events.id).where(events.position.is_(None))
        return waiting.order_by(events.id).limit(bindparam("n"))

    @cached_property
    def _give_position(self) -> Executable:
        events = self.table["events"]
        return update(events).where(events.c.id == bindparam("b_id")).values(position=bindparam("b_position"))

    @cached_property
    def due(self) -> Select[Any]:
        """The statement that finds what is due."""
        c = self.table["deliveries"].c
        due = select(self.table["deliveries"]).where(c.due_at <= bindparam("now"))
        return due.order_by(c.due_at, c.id).limit(bindparam("n")).with_for_update(skip_locked=True)

    @cached_property
    def mark(self) -> Executable:
        """The statement that marks one message as handed over."""
        deliveries = self.table["deliveries"]
        values = {"state": "handed", "due_at": bindparam("b_due")}
        return update(deliveries).where(deliveries.c.id == bindparam("b_id")).values(**values)

    @cached_property
    def _pauses(self) -> Select[Any]:
        c = self.table["pauses"].c
        return (
            select(func.count())
            .where(c.channel == "nothing", c.until > bindparam("now"))
            .having(func.count() > 0)
        )

    @cached_property
    def _take(self) -> Executable:
        c = self.table["deliveries"].c
        mine = c.id.in_(bindparam("ids", expanding=True))
        values = {"claim": bindparam("b_claim"), "due_at": bindparam("b_due"), "attempt": c.attempt + 1}
        return update(self.table["deliveries"]).where(mine).values(state="handed", **values)

    @cached_property
    def _people(self) -> Select[Any]:
        contacts, points = self.table["contacts"], self.table["contact_points"]
        joined = contacts.outerjoin(points, points.c.contact_id == contacts.c.id)
        wanted = contacts.c.id.in_(bindparam("ids", expanding=True))
        return select(contacts, points.c.kind, points.c.value).select_from(joined).where(wanted)

    @cached_property
    def _done(self) -> Executable:
        c = self.table["deliveries"].c
        mine = c.id.in_(bindparam("ids", expanding=True)), c.claim == bindparam("b_claim")
        sent = {"state": "sent", "due_at": END_OF_TIME, "reason": "", "provider_id": ""}
        return update(self.table["deliveries"]).where(*mine).values(**sent)
