"""What is known of contacts besides their fields and points, read for a page of them at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from crmkit.clock import FOREVER
from crmkit.contacts import Contact
from crmkit.exchange.consents import words
from crmkit.exchange.documents import Exported
from crmkit.exchange.said import SaidFact, SaidNote, SaidPreference, SaidRelation
from crmkit.expressions.custom import written
from crmkit.sql.aliases import read_many_ids
from crmkit.sql.consents import consents_of
from crmkit.sql.details import read_many
from crmkit.sql.erasures import erased_among
from crmkit.sql.layout.details import latest_preferences
from crmkit.transaction import Transaction
from crmkit.transaction.details.relations import NOBODY

#: By any id under which it was recorded: the contact that it is of.
Whose = Mapping[UUID, UUID]
Said = TypeVar("Said")


def gathered(tx: Transaction, contacts: Sequence[Contact], *, in_order: bool) -> list[Exported]:
    """Return contacts with what is exported of them; those who were erased are left out.

    Args:
        tx: the transaction.
        contacts: any number.
        in_order: whether all contacts are exported in the order of their ids; then a relation between two is told of
            the later one alone, so that whoever imports it finds the other there.
    """
    erased = erased_among(tx.sql, [contact.id for contact in contacts])
    contacts = [contact for contact in contacts if contact.id not in erased]
    whose = {id: contact.id for contact in contacts for id in contact.ids}
    tags = _grouped(whose, read_many(tx.sql, "contact_tags", whose))
    notes = _grouped(whose, read_many(tx.sql, "contact_notes", whose))
    facts = _grouped(whose, read_many(tx.sql, "contact_facts", whose))
    preferences = _grouped(whose, read_many(tx.sql, "contact_preferences", whose))
    consents = _grouped(whose, consents_of(tx.sql, whose))
    relations, values = _relations(tx, whose, in_order), _values(tx, contacts)
    return [
        Exported(
            contact=contact,
            tags=tuple(sorted({row.tag for row in tags.get(contact.id, ())})),
            notes=_notes(notes.get(contact.id, ())),
            relations=_distinct(relations.get(contact.id, ())),
            preferences=_preferences(preferences.get(contact.id, ())),
            facts=_facts(facts.get(contact.id, ())),
            consents=words(consents.get(contact.id, ()), tx.now),
            values=values.get(contact.id, {}),
        )
        for contact in contacts
    ]


def _grouped(whose: Whose, rows: Sequence[Any]) -> dict[UUID, list[Any]]:
    found: dict[UUID, list[Any]] = {}
    for row in rows:
        found.setdefault(whose[row.contact_id], []).append(row)
    return found


def _distinct(said: Sequence[Said]) -> tuple[Said, ...]:
    return tuple(dict.fromkeys(said))


def _notes(rows: Sequence[Any]) -> tuple[SaidNote, ...]:
    standing = sorted((row for row in rows if row.until == FOREVER), key=lambda row: (row.noted_at, row.id))
    said = [SaidNote(text=row.text, kind=row.kind, at=row.noted_at, **row.details) for row in standing]
    return _distinct(said)


def _facts(rows: Sequence[Any]) -> tuple[SaidFact, ...]:
    ordered = sorted(rows, key=lambda row: (row.on_date, row.id))
    return _distinct(
        [
            SaidFact(
                text=row.text, on=row.on_date, source=row.source, privacy=row.privacy, purpose=row.purpose
            )
            for row in ordered
        ]
    )


def _preferences(rows: Sequence[Any]) -> tuple[SaidPreference, ...]:
    names = ("kind", "value", "liking", "source", "confidence")
    ordered = sorted(latest_preferences(rows), key=lambda row: (row.kind, row.value))
    return tuple(SaidPreference(**{name: getattr(row, name) for name in names}) for row in ordered)


def _relations(tx: Transaction, whose: Whose, in_order: bool) -> dict[UUID, list[SaidRelation]]:
    """Return relations from the side of each contact, whichever side noted them."""
    found: dict[UUID, list[SaidRelation]] = {}
    for id, said in _sides(tx, whose):
        if not in_order or said.other is None or said.other < id:
            found.setdefault(id, []).append(said)
    return found


def _sides(tx: Transaction, whose: Whose) -> Iterator[tuple[UUID, SaidRelation]]:
    noted = _ordered(read_many(tx.sql, "contact_relations", whose))
    told = _ordered(read_many(tx.sql, "contact_relations", whose, by="other_id"))
    others = {*(row.other_id for row in noted), *(row.contact_id for row in told)}
    families = read_many_ids(tx.sql, others)
    today = {id: families.get(id, (id,))[0] for id in others}
    for row in noted:
        other = None if row.other_id == NOBODY else today[row.other_id]
        if other != whose[row.contact_id]:
            yield whose[row.contact_id], _said(row, name=row.other_name, contact=other)
    for row in told:
        if today[row.contact_id] != whose[row.other_id]:
            yield whose[row.other_id], _said(row, of=today[row.contact_id])


def _ordered(rows: Sequence[Any]) -> list[Any]:
    return sorted(rows, key=lambda row: (row.ended_at, row.id))


def _said(row: Any, **other: Any) -> SaidRelation:
    ended_at = None if row.ended_at == FOREVER else row.ended_at
    return SaidRelation(kind=row.kind, source=row.source, began_on=row.began_on, ended_at=ended_at, **other)


def _values(tx: Transaction, contacts: Sequence[Contact]) -> dict[UUID, dict[str, str]]:
    if not tx.crm.registry.custom_fields:
        return {}
    alone = [contact.id for contact in contacts if not contact.merged]
    found = tx.contacts.values.of_many(alone)
    found |= {contact.id: tx.contacts.values.of(contact.id) for contact in contacts if contact.merged}
    return {id: {name: written(value) for name, value in values.items()} for id, values in found.items()}
