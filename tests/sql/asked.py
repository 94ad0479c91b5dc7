"""Expressions to ask of contacts: every kind of clause, over the fields of `sql.people` and of a host's table."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from crmkit.expressions import Field, FieldType
from sql.people import DAYS, FIELDS, HOST_TEXTS, INSTANTS, NUMBERS, TOP


def either(fields: Mapping[str, Field], *types: FieldType) -> st.SearchStrategy[str]:
    """Return a strategy for operands of a type."""
    named = [name for name, field in fields.items() if field.type in types and not _is_average(field)]
    literals = LITERALS[types[0]]
    return st.one_of(st.sampled_from(named), literals) if named else literals


def _is_average(field: Field) -> bool:
    return field.name.startswith("orders.average")


LITERALS: dict[FieldType, st.SearchStrategy[str]] = {
    FieldType.INTEGER: st.sampled_from(
        [
            "0",
            "1",
            "3",
            "50",
            "-50",
            "2.5",
            "7.00",
            "0.01",
            "99.99",
            str(TOP),
            str(-TOP - 1),
            "1.000000000000000001",
        ]
    ),
    FieldType.TEXT: st.sampled_from([repr(text) for text in HOST_TEXTS if text is not None]),
    FieldType.DATE: st.sampled_from([f'date("{day}")' for day in DAYS]),
    FieldType.INSTANT: st.sampled_from([f'instant("{at.isoformat()}")' for at in INSTANTS]),
    FieldType.BOOLEAN: st.sampled_from(["True", "False"]),
}
ORDER = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
WORD = st.sampled_from(["in", "not in"])
SMALL = ("custom.small", "custom.credit", "orders.count", "1", "-3", "2.5", "0.01")


def leaves(fields: Mapping[str, Field]) -> st.SearchStrategy[str]:
    """Return a strategy for conditions without conditions in them."""
    sets = [name for name, field in fields.items() if field.type is FieldType.TEXT_SET]
    ordered = [*NUMBERS[:1], FieldType.TEXT, FieldType.DATE, FieldType.INSTANT]

    def side(type_: FieldType) -> st.SearchStrategy[str]:
        return either(fields, *(NUMBERS if type_ in NUMBERS else (type_,)))

    def plain(type_: FieldType) -> st.SearchStrategy[str]:
        return st.builds("{} {} {}".format, side(type_), ORDER, side(type_))

    def among(type_: FieldType) -> st.SearchStrategy[str]:
        listed = st.lists(LITERALS[type_], min_size=1, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        return st.builds("{} {} {}".format, side(type_), WORD, listed)

    small = st.sampled_from([name for name in SMALL if name not in FIELDS or name in fields])
    sums = st.builds("({} {} {})".format, small, st.sampled_from("+-*"), small)
    days = st.one_of(
        st.builds("days_between({}, {})".format, side(FieldType.DATE), side(FieldType.DATE)),
        st.builds("days_between({}, {})".format, side(FieldType.INSTANT), side(FieldType.INSTANT)),
        st.builds("{}({})".format, st.sampled_from(["month", "day"]), side(FieldType.DATE)),
    )
    kinds = [
        st.sampled_from(ordered).flatmap(plain),
        st.sampled_from(ordered).flatmap(plain),
        st.sampled_from(ordered).flatmap(among),
        st.builds("{} {} {}".format, side(FieldType.TEXT), WORD, st.sampled_from(sets)),
        st.builds(
            "{} is {}".format,
            st.sampled_from(list(fields)),
            st.sampled_from(["missing", "not missing"]),
        ),
        st.builds(
            "{}({}, {})".format,
            st.sampled_from(["starts_with", "contains"]),
            side(FieldType.TEXT),
            side(FieldType.TEXT),
        ),
        st.builds("{} {} {}".format, sums, ORDER, st.one_of(small, st.builds("-{}".format, small))),
        st.builds(
            "{} {} {}".format, days, ORDER, st.sampled_from(["0", "-1", "1", "2", "31", "90", "3652058"])
        ),
        side(FieldType.BOOLEAN),
        st.builds("{} == {}".format, side(FieldType.BOOLEAN), LITERALS[FieldType.BOOLEAN]),
    ]
    averages = [name for name, field in fields.items() if _is_average(field)]
    if averages:
        limits = st.sampled_from(["0", "10", "25.00", "49.995", "custom.small", "custom.credit"])
        kinds.append(st.builds("{} {} {}".format, st.sampled_from(averages), ORDER, limits))
    return st.one_of(kinds)


def expressions(fields: Mapping[str, Field]) -> st.SearchStrategy[str]:
    """Return a strategy for conditions over fields; a few are refused when they are checked."""
    return st.recursive(
        leaves(fields),
        lambda inner: st.one_of(
            st.builds("not ({})".format, inner),
            st.lists(inner, min_size=2, max_size=3).map(
                lambda parts: " and ".join(f"({one})" for one in parts)
            ),
            st.lists(inner, min_size=2, max_size=3).map(
                lambda parts: " or ".join(f"({one})" for one in parts)
            ),
        ),
        max_leaves=4,
    )
