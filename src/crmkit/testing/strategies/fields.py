"""Values of the fields that expressions ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal

from hypothesis import strategies as st

from crmkit.expressions import Field, FieldType
from crmkit.testing.strategies.time import instants

Values = st.SearchStrategy[object]


def field_values(
    fields: Iterable[Field], *, words: Sequence[str] = ()
) -> st.SearchStrategy[dict[str, object]]:
    """Return a strategy for values of fields by name, rightly typed; each may be missing.

    Args:
        fields: the fields.
        words: texts that are drawn besides the usual ones.
    """
    texts = st.sampled_from(("", "tea", "ყავა", *words))
    return st.fixed_dictionaries(
        {}, optional={field.name: _MADE[field.type](field, texts) for field in fields}
    )


def _whole(field: Field, texts: st.SearchStrategy[str]) -> Values:
    low, high = field.bound or (-1000, 1000)
    near = [edge for edge in (0, 1, 5, 100) if low <= edge <= high]
    return st.sampled_from((*near, int(low), int(high))) | st.integers(int(low), int(high))


def _decimal(field: Field, texts: st.SearchStrategy[str]) -> Values:
    low, high = field.bound or (-1000, 1000)
    unit = 10**field.scale
    return st.integers(int(low * unit), int(high * unit)).map(lambda n: Decimal(n).scaleb(-field.scale))


def _set(field: Field, texts: st.SearchStrategy[str]) -> Values:
    return st.frozensets(texts, max_size=3)


_MADE: Mapping[FieldType, Callable[[Field, st.SearchStrategy[str]], Values]] = {
    FieldType.INTEGER: _whole,
    FieldType.DECIMAL: _decimal,
    FieldType.TEXT: lambda field, texts: texts,
    FieldType.TEXT_SET: _set,
    FieldType.BOOLEAN: lambda field, texts: st.booleans(),
    FieldType.DATE: lambda field, texts: st.dates(date(1920, 1, 1), date(2099, 12, 31)),
    FieldType.INSTANT: lambda field, texts: instants(),
}
