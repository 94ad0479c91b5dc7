"""Many records as columns of numbers, a few bytes for each value."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

from crmkit.duplicates.record import VALUES, Place, Record

Codes = npt.NDArray[np.int32]

#: Which vocabulary the values of each column come from: names are swapped, so that they share one.
VOCABULARIES = {"given": "names", "family": "names"}
SINGLE = ("given", "family", "birth")
MANY = ("email", "phone", *Place._fields)


class Vocabulary:
    """Texts by number, 0 being the empty one."""

    def __init__(self) -> None:
        self.texts = [""]
        self._codes = {"": 0}

    def code(self, text: str) -> int:
        """Return the number of a text."""
        code = self._codes.get(text)
        if code is None:
            code = self._codes[text] = len(self.texts)
            self.texts.append(text)
        return code


class Columns:
    """Records by row; a column of a field with several values has one code for each of them.

    Args:
        records: ids with their records, in the order of the ids.
    """

    def __init__(self, records: Iterable[tuple[UUID, Record]] = ()) -> None:
        self.vocabularies: dict[str, Vocabulary] = {}
        self._ids = array("Q")
        self._raw: dict[str, list[array[int]]] = {}
        self._dense: dict[tuple[str, int], Codes] = {}
        for name in SINGLE:
            self._add_column(name, 1)
        for name in MANY:
            self._add_column(name, VALUES)
        for id, record in records:
            self.append(id, record)

    def _add_column(self, name: str, slots: int) -> None:
        self.vocabularies.setdefault(VOCABULARIES.get(name, name), Vocabulary())
        self._raw[name] = [array("i") for _ in range(slots)]

    def append(self, id: UUID, record: Record) -> None:
        """Add a record."""
        number = id.int
        self._ids.append(number >> 64)
        self._ids.append(number & 0xFFFFFFFFFFFFFFFF)
        codes, raw = self.vocabularies, self._raw
        raw["given"][0].append(codes["names"].code(record.given))
        raw["family"][0].append(codes["names"].code(record.family))
        raw["birth"][0].append(codes["birth"].code(record.birth))
        self._append_many("email", record.emails)
        self._append_many("phone", record.phones)
        places = record.places
        for part, name in enumerate(Place._fields):
            self._append_many(name, [place[part] for place in places])

    def _append_many(self, name: str, values: Any) -> None:
        code = self.vocabularies[name].code
        count = len(values)
        slots = self._raw[name]
        slots[0].append(code(values[0]) if count else 0)
        for slot in range(1, count):
            slots[slot].append(len(self) - 1)
            slots[slot].append(code(values[slot]))

    def __len__(self) -> int:
        return len(self._ids) // 2

    def id(self, row: int) -> UUID:
        """Return the id of a row."""
        return UUID(int=self._ids[2 * row] << 64 | self._ids[2 * row + 1])

    def codes(self, name: str, slot: int = 0) -> Codes:
        """Return one column's codes."""
        if slot == 0:
            return np.frombuffer(self._raw[name][0], dtype=np.int32)
        found = self._dense.get((name, slot))
        if found is None or len(found) != len(self):
            # few have a second value: rows and codes by turns
            pairs = np.frombuffer(self._raw[name][slot], dtype=np.int32).reshape(-1, 2)
            found = np.zeros(len(self), np.int32)
            found[pairs[:, 0]] = pairs[:, 1]
            self._dense[name, slot] = found
        return found

    def texts(self, name: str) -> list[str]:
        """Return the texts by code of a column."""
        return self.vocabularies[VOCABULARIES.get(name, name)].texts

    def slots(self, name: str) -> int:
        """Return how many values of a field are kept."""
        return len(self._raw[name])

    def record(self, row: int) -> Record:
        """Return the record of a row again."""

        def value(name: str, slot: int = 0) -> str:
            text: str = self.texts(name)[int(self.codes(name, slot)[row])]
            return text

        places = (Place(*(value(part, slot) for part in Place._fields)) for slot in range(VALUES))
        return Record(
            value("given"),
            value("family"),
            value("birth"),
            tuple(v for slot in range(VALUES) if (v := value("email", slot))),
            tuple(v for slot in range(VALUES) if (v := value("phone", slot))),
            tuple(place for place in places if any(place)),
        )
