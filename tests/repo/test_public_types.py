"""Every public function and method has types for all its parameters and its result."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import pytest

PACKAGES = ("crmkit", "crmkit.sql", "crmkit.testing")


def is_generated(function: Callable[..., Any]) -> bool:
    """Tell whether attrs or typing wrote the function; attrs drops the types of fields with a converter."""
    return function.__code__.co_filename.startswith("<attrs generated") or function.__module__ == "typing"


def methods(cls: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the functions a class defines under public names, with `__init__` and `__call__` if hand-written."""
    for name, member in vars(cls).items():
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        public = not name.startswith("_") or name in ("__call__", "__init__")
        if public and inspect.isfunction(function) and not is_generated(function):
            yield f"{cls.__name__}.{name}", function


def public_functions(names: Mapping[str, object]) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the functions and methods of crmkit behind public names."""
    for name, value in names.items():
        if inspect.isfunction(value):
            yield name, value
        elif inspect.isclass(value):
            for cls in value.__mro__:
                if cls.__module__.split(".")[0] == value.__module__.split(".")[0]:
                    yield from methods(cls)


def untyped(function: Callable[..., Any]) -> list[str]:
    """Return the parameters without annotation, and "return" if the result has none."""
    parameters = list(inspect.signature(function).parameters.values())
    if parameters and parameters[0].name in ("self", "cls"):
        del parameters[0]
    missing = [p.name for p in parameters if p.annotation is inspect.Parameter.empty]
    return missing + ([] if "return" in function.__annotations__ else ["return"])


def type_faults(names: Mapping[str, object]) -> list[str]:
    """Return a line for each public function that lacks a type."""
    return sorted(
        {
            f"{name}: no type for {', '.join(gaps)}"
            for name, f in public_functions(names)
            if (gaps := untyped(f))
        }
    )


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_function_is_typed(package: str) -> None:
    module = importlib.import_module(package)
    assert type_faults({name: getattr(module, name) for name in module.__all__}) == []


@attrs.define
class Generated:
    """A class whose `__init__` attrs writes."""

    parts: tuple[int, ...] = attrs.field(converter=tuple)


class Sample:
    """A class with typed and untyped members."""

    def __init__(self, size):  # type: ignore[no-untyped-def]
        self.size = size

    def typed(self, size: int) -> int:
        return size

    @classmethod
    def made(cls, size: int):  # type: ignore[no-untyped-def]
        return cls(size)

    @property
    def double(self):  # type: ignore[no-untyped-def]
        return 2 * self.size


def test_missing_types_are_reported() -> None:
    def loose(one, *rest, named=1) -> None:  # type: ignore[no-untyped-def]
        pass

    assert type_faults({"Sample": Sample, "Generated": Generated, "loose": loose, "CONSTANT": 1}) == [
        "Sample.__init__: no type for size, return",
        "Sample.double: no type for return",
        "Sample.made: no type for return",
        "loose: no type for one, rest, named",
    ]
