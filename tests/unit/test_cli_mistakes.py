"""What a user of the command line does wrong is told in a line, exits with 2 and changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from crmkit import CRM
from crmkit.cli import main, progress

#: Runs words against one database, and returns the exit status, the output and the errors.
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def url(tmp_path: Path) -> str:
    found = f"sqlite:///{tmp_path / 'crm.db'}"
    CRM(found).create_tables()
    return found


@pytest.fixture
def run(url: str, capsys: pytest.CaptureFixture[str]) -> Run:
    def done(*words: str) -> tuple[int, str, str]:
        status = main([*words, "--url", url])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return done


@pytest.fixture
def people(tmp_path: Path) -> str:
    path = tmp_path / "people.csv"
    path.write_text("name,email,phone\nAnn,ann@example.com,020 7946 0001\nBob,bob@example.com,\n")
    return str(path)


@pytest.mark.parametrize(
    "words, said",
    [
        (["import", "contacts", "{people}", "--yes", "--delimiter", ";;"], "delimiter ';;' must be one character"),
        (["import", "contacts", "{people}", "--yes", "--delimiter", '"'], "must be one character"),
        (["import", "contacts", "{people}", "--yes", "--region", "ZZ"], "region 'ZZ' is no country"),
        (["import", "contacts", "{people}", "--yes", "--region", "Britain"], "region 'BRITAIN' is no country"),
        (["export", "contacts", "{people}.xlsx"], "people.csv.xlsx' does not say which format"),
        (["audit", "verify", "--head", "abc"], "'abc' is no seal"),
        (["duplicates", "check"], "give an id, or what is known"),
        (["duplicates", "check", "--name", "Ann", "--least", "7"], "from 0 to 1"),
        (["duplicates", "list", "--limit", "0"], "--limit"),
        (["contacts", "show", "ann@example.com", "--limit", "-5"], "--limit"),
        (["merges", "--limit", "0"], "--limit"),
        (["suppressions", "add", "nobody"], "neither an email address nor a phone number"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_a_line(run: Run, people: str, words: list[str], said: str) -> None:
    status, out, err = run(*(word.replace("{people}", people) for word in words))
    assert (status, out) == (2, "")
    assert said in err.splitlines()[-1]
    assert not list(Path(people).parent.glob("people.csv.*"))


def test_a_tab_can_be_named_and_a_country_in_small_letters(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "people.tsv"
    path.write_text("name\tphone\nAnn\t020 7946 0001\n")
    status, out, _ = run(
        "import", "contacts", str(path), "--yes", "--delimiter", "\\t", "--region", "gb", "--json"
    )
    assert status == 0
    assert '"added": 1' in out


def test_effects_of_a_plugin_that_is_not_enabled_reject_no_row(run: Run, tmp_path: Path) -> None:
    """kills: effects that are looked at order by order."""
    path = tmp_path / "orders.csv"
    path.write_text("order,date,sku,quantity,price,currency\n1,2020-01-02,A,2,1.50,GBP\n")
    status, _, err = run("import", "orders", str(path), "--yes", "--effects", "loyalty")
    assert status == 2
    assert "effects name ['loyalty']; enabled plugins are []" in err
    assert not list(tmp_path.glob("*.rejects.csv"))
    assert run("import", "orders", str(path), "--yes")[0] == 0


def test_nothing_is_printed_of_a_segment_that_there_is_not(run: Run) -> None:
    status, out, err = run("export", "contacts", "--segment", "nobody")
    assert (status, out) == (2, "")
    assert "there is no segment 'nobody'" in err


def test_a_database_file_that_is_not_there_is_not_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """kills: a file that a misspelt URL leaves behind."""
    url = f"sqlite:///{tmp_path / 'shpo.db'}"
    assert main(["contacts", "show", "ann@example.com", "--url", url]) == 2
    assert "there is no database" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert main(["migrate", "--url", url]) == 0


def test_only_missing_tables_are_said_to_be_made_by_migrate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.db").touch()
    assert main(["contacts", "show", "ann@example.com", "--url", f"sqlite:///{tmp_path / 'empty.db'}"]) == 2
    assert "`crmkit migrate` makes" in capsys.readouterr().err
    assert main(["contacts", "show", "x@example.com", "--url", "postgresql+psycopg://127.0.0.1:1/x"]) == 2
    said = capsys.readouterr().err
    assert "refused" in said
    assert "migrate" not in said


def test_what_is_sealed_by_hand_was_numbered_before(run: Run, people: str) -> None:
    """kills: seals that leave out what no worker has numbered yet."""
    run("import", "contacts", people, "--yes", "--region", "GB")
    assert run("audit", "seal")[1] == "2 events sealed.\n"
    status, out, _ = run("audit", "head")
    assert status == 0
    assert run("audit", "verify", "--head", out.strip())[0] == 0


def test_nobody_looks_on_in_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter(range(0, 1000, 100))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(times))
    with progress.counting("Importing") as advance:
        advance(5, "")
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no full disk to write to")
def test_a_full_disk_is_told(url: str, people: str) -> None:
    main(["import", "contacts", people, "--yes", "--url", url])
    for words in (["export", "contacts"], ["segments", "fields"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "crmkit", *words, "--url", url],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert (done.returncode, done.stderr) == (2, "crmkit: error: No space left on device\n")
