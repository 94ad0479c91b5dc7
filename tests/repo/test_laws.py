"""The eighty laws of loyalty: each has a test with its number in its name, or the reference says why it has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from crmkit.errors import NotFound
from crmkit.testing import LawBroken, loyalty_law, loyalty_laws
from laws import PAGE, homes, not_applying, numbered, written

#: Laws that have no test yet. It only gets shorter: a law that has got its test is taken out, and none is put in.
WITHOUT_A_TEST: frozenset[int] = frozenset({21, 49, 50, 75, 77})


def test_the_catalogue_has_eighty_laws() -> None:
    assert [law.number for law in loyalty_laws()] == list(range(1, 81))
    assert len({law.name for law in loyalty_laws()}) == 80
    assert all(law.sentence.endswith(".") and ". " not in law.sentence for law in loyalty_laws())


def test_every_law_has_a_test_or_a_reason() -> None:
    tested = homes().keys() | not_applying(PAGE.read_text(encoding="utf-8"))
    missing = {law.number for law in loyalty_laws()} - tested
    assert sorted(missing - WITHOUT_A_TEST) == [], "these have lost their test"
    assert sorted(WITHOUT_A_TEST - missing) == [], "take these out of WITHOUT_A_TEST: they have a test now"


def test_every_number_in_a_name_is_that_of_a_law() -> None:
    assert sorted(homes().keys() - {law.number for law in loyalty_laws()}) == []


def test_the_reference_is_what_the_tests_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert written(page) == page, "run `python tests/laws.py`"


def test_numbers_are_read_from_names(tmp_path: Path) -> None:
    text = "def test_law_31_x(): ...\ndef test_laws_1_42_y(): ...\ndef test_lawn(): ...\n"
    text += "class T:\n    def test_law_7_z(self): ...\n"
    assert dict(numbered(text)) == {"test_law_31_x": (31,), "test_laws_1_42_y": (1, 42), "test_law_7_z": (7,)}
    (tmp_path / "test_one.py").write_text(text)
    (tmp_path / "test_delivery.py").write_text("def test_law_80_of_channels(): ...")
    assert homes([tmp_path]) == {number: [tmp_path / "test_one.py"] for number in (1, 7, 31, 42)}


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [("refund.partition", [42]), ("tier", [63, 64, 65, 66]), ("gift-card.*, 36", [36, 71, 72, 73])],
)
def test_laws_are_named(wanted: str, numbers: list[int]) -> None:
    assert [law.number for law in loyalty_laws(wanted)] == numbers


@pytest.mark.parametrize(
    ("wanted", "words"),
    [("refunds", "did you mean 'refund'"), ("refund.partitions", "mean 'refund.partition'")],
)
def test_a_name_of_no_law_is_refused(wanted: str, words: str) -> None:
    with pytest.raises(NotFound, match=words):
        loyalty_laws(wanted)


def test_a_law_compares_both_sides() -> None:
    law = loyalty_law(42)
    law.check("the same", 3, 3)
    with pytest.raises(
        LawBroken, match=r"(?s)law 42 is broken by what is left.*expected: 3.*found:    2"
    ) as caught:
        law.check("what is left", 2, 3)
    assert caught.value.number == 42
