"""One expression asked of contacts: of all of them in SQL where that is possible, in Python where it is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import attrs

from crmkit.contacts import Contact
from crmkit.errors import ExpressionError, NotFound
from crmkit.expressions import Explanation, Expression, Field
from crmkit.expressions.sources import Loaded
from crmkit.expressions.tree import And, Clause, fields_of, leaves_of, operands
from crmkit.sql.source import ContactSource
from crmkit.sql.where.audience import Audience, audience, ground_of
from crmkit.sql.where.facts import Facts, Person, Reader, keys_of
from crmkit.sql.where.rows import Ground
from crmkit.stores import HostStore

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction

_AT_ONCE = 1000
_KEYS_AT_ONCE = 50_000
_SEGMENT = "segment."


@attrs.frozen
class SegmentMember:
    """A contact of whom an expression is true.

    Args:
        key: its place in the order of all contacts; what a page goes on after.
        id: its id.
    """

    key: Any
    id: UUID


class Question:
    """Asks an expression; made by `tx.segments`.

    Args:
        tx: the transaction.
        expression: the checked expression.
    """

    def __init__(self, tx: Transaction, expression: Expression) -> None:
        self._tx = tx
        self.expression = expression
        self._source = tx.crm.store.source(tx)
        self._ground = ground_of(tx.sql, tx.now)

    @property
    def in_sql(self) -> bool:
        """Whether the database answers alone; else every contact is looked at here."""
        return self._source is not None and not self.expression.python_only

    @property
    def audience(self) -> Audience:
        """The contacts in question as parts of a SELECT, where `in_sql` is true."""
        assert self._source is not None
        return audience(self._ground, self._source, self.expression)

    def count(self) -> int:
        """Return of how many contacts the expression is true."""
        if self.in_sql:
            return int(self._tx.sql.execute(self.audience.count()).scalar_one())
        return sum(1 for _ in self._looked_at(None))

    def members(self, after: Any = None, limit: int = _AT_ONCE) -> list[SegmentMember]:
        """Return contacts of whom the expression is true, in a stable order.

        Args:
            after: the last key of the page before; None from the beginning.
            limit: at most how many.
        """
        if not self.in_sql:
            return self._named(list(islice(self._looked_at(after), limit)))
        rows = self._tx.sql.execute(self.audience.page(after, limit))
        return self._named([Person(key=row.key, id=row.id) for row in rows])

    def every(self) -> Iterator[list[SegmentMember]]:
        """Yield all contacts of whom the expression is true, at most a thousand at a time."""
        found = self._looked_at(None)
        while people := list(islice(found, _AT_ONCE)):
            yield self._named(people)

    def contains(self, contact_id: UUID) -> bool:
        """Return whether the expression is true of a contact."""
        return self.expression.compile()(self.facts(contact_id))

    def explain(self, contact_id: UUID) -> Explanation:
        """Return whether the expression is true of a contact, and which clause decided."""
        return self.expression.explain(self.facts(contact_id))

    def facts(self, contact_id: UUID) -> Mapping[str, object]:
        """Return what the expression reads of a contact.

        Raises:
            NotFound: if there is no such contact.
        """
        (person,) = self._people([self._tx.contacts.get(contact_id)])
        return self.read([person])[person.key]

    def read(self, people: Sequence[Person]) -> dict[Any, Facts]:
        """Return what the expression reads of some contacts, at most a thousand, by their keys."""
        fields = self.expression.fields
        loaded = any(isinstance(field.source, Loaded) for field in fields)
        named = self._named(people) if loaded else ()
        return _read(self._tx, self._ground, self._source, fields, people, named)

    def true_of(self, ids: Sequence[UUID]) -> set[UUID]:
        """Return of which of some contacts, at most a thousand, the expression is true."""
        found = self._tx.contacts.get_many(ids)
        people = self._people([one for id, one in found.items() if one.id == id])
        facts, predicate = self.read(people), self.expression.compile()
        return {one.id for one in people if one.id is not None and predicate(facts[one.key])}

    def _looked_at(self, after: Any) -> Iterator[Person]:
        predicate = self.expression.compile()
        for people in self._pages(after):
            facts = self.read(people)
            yield from (person for person in people if predicate(facts[person.key]))

    def _pages(self, after: Any) -> Iterator[Sequence[Person]]:
        """Yield contacts that may be meant, at most a thousand at a time: of whom all is true that SQL can answer."""
        if self._source is None:
            yield from self._scanned(after)
            return
        found = audience(self._ground, self._source, self._sql_part)
        # where no index finds a key, each page is a pass over all contacts
        limit = _AT_ONCE if self._source.among is None else _KEYS_AT_ONCE
        while rows := self._tx.sql.execute(found.page(after, limit)).all():
            for start in range(0, len(rows), _AT_ONCE):
                yield [Person(key=row.key, id=row.id) for row in rows[start : start + _AT_ONCE]]
            after = rows[-1].key

    def _scanned(self, after: Any) -> Iterator[Sequence[Person]]:
        while page := self._tx.crm.store.scan(self._tx, after=after, limit=_AT_ONCE):
            yield [Person(contact.id, contact.id, contact) for contact in page]
            after = page[-1].id

    @cached_property
    def _sql_part(self) -> Expression:
        tree = self.expression.tree
        clauses = tree.clauses if isinstance(tree, And) else (tree,)
        kept = tuple(clause for clause in clauses if not _is_python_only(clause))
        fields = {
            field for clause in kept for leaf in leaves_of(clause) for field in fields_of(*operands(leaf))
        }
        return attrs.evolve(self.expression, tree=And(kept), fields=tuple(fields), python_only=())

    def _named(self, people: Sequence[Person]) -> list[SegmentMember]:
        """Return contacts with their ids, those of the host's rows that the CRM has written nothing about too."""
        nameless = [person.key for person in people if person.id is None]
        ids = cast(HostStore, self._tx.crm.store).identify(self._tx, nameless) if nameless else {}
        return [SegmentMember(one.key, ids[one.key] if one.id is None else one.id) for one in people]

    def _people(self, contacts: Sequence[Contact]) -> list[Person]:
        keys = keys_of(self._tx.sql, self._source, contacts)
        return [Person(keys[one.id], one.id, one) for one in contacts]


def fields_of_contact(tx: Transaction, contact: Contact, names: Sequence[str], at: datetime) -> Facts:
    """Return the values of some fields of a contact at an instant; those that are missing are left out.

    Args:
        tx: the transaction.
        contact: whose.
        names: fields that the CRM has, and segments as `segment.NAME`; one that is not defined is missing.
        at: what `now` is to them; a segment is what it is at present.
    """
    ground, source = ground_of(tx.sql, at), tx.crm.store.source(tx)
    segments = [name for name in names if name.startswith(_SEGMENT)]
    fields = [tx.crm.fields[name] for name in names if name not in segments]
    person = Person(keys_of(tx.sql, source, [contact])[contact.id], contact.id, contact)
    found = _read(tx, ground, source, fields, [person], [SegmentMember(person.key, contact.id)])[person.key]
    for name in segments:
        with suppress(NotFound, ExpressionError):
            found[name] = tx.segments.contains(name.removeprefix(_SEGMENT), contact.id)
    return found


def _read(
    tx: Transaction,
    ground: Ground,
    source: ContactSource | None,
    fields: Sequence[Field],
    people: Sequence[Person],
    named: Iterable[SegmentMember],
) -> dict[Any, Facts]:
    stored = [field for field in fields if not isinstance(field.source, Loaded)]
    facts = Reader(tx.sql, ground, source, stored).read(people)
    keys = {one.id: one.key for one in named}
    for field in fields:
        if isinstance(field.source, Loaded):
            for id, value in field.source.function(tx, tuple(keys)).items():
                facts[keys[id]][field.name] = value
    return facts


def _is_python_only(clause: Clause) -> bool:
    fields = (field for leaf in leaves_of(clause) for field in fields_of(*operands(leaf)))
    return any(isinstance(field.source, Loaded) for field in fields)
