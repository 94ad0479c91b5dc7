"""The column map: which column of the host's table holds which field or point of a contact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from crmkit.contacts import EDITABLE, PointKind, PostalAddress
from crmkit.errors import SettingsError
from crmkit.settings import did_you_mean

FIELDS = tuple(field for field in EDITABLE if field != "first_name")
PARTS = tuple(field.name for field in attrs.fields(PostalAddress))
_SCOPED = (PointKind.HANDLE, PointKind.EXTERNAL)


@attrs.frozen
class PointColumns:
    """Columns that hold one contact point.

    Args:
        kind: what it is the address of.
        columns: the column's name; of a postal address, the columns' names by part.
        scope: the network of a handle, the system of an external id.
        label: what the contact uses it for.
    """

    kind: PointKind
    columns: Mapping[str, str] = attrs.field(hash=False)
    scope: str = ""
    label: str = ""

    @property
    def column(self) -> str:
        """The name of its one column."""
        return self.columns[""]


@attrs.frozen
class ColumnMap:
    """What the columns of the host's table hold.

    Args:
        fields: the column's name by field of a `Contact`.
        points: in the order in which a contact has them.
    """

    fields: Mapping[str, str]
    points: tuple[PointColumns, ...]

    def names(self) -> tuple[str, ...]:
        """Return every column that is named, each once."""
        of_points = (column for point in self.points for column in point.columns.values())
        return tuple(dict.fromkeys((*self.fields.values(), *of_points)))

    def place(self) -> Mapping[str, str] | None:
        """Return the columns of the one postal address that rows have, by its parts; None if they have it otherwise."""
        postal = [point.columns for point in self.points if point.kind is PointKind.POSTAL]
        if not postal:
            return {}
        return postal[0] if len(postal) == 1 and "" not in postal[0] else None

    def not_in_sql(self) -> frozenset[PointKind]:
        """Return the kinds of points that are not asked in SQL, which folds no address as contacts do."""
        kinds = frozenset(PointKind)
        return kinds if self.place() is None else kinds - {PointKind.POSTAL}

    def by_kind(self, kind: PointKind, scope: str) -> list[PointColumns]:
        """Return the columns in which a point of that kind and scope may stand."""
        scoped = kind in _SCOPED
        return [point for point in self.points if point.kind is kind and (not scoped or point.scope == scope)]


def read_map(given: Mapping[str, Any]) -> ColumnMap:
    """Return a column map as it was given.

    Args:
        given: by field or kind of point: a column's name; for points also several, or by label (of emails and
            phones), by scope (of handles and external ids) or by part (of a postal address).

    Raises:
        SettingsError: if a key or a value is none of these; the message says which.
    """
    kinds = [kind.value for kind in PointKind]
    fields: dict[str, str] = {}
    points: list[PointColumns] = []
    for name, value in given.items():
        if name in kinds:
            points += _points(PointKind(name), value)
        elif name in FIELDS:
            fields[name] = _column(name, value)
        else:
            known = [*FIELDS, *kinds]
            raise SettingsError(
                f"columns: a contact has no field or point {name!r}{did_you_mean(name, known)}"
            )
    if not fields and not points:
        raise SettingsError("columns is empty; name at least one, such as {'name': 'full_name'}")
    return ColumnMap(fields, tuple(points))


def _points(kind: PointKind, value: Any) -> list[PointColumns]:
    if kind in _SCOPED:
        if not isinstance(value, Mapping):
            what = "network" if kind is PointKind.HANDLE else "system"
            raise SettingsError(
                f"columns[{kind.value!r}] is {value!r}; give columns by {what}: {{'shop': 'id'}}"
            )
        return [
            PointColumns(kind, {"": _column(kind, name)}, scope=_scope(kind, scope))
            for scope, name in value.items()
        ]
    if kind is PointKind.POSTAL and isinstance(value, Mapping):
        return [PointColumns(kind, _parts(value))]
    if isinstance(value, Mapping):
        return [PointColumns(kind, {"": _column(kind, name)}, label=label) for label, name in value.items()]
    several = [value] if isinstance(value, str) else value
    if not isinstance(several, Sequence):
        raise SettingsError(f"columns[{kind.value!r}] is {value!r}; must be a column's name, or several")
    return [point for one in several for point in _one(kind, one)]


def _one(kind: PointKind, value: Any) -> list[PointColumns]:
    if kind is PointKind.POSTAL and isinstance(value, Mapping):
        return _points(kind, value)
    return [PointColumns(kind, {"": _column(kind, value)})]


def _parts(value: Mapping[str, Any]) -> dict[str, str]:
    for part in value:
        if part not in PARTS:
            raise SettingsError(f"columns['postal'] has no part {part!r}{did_you_mean(part, list(PARTS))}")
    return {part: _column("postal", name) for part, name in value.items()}


def _scope(kind: PointKind, scope: str) -> str:
    return scope.casefold() if kind is PointKind.HANDLE else scope


def _column(what: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise SettingsError(f"columns[{str(what)!r}] is {value!r}; must be the name of a column")
    return value
