"""The benchmarks run, and both sides of a comparison write the same rows; no figure is judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_quick_run_compares_the_same_rows_and_prints_its_columns(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    words = ["--quick", "--only", "record", "--database", "sqlite", "--json", str(figures)]
    # it ends with an error unless both sides wrote the same rows
    done = subprocess.run(
        [sys.executable, "tests/benchmarks", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for column in ("database", "what", "baseline", "crmkit", "ratio", "target", "reached", "p99", "CPU"):
        assert column in done.stdout
    rows = json.loads(figures.read_text())
    assert {row["what"] for row in rows} >= {"1 rule, 10 lines", "20 rules, 100 lines"}
    assert all(row["base"]["median"] > 0 and row["ours"]["median"] > 0 for row in rows)
