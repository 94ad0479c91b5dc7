"""Reads the project's Markdown: its code blocks, its links, and the commands that it tells people to type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).resolve().parents[2]

#: Every page whose blocks run, whose links resolve and whose commands exist.
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("plugins/*/README.md")),
]

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>```+)(?P<language>[\w+-]*) *$")
_LINK = re.compile(r"(?<!!)\[[^\]]+\]\((?P<target>[^)\s]+)\)")
_FILE = re.compile(r"# file: (?P<name>[\w./-]+\.\w+)$")
_PROMPT = re.compile(r"^\$ (?P<command>.+)$", re.MULTILINE)


@attrs.frozen
class Block:
    """A fenced block.

    Args:
        language: what stands behind the fence, or empty.
        text: its lines without the indentation of the fence.
        line: the number of its first line, from 1.
    """

    language: str
    text: str
    line: int

    @property
    def file(self) -> str:
        """The file that its first line says it is, or empty."""
        found = _FILE.match(self.text.partition("\n")[0])
        return found["name"] if found else ""


def name(page: Path) -> str:
    """Return how a test names a page."""
    return page.relative_to(ROOT).as_posix() if page.is_relative_to(ROOT) else page.name


def blocks(page: Path, *languages: str) -> list[Block]:
    """Return the fenced blocks of a page in these languages; all when none is named."""
    found, lines = [], iter(enumerate(page.read_text(encoding="utf-8").splitlines(), 1))
    for number, line in lines:
        if opening := _FENCE.match(line):
            inner = [text.removeprefix(opening["indent"]) for text in _until(opening["fence"], lines)]
            found.append(Block(opening["language"], "\n".join(inner) + "\n", number + 1))
    return [block for block in found if not languages or block.language in languages]


def _until(fence: str, lines: Iterator[tuple[int, str]]) -> Iterator[str]:
    for _, line in lines:
        if line.strip() == fence:
            return
        yield line


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    kept, fence = [], ""
    for line in page.read_text(encoding="utf-8").splitlines():
        opening = _FENCE.match(line)
        if fence:
            fence = "" if line.strip() == fence else fence
        elif opening:
            fence = opening["fence"]
        else:
            kept.append(line)
    return "\n".join(kept)


def links(page: Path) -> list[str]:
    """Return what a page links to, in their order."""
    return [found["target"] for found in _LINK.finditer(prose(page))]


def anchors(page: Path) -> set[str]:
    """Return the names of a page's headings as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+?) *$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(page: Path) -> list[str]:
    """Return what a page tells people to type at the prompt `$`."""
    return [found["command"] for block in blocks(page, "console") for found in _PROMPT.finditer(block.text)]
