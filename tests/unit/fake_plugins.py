"""Plugins, and what they register, made up for tests; and distributions that really are on the path."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import attrs
import pytest

from crmkit.channels import Accepted, ChannelSpec, Outcome, SendContext
from crmkit.hooks import Hooks
from crmkit.hookspecs import hookimpl
from crmkit.messages import Delivery
from crmkit.plugins import load
from crmkit.rewards import Award, Facts
from crmkit.stores import StoreCapabilities

#: A whole plugin module: one hook, and settings with a default.
MODULE = """
from __future__ import annotations
import attrs
from crmkit.hookspecs import hookimpl

@attrs.frozen
class Settings:
    host: str = "localhost"

@attrs.define(eq=False)
class Plugin:
    settings: Settings

    @hookimpl
    def crmkit_channels(self):
        return []
"""


def install(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    name: str,
    source: str = MODULE,
    *,
    distribution: str = "",
    version: str = "1.0",
    entry: str = "",
) -> Path:
    """Put a distribution on the path that offers the plugin `name`; return the folder it is in."""
    distribution = distribution or f"crmkit-{name}"
    module = f"fake_{distribution.replace('-', '_')}"
    home = folder / distribution
    info = home / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (home / f"{module}.py").write_text(dedent(source))
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[crmkit]\n{name} = {entry or f'{module}:Plugin'}\n")
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.syspath_prepend(home)
    return home


def plugin(name: str = "fake", **members: Any) -> Any:
    """Return a plugin; a member named like a hook is marked, or, if it is no function, is the answer."""
    marked = {
        member: hookimpl(value if callable(value) else answer(value))
        if member.startswith("crmkit_")
        else value
        for member, value in members.items()
    }
    return type("Fake", (), {"name": name, **marked})()


def answer(value: Any) -> Callable[[Any], Any]:
    """Return a method that answers the value."""
    return lambda self: value


def hooks_of(*plugins: Any, strict: bool = False) -> Hooks:
    """Return the hooks of some plugins."""
    return Hooks.build(load(plugins, {}), strict=strict)


SPEC = ChannelSpec(name="fake", address_kind="email")


@attrs.define(eq=False)
class FakeChannel:
    """A channel that takes everything."""

    spec: ChannelSpec = SPEC

    def send(self, delivery: Delivery, ctx: SendContext) -> Outcome:
        """Take it."""
        return Accepted()


@attrs.define(eq=False)
class FakeRule:
    """A rule that grants one point."""

    name: str = "one-point"
    version: int = 1

    def evaluate(self, facts: Facts) -> Award:
        """Grant it."""
        return Award(amount=1)


class FakeStore:
    """A store of contacts in which nobody is."""

    capabilities = StoreCapabilities()

    def get(self, tx: Any, ids: Any) -> dict[Any, Any]:
        """Find nobody."""
        return {}

    def find(self, tx: Any, points: Any) -> None:
        """Find nobody."""

    def add(self, tx: Any, contact: Any) -> None:
        """Forget it."""

    def update(self, tx: Any, contact_id: Any, changes: Any) -> None:
        """Forget it."""

    def add_points(self, tx: Any, contact_id: Any, points: Any, *, shared: bool = False) -> None:
        """Forget them."""

    def set_point(self, tx: Any, contact_id: Any, point: Any) -> None:
        """Forget it."""

    def remove_point(self, tx: Any, contact_id: Any, point: Any) -> None:
        """Forget it."""

    def scan(self, tx: Any, *, after: Any = None, limit: int = 1000) -> list[Any]:
        """Find nobody."""
        return []

    def source(self, tx: Any) -> None:
        """Be nowhere."""
