"""`crmkit import` as a user runs it: killed in the middle, within little memory, from a script."""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from crmkit import CRM

GIGABYTE = 1 << 30


def crmkit(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "crmkit", *words]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, **options
    )


def made(folder: Path, name: str) -> tuple[CRM, str]:
    url = f"sqlite:///{folder / name}"
    crm = CRM(url)
    crm.create_tables()
    return crm, url


def people(count: int) -> str:
    rows = (f"Person {n},p{n % (count - 40)}@example.com,t{n % 5}" for n in range(count))
    return "name,email,tags\n" + "".join(f"{row}\n" for row in rows) + "Bad,no address,\n"


def state(crm: CRM) -> list[Any]:
    with crm.begin() as tx:
        return [
            (one.name, [str(point) for point in one.points], tx.contacts.tags.of(one.id))
            for one in tx.contacts.page(limit=10_000)
        ]


def count(file: Path) -> int:
    """Count past crmkit, which would take longer to build than the import takes."""
    with closing(sqlite3.connect(file)) as connection:
        found: int = connection.execute("SELECT count(*) FROM crm_contacts").fetchone()[0]
        return found


def test_a_killed_import_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    file, whole = tmp_path / "people.csv", tmp_path / "whole.csv"
    for path in (file, whole):
        path.write_text(people(900))
    crm, url = made(tmp_path, "killed.db")
    words = ["import", "contacts", str(file), "--yes", "--batch", "10", "--json", "--url", url]
    with subprocess.Popen(
        [sys.executable, "-m", "crmkit", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 60
        while count(tmp_path / "killed.db") < 30 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        process.kill()
    before = len(state(crm))
    done = crmkit(*words)
    assert done.returncode == 1, done.stderr  # a row was rejected
    report = json.loads(done.stdout)
    other, other_url = made(tmp_path, "whole.db")
    same = crmkit("import", "contacts", str(whole), "--yes", "--json", "--url", other_url)
    expected = json.loads(same.stdout)
    counts = ("read", "added", "updated", "unchanged", "rejected")
    assert {name: report[name] for name in counts} == {name: expected[name] for name in counts}
    assert report["resumed_from"] >= min(before, 30) > 0
    assert state(crm) == state(other)
    assert Path(report["rejects"]).read_bytes() == Path(expected["rejects"]).read_bytes()


def test_a_gigabyte_on_one_line_within_little_memory(tmp_path: Path) -> None:
    file = tmp_path / "hostile.csv"
    with file.open("wb") as out:
        out.write(b"name,email\nAnn,ann@example.com\n")
        out.seek(GIGABYTE, os.SEEK_CUR)  # a hole: it takes no room on the disk and reads as zeros
        out.write(b"\nBob,bob@example.com\n")
    _, url = made(tmp_path, "crm.db")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (GIGABYTE, GIGABYTE))

    done = crmkit("import", "contacts", str(file), "--yes", "--json", "--url", url, preexec_fn=limit)
    report = json.loads(done.stdout)
    assert (report["added"], report["rejected"]) == (2, 1)
    assert report["reasons"] == ["line 3: the line has more than 1000000 bytes"]
    assert Path(report["rejects"]).stat().st_size < 10_000


def test_guesses_are_shown_and_not_taken_unasked(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("Vorname;Mail;Lieblingsfarbe\nAnn;ann@example.com;blau\n")
    _, url = made(tmp_path, "crm.db")
    refused = crmkit("import", "contacts", str(file), "--url", url)
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert "left out: Lieblingsfarbe" in refused.stderr
    done = crmkit("import", "contacts", str(file), "--yes", "--url", url)
    assert "1 added" in done.stdout
    shown = crmkit("export", "contacts", "--format", "jsonl", "--url", url)
    assert json.loads(shown.stdout)["given_name"] == "Ann"
    assert crmkit("export", "contacts", str(tmp_path / "out.vcf"), "--url", url).returncode == 0
    assert "VERSION:4.0" in (tmp_path / "out.vcf").read_text()
