"""Where the contacts of a store can be asked in SQL, for segments and other questions about many contacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from sqlalchemy import ColumnElement, FromClause


@attrs.frozen(eq=False)
class ContactSource:
    """A FROM clause with one row for each contact of a store, and the columns that hold its fields.

    Args:
        rows: the table or join.
        id: the contact's id; NULL for a row of the host that the CRM has written nothing about.
        key: what tells rows apart and orders them: the id itself, or the host's primary key.
        columns: by field of a `Contact`, such as "name" or "stage"; what is absent has no column.
    """

    rows: FromClause
    id: ColumnElement[Any]
    key: ColumnElement[Any]
    columns: Mapping[str, ColumnElement[Any]]
