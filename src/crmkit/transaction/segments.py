"""tx.segments: named expressions over contacts, who they hold, and who came and went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs

from crmkit.clock import FOREVER
from crmkit.contacts import Contact
from crmkit.errors import ExpressionError, NotFound, ValueRefused
from crmkit.events import SegmentDefined, SegmentDropped
from crmkit.expressions import Explanation, Expression, Field, FieldType, check
from crmkit.expressions.sources import Inlined
from crmkit.settings import did_you_mean
from crmkit.sql import segments as rows
from crmkit.text import clean
from crmkit.transaction.questions import Question, SegmentMember
from crmkit.transaction.refreshes import Refreshed, refresh

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction

NAME_LIMIT, DOC_LIMIT = 60, 500
PREFIX = "segment."


@attrs.frozen(kw_only=True)
class Segment:
    """A named expression over contacts.

    Args:
        name: its name; in expressions it is `segment.NAME`.
        expression: its text.
        doc: what it is for.
        watched: whether `crm.run_due()` refreshes it.
        author: who defined it, as an actor.
        defined_at: when its expression was defined.
        refreshed_at: when it was last refreshed, or None.
    """

    name: str
    expression: str
    doc: str = ""
    watched: bool = False
    author: str
    defined_at: datetime
    refreshed_at: datetime | None = None


class Segments:
    """Defines segments and asks them.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def check(self, expression: str) -> Expression:
        """Return an expression checked against all fields of this CRM and its segments.

        Raises:
            ExpressionError: if it is wrong; the message says what would have been right.
        """
        return check(expression, _Names(self._tx, ()))

    def define(self, name: str, expression: str, *, doc: str = "", watched: bool = False) -> Segment:
        """Define a segment, or change it; one that stands as given is left alone.

        Args:
            name: ASCII letters, digits and underscores, beginning with a letter.
            expression: a condition on contacts.
            doc: what it is for.
            watched: whether `crm.run_due()` refreshes it, so that events tell who comes and goes.

        Raises:
            ExpressionError: if the expression is wrong; nothing changes.
            ValueRefused: if the name is wrong; nothing changes.
        """
        row = {
            "name": _name(name),
            "expression": expression,
            "doc": clean(doc, "a segment's doc", limit=DOC_LIMIT, multiline=True),
            "watched": int(watched),
        }
        check(expression, _Names(self._tx, (name,)))
        found = rows.read_segments(self._tx.sql, name, lock=True)
        if found and all(getattr(found[0], column) == value for column, value in row.items()):
            return _segment(found[0])
        if not found or found[0].expression != expression:
            row |= {"author": self._tx.actor, "defined_at": self._tx.now}
        with self._tx.sql.isolated():
            self._write(name, row, bool(found))
        return self.get(name)

    def list(self) -> tuple[Segment, ...]:
        """Return all segments in the order of their names."""
        return tuple(_segment(row) for row in rows.read_segments(self._tx.sql))

    def get(self, name: str) -> Segment:
        """Return a segment.

        Raises:
            NotFound: if there is none of that name.
        """
        found = rows.read_segments(self._tx.sql, name)
        if not found:
            known = [segment.name for segment in self.list()]
            raise NotFound(f"there is no segment {name!r}{did_you_mean(name, known)}")
        return _segment(found[0])

    def drop(self, name: str) -> None:
        """Drop a segment.

        Raises:
            NotFound: if there is none of that name.
            ValueRefused: if another segment asks for it.
        """
        self.get(name)
        for other in self.list():
            if other.name != name and PREFIX + name in _declared(self._tx, other):
                raise ValueRefused(
                    f"segment {other.name!r} asks for {PREFIX}{name}; change it or drop it first"
                )
        with self._tx.sql.isolated():
            rows.drop_segment(self._tx.sql, name)
            self._tx.events.append(SegmentDropped(segment=name))

    def ask(self, expression: str | Expression) -> Question:
        """Return a question without a name: an expression to be asked once.

        Raises:
            ExpressionError: if it is wrong.
        """
        checked = self.check(expression) if isinstance(expression, str) else expression
        return Question(self._tx, checked)

    def question(self, name: str) -> Question:
        """Return a segment as a question.

        Raises:
            NotFound: if there is none of that name.
            ExpressionError: if it asks for what is no more, such as a field of a plugin that was disabled.
        """
        segment = self.get(name)
        return Question(self._tx, check(segment.expression, _Names(self._tx, (name,))))

    def count(self, name: str) -> int:
        """Return how many contacts a segment holds now."""
        return self.question(name).count()

    def members(
        self, name: str, *, after: SegmentMember | None = None, limit: int = 1000
    ) -> Sequence[SegmentMember]:
        """Return who is in a segment now, in an order that stays.

        Args:
            name: the segment.
            after: the last of the page before; None from the beginning.
            limit: at most how many.
        """
        if type(limit) is not int or limit < 1:
            raise ValueRefused(f"limit is {limit!r}; it must be a whole number from 1 on")
        return self.question(name).members(after.key if after is not None else None, limit)

    def preview(self, name: str, *, limit: int = 10) -> tuple[Contact, ...]:
        """Return some contacts of a segment, to see whether it means what it should."""
        ids = [member.id for member in self.members(name, limit=limit)]
        found = self._tx.contacts.get_many(ids)
        return tuple(found[id] for id in ids if id in found)

    def contains(self, name: str, contact_id: UUID) -> bool:
        """Return whether a contact is in a segment now.

        Raises:
            NotFound: if there is no such segment or contact.
        """
        return self.question(name).contains(contact_id)

    def explain(self, name: str, contact_id: UUID) -> Explanation:
        """Return whether a contact is in a segment now, and which clauses decided, with the values they saw.

        Raises:
            NotFound: if there is no such segment or contact.
        """
        return self.question(name).explain(contact_id)

    def refresh(self, name: str) -> Refreshed:
        """Take down who is in a segment now, and append an event for each who came or went since the last time.

        The first refresh takes down who is there and appends no events.

        Raises:
            NotFound: if there is no such segment.
        """
        return refresh(self._tx, name, self.question(name))

    def _write(self, name: str, row: Mapping[str, Any], known: bool) -> None:
        if not known and not rows.add_segment(self._tx.sql, dict(row)):
            known = True  # somebody else defined it meanwhile
        if known:
            rows.change_segment(self._tx.sql, name, dict(row))
        if "author" in row:
            self._tx.events.append(SegmentDefined(segment=name, expression=row["expression"]))


class _Names(Mapping[str, Field]):
    """The fields of the CRM and its segments by name; a segment is checked when it is met.

    Args:
        tx: the transaction.
        within: the segments in whose definition this is, which it must not name again.
    """

    def __init__(self, tx: Transaction, within: tuple[str, ...]) -> None:
        self._tx, self._within = tx, within

    def __getitem__(self, name: str) -> Field:
        if not name.startswith(PREFIX):
            return self._tx.crm.fields[name]
        segment = name.removeprefix(PREFIX)
        if segment in self._within:
            chain = " -> ".join((*self._within, segment))
            raise ExpressionError(f"segment {segment!r} would ask for itself: {chain}")
        found = rows.read_segments(self._tx.sql, segment)
        if not found:
            raise KeyError(name)
        inner = check(found[0].expression, _Names(self._tx, (*self._within, segment)))
        return Field(name, FieldType.BOOLEAN, doc=found[0].doc, source=Inlined(inner))

    def __iter__(self) -> Iterator[str]:
        yield from self._tx.crm.fields
        yield from (PREFIX + row.name for row in rows.read_segments(self._tx.sql))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _name(name: str) -> str:
    try:
        Field(PREFIX + clean(name, "a segment's name", limit=NAME_LIMIT, empty=False), FieldType.BOOLEAN)
    except ExpressionError:
        plain = False
    else:
        plain = "." not in name
    if not plain:
        raise ValueRefused(
            f"{name!r} is no name of a segment: use ASCII letters, digits and underscores, a letter first"
        )
    return name


def _declared(tx: Transaction, segment: Segment) -> set[str]:
    try:
        return {field.name for field in check(segment.expression, _Names(tx, (segment.name,))).declared}
    except ExpressionError:  # it asks for what is no more, perhaps; it cannot be asked any longer itself
        return set()


def _segment(row: Any) -> Segment:
    return Segment(
        name=row.name,
        expression=row.expression,
        doc=row.doc,
        watched=bool(row.watched),
        author=row.author,
        defined_at=row.defined_at,
        refreshed_at=None if row.refreshed_at == FOREVER else row.refreshed_at,
    )
