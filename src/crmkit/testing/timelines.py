"""Failing examples kept as files: the steps that broke a law, replayed without Hypothesis."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from traceback import walk_tb
from typing import Any

from crmkit.errors import ValueRefused
from crmkit.testing.laws import LawBroken
from crmkit.testing.writing import HOMES, as_program, names_in

_FORMAT = 1
_BETWEEN = ("state.check_laws()", "state.teardown()")


def program_of(error: BaseException) -> str:
    """Return the failing example that Hypothesis noted on an error, as a program to be pasted; empty if it has none."""
    steps = "\n".join(_steps(error))
    return as_program(steps, **_homes(error, steps)) if steps else ""


def save_timeline(error: BaseException, path: Path | str) -> Path:
    """Write the steps that broke a law to a JSON file that `replay` takes.

    Args:
        error: what a property or a state machine of this kit raised under Hypothesis.
        path: the file; folders are made.

    Raises:
        ValueRefused: if the error has no example with it.
    """
    steps = "\n".join(_steps(error))
    if not steps:
        raise ValueRefused(f"{type(error).__name__} has no failing example of Hypothesis with it")
    broken = error if isinstance(error, LawBroken) else None
    data = {
        "crmkit": _FORMAT,
        "law": broken.number if broken else None,
        "said": str(error),
        "from": _homes(error, steps),
        "steps": [_written(node) for node in ast.parse(steps).body],
    }
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return place


def replay(path: Path | str) -> None:
    """Run the steps of a saved timeline; it imports what the file names, so replay only files that you trust.

    Args:
        path: a file that `save_timeline`, or pytest with `--crmkit-save`, wrote.

    Raises:
        LawBroken: if the law is still broken.
        ValueRefused: if the file is no timeline.
    """
    data = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(data, dict) or data.get("crmkit") != _FORMAT:
        raise ValueRefused(f"{path} is no timeline of crmkit; save_timeline() writes them")
    names: dict[str, Any] = {}
    for step in data["steps"]:
        result = _read(step["do"], names, data["from"])
        if "as" in step:
            names[step["as"]] = result


def _steps(error: BaseException) -> list[str]:
    """Return the lines of the failing example; a state machine's laws are checked once, at its end."""
    notes = [line for note in getattr(error, "__notes__", ()) for line in note.splitlines()]
    lines = [line.strip() for line in notes]
    begin = next((n for n, line in enumerate(lines) if line.startswith("state = ")), None)
    if begin is not None:
        return [*(line for line in lines[begin:] if line not in _BETWEEN), "state.check_laws()"]
    example = next((line for line in lines if line.startswith("example=")), "")
    return [example.removeprefix("example=").rstrip(",")] if example else []


def _homes(error: BaseException, steps: str) -> dict[str, str]:
    """Return where names in the steps come from that are not crmkit's: what was attacked, and its module's names."""
    homes = dict(_subjects(error))
    for module in {import_module(home) for home in homes.values()}:
        for name in names_in(steps) - homes.keys() - HOMES.keys():
            if (home := getattr(getattr(module, name, None), "__module__", "crmkit")).split(".")[
                0
            ] != "crmkit":
                homes[name] = home
    return homes


def _subjects(error: BaseException) -> Iterator[tuple[str, str]]:
    from hypothesis.stateful import RuleBasedStateMachine

    from crmkit.testing.attacks import Property

    for frame, _ in walk_tb(error.__traceback__):
        subject = frame.f_locals.get("self")
        if isinstance(subject, RuleBasedStateMachine):
            yield type(subject).__name__, type(subject).__module__
        if isinstance(subject, Property):
            yield subject.name, subject.body.__module__


def _written(node: ast.AST) -> Any:
    """Return a piece of a program as plain data."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return {"as": name, "do": _written(value)}
        case ast.Expr(value=value):
            return {"do": _written(value)}
        case ast.Call(func=function, args=arguments, keywords=keywords):
            named = {str(one.arg): _written(one.value) for one in keywords}
            return {
                "call": ast.unparse(function),
                "with": [_written(one) for one in arguments],
                "named": named,
            }
        case ast.List(elts=items):
            return [_written(item) for item in items]
        case ast.Tuple(elts=items):
            return {"tuple": [_written(item) for item in items]}
        case ast.Dict(keys=keys, values=values):
            return {"dict": [[_written(k), _written(v)] for k, v in zip(keys, values, strict=True) if k]}
        case ast.Name() | ast.Attribute():
            return {"name": ast.unparse(node)}
    return ast.literal_eval(ast.unparse(node))


def _read(data: Any, names: Mapping[str, Any], homes: Mapping[str, str]) -> Any:
    """Return what a piece of plain data stands for."""
    if isinstance(data, list):
        return [_read(item, names, homes) for item in data]
    if not isinstance(data, dict):
        return data
    if "tuple" in data:
        return tuple(_read(data["tuple"], names, homes))
    if "dict" in data:
        return {_read(key, names, homes): _read(value, names, homes) for key, value in data["dict"]}
    if "name" in data:
        return _named(data["name"], names, homes)
    arguments = _read(data["with"], names, homes)
    named = {name: _read(value, names, homes) for name, value in data["named"].items()}
    return _named(data["call"], names, homes)(*arguments, **named)


def _named(path: str, names: Mapping[str, Any], homes: Mapping[str, str]) -> Any:
    first, *rest = path.split(".")
    found = names[first] if first in names else _imported(first, homes)
    for part in rest:
        found = getattr(found, part)
    return found


def _imported(name: str, homes: Mapping[str, str]) -> Any:
    home = homes.get(name) or HOMES.get(name, "crmkit")
    return getattr(import_module(home), name)


def timeline_name(test: str, error: BaseException) -> str:
    """Return a file name for what broke in a test."""
    law = f"-law-{error.number}" if isinstance(error, LawBroken) else ""
    return "".join(_plain(test)) + law + ".json"


def _plain(text: str) -> Iterator[str]:
    yield from (letter if letter.isalnum() or letter in "-_." else "-" for letter in text)
