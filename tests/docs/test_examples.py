"""The examples are examples of something that works: each has a test, and their committed data can be told apart."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from docs.markdown import ROOT

EXAMPLES = ROOT / "docs" / "examples"


def examples(folder: Path) -> list[str]:
    """Return the examples in a folder: its modules, and its folders that hold modules."""
    found = {path.relative_to(folder).parts[0] for path in folder.rglob("*.py") if "__pycache__" not in path.parts}
    return sorted(found)


def untested(names: Iterable[str], tests: Iterable[Path]) -> list[str]:
    """Return the examples that no test file names by their path or module."""
    texts = [file.read_text(encoding="utf-8") for file in tests if file != Path(__file__)]
    wanted = {name: (f"examples/{name}", f'"examples" / "{name}"') for name in names}
    return [name for name, forms in wanted.items() if not any(form in text for form in forms for text in texts)]


def test_every_example_has_a_test() -> None:
    tests = [*(ROOT / "tests").rglob("*.py"), *ROOT.glob("plugins/*/tests/*.py")]
    assert untested(examples(EXAMPLES), tests) == []


def test_data_has_its_source_and_licence_beside_it() -> None:
    for data in EXAMPLES.rglob("*.gz"):
        words = (data.parent / "README.md").read_text(encoding="utf-8")
        assert "CC BY 4.0" in words and "https://" in words


def test_an_example_without_a_test_is_reported(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "till.py").touch()
    (tmp_path / "channel.py").touch()
    test = tmp_path / "test_it.py"
    test.write_text('ROOT / "docs" / "examples" / "shop"\n')
    assert untested(["shop", "channel.py"], [test]) == ["channel.py"]
    assert examples(tmp_path) == ["channel.py", "shop", "test_it.py"]
