"""Tags, notes, custom fields, consents, relations and facts of imported rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from crmkit.events import LogEntry, TagsChanged, ValuesSet
from crmkit.exchange.incoming import Incoming
from crmkit.exchange.policy import OnDuplicate
from crmkit.expressions.custom import Value, kept, written
from crmkit.sql.details import read_many
from crmkit.transaction import Transaction


class Details:
    """Adds what rows say besides fields and points; what is there already is left alone.

    Tags, and the custom fields of new contacts, are written together at the end.

    Args:
        tx: the transaction of the batch.
        policy: whether custom fields that have a value are overwritten.
        source: where consents, relations and facts are said to come from.
    """

    def __init__(self, tx: Transaction, policy: OnDuplicate, source: str) -> None:
        self._tx = tx
        self._policy = policy
        self._source = source if source.startswith("import") else f"import:{source}"
        self._tags: dict[UUID, set[str]] = {}
        self._rows: dict[str, list[dict[str, Any]]] = {"contact_tags": [], "contact_values": []}
        self._entries: list[LogEntry] = []

    def look_up(self, ids: Iterable[UUID]) -> None:
        """Read the tags of contacts."""
        wanted = list(dict.fromkeys(ids))
        self._tags |= {id: set() for id in wanted}
        for row in read_many(self._tx.sql, "contact_tags", wanted):
            self._tags[row.contact_id].add(row.tag)

    def add(self, id: UUID, row: Incoming, *, new: bool, merged: bool = False) -> bool:
        """Add what a row says of a contact; return whether anything was new.

        Args:
            id: the contact.
            row: what is said.
            new: whether the contact was added with this very row.
            merged: whether others were merged into it.
        """
        changed = bool(row.tags) and (
            self._add_merged_tags(id, row.tags) if merged else self._add_tags(id, row.tags)
        )
        if row.values:
            changed |= self._add_new_values(id, row.values) if new else self._add_values(id, row.values)
        if row.notes or row.consents or row.relations or row.facts:
            changed |= self._add_others(id, row)
        return changed

    def write(self) -> None:
        """Write what was put off."""
        for table, rows in self._rows.items():
            self._tx.sql.insert(self._tx.sql.tables[table], rows)
            rows.clear()
        self._tx.events.append_new(self._entries)
        self._entries = []

    def _add_tags(self, id: UUID, tags: Iterable[str]) -> bool:
        had = self._tags.setdefault(id, set())
        added = sorted(set(tags) - had)
        if added:
            had.update(added)
            now = self._tx.now
            self._rows["contact_tags"] += [{"contact_id": id, "tag": tag, "added_at": now} for tag in added]
            self._append(TagsChanged(added=tuple(added)), id)
        return bool(added)

    def _add_merged_tags(self, id: UUID, tags: Iterable[str]) -> bool:
        before = self._tx.contacts.tags.of(id)
        return self._tx.contacts.tags.add(id, *tags) != before

    def _add_new_values(self, id: UUID, values: Mapping[str, Value]) -> bool:
        fields, now = self._tx.crm.registry.custom_fields, self._tx.now
        for name, value in values.items():
            first = 1 if isinstance(value, frozenset) else 0
            for place, (text, number) in enumerate(kept(fields[name], value), first):
                row = {
                    "contact_id": id,
                    "field": name,
                    "place": place,
                    "text": text,
                    "number": number,
                    "set_at": now,
                }
                self._rows["contact_values"].append(row)
        names = tuple(sorted(values))
        self._append(
            ValuesSet(fields=names, before={}, after={name: written(values[name]) for name in names}), id
        )
        return True

    def _add_values(self, id: UUID, values: Mapping[str, Value]) -> bool:
        self.write()
        before = self._tx.contacts.values.of(id)
        overwrites = self._policy is OnDuplicate.UPDATE
        wanted = {name: value for name, value in values.items() if overwrites or name not in before}
        return bool(wanted) and self._tx.contacts.values.set(id, wanted) != before

    def _add_others(self, id: UUID, row: Incoming) -> bool:
        contacts, changed = self._tx.contacts, False
        if row.notes:
            had = {note.text for note in contacts.notes.of(id)}
            for text in dict.fromkeys(row.notes):
                if text not in had:
                    contacts.notes.write(id, text)
                    changed = True
        for kind, name in row.relations:
            before = len(contacts.relations.of(id))
            contacts.relations.add(id, kind, name, source=self._source)
            changed |= len(contacts.relations.of(id)) > before
        for text, on in row.facts:
            had_facts = {(fact.text, fact.on) for fact in contacts.facts.of(id)}
            contacts.facts.add(id, text, on=on, source=self._source)
            changed |= (text, on) not in had_facts
        return self._consent(id, row) or changed

    def _consent(self, id: UUID, row: Incoming) -> bool:
        consents = self._tx.consents
        before = len(consents.history(id)) if row.consents else 0
        for name, given in row.consents.items():
            purpose, _, channel = name.partition(":")
            if given:
                consents.grant(id, purpose, channel, source=self._source)
            else:
                consents.withdraw(id, purpose, channel, source=self._source)
        return bool(row.consents) and len(consents.history(id)) > before

    def _append(self, event: Any, id: UUID) -> None:
        self._entries.append(self._tx.events.entry(event, contact_id=id, subject_id=id))
