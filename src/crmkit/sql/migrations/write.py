"""Writes the revisions that lead from what the existing ones make to the tables as they are declared now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import (
    Column,
    Engine,
    Index,
    Inspector,
    PrimaryKeyConstraint,
    StaticPool,
    Table,
    UniqueConstraint,
    create_engine,
    inspect,
)

from crmkit.sql.tables import OWNED_BY
from crmkit.sql.types import Text

if TYPE_CHECKING:
    from crmkit.crm import CRM

_PAGE = '''"""{doc}."""

{imports}

revision = "{id}"
down_revision = {before}
branch_labels = {labels}
depends_on = None


def upgrade() -> None:
    """Bring the schema here."""
{body}
'''


@attrs.frozen
class Step:
    """One change of the schema, as the code of a revision.

    Args:
        slug: a few words for the file's name.
        doc: what it does.
        code: the call that does it.
    """

    slug: str
    doc: str
    code: str


def steps(engine: Engine, tables: Mapping[str, Table]) -> list[Step]:
    """Return what the database of an engine lacks of the tables.

    Args:
        engine: on a database that holds what the existing revisions make.
        tables: as declared, by their names without the prefix.
    """
    with engine.connect() as connection:
        there = inspect(connection)
        return [step for name, table in tables.items() for step in _steps(there, name, table)]


def write(folder: Path, branch: str, wanted: Sequence[Step], before: str | None, number: int) -> list[Path]:
    """Write a file for each step and return their paths.

    Args:
        folder: of the branch's revisions.
        branch: the plugin's name, or "crmkit".
        wanted: the steps, in order.
        before: the id of the branch's last revision, or None.
        number: of the first one that is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for at, step in enumerate(wanted, number):
        id = f"{branch}_{at:04}"
        path = folder / f"{at:04}_{step.slug}.py"
        path.write_text(_page(id, branch, step, before), encoding="utf-8")
        written.append(path)
        before = id
    return written


def _page(id: str, branch: str, step: Step, before: str | None) -> str:
    names = sorted(name for name in ("add_column", "create_index", "create_table") if f"{name}(" in step.code)
    alchemy = [name for name in ("Column", "PrimaryKeyConstraint") if f" {name}(" in step.code]
    ours = ("Id", "Instant", "Json", "Minor", "Text", "column", "index", "unique")
    declared = [name for name in ours if f"{name}(" in step.code.replace("create_index(", "")]
    if "column(" in step.code.replace("add_column(", "") and "column" not in declared:
        declared.append("column")
    if "column(" not in step.code.replace("add_column(", "") and "column" in declared:
        declared.remove("column")
    imports = "\n".join(
        line
        for line in (
            f"from sqlalchemy import {', '.join(alchemy)}\n" if alchemy else "",
            f"from crmkit.sql import {', '.join(declared)}" if declared else "",
            f"from crmkit.sql.migrations import {', '.join(names)}",
        )
        if line
    )
    return _PAGE.format(
        doc=step.doc,
        id=id,
        before=repr(before).replace("'", '"'),
        labels=f'("{branch}",)' if before is None else "None",
        imports=imports,
        body="\n".join(f"    {line}" for line in step.code.split("\n")),
    )


def _steps(there: Inspector, name: str, table: Table) -> Iterator[Step]:
    if not there.has_table(table.name):
        yield Step(name, f"Create the table {name}", _created(name, table))
        return
    columns = {one["name"] for one in there.get_columns(table.name)}
    indexes = {one["name"] for one in there.get_indexes(table.name)}
    for column in table.columns:
        if column.name not in columns:
            code = f'add_column("{name}", {_column(column)})'
            yield Step(f"{name}_{column.name}", f"Add the column {name}.{column.name}", code)
    for index in sorted(table.indexes, key=lambda one: str(one.name)):
        if index.name not in indexes:
            label = _label(table, index)
            code = f"create_index({', '.join(_quoted([name, label, *index.columns.keys()]))})"
            yield Step(f"{name}_{label}", f"Create the index {label} of {name}", code)


def _created(name: str, table: Table) -> str:
    parts = [_column(column) for column in table.columns]
    parts += [_constraint(one) for one in sorted(table.constraints, key=_order) if _constraint(one)]
    for index in sorted(table.indexes, key=lambda one: str(one.name)):
        parts.append(f"index({', '.join(_quoted([_label(table, index), *index.columns.keys()]))})")
    lines = "\n".join(f"    {part}," for part in parts)
    return f'create_table(\n    "{name}",\n{lines}\n)'


def _column(column: Column[Any]) -> str:
    type_ = column.type
    kind = f"Text({type_.length or ''})" if isinstance(type_, Text) else f"{type(type_).__name__}()"
    alone = list(column.table.primary_key.columns) == [column]
    if alone:
        return f'Column("{column.name}", {kind}, primary_key=True)'
    options = ", null=True" if column.nullable else ""
    return f'column("{column.name}", {kind}{options})'


def _constraint(constraint: Any) -> str:
    columns = ", ".join(_quoted(constraint.columns.keys())) if hasattr(constraint, "columns") else ""
    if isinstance(constraint, PrimaryKeyConstraint):
        return f"PrimaryKeyConstraint({columns})" if len(constraint.columns) > 1 else ""
    return f"unique({columns})" if isinstance(constraint, UniqueConstraint) else ""


def _order(constraint: Any) -> tuple[bool, str]:
    return not isinstance(constraint, PrimaryKeyConstraint), _constraint(constraint)


def _label(table: Table, index: Index) -> str:
    return str(index.name).removeprefix(f"{table.name}_")


def _quoted(names: Iterable[str]) -> list[str]:
    return [f'"{name}"' for name in names]


def write_revisions(crm: CRM, branch: str, folder: Path) -> list[Path]:
    """Write what is missing between a branch's revisions and its tables as they are declared; return the paths.

    Args:
        crm: a CRM that has the plugin enabled.
        branch: the plugin's name, or "crmkit" for the core.
        folder: where a plugin's revisions stand; those of the core have their own place.
    """
    from crmkit.sql.migrations.run import CORE, Migrations

    migrations = Migrations(crm, schema=None)
    folder = migrations.locations().get(branch, folder)
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.connect() as connection:
        migrations.run_on(connection)
    tables = {name: one for name, one in crm.tables.items() if one.info.get(OWNED_BY, CORE) == branch}
    numbers = sorted(int(path.name[:4]) for path in folder.glob("[0-9][0-9][0-9][0-9]_*.py"))
    last = numbers[-1] if numbers else 0
    before = f"{branch}_{last:04}" if last else None
    return write(folder, branch, steps(engine, tables), before, last + 1)
