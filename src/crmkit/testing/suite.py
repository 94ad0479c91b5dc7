"""The ground of the conformance suites: a pytest class that an author subclasses."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from crmkit.errors import ValueRefused
from crmkit.testing.clock import FakeClock
from crmkit.testing.laws import LawBroken, law_of, laws_in, missing, settle

#: The suites that ran in this process, for the summary at the end of pytest's output.
RAN: dict[type[Suite], None] = {}


class Suite:
    """A class of tests whose subclasses pytest collects.

    A law that a subclass does not claim is not collected; `crmkit.testing.pytest_plugin` lists these at the end.
    The suite owns the clock, and gives each test a `folder` of its own.
    """

    __test__ = False

    #: The page of the documentation on which the laws stand.
    page: ClassVar[str] = ""
    #: Whether its laws have the numbers of the laws of loyalty, not numbers of its own.
    of_loyalty: ClassVar[bool] = False
    #: What was seen without being claimed, for the summary.
    remarks: ClassVar[dict[str, None]] = {}

    folder: Path
    clock: FakeClock

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "__test__" not in vars(cls):
            cls.__test__ = True
        cls.remarks = {}
        settle(cls)

    @pytest.fixture(autouse=True)
    def crmkit_stage(self, tmp_path: Path) -> Iterator[None]:
        """Prepare one test and clear up after it."""
        with self.staged(tmp_path):
            yield

    @contextmanager
    def staged(self, folder: Path) -> Iterator[None]:
        """Give the test its folder and its clock."""
        RAN[type(self)] = None
        self.folder, self.clock = folder, FakeClock()
        yield

    def subject(self) -> str:
        """Return how errors name what is tested."""
        return type(self).__name__

    def broken(
        self,
        number: int,
        *,
        expected: object,
        found: object,
        hint: str = "",
        subject: str = "",
        code: str = "",
    ) -> LawBroken:
        """Return the error that a law is broken.

        Args:
            number: the law's number.
            expected: what the law asks for.
            found: what was seen.
            hint: what to do about it.
            subject: what broke it, by default what the suite tests.
            code: what repeats it, to be pasted.
        """
        held = (law_of(function) for function in laws_in(type(self)).values())
        sentence = next((one.sentence for one in held if one and one.number == number), "")
        where = f"{self.page}, law {number}"
        return LawBroken(
            number,
            sentence,
            subject=subject or self.subject(),
            expected=str(expected),
            found=str(found),
            hint=f"{hint} ({where})" if hint else where,
            code=code,
        )


def broken_laws(suite: type[Suite], *numbers: int) -> tuple[LawBroken, ...]:
    """Run the laws that a suite claims, without pytest, and return those that are broken.

    Fixtures of pytest are not run; what else than `LawBroken` a test raises goes through.

    Args:
        suite: a subclass of one of the suites.
        numbers: which laws; all that are claimed when none is named.

    Raises:
        ValueRefused: if a law is named that the suite does not claim.
    """
    claimed = {
        function.crmkit_law.number: name for name, function in laws_in(suite).items() if getattr(suite, name)
    }
    if unknown := set(numbers) - claimed.keys():
        raise ValueRefused(f"{suite.__name__} claims the laws {sorted(claimed)}, not {sorted(unknown)}")
    found: list[LawBroken] = []
    for name in (claimed[number] for number in numbers or claimed):
        with tempfile.TemporaryDirectory() as place:
            test = suite()
            try:
                with test.staged(Path(place)):
                    getattr(test, name)()
            except LawBroken as error:
                found.append(error)
    return tuple(found)


def summary() -> Iterator[str]:
    """Yield lines about the suites that ran: what they claim, what they do not, what else was seen."""
    for suite in RAN:
        laws = {name: law_of(function) for name, function in laws_in(suite).items()}
        off = [held for name, held in laws.items() if held and getattr(suite, name) is None]
        yield f"{suite.__name__}: {len(laws) - len(off)} of {len(laws)} laws claimed"
        for held in off:
            needs = " and ".join(need.replace("|", " or ") for need in missing(suite, held))
            yield f"  not claimed: law {held.number} (needs {needs or 'its test back'}): {held.sentence}"
        yield from (f"  {remark}" for remark in suite.remarks)
