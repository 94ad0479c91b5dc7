"""Run the tests folder by folder, two at a time where there are two cores, and say how long each took.

    python tests/run.py [folder ...] [-- pytest arguments]

The last line has the form "N passed, N failed, N skipped". With CI=true a skipped test fails the run, unless its
reason begins with "not in CI:".
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from servers import own_servers

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("unit", "repo", "properties", "sql", "conformance", "e2e", "docs", "compat")
#: Folders by how long they take.
LONG = ("tests/sql", "tests/conformance", "tests/e2e", "tests/properties", "tests/unit", "tests/docs")
TOGETHER = max(1, min(2, os.cpu_count() or 1))  # processes at a time
ALLOWED_SKIP = "not in CI:"
NO_TESTS = 5  # pytest's exit code


@dataclass
class Result:
    """What one folder's run came to."""

    folder: str
    seconds: float = 0.0
    passed: int = 0
    failed: int = 0
    skips: list[str] = field(default_factory=list)

    def row(self) -> str:
        """Return the line of the closing table."""
        return (
            f"{self.folder:<32}{self.seconds:>8.1f} s{self.passed:>8} passed"
            f"{self.failed:>6} failed{len(self.skips):>6} skipped"
        )


def test_folders(root: Path) -> list[str]:
    """Return the folders that hold tests, the core's first, then each plugin's."""
    candidates = [root / "tests" / name for name in FOLDERS]
    candidates += sorted(root.glob("plugins/*/tests"))
    return [path.relative_to(root).as_posix() for path in candidates if any(path.rglob("test_*.py"))]


def by_length(folders: list[str]) -> list[str]:
    """Return the folders, those that take longest first, so that no core is idle at the end."""
    return sorted(
        folders, key=lambda folder: next((at for at, name in enumerate(LONG) if name in folder), len(LONG))
    )


def read_report(report: Path, result: Result) -> None:
    """Count the outcomes in pytest's XML report into `result`."""
    for case in ElementTree.parse(report).iter("testcase"):
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            result.failed += 1
        elif skipped is not None:
            result.skips.append(f"{case.get('classname')}::{case.get('name')}: {skipped.get('message')}")
        else:
            result.passed += 1


def run_folder(folder: str, arguments: list[str]) -> Result:
    """Run pytest on one folder in a process of its own."""
    result = Result(folder)
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", folder, *arguments]
        start = time.monotonic()
        done = subprocess.run(
            command, cwd=ROOT, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        status = done.returncode
        result.seconds = time.monotonic() - start
        if report.exists():
            read_report(report, result)
    if status not in (0, NO_TESTS) and not result.failed:
        result.failed = 1  # pytest itself ended badly: what it printed says why
    print(f"\n{folder}\n{done.stdout}", end="", flush=True)
    return result


def unwanted(skips: list[str]) -> list[str]:
    """Return the skips that CI refuses."""
    return [skip for skip in skips if f": {ALLOWED_SKIP}" not in skip]


def conclude(results: list[Result], ci: bool) -> int:
    """Print the table and the closing line; return the exit code."""
    passed, failed = sum(r.passed for r in results), sum(r.failed for r in results)
    skips = [skip for result in results for skip in result.skips]
    print()
    for result in results:
        print(result.row())
    if skips:
        print("\nSkipped:", *skips, sep="\n  ")
    refused = unwanted(skips) if ci else []
    if refused:
        print(
            f"\nIn CI every test runs, unless its reason begins with {ALLOWED_SKIP!r}:", *refused, sep="\n  "
        )
    print(f"\n{passed} passed, {failed} failed, {len(skips)} skipped", flush=True)
    return 1 if failed or refused or not passed else 0


def main(argv: list[str]) -> int:
    """Run the folders named before "--", or all of them."""
    split = argv.index("--") if "--" in argv else len(argv)
    folders, arguments = argv[:split], argv[split + 1 :]
    chosen = [folder for folder in folders if (ROOT / folder).exists()] if folders else test_folders(ROOT)
    with own_servers() as urls:
        os.environ.update(urls)
        print(f"running {' '.join(chosen)}, {TOGETHER} at a time", flush=True)
        with ThreadPoolExecutor(TOGETHER) as pool:
            waiting = {folder: pool.submit(run_folder, folder, arguments) for folder in by_length(chosen)}
            results = [waiting[folder].result() for folder in chosen]
    return conclude(results, ci=os.environ.get("CI", "").lower() in ("1", "true"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
