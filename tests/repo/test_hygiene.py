"""Small files, small functions, names that say something, and nothing of the machine it was written on."""

from __future__ import annotations

import ast
import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FILE_LINES = 500
FUNCTION_LINES = 60
EMPTY_NAMES = frozenset("utils util helpers helper base common misc".split())

#: Places that exist on one machine only. Each has a class of one letter, so that this file does not match itself.
MACHINE = re.compile(
    r"/wor[k]/|/tm[p]/[a-z]|/roo[t]/|/hom[e]/[a-z]|/User[s]/[a-z]|[A-Z]:\\User[s]|"
    r"py[p]i\.org/simple|pythonhoste[d]\.org|registr[y]\.npm|de[b]\.debian",
    re.IGNORECASE,
)


def tracked(root: Path) -> list[Path]:
    """Return the files that belong to the project: git's, or without git all but the made ones."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    if (root / ".git").exists():
        output = subprocess.run(listing, cwd=root, capture_output=True, text=True, check=True).stdout
        return [path for name in sorted(set(output.split("\0")) - {""}) if (path := root / name).is_file()]
    return sorted(walk(root))


def walk(root: Path) -> Iterator[Path]:
    """Yield the files below a folder, leaving out environments and caches."""
    for folder, folders, files in os.walk(root):
        folders[:] = [f for f in folders if f == ".ci" or not f.startswith((".", "__pycache__"))]
        yield from (Path(folder) / name for name in files if not name.endswith(".pyc"))


def is_test(path: Path) -> bool:
    """Tell whether the file is part of the tests."""
    return "tests" in path.relative_to(ROOT).parts


def size_faults(paths: Iterable[Path]) -> list[str]:
    """Return a line for each Python file, and each function in it, that is too long."""
    faults = []
    for path in paths:
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > FILE_LINES:
            faults.append(f"{path.name}: {text.count(chr(10))} lines, more than {FILE_LINES}")
        faults += [f"{path.name}: {name} has {n} lines" for name, n in functions(text) if n > FUNCTION_LINES]
    return faults


def functions(text: str) -> Iterator[tuple[str, int]]:
    """Yield each function of a module with its number of lines."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def name_faults(paths: Iterable[Path]) -> list[str]:
    """Return the modules and packages whose names say nothing."""
    return [
        f"{path}: call it after what it does" for path in paths if EMPTY_NAMES & {path.stem, path.parent.name}
    ]


def machine_faults(paths: Iterable[Path]) -> list[str]:
    """Return a line for each mention of a place on somebody's machine."""
    faults = []
    for path in paths:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # not text
        faults += [
            f"{path.name}:{n}: {line.strip()[:90]}" for n, line in enumerate(lines, 1) if MACHINE.search(line)
        ]
    return faults


FILES = tracked(ROOT)
PYTHON = [path for path in FILES if path.suffix == ".py"]


def test_files_and_functions_are_small() -> None:
    assert size_faults(path for path in PYTHON if not is_test(path)) == []


def test_modules_have_names_that_say_something() -> None:
    assert name_faults(path.relative_to(ROOT) for path in PYTHON) == []


def test_nothing_names_a_machine() -> None:
    assert machine_faults(FILES) == []


def test_the_project_has_files() -> None:
    assert {"pyproject.toml", "Makefile"} <= {path.name for path in FILES}
    assert not [path for path in walk(ROOT) if ".venv" in path.parts]


def test_long_files_and_functions_are_reported(tmp_path: Path) -> None:
    (tmp_path / "long.py").write_text("def f():\n" + "    x = 1\n" * 500)
    (tmp_path / "fine.py").write_text("def f():\n" + "    x = 1\n" * 59)
    assert size_faults(sorted(tmp_path.iterdir())) == [
        "long.py: 501 lines, more than 500",
        "long.py: f has 501 lines",
    ]


@pytest.mark.parametrize("path", ["src/crmkit/utils.py", "src/crmkit/common/money.py"])
def test_an_empty_name_is_reported(path: str) -> None:
    assert name_faults([Path(path), Path("src/crmkit/money.py")]) == [f"{path}: call it after what it does"]


@pytest.mark.parametrize("place", ["/hom" + "e/ann/x", "/tm" + "p/x", "C:\\User" + "s\\ann"])
def test_a_place_on_a_machine_is_reported(tmp_path: Path, place: str) -> None:
    (tmp_path / "notes.md").write_text(f"# Notes\nSee {place}.\n")
    (tmp_path / "image.png").write_bytes(b"\xff\xfe" + place.encode())
    assert machine_faults(sorted(tmp_path.iterdir())) == [f"notes.md:2: See {place}."]
