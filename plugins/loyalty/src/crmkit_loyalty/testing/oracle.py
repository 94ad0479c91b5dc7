"""A small fold model of the loyalty ledger: what members hold and owe, worked out another way than the ledger does.

It has no postings and no database. Time moves at once: what lapses or runs out does so when the clock passes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

import attrs

Parts = list[tuple["Slot", int]]


@attrs.define(eq=False)
class Slot:
    """Units with one validity.

    Args:
        number: counts up: of two that end together the lesser goes first.
        who: the member.
        unit: of which unit.
        left: how many nothing has set aside.
        begins: from when on they may be spent.
        ends: before when.
    """

    number: int
    who: int
    unit: str
    left: int
    begins: datetime
    ends: datetime
    lapsed: int = 0


@attrs.define(eq=False)
class Held:
    """A reservation."""

    key: str
    unit: str
    parts: Parts
    until: datetime
    end: str = ""


@attrs.define
class Oracle:
    """What members hold and owe.

    Args:
        now: the instant up to which time has passed.
    """

    now: datetime
    slots: list[Slot] = attrs.field(factory=list)
    owed: Counter[tuple[int, str]] = attrs.field(factory=Counter)
    held: list[Held] = attrs.field(factory=list)
    merged: dict[int, int] = attrs.field(factory=dict)

    def family(self, who: int) -> set[int]:
        """The members that are one with a member."""
        head = self.merged.get(who, who)
        return {head, *(one for one, into in self.merged.items() if into == head)}

    def fill(self, who: int, unit: str, units: int, begins: datetime, ends: datetime) -> Slot:
        """Give units; what is owed is paid by `settle`."""
        slot = Slot(len(self.slots), who, unit, units, begins, ends)
        self.slots.append(slot)
        return slot

    def claw(self, slot: Slot, units: int) -> None:
        """Take units of a slot back wherever they are; the rest is owed."""
        left = min(slot.left, units)
        slot.left -= left
        lapsed = min(slot.lapsed, units - left)
        slot.lapsed -= lapsed
        self.owed[slot.who, slot.unit] += units - left - lapsed

    def burn(self, who: int, unit: str, units: int) -> Parts:
        """Take units from the slots that end soonest."""
        return self._take([s for s in self._mine(who, unit) if s.begins <= self.now < s.ends], units)

    def back(self, parts: Parts, at: datetime | None = None) -> None:
        """Give parts back to their slots; those that have ended have lapsed."""
        at = at or self.now
        for slot, units in parts:
            if at < slot.ends:
                slot.left += units
            else:
                slot.lapsed += units
        for who, unit in sorted({(slot.who, slot.unit) for slot, _ in parts}):
            self.settle(who, unit, at)

    def settle(self, who: int, unit: str, at: datetime | None = None) -> None:
        """Pay what is owed out of what is held."""
        at = at or self.now
        for one in sorted(self.family(who)):
            paid = self._take([s for s in self._mine(who, unit) if at < s.ends], self.owed[one, unit])
            self.owed[one, unit] -= sum(units for _, units in paid)

    def pass_to(self, now: datetime) -> None:
        """Let time pass: reservations run out and slots end, one after the other."""
        marks = {held.until for held in self.held} | {slot.ends for slot in self.slots} | {now}
        for mark in sorted(mark for mark in marks if self.now < mark <= now):
            for held in self.held:
                if held.until == mark and not held.end:
                    held.end = "ran out"
                    self.back(held.parts, mark)
            for slot in self.slots:
                if slot.ends == mark:
                    slot.lapsed, slot.left = slot.lapsed + slot.left, 0
        self.now = now

    def spendable(self, who: int, unit: str) -> int:
        """How many units may be spent."""
        there = sum(s.left for s in self._mine(who, unit) if s.begins <= self.now < s.ends)
        return max(0, there - self._debts(who, unit))

    def balance(self, who: int, unit: str) -> int:
        """What is held in slots that have not ended, set aside or not, minus what is owed."""
        aside = sum(
            units
            for held in self.held
            if not held.end
            for slot, units in held.parts
            if slot.who in self.family(who) and slot.unit == unit and self.now < slot.ends
        )
        return sum(s.left for s in self._mine(who, unit)) + aside - self._debts(who, unit)

    def left(self, who: int, unit: str) -> list[int]:
        """What is left of each slot, in the order in which they are spent."""
        return [slot.left for slot in self._sorted(self._mine(who, unit)) if slot.left]

    def lapsed(self, unit: str) -> int:
        """How many units of all members have lapsed."""
        return sum(slot.lapsed for slot in self.slots if slot.unit == unit)

    def _mine(self, who: int, unit: str) -> list[Slot]:
        family = self.family(who)
        return [slot for slot in self.slots if slot.who in family and slot.unit == unit]

    def _debts(self, who: int, unit: str) -> int:
        return sum(self.owed[one, unit] for one in self.family(who))

    def _sorted(self, slots: Iterable[Slot]) -> list[Slot]:
        return sorted(slots, key=lambda slot: (slot.ends, slot.number))

    def _take(self, slots: Iterable[Slot], units: int) -> Parts:
        parts: Parts = []
        for slot in self._sorted(slots):
            part = min(slot.left, units)
            if part > 0:
                slot.left -= part
                units -= part
                parts.append((slot, part))
        return parts
