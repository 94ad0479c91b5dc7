"""The examples of the guides keep the laws: examples/console_channel.py and examples/double_points.py.

Their own tests are collected here as a reader would have them: examples/test_console_channel.py and
examples/test_double_points.py.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"


def load(name: str) -> ModuleType:
    """Import one of the examples by its file."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
        assert spec is not None and spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


for _module in ("console_channel", "double_points"):
    load(_module)

TestConsoleChannel = load("test_console_channel").TestConsoleChannel
TestDoublePoints = load("test_double_points").TestDoublePoints


def test_the_channel_has_fifteen_lines() -> None:
    """Without its imports and docstrings, from the decorator on."""
    source = (EXAMPLES / "console_channel.py").read_text(encoding="utf-8")
    body = source[source.index("@attrs.define") :].splitlines()
    assert len([line for line in body if line.strip() and not line.strip().startswith('"""')]) <= 15


def test_the_suite_of_the_rule_has_five_lines() -> None:
    source = (EXAMPLES / "test_double_points.py").read_text(encoding="utf-8")
    assert len([line for line in source.splitlines() if line.strip()]) == 5
