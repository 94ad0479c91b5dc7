"""One version for everything, plugins that accept a range of the core, and entry points that are installed."""

from __future__ import annotations

import tomllib
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]


def project(folder: Path) -> dict[str, Any]:
    """Return the project table of a folder's pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


CORE = project(ROOT)
PLUGINS = [project(path.parent) for path in sorted(ROOT.glob("plugins/*/pyproject.toml"))]


def plugin_faults(plugin: dict[str, Any], core: dict[str, Any]) -> list[str]:
    """Return a line for each way in which a plugin's packaging departs from the core's."""
    name = plugin["name"]
    faults = []
    if plugin["version"] != core["version"]:
        faults.append(f"{name} has version {plugin['version']}, crmkit has {core['version']}")
    if plugin["requires-python"] != core["requires-python"]:
        faults.append(f"{name} requires Python {plugin['requires-python']}, crmkit {core['requires-python']}")
    if not plugin.get("entry-points", {}).get("crmkit"):
        faults.append(f"{name} has no entry point in the group crmkit")
    return faults + range_faults(plugin, core)


def range_faults(plugin: dict[str, Any], core: dict[str, Any]) -> list[str]:
    """Return what is wrong with the versions of the core that a plugin accepts."""
    needs = [Requirement(text) for text in plugin["dependencies"]]
    ranges = [need.specifier for need in needs if need.name == core["name"]]
    if not ranges:
        return [f"{plugin['name']} does not depend on crmkit"]
    operators = {specifier.operator for specifier in ranges[0]}
    if operators != {">=", "<"}:
        return [f"{plugin['name']} needs crmkit{ranges[0]}: a range with >= and < was expected"]
    return [] if core["version"] in ranges[0] else [f"{plugin['name']} refuses crmkit {core['version']}"]


def test_there_are_plugins() -> None:
    assert {"crmkit-email", "crmkit-loyalty"} <= {plugin["name"] for plugin in PLUGINS}


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin["name"])
def test_plugins_follow_the_core(plugin: dict[str, Any]) -> None:
    assert plugin_faults(plugin, CORE) == []


@pytest.mark.parametrize("table", [CORE, *PLUGINS], ids=lambda table: table["name"])
def test_the_installed_version_is_the_one_written(table: dict[str, Any]) -> None:
    assert version(table["name"]) == table["version"]


def test_entry_points_are_installed_and_load() -> None:
    written = {k: v for plugin in PLUGINS for k, v in plugin["entry-points"]["crmkit"].items()}
    installed = {point.name: point for point in entry_points(group="crmkit")}
    assert {name: point.value for name, point in installed.items()} == written
    assert all(isinstance(point.load(), type) for point in installed.values())


def test_the_command_is_installed_and_loads() -> None:
    (command,) = entry_points(group="console_scripts", name="crmkit")
    assert command.value == CORE["scripts"]["crmkit"]
    assert callable(command.load())


@pytest.mark.parametrize(
    "change, fault",
    [
        ({"version": "0.2.0"}, "p has version 0.2.0, crmkit has 0.1.0"),
        ({"requires-python": ">=3.12"}, "p requires Python >=3.12, crmkit >=3.11"),
        ({"entry-points": {}}, "p has no entry point in the group crmkit"),
        ({"dependencies": ["attrs"]}, "p does not depend on crmkit"),
        ({"dependencies": ["crmkit==0.1.0"]}, "p needs crmkit==0.1.0: a range with >= and < was expected"),
        ({"dependencies": ["crmkit>=0.2,<0.3"]}, "p refuses crmkit 0.1.0"),
    ],
)
def test_a_departure_is_reported(change: dict[str, Any], fault: str) -> None:
    core = {"name": "crmkit", "version": "0.1.0", "requires-python": ">=3.11"}
    good = core | {
        "name": "p",
        "dependencies": ["crmkit>=0.1,<0.2"],
        "entry-points": {"crmkit": {"p": "p:P"}},
    }
    assert plugin_faults(good, core) == []
    assert plugin_faults(good | change, core) == [fault]
