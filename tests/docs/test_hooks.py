"""Every hook is documented with its literal signature, and named in a test."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from crmkit.hookspecs import Specs
from docs.markdown import ROOT, blocks

REFERENCE = ROOT / "docs" / "reference" / "hooks.md"
HOOKS = {name: function for name, function in vars(Specs).items() if name.startswith("crmkit_")}


def signature(function: Callable[..., Any]) -> str:
    """Return how an implementer writes the hook, without `self` and types: `name(argument, argument)`."""
    arguments = list(inspect.signature(function).parameters)[1:]
    return f"{function.__name__}({', '.join(arguments)})"


def undocumented(functions: Iterable[Callable[..., Any]], text: str) -> list[str]:
    """Return the hooks that have no heading of their own with their signature."""
    headings = [line for line in text.splitlines() if line.startswith("#")]
    return [one for one in map(signature, functions) if not any(f"`{one}`" in line for line in headings)]


def without_example(names: Iterable[str], examples: str) -> list[str]:
    """Return the hooks that no runnable example implements."""
    return [name for name in names if f"def {name}(" not in examples]


def untested(names: Iterable[str], folders: Iterable[Path]) -> list[str]:
    """Return the hooks that no test file names."""
    files = [
        file for folder in folders for file in folder.rglob("*.py") if file.parent != Path(__file__).parent
    ]
    texts = [file.read_text(encoding="utf-8") for file in files]
    return [name for name in names if not any(name in text for text in texts)]


def test_there_are_hooks() -> None:
    assert len(HOOKS) >= 16


def test_every_hook_is_documented_with_its_signature() -> None:
    assert undocumented(HOOKS.values(), REFERENCE.read_text(encoding="utf-8")) == []


def test_every_hook_has_an_example_that_runs() -> None:
    assert without_example(HOOKS, "".join(block.text for block in blocks(REFERENCE, "python"))) == []


def test_every_hook_is_tested() -> None:
    assert untested(HOOKS, [ROOT / "tests", *ROOT.glob("plugins/*/tests")]) == []


def test_the_picture_shows_every_hook() -> None:
    picture = "".join(block.text for block in blocks(REFERENCE, "mermaid"))
    assert [name for name in HOOKS if name not in picture] == []


def crmkit_new_hook(self: object, contact: object, order: object) -> None:
    """Stand for a hook that nobody has documented."""


@pytest.mark.parametrize(
    "text", ["", "### `crmkit_new_hook(contact)`", "crmkit_new_hook(contact, order) in the text"]
)
def test_a_hook_without_its_signature_is_reported(text: str) -> None:
    assert undocumented([crmkit_new_hook], text) == ["crmkit_new_hook(contact, order)"]
    assert undocumented([crmkit_new_hook], "### `crmkit_new_hook(contact, order)`") == []


def test_a_hook_without_example_or_test_is_reported(tmp_path: Path) -> None:
    assert without_example(["crmkit_new_hook"], "crmkit_new_hook()") == ["crmkit_new_hook"]
    (tmp_path / "test_it.py").write_text("crmkit_other_hook\n")
    assert untested(["crmkit_new_hook"], [tmp_path]) == ["crmkit_new_hook"]
