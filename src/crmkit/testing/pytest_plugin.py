"""What crmkit adds to pytest: suites for the rules of a CRM, a choice of laws, and a summary of what was claimed."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

_NUMBERED = re.compile(r"test_laws?_((?:\d+_)+)")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("crmkit")
    group.addoption(
        "--crmkit-rules",
        metavar="MODULE:NAME",
        default=None,
        help="attack every reward rule of this CRM, or of the CRM that this function returns",
    )
    group.addoption(
        "--crmkit-laws",
        metavar="LAWS",
        default="",
        help="run only the tests of these laws of loyalty: names, families or numbers, such as 'refund.*,36'",
    )
    group.addoption(
        "--crmkit-save",
        metavar="FOLDER",
        default="",
        help="keep what broke a law as a JSON timeline in this folder, for crmkit.testing.replay",
    )
    parser.addini("crmkit_rules", "the CRM whose reward rules are attacked, as --crmkit-rules", default="")


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the suites of the CRM's rules, then leave out what is not about the laws that were asked for."""
    target = config.getoption("--crmkit-rules")
    if target := config.getini("crmkit_rules") if target is None else target:
        items += _attacking(session, target)
    if wanted := config.getoption("--crmkit-laws"):
        _choose(config, items, wanted)


def pytest_exception_interact(node: Any, call: pytest.CallInfo[Any], report: Any) -> None:
    """Keep the failing example, if it was asked for."""
    laws = sys.modules.get("crmkit.testing.laws")  # without it no law of ours was broken
    folder = node.config.getoption("--crmkit-save")
    if folder and laws and call.excinfo and isinstance(call.excinfo.value, laws.LawBroken):
        saved = _saved(call.excinfo.value, Path(folder), node.name)
        report.sections.append(("crmkit", saved))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Write the summary, if a suite ran."""
    suite = sys.modules.get("crmkit.testing.suite")  # imported by those who use one
    lines = list(suite.summary()) if suite else []
    if lines:
        terminalreporter.section("crmkit conformance")
        for line in lines:
            terminalreporter.write_line(line)


def _saved(error: Any, folder: Path, test: str) -> str:
    from crmkit.errors import ValueRefused
    from crmkit.testing.timelines import save_timeline, timeline_name  # imported when first used

    try:
        path = save_timeline(error, folder / timeline_name(test, error))
    except ValueRefused as refused:
        return f"nothing was saved: {refused}"
    return f"to run it again: crmkit.testing.replay({str(path)!r})"


def _attacking(session: pytest.Session, target: str) -> Iterator[pytest.Item]:
    import pytest

    from crmkit.cli.target import named_crm  # imported when first used
    from crmkit.errors import CrmkitError
    from crmkit.testing.rewards.registered import suites_module

    try:
        module = suites_module(named_crm(target, "--crmkit-rules"))
    except CrmkitError as error:
        raise pytest.UsageError(str(error)) from None

    class Rules(pytest.Module):
        def _getobj(self) -> Any:
            return module

    return session.genitems(Rules.from_parent(session, name="rules", path=session.path / module.__name__))


def _choose(config: pytest.Config, items: list[pytest.Item], wanted: str) -> None:
    import pytest

    from crmkit.errors import NotFound
    from crmkit.testing.catalogue import loyalty_laws  # imported when first used

    try:
        numbers = {law.number for law in loyalty_laws(wanted)}
    except NotFound as error:
        raise pytest.UsageError(f"--crmkit-laws: {error}") from None
    chosen = [item for item in items if numbers & set(_laws_of(item))]
    if left := [item for item in items if item not in chosen]:
        config.hook.pytest_deselected(items=left)
    items[:] = chosen


def _laws_of(item: pytest.Item) -> Iterator[int]:
    """Yield the numbers of the laws of loyalty that a test is about."""
    name = getattr(item, "originalname", None) or item.name
    if found := _NUMBERED.match(name):
        yield from map(int, found[1].strip("_").split("_"))
    held = getattr(getattr(item, "function", None), "crmkit_law", None)
    if held is not None and getattr(getattr(item, "cls", None), "of_loyalty", False):
        yield held.number
