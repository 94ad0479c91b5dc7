"""Pairs of contacts that may be one, in the database: open, merged or judged distinct."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Table, and_, bindparam, or_, select, update
from sqlalchemy.exc import IntegrityError

from crmkit.clock import FOREVER
from crmkit.duplicates.review import PairState
from crmkit.sql.connection import Row, Sql, insert_or_ignore, prepared
from crmkit.sql.types import Written

#: A pair by its ids, the lower one first.
Ids = tuple[UUID, UUID]

_PAGE = 1000


def read_pair(sql: Sql, ids: Ids) -> Row | None:
    """Return the row of a pair, or None."""
    table = sql.tables["duplicate_pairs"]
    statement = select(table).where(table.c.first_id == ids[0], table.c.second_id == ids[1])
    row = sql.execute(statement).mappings().first()
    return dict(row) if row else None


def read_state(sql: Sql, ids: Ids) -> str:
    """Return the state of a pair past the transaction's snapshot, or empty text if there is no row."""
    table = sql.tables["duplicate_pairs"]
    statement = select(table.c.state).where(table.c.first_id == ids[0], table.c.second_id == ids[1])
    return str(sql.execute(statement.with_for_update()).scalar() or "")


def read_open(sql: Sql, before: Mapping[str, Any] | None = None, limit: int = 100) -> list[Row]:
    """Return open pairs, the likeliest first.

    Args:
        sql: the transaction's connection.
        before: the last row of the page before; None from the beginning.
        limit: at most how many.
    """
    table = sql.tables["duplicate_pairs"]
    c = table.c
    statement = select(table).where(c.state == PairState.OPEN)
    if before is not None:
        same = c.weight == before["weight"]
        next_id = or_(
            c.first_id < before["first_id"],
            and_(c.first_id == before["first_id"], c.second_id < before["second_id"]),
        )
        statement = statement.where(or_(c.weight < before["weight"], and_(same, next_id)))
    statement = statement.order_by(c.weight.desc(), c.first_id.desc(), c.second_id.desc()).limit(limit)
    return [dict(row) for row in sql.execute(statement).mappings()]


def read_states(sql: Sql) -> Iterator[tuple[Ids, str]]:
    """Yield every pair with its state, in the order of the ids."""
    table = sql.tables["duplicate_pairs"]
    after = (UUID(int=0), UUID(int=0))
    while rows := sql.execute(prepared(table, "states", _states), {"a": after[0], "b": after[1]}).all():
        yield from (((row.first_id, row.second_id), row.state) for row in rows)
        after = rows[-1].first_id, rows[-1].second_id


def _states(table: Table) -> Select[Any]:
    c = table.c
    first, second = bindparam("a", type_=c.first_id.type), bindparam("b", type_=c.second_id.type)
    later = and_(c.first_id >= first, or_(c.first_id > first, c.second_id > second))
    chosen = select(c.first_id, c.second_id, c.state).where(later)
    return chosen.order_by(c.first_id, c.second_id).limit(10 * _PAGE)


def read_distinct(sql: Sql, contact_ids: Sequence[UUID]) -> set[Ids]:
    """Return the pairs of any of some contacts that were judged distinct."""
    table = sql.tables["duplicate_pairs"]
    c = table.c
    found: set[Ids] = set()
    for start in range(0, len(contact_ids), _PAGE):
        page = list(contact_ids[start : start + _PAGE])
        for column in (c.first_id, c.second_id):
            statement = select(c.first_id, c.second_id).where(column.in_(page), c.state == PairState.DISTINCT)
            found.update((row.first_id, row.second_id) for row in sql.execute(statement))
    return found


def pair_row(
    ids: Ids, weight: float, explanation: Sequence[Any] | Written, found_at: datetime
) -> dict[str, Any]:
    """Return the row of an open pair.

    Args:
        ids: of both, the lower one first.
        weight: in bits.
        explanation: field, level and weight of each.
        found_at: when it was found.
    """
    return {
        "first_id": ids[0],
        "second_id": ids[1],
        "state": PairState.OPEN,
        "weight": round(weight * 1000),
        "explanation": explanation,
        "found_at": found_at,
        "decided_at": FOREVER,
        "decided_by": "",
    }


def add_pairs(sql: Sql, rows: Sequence[Row]) -> None:
    """Add pairs; those that are there already are left alone."""
    table = sql.tables["duplicate_pairs"]
    if not rows:
        return
    try:
        with sql.isolated():
            sql.insert(table, rows)
    except IntegrityError:  # somebody judged one of them meanwhile, or searches as well
        sql.execute(insert_or_ignore(table, sql.database), list(rows))


def reopen_pairs(sql: Sql, rows: Sequence[Row]) -> None:
    """Write what was found anew of pairs that nobody has judged distinct."""
    table = sql.tables["duplicate_pairs"]
    if rows:
        names = ("state", "weight", "explanation", "found_at")
        values = [{f"b_{name}": row[name] for name in (*names, "first_id", "second_id")} for row in rows]
        sql.execute(prepared(table, "reopen", _reopen), values)


def _reopen(table: Table) -> Any:
    c = table.c
    names = ("state", "weight", "explanation", "found_at")
    return (
        update(table)
        .where(c.first_id == bindparam("b_first_id"), c.second_id == bindparam("b_second_id"))
        .where(c.state != PairState.DISTINCT)
        .values({name: bindparam(f"b_{name}") for name in names})
    )


def drop_open(sql: Sql, pairs: Sequence[Ids]) -> None:
    """Delete pairs that look like one no longer; those that were judged meanwhile stay."""
    table = sql.tables["duplicate_pairs"]
    if pairs:
        sql.execute(prepared(table, "drop", _drop), [{"a": first, "b": second} for first, second in pairs])


def _drop(table: Table) -> Any:
    c = table.c
    both = and_(c.first_id == bindparam("a"), c.second_id == bindparam("b"))
    return table.delete().where(both, c.state == PairState.OPEN)


def decide(sql: Sql, ids: Ids, state: PairState, at: datetime, by: str) -> None:
    """Write what was judged of a pair, whether it was in the queue or not."""
    table = sql.tables["duplicate_pairs"]
    made = pair_row(ids, 0.0, [], at) | {"state": state, "decided_at": at, "decided_by": by}
    if not sql.claim(table, made):
        own = and_(table.c.first_id == ids[0], table.c.second_id == ids[1])
        sql.execute(update(table).where(own).values(state=state, decided_at=at, decided_by=by))
