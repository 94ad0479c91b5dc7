"""The examples are examples of something that works: each has a test, and their committed data can be told apart."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from docs.markdown import ROOT

EXAMPLES = ROOT / "docs" / "examples"


def examples(folder: Path) -> list[str]:
    """Return the examples in a folder: its modules, and its folders that hold modules."""
    modules = (path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)
    found = {path.relative_to(folder).parts[0] for path in modules}
    return sorted(name for name in found if not name.startswith("test_"))


def untested(folder: Path, tests: Iterable[Path]) -> list[str]:
    """Return the examples that have no test beside them, and that no other test names by their path."""
    texts = [file.read_text(encoding="utf-8") for file in tests if file != Path(__file__)]
    named = {
        name: f'"examples" / "{name}"' for name in examples(folder) if not (folder / f"test_{name}").exists()
    }
    return [name for name, form in named.items() if not any(form in text for text in texts)]


def test_every_example_has_a_test() -> None:
    assert untested(EXAMPLES, (ROOT / "tests").rglob("*.py")) == []


@pytest.mark.parametrize("test", sorted(EXAMPLES.glob("test_*.py")), ids=lambda test: test.name)
def test_the_tests_beside_the_examples_pass(test: Path) -> None:
    # as their authors run them: beside the module that they import
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--import-mode=prepend",
        str(test),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_data_has_its_source_and_licence_beside_it() -> None:
    for data in EXAMPLES.rglob("*.gz"):
        words = (data.parent / "README.md").read_text(encoding="utf-8")
        assert "CC BY 4.0" in words and "https://" in words


def test_an_example_without_a_test_is_reported(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    for name in ("shop/till.py", "channel.py", "rule.py", "test_rule.py"):
        (tmp_path / name).touch()
    test = tmp_path / "test_it.py"
    test.write_text('ROOT / "docs" / "examples" / "shop"\n')
    assert examples(tmp_path) == ["channel.py", "rule.py", "shop"]
    assert untested(tmp_path, [test]) == ["channel.py"]
