"""Known bugs put into running code: they are found, told with a program, kept as a file, and taken out again."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from crmkit import Money, ValueRefused
from crmkit.cli import main
from crmkit.testing import (
    Hunt,
    LawBroken,
    Machine,
    Mutant,
    for_all,
    hunt,
    loyalty_law,
    mutant,
    replay,
    save_timeline,
)
from crmkit.testing import mutants as kit
from crmkit.testing.attacks import Tally, limits

HERE = SimpleNamespace(half=lambda n: n // 2, counted=lambda n: n + 1)


@for_all(st.integers(0, 100), st.builds(Money, st.integers(0, 9), st.just("EUR")))
def halves_are_exact(number: int, money: Money) -> None:
    loyalty_law(11).check(f"half of {number}, {money}", 2 * HERE.half(number) + number % 2, number)


class Counter(RuleBasedStateMachine):
    """Counts what it is told to."""

    fresh_calls = 0
    counts: Bundle[int] = Bundle("counts")

    def __init__(self) -> None:
        super().__init__()
        self.count = self.told = 0

    @classmethod
    def fresh(cls) -> None:
        Counter.fresh_calls += 1

    @rule(target=counts)
    def one_more(self) -> int:
        self.count, self.told = self.count + 1, HERE.counted(self.told)
        return self.count

    @rule(count=counts)
    def look(self, count: int) -> None:
        assert count <= self.count

    @invariant()
    def check_laws(self) -> None:
        loyalty_law(3).check("the count", self.told, self.count)


Patch = pytest.MonkeyPatch


@mutant(11, attack=halves_are_exact, origin="somebody#1")
def rounds_up(patch: Patch) -> None:
    patch.setattr(HERE, "half", lambda n: (n + 1) // 2)


@mutant(1, 3, attack=Machine(Counter))
def forgets_the_third(patch: Patch) -> None:
    patch.setattr(HERE, "counted", lambda n: n + (n != 2))


@mutant(11, attack=halves_are_exact)
def changes_nothing(patch: Patch) -> None:
    patch.setattr(HERE, "counted", lambda n: n + 2)


@mutant(12, attack=halves_are_exact)
def breaks_another_law(patch: Patch) -> None:
    patch.setattr(HERE, "half", lambda n: 7)


@mutant(11, attack=halves_are_exact)
def crashes(patch: Patch) -> None:
    patch.setattr(HERE, "half", lambda n: n // 0)


ALL = (rounds_up, forgets_the_third, changes_nothing, breaks_another_law, crashes)


class TestHunting:
    def test_a_property_finds_it_with_the_smallest_example(self) -> None:
        found = hunt(rounds_up, shrink=True)
        assert found.killed
        assert found.law == 11
        assert 1 <= found.examples < 20
        assert found.program.splitlines()[-1] == "halves_are_exact(1, Money(0, 'EUR'))"
        assert found.program.splitlines()[0] == "from crmkit import Money"

    def test_a_state_machine_finds_it_with_the_shortest_program(self) -> None:
        before = Counter.fresh_calls
        found = hunt(forgets_the_third, shrink=True)
        assert (found.killed, found.law) == (True, 3)
        assert Counter.fresh_calls == before + 1
        lines = found.program.splitlines()
        assert lines[0] == f"from {__name__} import Counter"
        assert [line.split(" = ")[-1] for line in lines[2:]] == [
            "Counter()",
            *["state.one_more()"] * 3,
            "state.check_laws()",
        ]

    def test_the_bug_is_taken_out_again(self) -> None:
        hunt(rounds_up)
        assert HERE.half(3) == 1

    @pytest.mark.parametrize(
        ("target", "law", "words"),
        [
            (changes_nothing, None, ""),
            (breaks_another_law, 11, "law 11 is broken"),
            (crashes, None, "ZeroDivisionError"),
        ],
        ids=lambda value: getattr(value, "name", ""),
    )
    def test_what_its_law_does_not_find_survives(self, target: Mutant, law: int | None, words: str) -> None:
        found = hunt(target, examples=200)
        assert not found.killed
        assert found.law == law
        assert words in found.said

    def test_the_same_seed_finds_the_same(self) -> None:
        assert hunt(rounds_up, 5).examples == hunt(rounds_up, 5).examples
        assert len({hunt(rounds_up, seed).examples for seed in range(6)}) > 1

    def test_a_property_may_be_called(self) -> None:
        halves_are_exact(7, Money(0, "EUR"))
        with rounds_up.injected(), pytest.raises(LawBroken, match="law 11 is broken by half of 7"):
            halves_are_exact(7, Money(0, "EUR"))


def broken(target: Mutant) -> LawBroken:
    """Return what the attack on a mutant raises."""
    with target.injected(), pytest.raises(LawBroken) as caught:
        target.attack.run(limits(500, shrink=True), Tally(), 0)
    return caught.value


class TestTimelines:
    @pytest.mark.parametrize("target", [rounds_up, forgets_the_third], ids=lambda target: target.name)
    def test_they_break_the_law_again_until_it_is_mended(self, target: Mutant, tmp_path: Path) -> None:
        path = save_timeline(broken(target), tmp_path / "kept" / "one.json")
        with target.injected(), pytest.raises(LawBroken) as caught:
            replay(path)
        assert caught.value.number == json.loads(path.read_text())["law"]
        replay(path)

    def test_they_are_plain_data(self, tmp_path: Path) -> None:
        data = json.loads(save_timeline(broken(forgets_the_third), tmp_path / "one.json").read_text())
        assert data["from"] == {"Counter": __name__}
        assert data["steps"][0] == {"as": "state", "do": {"call": "Counter", "with": [], "named": {}}}

    def test_an_error_without_example_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ValueRefused, match="ValueError has no failing example"):
            save_timeline(ValueError(), tmp_path / "one.json")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("text", ["[]", '{"crmkit": 9}'])
    def test_another_file_is_refused(self, text: str, tmp_path: Path) -> None:
        (tmp_path / "one.json").write_text(text)
        with pytest.raises(ValueRefused, match="is no timeline of crmkit"):
            replay(tmp_path / "one.json")


class Installed:
    """Stands for an entry point."""

    def __init__(self, *found: Mutant) -> None:
        self.found = found

    def load(self) -> Any:
        return self.found


@pytest.fixture
def installed(monkeypatch: Patch) -> Any:
    """Lets these mutants be those that are installed."""

    def install(*found: Mutant) -> None:
        monkeypatch.setattr(kit, "entry_points", lambda group: [Installed(*found)] if found else [])

    install(*ALL)
    return install


@pytest.mark.usefixtures("installed")
class TestSelftest:
    def test_killed_ones_are_told_with_their_program(self, capsys: Any) -> None:
        words = ["selftest", "--jobs=1", "--seeds=2", "--only=rounds_up", "--only=forgets_the_third"]
        assert main(words) == 0
        out = capsys.readouterr().out.splitlines()
        assert out[0].split() == ["mutant", "killed", "by", "examples", "most", "seconds", "as", "reported"]
        assert out[1].split()[:3] == ["rounds_up", "law", "11"]
        assert out[1].endswith("somebody#1")
        assert "    halves_are_exact(1, Money(0, 'EUR'))" in out
        assert out[-1] == "2 of 2 mutants killed in each of 2 seeds"

    def test_a_survivor_is_told_and_fails_it(self, capsys: Any) -> None:
        assert main(["selftest", "--jobs=1", "--examples=50"]) == 1
        out = capsys.readouterr().out
        assert "changes_nothing SURVIVED seed 0: nothing was found" in out
        assert "breaks_another_law SURVIVED seed 0: LawBroken: law 11" in out
        assert out.endswith("2 of 5 mutants killed in each of 1 seeds\n")

    def test_json_has_everything(self, capsys: Any) -> None:
        main(["selftest", "--jobs=1", "--json", "--only=rounds_up", "--seeds=2"])
        found = json.loads(capsys.readouterr().out)
        assert [(one["mutant"], one["seed"], one["law"], one["killed"]) for one in found] == [
            ("rounds_up", 0, 11, True),
            ("rounds_up", 1, 11, True),
        ]

    def test_they_are_listed(self, capsys: Any) -> None:
        assert main(["selftest", "--list"]) == 0
        assert capsys.readouterr().out.splitlines()[1].split() == [
            "forgets_the_third",
            "law",
            "1",
            "or",
            "3",
            "Counter",
        ]

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["--only=round_up"], "there is no mutant 'round_up'; did you mean 'rounds_up'?"),
            (["--seeds=0"], "--seeds 0 must be 1 or more"),
        ],
    )
    def test_mistakes_are_told(self, words: list[str], said: str, capsys: Any) -> None:
        assert main(["selftest", "--jobs=1", *words]) == 2
        assert said in capsys.readouterr().err

    def test_without_mutants_it_says_so(self, installed: Any, capsys: Any) -> None:
        installed()
        assert main(["selftest"]) == 2
        assert (
            "no mutants are installed; a distribution offers them as entry points" in capsys.readouterr().err
        )


def test_a_hunt_without_a_finding_is_not_killed() -> None:
    assert not Hunt(mutant="x", seed=0, laws=(1,)).killed
