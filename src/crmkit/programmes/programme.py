"""A programme: named, versioned, read from a file, and never changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import cached_property
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs

from crmkit.errors import ExpressionError, ProgrammeError
from crmkit.expressions import Field, FieldType
from crmkit.programmes.policies import Policies
from crmkit.programmes.rule import DeclaredRule
from crmkit.programmes.stating import Stating
from crmkit.programmes.table import Table
from crmkit.programmes.vocabulary import Vocabulary
from crmkit.settings import did_you_mean

_TYPES = {one.value: one for one in FieldType}
_DECIMAL = re.compile(r"decimal\(([0-9]{1,2})\)")


@attrs.frozen(kw_only=True, slots=False)
class Programme:
    """Rules that belong together, as one file declares them; equal if they say the same.

    Args:
        name: its name.
        version: counts up when anything in it changes; every award carries it.
        policies: what it settles for all its rules.
        fields: the fields that it declares, by name.
        rules: by their names.
        content: what the file says, plain data.
    """

    name: str
    version: int
    policies: Policies = attrs.field(eq=False)
    fields: Mapping[str, Field] = attrs.field(eq=False, repr=False)
    rules: tuple[DeclaredRule, ...] = attrs.field(eq=False, repr=False)
    content: Mapping[str, Any] = attrs.field(repr=False)

    @property
    def reference(self) -> str:
        """How awards and postings name it: `name@version`."""
        return f"{self.name}@{self.version}"

    @cached_property
    def digest(self) -> str:
        """What tells whether two programmes say the same: SHA-256 of the content."""
        from hashlib import sha256
        from json import dumps

        return sha256(dumps(dict(self.content), sort_keys=True).encode()).hexdigest()

    @classmethod
    def of(cls, data: Mapping[str, Any], where: str = "programme") -> Programme:
        """Return the programme that plain data declares.

        Args:
            data: what `content` holds, or what a TOML or JSON file says.
            where: what errors call it.

        Raises:
            ProgrammeError: naming the rule, the key, its value and what would have been right.
        """
        whole = Table(data, where)
        whole.only(("programme", "fields", "rule"))
        head = whole.table("programme")
        policies, name = Policies.of(head), head.text("name")
        if "@" in name:
            raise head.wrong("name", "it must not hold '@'")
        version, declared = head.whole("version", least=1), _fields(whole.table("fields"))
        tables = _rules(whole)
        vocabulary = Vocabulary(policies, declared)
        stating = Stating(f"{name}@{version}", version, vocabulary, tables)
        rules = tuple(stating.rule(tables[name]) for name in sorted(tables))
        for rule in rules:
            for trigger in rule.triggers:
                vocabulary.will_ask(trigger, rule.names)
        return cls(
            name=name,
            version=version,
            policies=policies,
            fields=MappingProxyType(declared),
            rules=rules,
            content=MappingProxyType(_plain(data)),
        )

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Programme:
        """Return the programme that a TOML or JSON file declares.

        Args:
            path: the file; its name ends with .toml or .json.

        Raises:
            ProgrammeError: if it cannot be read, or something in it is wrong.
        """
        file = Path(path)
        return cls.of(_read(file), file.name)


def programmes(given: Iterable[Programme | str | PathLike[str]]) -> tuple[Programme, ...]:
    """Return programmes, those that are named by their files loaded.

    Raises:
        ProgrammeError: if a file is wrong, or two programmes have one name.
    """
    if isinstance(given, (str, PathLike, Programme)):
        given = (given,)
    found = tuple(one if isinstance(one, Programme) else Programme.load(one) for one in given)
    names = [one.name for one in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ProgrammeError(f"programmes: {', '.join(map(repr, twice))} is given twice; one version is live")
    return found


def _read(file: Path) -> Mapping[str, Any]:
    if file.suffix not in (".toml", ".json"):
        raise ProgrammeError(f"{file.name}: a programme is a .toml or a .json file")
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProgrammeError(
            f"{file}: it cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    try:
        data = _parsed(text, file.suffix)
    except (ValueError, RecursionError) as error:
        raise ProgrammeError(f"{file.name}: it is no {file.suffix[1:].upper()}: {error}") from None
    if not isinstance(data, Mapping):
        raise ProgrammeError(f"{file.name}: it must hold tables: programme, fields, rule")
    return data


def _parsed(text: str, suffix: str) -> Any:
    if suffix == ".json":
        from json import loads

        return loads(text, parse_float=Decimal)
    from tomllib import loads as loads_toml

    return loads_toml(text, parse_float=Decimal)


def _rules(whole: Table) -> dict[str, Table]:
    tables: dict[str, Table] = {}
    for found in whole.tables("rule"):
        name = Table(found.data, whole.where, found.path).text("name")
        if "@" in name:
            raise found.wrong("name", "it must not hold '@'")
        if name in tables:
            raise ProgrammeError(f"{whole.where}: rule {name!r} stands twice; each needs a name of its own")
        tables[name] = Table(found.data, f"{whole.where}: rule {name!r}")
    if not tables:
        raise whole.wrong("rule", "a programme has at least one [[rule]]")
    return tables


def _fields(table: Table) -> dict[str, Field]:
    return {name: _field(table, name, value) for name, value in _flat(table.data)}


def _flat(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in data.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")  # event.score = "integer", without quotes
        else:
            yield prefix + name, value


def _field(table: Table, name: str, value: object) -> Field:
    decimal = _DECIMAL.fullmatch(value) if isinstance(value, str) else None
    kind = FieldType.DECIMAL if decimal else _TYPES.get(value) if isinstance(value, str) else None
    if kind is None or (kind is FieldType.DECIMAL and decimal is None):
        known = [*(word for word in _TYPES if word != "decimal"), "decimal(2)"]
        raise table.wrong(name, f"it must be a type{did_you_mean(str(value), known)}", value)
    if name.startswith(("order.", "line.", "at.", "streak.", "segment.")):
        raise table.wrong(name, "names that begin so are every programme's own; leave it out", value)
    try:
        return Field(name, kind, scale=int(decimal.group(1)) if decimal else 0)
    except ExpressionError as error:
        raise ProgrammeError(f"{table.where}: fields: {error}") from None


def _plain(value: Any) -> Any:
    """Return what JSON can hold: exact numbers and dates as text, rules in the order of their names."""
    if isinstance(value, Mapping):
        plain = {str(key): _plain(one) for key, one in value.items()}
        if isinstance(plain.get("rule"), list):
            plain["rule"] = sorted(plain["rule"], key=lambda rule: str(rule.get("name")))
        return plain
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, date) else value
