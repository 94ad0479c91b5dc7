"""The changelog tells users what the current version brings."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def changelog_faults(text: str, version: str) -> list[str]:
    """Return what is wrong with a changelog for this version: no entry on top, or an empty one."""
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    if not sections:
        return ["the changelog has no section"]
    heading, _, body = sections[0].partition("\n")
    if not re.match(rf"\[?{re.escape(version)}\]?(\s|$)", heading):
        return [f"the first section is {heading!r}, not {version}"]
    return [] if re.search(r"^- \S", body, flags=re.MULTILINE) else [f"the section {version} lists nothing"]


def test_the_current_version_has_an_entry() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert changelog_faults((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), project["version"]) == []


@pytest.mark.parametrize(
    "text, fault",
    [
        ("# Changelog\n", "the changelog has no section"),
        ("# Changelog\n\n## 0.1.0\n\n- Old\n", "the first section is '0.1.0', not 0.2.0"),
        ("# Changelog\n\n## 0.2.01\n\n- Near\n", "the first section is '0.2.01', not 0.2.0"),
        (
            "# Changelog\n\n## 0.2.0 - unreleased\n\n### Added\n\n## 0.1.0\n- Old",
            "the section 0.2.0 lists nothing",
        ),
    ],
)
def test_a_missing_or_empty_entry_is_reported(text: str, fault: str) -> None:
    assert changelog_faults(text, "0.2.0") == [fault]
