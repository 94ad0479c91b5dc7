"""tx.contacts.values: the fields that the host and plugins declare, typed and refused when wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from crmkit.errors import RetryTransaction, ValueRefused
from crmkit.events import ValuesSet
from crmkit.expressions import Field
from crmkit.expressions.custom import Value, checked, kept, restored, written
from crmkit.settings import did_you_mean
from crmkit.sql.details import read_many, read_rows, remove_rows
from crmkit.sql.layout.details import latest_values
from crmkit.transaction.details.subject import just_after, open_to

if TYPE_CHECKING:
    from crmkit.transaction.unit import Transaction

#: By the name of the field.
FieldValues = dict[str, Value]


class Values:
    """Keeps the custom fields of contacts: those of `CRM(fields=[...])` and `crmkit_fields` without a source.

    Args:
        tx: the transaction.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def set(self, contact_id: UUID, values: Mapping[str, object]) -> FieldValues:
        """Set custom fields of a contact and return all that it has then; None takes a value away.

        Args:
            contact_id: whose.
            values: by the field's name; each of the field's type.

        Raises:
            NotFound: if there is no such contact.
            ValueRefused: if a field is not declared or a value does not fit; nothing changes.
        """
        wanted = {name: self._checked(name, value) for name, value in values.items()}
        ids = open_to(self._tx, contact_id)
        before = self._read(ids)
        own = self._read([contact_id]) if len(ids) > 1 else before
        changed = [name for name in sorted(wanted) if not before.get(name) == own.get(name) == wanted[name]]
        if not changed:
            return before
        event = ValuesSet(
            fields=tuple(changed),
            before={name: written(before.get(name)) for name in changed if name in before},
            after={name: written(wanted[name]) for name in changed if wanted[name] is not None},
        )
        with self._tx.sql.isolated():
            at = self._clear(contact_id, ids, {name: wanted[name] for name in changed})
            self._write(contact_id, {name: wanted[name] for name in changed}, at)
            self._tx.events.append(event, contact_id=contact_id, subject_id=contact_id)
        after = before | {name: value for name, value in wanted.items() if value is not None}
        return {name: value for name, value in sorted(after.items()) if wanted.get(name, value) is not None}

    def of(self, contact_id: UUID) -> FieldValues:
        """Return a contact's custom fields by name; those without a value are left out."""
        return self._read(self._tx.contacts.ids(contact_id))

    def of_many(self, contact_ids: Sequence[UUID]) -> dict[UUID, FieldValues]:
        """Return the custom fields of many contacts that were not merged, by the id under which they were set."""
        rows: dict[UUID, list[Any]] = {}
        for row in read_many(self._tx.sql, "contact_values", contact_ids):
            rows.setdefault(row.contact_id, []).append(row)
        return {id: self._restored(rows.get(id, ())) for id in contact_ids}

    def _checked(self, name: str, value: object) -> Value | None:
        field = self.field(name)
        found = None if value is None else checked(field, value)
        return None if found == frozenset() else found  # a set without members is no value

    def field(self, name: str) -> Field:
        """Return the declared field of a name.

        Raises:
            ValueRefused: if there is none; the message offers those there are.
        """
        fields = self._tx.crm.registry.custom_fields
        if name not in fields:
            raise ValueRefused(f"there is no custom field {name!r}{did_you_mean(str(name), list(fields))}")
        return fields[name]

    def _read(self, ids: Sequence[UUID]) -> FieldValues:
        rows = read_rows(self._tx.sql, "contact_values", ids, order=("contact_id", "field", "place"))
        return self._restored(latest_values(rows))

    def _restored(self, rows: Sequence[Any]) -> FieldValues:
        fields = self._tx.crm.registry.custom_fields
        kept: dict[str, list[tuple[str, int]]] = {}
        for row in rows:
            if row.field in fields:  # of a plugin that is not enabled today: kept, not read
                kept.setdefault(row.field, []).append((row.text, row.number))
        return {name: restored(fields[name], kept[name]) for name in sorted(kept)}

    def _clear(self, contact_id: UUID, ids: Sequence[UUID], values: Mapping[str, Value | None]) -> datetime:
        """Remove what would be read instead of the new values, or beside them; return since when these are to hold.

        What others who go on as this contact had before stays: it reads again once they part.
        """
        rows = read_rows(self._tx.sql, "contact_values", ids, field=tuple(values)) if len(ids) > 1 else []
        everywhere = tuple(name for name, value in values.items() if value is None)
        alone = tuple(name for name in values if name not in everywhere)
        if alone:
            remove_rows(self._tx.sql, "contact_values", [contact_id], field=alone)
        if everywhere:
            remove_rows(self._tx.sql, "contact_values", ids, field=everywhere)
        return just_after(self._tx.now, [row for row in rows if row.contact_id != contact_id])

    def _write(self, contact_id: UUID, values: Mapping[str, Value | None], at: datetime) -> None:
        table = self._tx.sql.tables["contact_values"]
        for name, value in values.items():
            rows = [] if value is None else kept(self.field(name), value)
            first = 1 if isinstance(value, frozenset) else 0
            for place, (text, number) in enumerate(rows, first):
                row = {
                    "contact_id": contact_id,
                    "field": name,
                    "place": place,
                    "text": text,
                    "number": number,
                    "set_at": at,
                }
                if not self._tx.sql.claim(table, row):
                    raise RetryTransaction(f"field {name!r} is being set by another transaction")
