"""Who an expression is true of, asked of all contacts at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import ColumnElement, FromClause, Select, and_, func, select

from crmkit.expressions.expression import Expression
from crmkit.expressions.sources import ContactColumn
from crmkit.expressions.tree import Among, And, Clause, Compare, Constant, FieldValue, Holds
from crmkit.sql.connection import Sql
from crmkit.sql.source import ContactSource
from crmkit.sql.where.clauses import Clauses
from crmkit.sql.where.rows import Ground
from crmkit.sql.where.values import Scope


@attrs.frozen(eq=False)
class Audience:
    """The contacts of whom an expression is true, as parts of a SELECT.

    Args:
        rows: the contacts, joined with what is asked about them.
        where: the condition; NULL stands for false.
        id: the contact's id; NULL for a row of the host that the CRM has written nothing about.
        key: what tells rows apart and orders them.
    """

    rows: FromClause
    where: ColumnElement[bool]
    id: ColumnElement[Any]
    key: ColumnElement[Any]

    def count(self) -> Select[Any]:
        """Return the statement that counts them."""
        return select(func.count()).select_from(self.rows).where(self.where)

    def page(self, after: Any, limit: int | None) -> Select[Any]:
        """Return the statement for their keys and ids, in the order of keys.

        Args:
            after: the last key of the page before; None from the beginning.
            limit: at most how many; None for all.
        """
        found = (
            select(self.key.label("key"), self.id.label("id"))
            .select_from(self.rows)
            .where(self.where)
            .order_by(self.key)
        )
        found = found if after is None else found.where(self.key > after)
        return found if limit is None else found.limit(limit)


def audience(ground: Ground, source: ContactSource, expression: Expression) -> Audience:
    """Return who an expression is true of.

    Args:
        ground: what statements stand on.
        source: the contacts.
        expression: one that can be asked in SQL.
    """
    scope = Scope(ground, source, expression.fields, each=asks_each(ground, expression.tree))
    # who goes on as another is asked last, of the few who are left
    where = and_(Clauses(scope).condition(expression.tree), source.where)
    return Audience(scope.rows, where, source.id, source.key)


def asks_each(ground: Ground, tree: Clause) -> bool:
    """Return whether the other tables are better asked about each contact than about all at once.

    SQLite joins by looking up, one by one, whatever is asked. PostgreSQL reads a table once and hashes it, which is
    better unless something that indexes serve leaves few contacts; so is MariaDB once contacts were merged.
    """
    if ground.database != "postgresql":
        return ground.database == "sqlite" or not ground.merged
    clauses = tree.clauses if isinstance(tree, And) else (tree,)
    return any(_leaves_few(clause) for clause in clauses)


def _leaves_few(clause: Clause) -> bool:
    match clause:
        case Holds(item=Constant(), negated=False) | Among(item=FieldValue(), negated=False):
            return True
        case Compare(operator="==", left=FieldValue() as value, right=Constant()):
            return isinstance(value.field.source, ContactColumn)
        case And():
            return any(map(_leaves_few, clause.clauses))
        case _:
            return False


def ground_of(sql: Sql, now: datetime, only: Sequence[UUID] | None = None) -> Ground:
    """Return what statements on a connection stand on.

    Args:
        sql: the transaction's connection.
        now: the instant of the evaluation.
        only: as for `Ground`.
    """
    aliases = sql.tables["contact_aliases"]
    merged = sql.execute(select(aliases.c.contact_id).limit(1)).first() is not None
    return Ground(database=sql.database, tables=sql.tables, now=now, merged=merged, only=only)
