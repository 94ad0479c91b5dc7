"""What the tables declare about persons: read for export, erasure and retention, and refused where it is incomplete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs
from sqlalchemy import Column, Table, UniqueConstraint

from crmkit.errors import ConfigError
from crmkit.sql.tables import ERASE, ERASED, HOLDS, INFO, OF, OWNED_BY
from crmkit.sql.types import Id, Json, Text

#: Values of these kinds are a person's own.
PERSONAL = ("personal", "address", "digest")

#: Texts as long as this can hold a sentence, and so a person's words.
_SENTENCE = 100

_SUBJECTS = ("contact", "customer", "person")
_NAMES = frozenset(
    "email email_address phone phone_number birth_date birthday given_name first_name family_name last_name "
    "full_name street postcode address recipient ip_address".split()
)


def holds(column: Column[object]) -> str:
    """Return what a column was declared to hold, or empty text."""
    return str(column.info.get(INFO, ""))


@attrs.frozen(eq=False)
class Declared:
    """What one table says about persons.

    Args:
        name: its name without the prefix.
        table: the table.
        subjects: its columns with a contact's id.
        parents: its columns with the id of a row of another table, which says whose the row is, and that table.
        personal: its columns with something personal, addresses and digests included.
        addresses: those of them that are addresses.
    """

    name: str
    table: Table
    subjects: tuple[str, ...]
    parents: tuple[tuple[str, str], ...]
    personal: tuple[str, ...]
    addresses: tuple[str, ...]

    @classmethod
    def of(cls, name: str, table: Table) -> Declared:
        """Return what a table says."""
        columns = table.columns.values()
        return cls(
            name,
            table,
            subjects=tuple(one.name for one in columns if holds(one) == "subject"),
            parents=tuple((one.name, str(one.info[OF])) for one in columns if OF in one.info),
            personal=tuple(one.name for one in columns if holds(one) in PERSONAL),
            addresses=tuple(one.name for one in columns if holds(one) == "address"),
        )

    @property
    def reaches(self) -> bool:
        """Whether its rows can be told to belong to a contact."""
        return bool(self.subjects or self.parents or self.addresses)

    @property
    def deletes(self) -> bool:
        """Whether erasing a contact deletes its rows."""
        said = self.table.info.get(ERASE)
        if said:
            return bool(said == "delete")
        digests = any(holds(one) == "digest" for one in self.table.columns)
        return digests or bool(_keyed(self.table) & set(self.personal))

    @property
    def keeps(self) -> bool:
        """Whether erasing a contact leaves its rows as they are."""
        return self.table.info.get(ERASE) == "keep" or not (self.personal or self.deletes)


def declarations(tables: Mapping[str, Table]) -> tuple[Declared, ...]:
    """Return what every table that can be told to belong to a contact says, those that others lean on last."""
    found = {name: Declared.of(name, table) for name, table in tables.items()}
    ordered = sorted(found.values(), key=lambda one: (-_depth(one, found), one.name))
    return tuple(one for one in ordered if one.reaches)


def _depth(one: Declared, found: Mapping[str, Declared], seen: int = 0) -> int:
    above = [found[parent] for _, parent in one.parents if parent in found]
    return 1 + max((_depth(parent, found, seen + 1) for parent in above), default=0) if seen < 9 else 0


def check_declared(tables: Mapping[str, Table]) -> None:
    """Refuse tables that could hold something personal and do not say so.

    Raises:
        ConfigError: naming every table and column, and what to write.
    """
    faults = [
        f"{_owner(table)}table {name!r}, {fault}"
        for name, table in tables.items()
        for fault in _faults(table, tables)
    ]
    if faults:
        raise ConfigError(
            "tables must say what they hold of persons, so that it can be exported and erased:\n  "
            + "\n  ".join(faults)
        )


def _owner(table: Table) -> str:
    owner = table.info.get(OWNED_BY)
    return f"plugin {owner!r}, " if owner else ""


def _faults(table: Table, tables: Mapping[str, Table]) -> Iterator[str]:
    declared = Declared.of("", table)
    for column in table.columns.values():
        yield from _column_faults(column, table, tables, declared.reaches)
    if declared.reaches and not declared.keeps and not table.primary_key.columns:
        yield "has no primary key, so its rows cannot be erased one by one; give it one"
    personal = ", ".join(repr(name) for name in declared.personal)
    if personal and not declared.reaches and table.info.get(ERASE) != "keep":
        yield (
            f"column {personal}: holds something personal, and nothing says of whom; declare holds='subject' on "
            "the column with the contact's id, holds='address' on an address, of='TABLE' on the id of a row that "
            "has one, or erase='keep' on the table"
        )


def _column_faults(
    column: Column[object], table: Table, tables: Mapping[str, Table], reaches: bool
) -> Iterator[str]:
    said, name = holds(column), repr(column.name)
    if said not in HOLDS:
        yield f"column {name}: holds is {said!r}; must be one of {', '.join(HOLDS[1:])}"
    if (parent := column.info.get(OF)) and (parent not in tables or "id" not in tables[parent].c):
        yield f"column {name}: of={parent!r} names no table that has an 'id'; known are: {', '.join(tables)}"
    if column.info.get(ERASED) is not None and said not in PERSONAL:
        yield f"column {name}: erased= is for a column with holds='personal'; declare it"
    if said or OF in column.info:
        return
    if isinstance(column.type, Id) and _names_contact(column.name):
        yield f"column {name}: refers to a contact; declare holds='subject'"
    elif isinstance(column.type, Text) and column.name in _NAMES:
        yield f"column {name}: declare holds='personal' (or 'address'), or holds='fact' if it is nobody's"
    elif reaches and _is_free(column) and column.name not in _keyed(table):
        yield f"column {name}: can hold a person's words; declare holds='personal', or holds='fact' if it never does"


def _names_contact(name: str) -> bool:
    return any(name in (word, f"{word}_id") or name.endswith(f"_{word}_id") for word in _SUBJECTS)


def _is_free(column: Column[object]) -> bool:
    if isinstance(column.type, Json):
        return True
    return isinstance(column.type, Text) and (column.type.length is None or column.type.length > _SENTENCE)


def _keyed(table: Table) -> set[str]:
    """Return the columns of a table's keys: they name a row and are no place for words."""
    keys = [table.primary_key, *(one for one in table.constraints if isinstance(one, UniqueConstraint))]
    return {column.name for key in keys for column in key.columns}
