"""Tags, notes, custom fields, preferences, relations, facts and consents of imported rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from crmkit.contacts import Contact, Note, PersonalFact, Preference, Relation
from crmkit.events import LogEntry, TagsChanged, ValuesSet
from crmkit.exchange.consents import Consenting
from crmkit.exchange.incoming import Incoming
from crmkit.exchange.known import Known, fact_mark, note_mark, preference_marks
from crmkit.exchange.policy import OnDuplicate
from crmkit.exchange.said import SaidRelation
from crmkit.expressions.custom import Value, kept, written
from crmkit.sql.details import add_rows
from crmkit.transaction import Transaction


class Details:
    """Adds what rows say besides fields and points; what is there already is left alone.

    It is read for all rows together and written together at the end; only what changes a custom field or a
    preference, or comes to an older consent, is written one by one.

    Args:
        tx: the transaction of the batch.
        policy: whether custom fields and preferences that are there are overwritten.
    """

    def __init__(self, tx: Transaction, policy: OnDuplicate) -> None:
        self._tx = tx
        self._overwrites = policy is OnDuplicate.UPDATE
        self._known = Known(tx)
        self._consents = Consenting(tx)
        self._values: dict[UUID, Mapping[str, Value]] = {}
        self._rows: dict[str, list[dict[str, Any]]] = {"contact_tags": [], "contact_values": []}
        self._entries: list[LogEntry] = []
        self._notes: list[Note] = []
        self._facts: list[PersonalFact] = []
        self._relations: list[tuple[UUID, Relation]] = []
        self._preferences: list[tuple[UUID, Preference]] = []

    def look_up(self, rows: Sequence[Incoming], there: Sequence[tuple[Contact, Incoming]]) -> None:
        """Read what is needed to tell what is new.

        Args:
            rows: those that are taken; their contacts are written.
            there: those whose contacts were there before, with these.
        """
        self._known.look_up_others(rows)
        self._known.look_up(there)
        self._consents.look_up([contact for contact, row in there if row.consents])
        alone = [contact.id for contact, row in there if row.values and not contact.merged]
        self._values |= self._tx.contacts.values.of_many(alone)

    def missing(self, row: Incoming) -> Iterator[str]:
        """Yield a warning for each relation of a row to a contact that is not there."""
        for one in row.relations:
            if one.other is not None and self._known.other(one.other) is None:
                yield f"relation {one.kind!r} is left out: no contact has the id {one.other} so far"

    def add(self, contact: Contact, row: Incoming) -> bool:
        """Add what a row says of a contact; return whether anything was new.

        Raises:
            AlreadyErased: if the contact was erased.
        """
        if not row.says_more:
            return False
        self._known.refuse_erased(contact.id)
        added = [self._tag(contact, row), self._set_values(contact, row), self._prefer(contact, row)]
        added += [self._note(contact, row), self._note_facts(contact, row), self._relate(contact, row)]
        return any([*added, self._consents.add(contact, row.consents)])

    def write(self) -> None:
        """Write what was put off."""
        for table, rows in self._rows.items():
            add_rows(self._tx.sql, table, rows)
            rows.clear()
        self._tx.events.append_new(self._entries)
        contacts = self._tx.contacts
        contacts.preferences.keep(self._preferences)
        contacts.notes.keep(self._notes)
        contacts.facts.keep(self._facts)
        contacts.relations.keep(self._relations)
        self._consents.write()
        for done in (self._entries, self._preferences, self._notes, self._facts, self._relations):
            done.clear()

    def _tag(self, contact: Contact, row: Incoming) -> bool:
        added = [tag for tag in sorted(set(row.tags)) if self._known.is_new(contact.id, ("tag", tag))]
        now = self._tx.now
        self._rows["contact_tags"] += [
            {"contact_id": contact.id, "tag": tag, "added_at": now} for tag in added
        ]
        if added:
            self._append(TagsChanged(added=tuple(added)), contact.id)
        return bool(added)

    def _set_values(self, contact: Contact, row: Incoming) -> bool:
        if not row.values:
            return False
        before = self._values.get(contact.id, {})
        if contact.merged:
            before = self._tx.contacts.values.of(contact.id)
        wanted = {
            name: value
            for name, value in row.values.items()
            if before.get(name) != value and (self._overwrites or name not in before)
        }
        if wanted.keys() & before.keys() or (wanted and contact.merged):
            self.write()
            self._values[contact.id] = self._tx.contacts.values.set(contact.id, wanted)
        elif wanted:
            self._values[contact.id] = {**before, **wanted}
            self._add_values(contact.id, wanted)
        return bool(wanted)

    def _add_values(self, id: UUID, values: Mapping[str, Value]) -> None:
        fields, now = self._tx.crm.registry.custom_fields, self._tx.now
        for name, value in values.items():
            first = 1 if isinstance(value, frozenset) else 0
            for place, (text, number) in enumerate(kept(fields[name], value), first):
                row = {"contact_id": id, "field": name, "place": place, "text": text, "number": number}
                self._rows["contact_values"].append(row | {"set_at": now})
        names = tuple(sorted(values))
        after = {name: written(values[name]) for name in names}
        self._append(ValuesSet(fields=names, before={}, after=after), id)

    def _prefer(self, contact: Contact, row: Incoming) -> bool:
        return sum(self._prefers(contact, said.preference(self._tx.now)) for said in row.preferences) > 0

    def _prefers(self, contact: Contact, one: Preference) -> bool:
        about, says = preference_marks(one)
        before = self._known.preferences.get((contact.id, about))
        if before == says or (before is not None and not self._overwrites):
            return False
        self._known.preferences[contact.id, about] = says
        if before is None:
            self._preferences.append((contact.id, one))
            return True
        self.write()
        said = {"liking": one.liking, "source": one.source, "confidence": one.confidence}
        self._tx.contacts.preferences.set(contact.id, one.kind, one.value, **said)  # type: ignore[arg-type]
        return True

    def _note(self, contact: Contact, row: Incoming) -> bool:
        now, author, known = self._tx.now, self._tx.actor, self._known
        count = len(self._notes)
        for said in row.notes:
            note = said.note(self._tx.new_id(), contact.id, author, now)
            new_text = known.is_new(contact.id, ("text", note.text))
            if known.is_new(contact.id, note_mark(note)) if said.at else new_text:
                self._notes.append(note)
        return len(self._notes) > count

    def _note_facts(self, contact: Contact, row: Incoming) -> bool:
        facts = [said.fact(self._tx.new_id(), contact.id, self._tx.now) for said in row.facts]
        new = [one for one in facts if self._known.is_new(contact.id, fact_mark(one))]
        self._facts += new
        return bool(new)

    def _relate(self, contact: Contact, row: Incoming) -> bool:
        return sum(self._relates(contact, said) for said in row.relations) > 0

    def _relates(self, contact: Contact, said: SaidRelation) -> bool:
        mine, other = contact.id, self._known.other(said.other) if said.other else None
        if other == mine or (said.other and other is None):
            return False  # they go on as one person; or it is not there, which is warned of
        subject, other = (other, mine) if said.of and other else (mine, other)
        relation = said.relation(self._tx.new_id(), other)
        if not self._known.is_new_relation(subject, relation):
            return False
        self._relations.append((subject, relation))
        return True

    def _append(self, event: TagsChanged | ValuesSet, id: UUID) -> None:
        self._entries.append(self._tx.events.entry(event, contact_id=id, subject_id=id))
