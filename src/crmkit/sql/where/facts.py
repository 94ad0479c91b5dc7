"""The facts of many contacts, read from where SQL finds them: what expressions in Python are evaluated over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import Select, select

from crmkit.clock import FOREVER, from_micros
from crmkit.consent import Allowed, ConsentState, RefusalReason, Refused, Standing, consent_to, present
from crmkit.contacts import Contact
from crmkit.expressions.fields import Field
from crmkit.expressions.kinds import FieldType
from crmkit.expressions.sources import Aggregate, Clock, Consent, ContactColumn, Exists, Members, Source
from crmkit.expressions.values import AsStored, unscaled
from crmkit.sql.aliases import read_many_ids
from crmkit.sql.connection import Sql
from crmkit.sql.consents import by_contact, consents_of
from crmkit.sql.mapped.source import row_key
from crmkit.sql.source import ContactSource
from crmkit.sql.where.groups import groups_of, in_store, source_of
from crmkit.sql.where.rows import Ground, members
from crmkit.sql.where.values import Scope

Facts = dict[str, object]


@attrs.frozen
class Person:
    """Whose facts are read.

    Args:
        key: the row's key in the store's source, or the id.
        id: the contact's id; None if the CRM has written nothing about it.
        contact: the contact, where it was read from a store that SQL cannot ask.
    """

    key: Any
    id: UUID | None
    contact: Any = attrs.field(default=None, eq=False)


def keys_of(sql: Sql, source: ContactSource | None, contacts: Sequence[Contact]) -> dict[UUID, Any]:
    """Return the keys of contacts among those of their store, by id.

    Args:
        sql: the transaction's connection.
        source: the contacts, or None if only the store itself can read them.
        contacts: as they go on, at most a thousand.
    """
    keys: dict[UUID, Any] = {one.id: one.id for one in contacts}
    if source is None or source.key is source.id:
        return keys
    # of whom nothing was written, SQL knows no id
    rows = {one.id: row_key(one.host.pk) for one in contacts if one.host is not None}
    some = _among(source, list(rows.values()), list(keys))
    found: Any = sql.execute(select(some.id, some.key).where(some.where, some.id.in_(list(keys))))
    return keys | rows | {row[0]: row[1] for row in found}


def _among(source: ContactSource, keys: Sequence[Any], ids: Sequence[UUID]) -> ContactSource:
    return source if source.among is None else source.among(keys, ids)


class Reader:
    """Reads facts.

    Args:
        sql: the transaction's connection.
        ground: what statements stand on.
        source: the contacts, or None if only the store itself can read them.
        fields: which fields.
    """

    def __init__(
        self, sql: Sql, ground: Ground, source: ContactSource | None, fields: Iterable[Field]
    ) -> None:
        self.sql, self.ground, self.source = sql, ground, source
        known = source.columns if source is not None else ()
        self.at: dict[Field, Source] = {field: in_store(field, source_of(field), known) for field in fields}

    def read(self, people: Sequence[Person]) -> dict[Any, Facts]:
        """Return the facts of contacts by key; a field whose value is missing is left out.

        Args:
            people: at most a thousand.
        """
        facts: dict[Any, Facts] = {person.key: self._present() for person in people}
        keys = {person.id: person.key for person in people if person.id is not None}
        others = read_many_ids(self.sql, keys) if self.ground.merged else {}
        every = {id for own in keys for id in others.get(own, (own,))}
        ground = attrs.evolve(self.ground, only=sorted(every))
        self._read_own(ground, people, facts)
        if every:
            self._read_groups(ground, keys, facts)
            self._read_sets(ground, keys, facts)
            self._read_consents(every, keys, others, facts)
        return facts

    def _present(self) -> Facts:
        facts: Facts = {}
        for field, source in self.at.items():
            if isinstance(source, Clock):
                now = self.ground.now
                facts[field.name] = now.date() if field.type is FieldType.DATE else now
            elif isinstance(source, Aggregate) and source.function == "count":
                facts[field.name] = 0
            elif isinstance(source, Exists):
                facts[field.name] = False
        return facts

    def _read_own(self, ground: Ground, people: Sequence[Person], facts: dict[Any, Facts]) -> None:
        own = {field: source.field for field, source in self.at.items() if isinstance(source, ContactColumn)}
        if not own:
            return
        if self.source is None:
            for person in people:
                for field, name in own.items():
                    _put(facts[person.key], field, _plain(getattr(person.contact, name, None)))
            return
        ids = [person.id for person in people if person.id is not None]
        source = _among(self.source, [person.key for person in people], ids)
        scope = Scope(ground, source, own)
        decode = {field: decoder(field, stored=not scope.is_own) for field in own}
        for row in self._rows(self._own_rows(scope, own, people)):
            for field, value in zip(own, row[1:], strict=True):
                _put(facts[row[0]], field, decode[field](value))

    def _own_rows(self, scope: Scope, own: Iterable[Field], people: Sequence[Person]) -> Select[Any]:
        source = scope.source
        values = [scope.value(field).raw for field in own]
        wanted = source.key.in_([person.key for person in people])
        return select(source.key, *values).select_from(scope.rows).where(wanted)

    def _read_groups(self, ground: Ground, keys: Mapping[UUID, Any], facts: dict[Any, Facts]) -> None:
        for group in groups_of(self.at, self.at):
            decode = [decoder(field) for field in group.fields]
            for row in self._rows(group.select(ground)):
                if row[0] in keys:
                    for field, read, value in zip(group.fields, decode, row[1:], strict=True):
                        _put(facts[keys[row[0]]], field, read(value))

    def _read_sets(self, ground: Ground, keys: Mapping[UUID, Any], facts: dict[Any, Facts]) -> None:
        for field, source in self.at.items():
            if not isinstance(source, Members | Exists):
                continue
            for row in self._rows(members(ground, source).distinct()):
                if row[0] not in keys:
                    continue
                mine = facts[keys[row[0]]]
                if isinstance(source, Exists):
                    mine[field.name] = True
                else:
                    texts = mine.setdefault(field.name, set())
                    assert isinstance(texts, set)
                    texts.add(row[1])

    def _read_consents(
        self,
        ids: Iterable[UUID],
        keys: Mapping[UUID, Any],
        others: Mapping[UUID, tuple[UUID, ...]],
        facts: dict[Any, Facts],
    ) -> None:
        sources = [(field, source) for field, source in self.at.items() if isinstance(source, Consent)]
        if not sources:
            return
        for id, said in by_contact(consents_of(self.sql, ids), others).items():
            now = present(Standing(entries=tuple(said)), self.ground.now)
            for field, source in sources if id in keys else ():
                _put(facts[keys[id]], field, _word(consent_to(source.purpose, None, said, now)))

    def _rows(self, statement: Select[Any]) -> Iterable[Sequence[Any]]:
        return self.sql.execute(statement)


def _put(facts: Facts, field: Field, value: object) -> None:
    if value is not None:
        facts[field.name] = value


def _word(answer: Allowed | Refused) -> str | None:
    if isinstance(answer, Refused):
        return None if answer.reason is RefusalReason.NO_CONSENT else answer.reason.value
    return ConsentState.GRANTED.value


def _plain(value: Any) -> object:
    """Return a field of a contact as a fact: the empty text says nothing."""
    if isinstance(value, str):
        return str.__str__(value) or None
    return value


def decoder(field: Field, *, stored: bool = False) -> Callable[[Any], object]:
    """Return the function from what a column holds to the fact.

    Args:
        field: whose value.
        stored: whether text is a host's, which is compared as it stands.
    """
    match field.type:
        case FieldType.TEXT:
            return _stored_text if stored else _text
        case FieldType.DATE:
            return _date
        case FieldType.BOOLEAN:
            return _boolean
        case FieldType.INSTANT:
            return _instant
        case FieldType.DECIMAL:
            return lambda value: None if value is None else unscaled(int(value), field.scale)
        case _:
            return lambda value: None if value is None else int(value)


def _text(value: Any) -> object:
    return value or None


def _stored_text(value: Any) -> object:
    return AsStored(value) if value else None


def _date(value: Any) -> object:
    try:
        found = date.fromisoformat(value or "")
    except ValueError:
        return None
    return found if found.isoformat() == value else None


def _boolean(value: Any) -> object:
    return {0: False, 1: True}.get(value)


def _instant(value: Any) -> object:
    if value is None or value == FOREVER:
        return None
    try:
        return value if isinstance(value, datetime) else from_micros(int(value))
    except (OverflowError, ValueError):
        return None
