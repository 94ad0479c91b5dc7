"""Which tests hold which law of loyalty, told from their names; as a program it writes the page of the laws."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from crmkit.testing.catalogue import LoyaltyLaw, loyalty_laws

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "laws.md"

#: Where tests of loyalty stand; those of deliveries have the numbers of the laws of channels.
FOLDERS = (ROOT / "tests", ROOT / "plugins" / "loyalty" / "tests")
CHANNELS = "test_delivery.py"

_TEST = re.compile(r"test_laws?_((?:\d+_)+)")
_DOES_NOT_APPLY = re.compile(r"^- Law (\d+)\b", re.MULTILINE)
_BEGIN, _END = "<!-- written by tests/laws.py -->", "<!-- to here -->"


def numbered(text: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the tests of a module that have the number of a law in their name: `test_law_31_...`."""
    for node in ast.walk(ast.parse(text)):
        found = _TEST.match(node.name) if isinstance(node, ast.FunctionDef) else None
        if found and isinstance(node, ast.FunctionDef):
            yield node.name, tuple(map(int, found[1].strip("_").split("_")))


def homes(folders: Iterable[Path] = FOLDERS) -> dict[int, list[Path]]:
    """Return the modules with tests of each law, by its number."""
    found: dict[int, set[Path]] = {}
    for path in (path for folder in folders for path in folder.rglob("test_*.py") if path.name != CHANNELS):
        for _, numbers in numbered(path.read_text(encoding="utf-8")):
            for number in numbers:
                found.setdefault(number, set()).add(path)
    return {number: sorted(paths) for number, paths in sorted(found.items())}


def not_applying(page: str) -> set[int]:
    """Return the laws of which the page says why they do not apply, in lines that begin `- Law 31`."""
    return {int(number) for number in _DOES_NOT_APPLY.findall(page)}


def killed() -> dict[int, list[str]]:
    """Return the mutants that each law kills."""
    from crmkit_loyalty.testing import MUTANTS

    found: dict[int, list[str]] = {}
    for mutant in MUTANTS:
        for number in mutant.laws:
            found.setdefault(number, []).append(mutant.name)
    return found


def written(page: str) -> str:
    """Return the page with its tables as they should be."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n\n{tables()}\n{_END}{after}"


def tables() -> str:
    """Return a table of the laws for each family."""
    held, mutants = homes(), killed()
    families: dict[str, list[LoyaltyLaw]] = {}
    for law in loyalty_laws():
        families.setdefault(law.family, []).append(law)
    return "\n".join(_table(family, laws, held, mutants) for family, laws in families.items())


def _table(
    family: str,
    laws: Iterable[LoyaltyLaw],
    held: Mapping[int, list[Path]],
    mutants: Mapping[int, list[str]],
) -> str:
    lines = [f"## {family}", "", "| | law | broken elsewhere | held by | mutants |", "|---|---|---|---|---|"]
    for law in laws:
        bugs = "<br>".join(law.bugs)
        tests = "<br>".join(_link(path) for path in held.get(law.number, []))
        kills = "<br>".join(f"`{name}`" for name in mutants.get(law.number, []))
        lines.append(f"| {law.number} | `{law.name}`<br>{law.sentence} | {bugs} | {tests} | {kills} |")
    return "\n".join([*lines, ""])


def _link(path: Path) -> str:
    return f"[{path.stem}](../../{path.relative_to(ROOT).as_posix()})"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
