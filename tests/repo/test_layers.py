"""Imports point upward only; SQLAlchemy, pluggy and blinker have one place each; plugins use public names only."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TypeGuard

import pytest

import crmkit
import crmkit.sql
import crmkit.sql.migrations
import crmkit.testing

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "src" / "crmkit"

#: A module imports from its own layer and from those above it. A new module gets its place here.
LAYERS = (
    "errors text money ids clock contacts orders messages settings retention digests purposes tenants",
    # events carry awards
    "duplicates rewards programmes expressions templates greeting stages consent tokens schedule events codec merkle",
    "hookspecs channels stores",
    "hooks plugins registry signals",
    "sql delivery privacy transaction crm exchange",
    "cli aio testing __main__",
)
LAYER_OF = {module: number for number, names in enumerate(LAYERS, start=1) for module in names.split()}

#: Who may import these distributions; `if TYPE_CHECKING:` is free to all.
KEPT_TO = {
    "sqlalchemy": {"sql", "testing"},
    "pluggy": {"hookspecs", "hooks", "plugins"},
    "blinker": {"signals"},
}

Import = tuple[int, str, str | None]  #: line, module, and the name taken from it


def is_type_checking(node: ast.AST) -> TypeGuard[ast.If]:
    """Tell whether this is an `if TYPE_CHECKING:` block."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def runtime_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Walk the tree without what is there for type checkers alone."""
    children = node.orelse if is_type_checking(node) else ast.iter_child_nodes(node)
    for child in children:
        yield child
        yield from runtime_nodes(child)


def imports(tree: ast.AST, package: str) -> Iterator[Import]:
    """Yield what a module of `package` imports when it runs, relative imports made absolute."""
    for node in runtime_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, module, alias.name) for alias in node.names)


def modules(package: Path) -> Iterator[tuple[Path, ast.Module]]:
    """Yield every module of a package with its tree."""
    for path in sorted(package.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def top(path: Path, package: Path) -> str:
    """Return the module or subpackage, right below the package, in which the file stands."""
    return path.relative_to(package).parts[0].removesuffix(".py")


def target(module: str, name: str | None) -> str | None:
    """Return the part of crmkit that an import reaches: "" for the package itself, None for other packages."""
    first, *rest = module.split(".")
    if first != "crmkit":
        return None
    if rest:
        return rest[0]
    return name if name in LAYER_OF else ""


def layer_faults(package: Path) -> list[str]:
    """Return a line for each import in `package` that points downward, and each module without a layer."""
    faults = []
    for path, tree in modules(package):
        here = top(path, package)
        if here == "__init__":
            continue
        if here not in LAYER_OF:
            faults.append(f"{here}: no layer; give it a place in LAYERS of tests/repo/test_layers.py")
            continue
        parent = ".".join(["crmkit", *path.relative_to(package).parts[:-1]])
        for line, module, name in imports(tree, parent):
            faults += layer_fault(f"{path.name}:{line}", here, target(module, name))
    return faults


def layer_fault(where: str, here: str, there: str | None) -> list[str]:
    """Return what is wrong with one import, if anything is."""
    if there is None or there == here:
        return []
    if there == "":
        return [f"{where}: import from the module that defines it, not from crmkit itself"]
    if there not in LAYER_OF:
        return [f"{where}: imports {there}, which has no layer"]
    if LAYER_OF[there] <= LAYER_OF[here]:
        return []
    return [f"{where}: {here} (layer {LAYER_OF[here]}) imports {there} (layer {LAYER_OF[there]})"]


def kept_faults(package: Path) -> list[str]:
    """Return a line for each import of a distribution outside the modules to which it is kept."""
    faults = [
        f"{path.name}:{line}: only {', '.join(sorted(KEPT_TO[module.split('.')[0]]))} may import {module}"
        for path, tree in modules(package)
        for line, module, _ in imports(tree, "crmkit")
        if top(path, package) not in KEPT_TO.get(module.split(".")[0], {top(path, package)})
    ]
    return list(dict.fromkeys(faults))  # one line, however many names it takes


def plugin_faults(package: Path, public: Mapping[str, Collection[str]]) -> list[str]:
    """Return a line for each use that a plugin makes of crmkit beyond the names in `public`, by module."""
    return [
        f"{path.name}:{line}: {use} is not public; public are the names in __all__ of {', '.join(public)}"
        for path, tree in modules(package)
        for line, use in private_uses(tree, public)
    ]


def private_uses(tree: ast.Module, public: Mapping[str, Collection[str]]) -> Iterator[tuple[int, str]]:
    """Yield the imports and attributes of crmkit that are not public, type checkers' blocks included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, a.name) for a in node.names if is_private(a.name, None, public))
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [a.name for a in node.names if is_private(node.module, a.name, public)]
            yield from ((node.lineno, f"{node.module}.{name}") for name in names)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "crmkit":
            names = [node.attr] if is_private("crmkit", node.attr, public) else []
            yield from ((node.lineno, f"crmkit.{name}") for name in names)


def is_private(module: str, name: str | None, public: Mapping[str, Collection[str]]) -> bool:
    """Tell whether an import reaches into crmkit beyond what is public."""
    if module.split(".")[0] != "crmkit":
        return False
    if module not in public:
        return True
    return name is not None and name not in public[module] and f"{module}.{name}" not in public


PUBLIC: Mapping[str, Collection[str]] = {
    "crmkit": crmkit.__all__,
    "crmkit.sql": crmkit.sql.__all__,
    "crmkit.sql.migrations": crmkit.sql.migrations.__all__,
    "crmkit.testing": crmkit.testing.__all__,
}


def test_modules_import_from_their_own_layer_and_those_above() -> None:
    assert layer_faults(CORE) == []


def test_some_distributions_are_imported_in_one_place() -> None:
    assert kept_faults(CORE) == []


@pytest.mark.parametrize("package", sorted(ROOT.glob("plugins/*/src/*")), ids=lambda path: path.name)
def test_plugins_use_public_names_only(package: Path) -> None:
    assert plugin_faults(package, PUBLIC) == []


def sample(folder: Path, **files: str) -> Path:
    """Write modules, named `sub___module` for one in a subpackage, and return their package."""
    for name, text in files.items():
        path = folder.joinpath(*name.split("___")).with_suffix(".py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(
    "module, text, fault",
    [
        ("money", "from crmkit.crm import CRM", "money.py:1: money (layer 1) imports crm (layer 5)"),
        ("money", "import crmkit.rewards", "money.py:1: money (layer 1) imports rewards (layer 2)"),
        ("money", "def f():\n    from .sql import Id", "money.py:2: money (layer 1) imports sql (layer 5)"),
        ("sql___types", "from ..testing import x", "types.py:1: sql (layer 5) imports testing (layer 6)"),
        ("money", "from crmkit import crm", "money.py:1: money (layer 1) imports crm (layer 5)"),
        (
            "money",
            "from crmkit import Order",
            "money.py:1: import from the module that defines it, not from crmkit itself",
        ),
        ("money", "import crmkit.new", "money.py:1: imports new, which has no layer"),
        ("new", "", "new: no layer; give it a place in LAYERS of tests/repo/test_layers.py"),
    ],
)
def test_a_downward_import_is_reported(tmp_path: Path, module: str, text: str, fault: str) -> None:
    assert layer_faults(sample(tmp_path, **{module: text})) == [fault]


def test_imports_for_type_checkers_and_within_a_layer_are_free(tmp_path: Path) -> None:
    text = "from typing import TYPE_CHECKING\nfrom .errors import E\nif TYPE_CHECKING:\n    from crmkit.crm import CRM"
    assert layer_faults(sample(tmp_path, money=text, __init__="from crmkit.crm import CRM")) == []


@pytest.mark.parametrize(
    "text", ["import sqlalchemy.orm", "from pluggy import HookimplMarker, HookspecMarker", "import blinker"]
)
def test_a_distribution_out_of_its_place_is_reported(tmp_path: Path, text: str) -> None:
    (fault,) = kept_faults(sample(tmp_path, crm=text))
    assert fault.startswith("crm.py:1: only ")
    assert kept_faults(sample(tmp_path, crm=f"if TYPE_CHECKING:\n    {text}")) == []


@pytest.mark.parametrize(
    "text, use",
    [
        ("import crmkit.delivery", "crmkit.delivery"),
        ("from crmkit import delivery", "crmkit.delivery"),
        ("from crmkit.sql import secret", "crmkit.sql.secret"),
        ("from crmkit.sql.tables import events", "crmkit.sql.tables.events"),
        ("import crmkit\ncrmkit.crm.CRM", "crmkit.crm"),
        ("if TYPE_CHECKING:\n    from crmkit.crm import CRM", "crmkit.crm.CRM"),
    ],
)
def test_a_private_name_in_a_plugin_is_reported(tmp_path: Path, text: str, use: str) -> None:
    public = {"crmkit": ["CRM"], "crmkit.sql": ["Id"]}
    (fault,) = plugin_faults(sample(tmp_path, plugin=text), public)
    assert f"{use} is not public" in fault


def test_public_names_in_a_plugin_pass(tmp_path: Path) -> None:
    text = (
        "import crmkit\nimport crmkit.sql\nfrom crmkit import CRM, sql\nfrom crmkit.sql import Id\ncrmkit.CRM"
    )
    assert plugin_faults(sample(tmp_path, plugin=text), {"crmkit": ["CRM"], "crmkit.sql": ["Id"]}) == []
