"""`crmkit plugins` lists without importing, checks on demand, and never shows a traceback for a mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import crmkit.cli.plugins
from crmkit.cli import main
from crmkit.errors import ConfigError
from unit.fake_plugins import MODULE, install

#: Ends the process if anybody imports it.
BOMB = "import os; os._exit(70)"


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return a function that installs a distribution."""
    return lambda name, source=MODULE, **options: install(monkeypatch, tmp_path, name, source, **options)


def crmkit_command(*words: str, path: Path | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line in a new process."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [*sys.path, str(path or "")]))}
    command = [sys.executable, "-m", "crmkit", *words]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False, **options
    )


def line(output: str, name: str) -> list[str]:
    """Return the words of the line about a plugin."""
    return next(row.split() for row in output.splitlines() if row.startswith(f"{name} "))


def test_listing_imports_no_plugin_code(offer: Any) -> None:
    home = offer("bomb", BOMB, version="1.5")
    run = crmkit_command("plugins", path=home)
    assert (run.returncode, run.stderr) == (0, "")
    assert line(run.stdout, "name") == ["name", "distribution", "version", "status", "hooks", "error"]
    assert line(run.stdout, "bomb") == ["bomb", "crmkit-bomb", "1.5", "available"]
    assert crmkit_command("plugins", "--check", path=home).returncode == 70


def test_json_says_null_where_nobody_looked(offer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    offer("sms")
    assert main(["plugins", "--json"]) == 0
    (record,) = [one for one in json.loads(capsys.readouterr().out) if one["name"] == "sms"]
    assert record == {
        "name": "sms",
        "distribution": "crmkit-sms",
        "version": "1.0",
        "status": "available",
        "hooks": None,
        "error": "",
        "requires": [],
    }


def test_checking_tells_hooks_and_load_errors(offer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    offer("sms")
    offer("broken", "import no_such_module_anywhere")
    assert main(["plugins", "--check"]) == 1
    output = capsys.readouterr().out
    assert line(output, "sms") == ["sms", "crmkit-sms", "1.0", "available", "channels"]
    assert line(output, "broken")[3] == "failed"
    assert "No module named 'no_such_module_anywhere'" in output
    main(["plugins", "--check", "--json"])
    records = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert records["sms"]["hooks"] == ["crmkit_channels"]
    assert records["broken"]["hooks"] == []


def test_trap_a_plugin_that_prints_when_it_is_imported(
    offer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    offer("chatty", f"print('hello')\n{MODULE}".replace("from __future__ import annotations\n", ""))
    assert main(["plugins", "--check", "--json"]) == 0
    captured = capsys.readouterr()
    assert [one["status"] for one in json.loads(captured.out) if one["name"] == "chatty"] == ["available"]
    assert captured.err == "hello\n"


def test_nothing_installed_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **options: ())
    assert main(["plugins"]) == 0
    assert "No plugins are installed" in capsys.readouterr().out
    assert main(["plugins", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_a_mistake_shows_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(**options: Any) -> None:
        raise ConfigError("plugins is 3; it must be a list")

    monkeypatch.setattr("crmkit.plugins.listing", refuse)
    assert main(["plugins"]) == 2
    assert capsys.readouterr().err == "crmkit: error: plugins is 3; it must be a list\n"


@pytest.mark.parametrize("words", [["plugns"], ["plugins", "--chek"], []])
def test_a_wrong_command_line_is_told_how_it_goes(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert "usage: crmkit" in capsys.readouterr().err


def test_help_and_version_succeed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "list the installed plugins" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("crmkit")


def test_a_reader_that_has_enough_is_no_error(offer: Any) -> None:
    home = offer("sms")
    reading, writing = os.pipe()
    os.close(reading)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*filter(None, sys.path), str(home)])}
    command = [sys.executable, "-m", "crmkit", "plugins"]
    run = subprocess.run(
        command, env=environment, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert (run.returncode, run.stderr) == (0, "")


def test_every_command_is_a_module_with_add_and_run() -> None:
    assert callable(crmkit.cli.plugins.add)
    assert callable(crmkit.cli.plugins.run)
