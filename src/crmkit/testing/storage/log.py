"""Laws of the log: the timeline's order, and positions without gaps whoever commits when."""

from __future__ import annotations

from datetime import timedelta

from crmkit.contacts import ContactPoint
from crmkit.events import ContactAdded, ContactUpdated, LogEntry
from crmkit.testing.laws import law
from crmkit.testing.storage.stage import Stage


class LogLaws(Stage):
    """Laws 8 to 10."""

    __test__ = False

    @law(8)
    def test_08_the_timeline_is_in_order(self) -> None:
        """The timeline runs from the newest event to the oldest, page by page, each event once."""
        with self.crm.begin() as tx:
            contact = tx.contacts.find_or_add([ContactPoint.email("ann@example.com")])
            start = self.clock()
            # recorded in another order than they happened, two of them at the same microsecond
            for days in (3, 1, 2, 2, 0):
                event = ContactUpdated(fields=(f"day {days}",))
                at = start + timedelta(days=days, microseconds=days)
                tx.events.append(event, contact_id=contact.id, occurred_at=at)
        with self.crm.begin() as tx:
            whole = tx.events.timeline(contact.id, limit=100)
            paged: list[LogEntry] = []
            while page := tx.events.timeline(contact.id, limit=2, before=paged[-1] if paged else None):
                paged += page
        ordered = sorted(whole, key=lambda entry: (entry.occurred_at, entry.id), reverse=True)
        self.same(8, "newest first", [entry.key for entry in ordered], [entry.key for entry in whole])
        self.same(8, "page by page", [entry.key for entry in whole], [entry.key for entry in paged])

    @law(9)
    def test_09_positions_have_no_gaps(self) -> None:
        """Committed events have the positions 1, 2, 3 ..., in pages of any size; what was rolled back has none."""
        for number in range(3):
            with self.crm.begin() as tx:
                tx.contacts.add(f"Ann {number}")
            self._roll_back(f"Eve {number}")
            if number:
                self.crm.run_due()
        with self.crm.begin() as tx:
            found = tx.events.since(0)
            paged = [tx.events.since(position, limit=1)[0] for position in range(len(found))]
        self.same(9, "positions", [1, 2, 3], [entry.position for entry in found])
        self.same(9, "events", ["Ann 0", "Ann 1", "Ann 2"], [_name(entry) for entry in found])
        self.same(9, "page by page", found, paged)

    @law(10, "several_writers")
    def test_10_who_commits_late_is_relayed_once(self) -> None:
        """A transaction that began earlier and commits later is numbered and relayed, once, after the others."""
        heard: list[str] = []
        self.crm.signals.connect(ContactAdded, lambda entry: heard.append(_name(entry)))
        with self.crm.begin() as early:
            early.contacts.add("early")
            with self.crm.begin() as late:
                late.contacts.add("late")
            self.crm.run_due()
            self.same(10, "what is relayed before the commit", ["late"], heard)
        for _ in range(2):
            self.crm.run_due()
        with self.crm.begin() as tx:
            found = [(entry.position, _name(entry)) for entry in tx.events.since(0)]
        self.same(10, "positions and events", [(1, "late"), (2, "early")], found)
        self.same(10, "what is relayed, once each", ["late", "early"], heard)

    def _roll_back(self, name: str) -> None:
        with self.crm.engine.connect() as connection:
            self.crm.join(connection).contacts.add(name)
            connection.rollback()


def _name(entry: LogEntry) -> str:
    return entry.event.name if isinstance(entry.event, ContactAdded) else entry.type
