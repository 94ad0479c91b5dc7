"""Where the contacts of a store can be asked in SQL, for segments and other questions about many contacts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import ColumnElement, FromClause, true


@attrs.frozen(eq=False)
class ContactSource:
    """A FROM clause with one row for each contact of a store, and the columns that hold its fields.

    `SELECT columns FROM rows WHERE where AND ...` sees every contact once; contacts that go on as another after a
    merge are left out.

    Args:
        rows: the table, join or subquery.
        id: the contact's id; NULL for a row of the host that the CRM has written nothing about: the store, a
            `HostStore`, gives it by `identify(tx, keys)`.
        key: what tells rows apart and orders them: the id itself, or a text that stands for the host's primary key.
        columns: by field of a `Contact`, such as "name" or "stage", as the field's column in `contacts` holds it
            (birth_date is ISO text, business is 0 or 1, the permission is first_name_at); never NULL where the
            field is text; what is absent has no column.
        where: must hold as well.
        others: returns the rows, with the id and the fields of `columns` by name, of contacts that go on as another
            after a merge; without it no field that is empty is filled by theirs.
        among: returns the same of a few contacts alone, given their keys and those ids that are known; needed where
            no index finds a key.
    """

    rows: FromClause
    id: ColumnElement[Any]
    key: ColumnElement[Any]
    columns: Mapping[str, ColumnElement[Any]]
    where: ColumnElement[bool] = attrs.field(factory=true)
    others: Callable[[], FromClause] | None = None
    among: Callable[[Sequence[Any], Sequence[UUID]], ContactSource] | None = None
