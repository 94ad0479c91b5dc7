"""Many records as columns of numbers, a few bytes for each value."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from sys import byteorder
from uuid import UUID

import numpy as np
import numpy.typing as npt

from crmkit.duplicates.record import VALUES, Place, Record

Codes = npt.NDArray[np.int32]

#: Which vocabulary the values of each column come from: names are swapped, so that they share one.
VOCABULARIES = {"given": "names", "family": "names"}
SINGLE = ("given", "family", "birth")
MANY = ("email", "phone", *Place._fields)


class Vocabulary(dict[str, int]):
    """Numbers by text, 0 being that of the empty one; a text that is new gets the next."""

    def __init__(self) -> None:
        super().__init__({"": 0})

    def __missing__(self, text: str) -> int:
        code = self[text] = len(self)
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
        self._texts: dict[str, list[str]] = {}
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
        words = self.vocabularies
        for name in SINGLE:
            self.extend(name, (words[VOCABULARIES.get(name, name)][getattr(record, name)],))
        for names, values in (
            (("email",), [(email,) for email in record.emails]),
            (("phone",), [(phone,) for phone in record.phones]),
            (Place._fields, record.places),
        ):
            coded = [
                (0, tuple(words[name][text] for name, text in zip(names, value, strict=True)))
                for value in values
            ]
            self.extend_many(names, coded, 1)
        self.extend_ids(id.bytes)

    def extend_ids(self, ids: bytes) -> None:
        """Add the ids of rows whose values were added, 16 bytes for each."""
        halves = array("Q", ids)
        if byteorder == "little":
            halves.byteswap()
        self._ids.extend(halves)

    def extend(self, name: str, codes: Iterable[int]) -> None:
        """Add rows to the column of a field that has one value."""
        self._raw[name][0].extend(codes)

    def extend_many(
        self, names: Sequence[str], values: Iterable[tuple[int, tuple[int, ...]]], rows: int
    ) -> None:
        """Add rows to the columns of fields that are chosen together; of each row the first few distinct values.

        Args:
            names: of the fields.
            values: the row among those that are added, in order, with a code for each of the fields.
            rows: how many are added.
        """
        before = len(self)
        first = [(0,) * len(names)] * rows
        last, had = -1, []
        for row, codes in values:
            if not any(codes):
                continue
            if row != last:
                first[row], last, had = codes, row, [codes]
            elif codes not in had and len(had) < VALUES:
                for name, code in zip(names, codes, strict=True):
                    self._raw[name][len(had)].extend((before + row, code))
                had.append(codes)
        for name, column in zip(names, zip(*first, strict=True), strict=True):
            self._raw[name][0].extend(column)

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
        name = VOCABULARIES.get(name, name)
        words = self.vocabularies[name]
        if len(self._texts.get(name, ())) != len(words):
            self._texts[name] = list(words)
        return self._texts[name]

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
