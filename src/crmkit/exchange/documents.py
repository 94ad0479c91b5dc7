"""A contact as the columns of a table, as a JSON object, and back to the cells that a `Builder` reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from crmkit.contacts import EDITABLE, Contact, PointKind
from crmkit.errors import ValueRefused
from crmkit.exchange.points import point_data
from crmkit.exchange.said import LISTS, SaidConsent, SaidFact, SaidNote, SaidPreference, SaidRelation, data

_FLAGS = ("business", "internal")
_FIRST_NAME = ("first_name_at", "first_name_by", "first_name_how")
_LISTS = ("points", "tags", "notes", *LISTS)
#: The fields of a contact that have a column of their own, in the order of columns.
FIELDS = (*(field for field in EDITABLE if field != "first_name"), *_FIRST_NAME)


@attrs.frozen(kw_only=True)
class Exported:
    """What is exported of a contact.

    Args:
        contact: the contact.
        tags: its tags.
        notes: its notes as they stand, oldest first.
        relations: how others stand to it.
        preferences: what it likes and dislikes.
        facts: personal facts.
        consents: what holds of its consents.
        values: its custom fields by name, written as text.
    """

    contact: Contact
    tags: tuple[str, ...] = ()
    notes: tuple[SaidNote, ...] = ()
    relations: tuple[SaidRelation, ...] = ()
    preferences: tuple[SaidPreference, ...] = ()
    facts: tuple[SaidFact, ...] = ()
    consents: tuple[SaidConsent, ...] = ()
    values: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of its notes."""
        return tuple(dict.fromkeys(note.text for note in self.notes if note.text))


def columns(custom: Sequence[str]) -> tuple[str, ...]:
    """Return the header of a table of contacts.

    Args:
        custom: the names of the custom fields.
    """
    named = ("email", "phone", "tags", "note", "notes", *LISTS, "points")
    return ("id", *FIELDS, *named, *(f"field:{name}" for name in custom))


def row(one: Exported, custom: Sequence[str]) -> list[str]:
    """Return the cells of a contact under `columns`."""
    contact = one.contact
    fields = dict(fields_of(contact))
    email, phone = contact.point(PointKind.EMAIL), contact.point(PointKind.PHONE)
    return [
        str(contact.id),
        *(fields.get(name, "") for name in FIELDS),
        email.value if email else "",
        phone.value if phone else "",
        listed(one.tags, ";"),
        listed(one.texts, ""),
        *(_table(getattr(one, name)) for name in ("notes", *LISTS)),
        points_text(contact),
        *(one.values.get(name, "") for name in custom),
    ]


def fields_of(contact: Contact) -> Iterator[tuple[str, str]]:
    """Yield the fields of a contact that say something, as text."""
    for name in EDITABLE:
        value = getattr(contact, name)
        if name == "first_name":
            if value is not None:
                yield from zip(_FIRST_NAME, (value.at.isoformat(), value.by, value.how), strict=True)
        elif name in _FLAGS:
            if value:
                yield name, "yes"
        elif value:
            yield name, value.isoformat() if name == "birth_date" else str(value)


def points_text(contact: Contact) -> str:
    """Return the points of a contact as JSON; empty if there are none."""
    return _cell([point_data(point) for point in contact.points])


def _table(told: Sequence[Any]) -> str:
    return _cell([data(one) for one in told])


def _cell(found: Sequence[Any]) -> str:
    return json.dumps(found, ensure_ascii=False) if found else ""


def listed(texts: Sequence[str], separator: str) -> str:
    """Return texts as one cell: with a separator between where that can be read back, else as JSON.

    Args:
        texts: any number.
        separator: what stands between; where it is empty, only one text alone is written as it is.
    """
    plain = not any(text.startswith("[") or text != text.strip() or not text for text in texts)
    if (
        plain
        and (len(texts) <= 1 or separator)
        and not any(separator and separator in text for text in texts)
    ):
        return separator.join(texts)
    return json.dumps(list(texts), ensure_ascii=False)


def document(one: Exported) -> dict[str, Any]:
    """Return a contact as a JSON object."""
    contact = one.contact
    made: dict[str, Any] = {"id": str(contact.id), **dict(fields_of(contact))}
    made |= {name: True for name in _FLAGS if name in made}
    made["points"] = [point_data(point) for point in contact.points]
    made |= {"tags": list(one.tags)} if one.tags else {}
    for name in ("notes", *LISTS):
        if told := getattr(one, name):
            made[name] = [data(each) for each in told]
    return made | ({"fields": dict(one.values)} if one.values else {})


def cells_of(given: Mapping[str, Any]) -> tuple[dict[str, list[str]], list[str]]:
    """Return the cells of a JSON object, and the names in it that no field is for.

    Raises:
        ValueRefused: if a value is of another type than `document` writes.
    """
    cells: dict[str, list[str]] = {}
    ignored = []
    for name, value in given.items():
        if value is None or value == "":
            continue
        if name in ("id", *FIELDS):
            cells[name] = [_text(name, "yes" if value is True else "no" if value is False else value)]
        elif name in _LISTS and isinstance(value, list):
            cells[name.removesuffix("s") if name == "notes" else name] = [
                json.dumps(value, ensure_ascii=False)
            ]
        elif name == "fields" and isinstance(value, dict):
            cells |= {f"field:{key}": [_text(key, text)] for key, text in value.items()}
        elif name in (*_LISTS, "fields"):
            raise ValueRefused(
                f"{name} must be a {'table' if name == 'fields' else 'list'}, not {value!r:.200}"
            )
        elif not name.startswith("crmkit "):
            ignored.append(name)
    return cells, ignored


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ValueRefused(f"{name} must be text, not {value!r:.200}")
