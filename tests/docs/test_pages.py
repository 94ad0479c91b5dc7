"""What the docs show is so: blocks run, links lead somewhere, commands exist."""

from __future__ import annotations

import importlib
import io
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from itertools import zip_longest
from pathlib import Path

import pytest
from hypothesis import settings

from docs.markdown import PAGES, ROOT, Block, anchors, blocks, commands, links, name

WITH_PYTHON = [page for page in PAGES if blocks(page, "python")]


def run(page: Path, parts: Sequence[Block], folder: Path) -> None:
    """Run the blocks of a page one after another in one namespace, and compare what they print.

    A block that is a file is written to `folder` and imported; a test in it is run by `run_tests`. A block of
    `text` that follows a block of Python is what that one prints.
    """
    namespace: dict[str, object] = {"__name__": "__main__"}
    for part, following in zip_longest(parts, parts[1:]):
        if part.file:
            (folder / part.file).write_text(part.text, encoding="utf-8")
            importlib.invalidate_caches()
            if not part.file.startswith("test_") and part.language == "python":
                importlib.import_module(Path(part.file).stem)
        elif part.language == "python":
            printed = io.StringIO()
            # as many empty lines before it as the page has, so that a traceback tells the page's line
            code = compile("\n" * (part.line - 1) + part.text, str(page), "exec", dont_inherit=True)
            with redirect_stdout(printed):
                exec(code, namespace)
            if following and following.language == "text":
                assert printed.getvalue() == following.text, f"{name(page)}:{following.line}"


def run_tests(folder: Path) -> None:
    """Run the tests that a page has written, in a process of their own."""
    if any(folder.rglob("test_*.py")):
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def link_faults(page: Path, root: Path = ROOT) -> list[str]:
    """Return the relative links of a page that lead nowhere."""
    faults = []
    for target in links(page):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or not there.is_relative_to(root):
            faults.append(f"{name(page)}: {target} does not exist")
        elif anchor and there.suffix == ".md" and anchor not in anchors(there):
            faults.append(f"{name(page)}: {there.name} has no heading #{anchor}")
    return faults


def command_faults(page: Path) -> list[str]:
    """Return the commands of crmkit and make on a page that do not exist."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    faults = []
    for command in commands(page):
        words = [word for word in shlex.split(command) if "=" not in word]
        program = Path(words[0]).name
        if program == "make" and not set(words[1:]) <= targets:
            faults.append(f"{name(page)}: the Makefile has no {command!r}")
        if program == "crmkit" and not runs(words[1:]):
            faults.append(f"{name(page)}: crmkit does not know {command!r}")
        if program.startswith("python") and words[1].endswith(".py") and not (ROOT / words[1]).is_file():
            faults.append(f"{name(page)}: there is no {words[1]}")
    return faults


def runs(words: list[str]) -> bool:
    """Return whether the command line takes these words; they are parsed, and only `--help` is run."""
    from crmkit.cli import main

    return main([*words, "--help"]) == 0


@pytest.fixture
def the_same_examples() -> Iterator[None]:
    """Let Hypothesis try the same each time, so that a page can show what it finds."""
    before = settings()
    settings.load_profile("ci")
    yield
    settings.register_profile("before", before)
    settings.load_profile("before")


@pytest.mark.usefixtures("the_same_examples")
@pytest.mark.parametrize("page", WITH_PYTHON, ids=name)
def test_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    try:
        run(page, blocks(page), tmp_path)
        run_tests(tmp_path)
    finally:
        for module in set(sys.modules) - before:
            if str(getattr(sys.modules[module], "__file__", "")).startswith(str(tmp_path)):
                del sys.modules[module]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    assert link_faults(page) == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_exist(page: Path) -> None:
    assert command_faults(page) == []


def test_the_index_leads_to_every_page() -> None:
    index = ROOT / "docs" / "index.md"
    reached = {(index.parent / target.partition("#")[0]).resolve() for target in links(index)}
    pages = {page for page in (ROOT / "docs").rglob("*.md") if "examples" not in page.parts} - {index}
    assert sorted(name(page) for page in pages - reached) == []


def page_of(folder: Path, text: str) -> Path:
    """Return a page with this text."""
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    return page


def test_a_block_that_fails_is_reported_with_its_line(tmp_path: Path) -> None:
    page = page_of(
        tmp_path, "# Page\n\n```python\nx = 1\n```\n\nthen\n\n```python\nassert x == 1\nassert x == 2\n```\n"
    )
    with pytest.raises(AssertionError) as caught:
        run(page, blocks(page), tmp_path)
    assert caught.traceback[-1].lineno + 1 == 11


def test_a_block_that_is_a_file_is_written(tmp_path: Path) -> None:
    page = page_of(tmp_path, "```csv\n# file: till.csv\n1,2\n```\n")
    run(page, blocks(page), tmp_path)
    assert (tmp_path / "till.csv").read_text() == "# file: till.csv\n1,2\n"


def test_a_block_that_prints_something_else_is_reported(tmp_path: Path) -> None:
    page = page_of(tmp_path, "```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md:6"):
        run(page, blocks(page), tmp_path)


def test_a_test_that_fails_is_reported(tmp_path: Path) -> None:
    page = page_of(tmp_path, "```python\n# file: test_till.py\ndef test_it():\n    assert 1 == 2\n```\n")
    run(page, blocks(page), tmp_path)
    with pytest.raises(AssertionError, match="assert 1 == 2"):
        run_tests(tmp_path)


def test_a_link_that_leads_nowhere_is_reported(tmp_path: Path) -> None:
    text = "# A page\n\n[a](page.md) [b](#a-page) [c](https://example.com) [d](gone.md) [e](page.md#gone)\n"
    page = page_of(tmp_path, text + "\n```text\n[f](gone.md)\n```\n")
    assert link_faults(page, tmp_path) == [
        "page.md: gone.md does not exist",
        "page.md: page.md has no heading #gone",
    ]


def test_a_command_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    text = "$ make demo\n$ make coffee\n$ crmkit plugins --json\n$ .venv/bin/crmkit brew\n$ python gone.py\n$ ls\n"
    assert command_faults(page_of(tmp_path, f"```console\n{text}```\n")) == [
        "page.md: the Makefile has no 'make coffee'",
        "page.md: crmkit does not know '.venv/bin/crmkit brew'",
        "page.md: there is no gone.py",
    ]
