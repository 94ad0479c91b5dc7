"""Tells at the end of a pytest run which laws of the conformance suites were claimed, and which were not."""

from __future__ import annotations

import sys
from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Write the summary, if a suite ran."""
    suite = sys.modules.get("crmkit.testing.suite")  # imported by those who use one
    lines = list(suite.summary()) if suite else []
    if lines:
        terminalreporter.section("crmkit conformance")
        for line in lines:
            terminalreporter.write_line(line)
