"""`__all__` says what is exported: sorted, complete, and each name is there, lazy ones included."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

PACKAGES = ("crmkit", "crmkit.sql", "crmkit.testing")


def own_imports(node: ast.AST, package: str) -> set[str]:
    """Return the public names that an import statement takes from the package's own modules."""
    if not isinstance(node, ast.ImportFrom):
        return set()
    own = node.level > 0 or f"{node.module}.".startswith(f"{package}.")
    return {alias.asname or alias.name for alias in node.names} if own else set()


def static_names(source: str, package: str) -> set[str]:
    """Return what a type checker sees exported: definitions, and imports from the package's own modules."""
    tree = ast.parse(source)
    body = [*tree.body, *(n for block in tree.body if isinstance(block, ast.If) for n in block.body)]
    names: set[str] = set()
    for node in body:
        names |= own_imports(node, package)
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return {name for name in names if not name.startswith("_")}


def missing_names(module: ModuleType) -> list[str]:
    """Return the names in `__all__` that the module does not have."""
    return [name for name in module.__all__ if not hasattr(module, name)]


def export_faults(module: ModuleType) -> list[str]:
    """Return a line for each way in which `__all__` is not what the module exports."""
    listed = list(module.__all__)
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    public = {name for name in listed if not name.startswith("_")}
    seen = static_names(source, module.__name__)
    faults = [] if listed == sorted(listed) else ["__all__ is not sorted"]
    faults += [f"{name} is listed twice" for name in sorted(set(listed)) if listed.count(name) > 1]
    faults += [f"{name} is in __all__ and is not there" for name in missing_names(module)]
    faults += [f"{name} is in __all__ and type checkers do not see it" for name in sorted(public - seen)]
    faults += [f"{name} is exported and not in __all__" for name in sorted(seen - public)]
    return faults


@pytest.mark.parametrize("package", PACKAGES)
def test_all_is_sorted_complete_and_there(package: str) -> None:
    assert export_faults(importlib.import_module(package)) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_shows_in_dir(package: str) -> None:
    module = importlib.import_module(package)
    assert set(module.__all__) <= set(dir(module))


def test_an_unknown_name_is_refused() -> None:
    module = importlib.import_module("crmkit")
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = module.no_such_name


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    (tmp_path / "broken_exports.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "__all__ = ['there', 'gone']\n"
        "constant = 1\n"
        "def there(): ...\n"
        "def extra(): ...\n"
        "if TYPE_CHECKING:\n    from broken_exports.part import lazy, _private\n    from collections import abc\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "broken_exports", raising=False)
    return importlib.import_module("broken_exports")


def test_each_drift_is_reported(broken: ModuleType) -> None:
    assert export_faults(broken) == [
        "__all__ is not sorted",
        "gone is in __all__ and is not there",
        "gone is in __all__ and type checkers do not see it",
        "constant is exported and not in __all__",
        "extra is exported and not in __all__",
        "lazy is exported and not in __all__",
    ]
