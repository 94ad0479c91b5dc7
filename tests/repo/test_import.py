"""`import crmkit` is cheap: it brings in no database, no template engine, no network, no web framework."""

from __future__ import annotations

import subprocess
import sys

HEAVY = frozenset(
    "asyncio django email_validator flask importlib.metadata iso4217 jinja2 phonenumbers smtplib sqlalchemy".split()
)


def heavy_modules_after(statement: str) -> set[str]:
    """Run the statement in a new interpreter and return the heavy modules that are loaded then."""
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split()) & HEAVY


def test_importing_crmkit_loads_nothing_heavy() -> None:
    assert heavy_modules_after("import crmkit") == set()


def test_listing_what_crmkit_exports_loads_nothing_heavy() -> None:
    assert heavy_modules_after("import crmkit; dir(crmkit)") == set()


def test_a_heavy_import_is_noticed() -> None:
    assert heavy_modules_after("import crmkit, smtplib, importlib.metadata") >= {
        "smtplib",
        "importlib.metadata",
    }
