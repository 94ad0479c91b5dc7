"""The pytest plugin in a host's own run: rules of a CRM attacked without a test file, laws chosen by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SHOP = """
import attrs
from crmkit import CRM, Award, hookimpl

@attrs.frozen
class Points:
    name: str = "a-point-per-euro"
    version: int = 1
    claims: object = attrs.field(factory=lambda: {"max_per_order": 5})

    def evaluate(self, facts):
        return Award(amount=facts.order.amount("goods").minor // 100)

class Shop:
    name = "shop"

    @hookimpl
    def crmkit_reward_rules(self):
        return [Points()]

crm = CRM("sqlite://", plugins=[Shop()])
bare = CRM("sqlite://")
"""
TESTS = "def test_law_42_mine(): ...\ndef test_laws_1_43_mine(): ...\ndef test_other(): ...\n"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A host's folder."""
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "test_shop.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def run(folder: Path, *options: str) -> list[str]:
    """Run pytest there, and return what it prints."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False
    ).stdout.splitlines()


def test_the_rules_of_a_crm_are_attacked(host: Path) -> None:
    lines = run(host, "--crmkit-rules=shop:crm", "--hypothesis-profile=dev")
    assert "1 failed, 5 passed" in lines[-1], lines
    assert [line for line in lines if "crmkit_rules::Test_shop_a_point_per_euro::test_15" in line]
    assert [line for line in lines if "law 15 is broken by rule 'a-point-per-euro@1'" in line]
    assert [line for line in lines if "expected: at most 5 points" in line]


def test_laws_are_chosen_by_name_and_the_rules_by_the_ini_file(host: Path) -> None:
    (host / "pytest.ini").write_text("[pytest]\ncrmkit_rules = shop:crm\n")
    lines = run(host, "--crmkit-laws=refund.partition,earning.pure", "-vv")
    assert [line.split("::")[-1].split()[0] for line in lines if "PASSED" in line] == [
        "test_law_42_mine",
        "test_14_the_rule_is_pure",
    ]
    assert "2 passed, 4 deselected" in lines[-1]


def test_a_test_of_several_laws_is_chosen_by_each(host: Path) -> None:
    assert "2 passed, 1 deselected" in run(host, "--crmkit-laws=ledger,42")[-1]


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--crmkit-laws=refunds", "no law of loyalty is named 'refunds'; did you mean 'refund'"),
        ("--crmkit-rules=shop:crmm", "--crmkit-rules 'shop:crmm': shop has no 'crmm'"),
        ("--crmkit-rules=shop:bare", "has no reward rules to attack"),
    ],
)
def test_a_mistake_is_told_without_a_traceback(host: Path, option: str, words: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", option]
    done = subprocess.run(command, cwd=host, capture_output=True, text=True, check=False)
    assert words in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
