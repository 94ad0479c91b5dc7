"""Expressions over given fields: right ones of every shape, and ones in which something is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

import attrs
from hypothesis import strategies as st

from crmkit.errors import ValueRefused
from crmkit.expressions import Field, FieldType

Texts = st.SearchStrategy[str]

_NUMBERS = (FieldType.INTEGER, FieldType.DECIMAL)
_ORDER = st.sampled_from(("==", "!=", "<", "<=", ">", ">="))
_IN = st.sampled_from(("in", "not in"))
_WORDS = ("", "DE", "K", "vip", "caf\u00e9", "\uffff", "\U0001f600", "`;")
_LITERALS: Mapping[FieldType, Sequence[str]] = {
    FieldType.INTEGER: ("0", "1", "3", "99", "100", "101", "-1", "-50", "2.5", "7.00", "0.01"),
    FieldType.DATE: tuple(f'date("{day}")' for day in ("2024-02-29", "1990-12-31", "0001-01-01")),
    FieldType.INSTANT: tuple(
        f'instant("{at}+00:00")'
        for at in ("2026-03-01T12:00:00", "2026-03-01T12:00:00.000001", "1999-12-31T23:59:59")
    ),
    FieldType.BOOLEAN: ("True", "False"),
}
_AROUND = ("{}", "True and ({})", "not ({})", "False or ({})", "True or not ({})")
_UNKNOWN = ("no_such_field", "counts_.x", "__class__", "tags_.__len__", "missing", "Unknown")


def expressions(
    fields: Iterable[Field], *, well_typed: bool = True, words: Sequence[str] = ()
) -> st.SearchStrategy[str]:
    """Return a strategy for the texts of expressions.

    Args:
        fields: those that may be asked for; of each type there need not be one.
        well_typed: whether they are right; otherwise one thing in each is not: a name, or a type.
        words: texts that are compared with, besides the usual ones.

    Raises:
        ValueRefused: if there is no field.
    """
    vocabulary = _Vocabulary.of(fields, words)
    return vocabulary.right() if well_typed else vocabulary.wrong()


@attrs.frozen
class _Vocabulary:
    """The fields by type, and the strategies over them."""

    by_type: Mapping[FieldType, tuple[str, ...]]
    words: tuple[str, ...]

    @classmethod
    def of(cls, fields: Iterable[Field], words: Sequence[str]) -> _Vocabulary:
        by_type: dict[FieldType, tuple[str, ...]] = {}
        for field in fields:
            by_type[field.type] = (*by_type.get(field.type, ()), field.name)
        if not by_type:
            raise ValueRefused("expressions() needs a field to ask for")
        return cls(by_type, (*_WORDS, *words))

    def named(self, *types: FieldType) -> tuple[str, ...]:
        """The names of the fields of types."""
        return tuple(name for type_ in types for name in self.by_type.get(type_, ()))

    def literals(self, type_: FieldType) -> Texts:
        return st.sampled_from([repr(w) for w in self.words] if type_ is FieldType.TEXT else _LITERALS[type_])

    def either(self, *types: FieldType) -> Texts:
        """Operands of one type: fields and literals."""
        names = self.named(*types)
        return st.sampled_from(names) | self.literals(types[0]) if names else self.literals(types[0])

    def operands(self) -> dict[FieldType, Texts]:
        """Operands of each type that is compared: fields, literals, and for numbers arithmetic and calls."""
        atom, called = self.either(*_NUMBERS), self._called()
        number = st.one_of(atom, *called, _sums(atom), _sums(st.one_of(atom, _sums(atom))))
        found = {FieldType.INTEGER: number} if self.named(*_NUMBERS) or called else {}
        plain = (FieldType.TEXT, FieldType.DATE, FieldType.INSTANT)
        return found | {type_: self.either(type_) for type_ in plain if self.named(type_)}

    def _called(self) -> list[Texts]:
        days = self.named(FieldType.DATE)
        calls = [f"{function}({day})" for day in days for function in ("month", "day")]
        for names in (days, self.named(FieldType.INSTANT)):
            calls += [f"days_between({one}, {other})" for one, other in product(names, names) if one != other]
        return [st.sampled_from(calls)] if calls else []

    def right(self) -> Texts:
        shapes = self._shapes()
        leaf = st.sampled_from(list(shapes)).flatmap(shapes.__getitem__)
        return st.recursive(leaf, _joined, max_leaves=5)

    def _shapes(self) -> dict[str, Texts]:
        """A strategy for each shape of a condition, the one that people write most twice."""
        shapes = {
            "missing": st.builds(
                "{} is {}".format, self._present(), st.sampled_from(("missing", "not missing"))
            )
        }
        if operands := self.operands():
            any_type = st.sampled_from(list(operands))
            shapes |= {
                "among": any_type.flatmap(
                    lambda t: st.builds("{} {} {}".format, operands[t], _IN, self._listed(t))
                ),
                "chain": any_type.flatmap(
                    lambda t: st.builds("{} {} {} {} {}".format, *[operands[t], _ORDER] * 2, operands[t])
                ),
                "plain": any_type.flatmap(
                    lambda t: st.builds("{} {} {}".format, operands[t], _ORDER, operands[t])
                ),
                "short": any_type.flatmap(self._short),
                "short again": any_type.flatmap(self._short),
            }
        if self.named(FieldType.TEXT_SET):
            sets = st.sampled_from(self.named(FieldType.TEXT_SET))
            shapes["holds"] = st.builds("{} {} {}".format, self.either(FieldType.TEXT), _IN, sets)
        if self.named(FieldType.TEXT):
            text, test = self.either(FieldType.TEXT), st.sampled_from(("starts_with", "contains"))
            shapes["test"] = st.builds("{}({}, {})".format, test, text, text)
        shapes["truth"] = self._truth()
        return shapes

    def _short(self, type_: FieldType) -> Texts:
        """A field beside a literal: what people write most, for which compiled code has a shortcut."""
        names = self.named(*(_NUMBERS if type_ in _NUMBERS else (type_,)))
        return (
            st.builds("{} {} {}".format, st.sampled_from(names), _ORDER, self.literals(type_))
            if names
            else self._truth()
        )

    def _listed(self, type_: FieldType) -> Texts:
        return st.lists(self.literals(type_), min_size=1, max_size=4).map(
            lambda items: f"[{', '.join(items)}]"
        )

    def _present(self) -> Texts:
        numbers, days = self.named(*_NUMBERS), self.named(FieldType.DATE)
        odd = [f"({numbers[0]} + {numbers[-1]})", f"-{numbers[0]}"] if numbers else []
        return st.sampled_from([*self.named(*FieldType), *odd, *(f"({day})" for day in days[:1])])

    def _truth(self) -> Texts:
        flags, literal = self.named(FieldType.BOOLEAN), self.literals(FieldType.BOOLEAN)
        compared = (
            [
                st.sampled_from(flags),
                st.builds(
                    "{} {} {}".format,
                    st.sampled_from(flags),
                    st.sampled_from(("==", "!=")),
                    self.either(FieldType.BOOLEAN),
                ),
            ]
            if flags
            else []
        )
        return st.one_of(literal, *compared)

    def wrong(self) -> Texts:
        return st.builds(str.format, st.sampled_from(_AROUND), st.sampled_from(tuple(self._mistakes())))

    def _mistakes(self) -> Iterable[str]:
        kinds = [_NUMBERS, *((type_,) for type_ in FieldType if type_ not in _NUMBERS)]
        sorts = [names for kind in kinds if (names := self.named(*kind))]
        everything = self.named(*FieldType)
        for one, unknown in product(everything, _UNKNOWN):
            yield from (
                f"{unknown} == {one}",
                f"{one} + {unknown} > 1",
                f"{unknown}({one})",
                f"{unknown} is missing",
            )
        for mine, theirs in product(sorts, sorts):
            for one, other in product(mine, theirs) if mine is not theirs else ():
                yield from (f"{one} {sign} {other}" for sign in ("==", "!=", "<", ">="))
                yield from (
                    f"{one} in ({other},)",
                    f"({one} == {one}) > {other}",
                    f"month({one}, {other}) == 1",
                )
        for one in everything:
            yield from (f"-{one} == '1'", f"starts_with({one}, 1)", f"{one} in (1, 'a')")
        yield from (name for name in everything if name not in self.named(FieldType.BOOLEAN))
        yield from (f"not {name}" for name in everything if name not in self.named(FieldType.BOOLEAN))
        yield from (f"{name} + 1 > 1" for name in everything if name not in self.named(*_NUMBERS))
        yield from ("'x'", "1")


def _sums(inner: Texts) -> Texts:
    """Arithmetic over operands."""
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*"), inner), st.builds("-{}".format, inner)
    )


def _joined(inner: Texts) -> Texts:
    several = st.lists(inner, min_size=2, max_size=3)
    return st.one_of(
        st.builds("not ({})".format, inner),
        several.map(lambda parts: " and ".join(f"({part})" for part in parts)),
        several.map(lambda parts: " or ".join(f"({part})" for part in parts)),
    )
