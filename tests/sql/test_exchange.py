"""Imports on every database: set-wise as if added singly, resumed, counted, retried."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crmkit import CRM, Contact, ContactPoint
from crmkit.errors import Conflict
from crmkit.exchange import ColumnMap, import_contacts, import_orders, importing, look
from crmkit.exchange.rejects import Rejects
from crmkit.testing import FakeClock
from crmkit.transaction import bulk

HEADER = "name,email,phone,tags\n"


def customers(count: int) -> str:
    """A file with duplicates, rows that share a phone, and rubbish."""
    rows = [f"Person {n},p{n}@example.com,+4420794600{n % 30:02},vip;n{n % 3}" for n in range(count)]
    rows[5:5] = ["Person 1,P1@Example.com,,again", "Nobody,no address,,", "Person 2,,+442079460002,"]
    return HEADER + "\n".join(rows) + "\n"


def state(crm: CRM) -> list[Any]:
    """Contacts with their points, tags and events, without ids and times."""
    with crm.begin() as tx:
        return [
            (
                one.name,
                [(str(point), point.source) for point in one.points],
                tx.contacts.tags.of(one.id),
                sorted((entry.type, repr(entry.event)) for entry in tx.events.timeline(one.id)),
            )
            for one in tx.contacts.page()
        ]


@pytest.fixture
def crm(database_url: str) -> CRM:
    made = CRM(database_url, clock=FakeClock())
    made.create_tables()
    return made


def test_many_contacts_are_added_as_if_singly(crm: CRM) -> None:
    with crm.begin() as tx:
        wanted = [
            Contact(id=tx.new_id(), name=f"Ünï {n}", points=[ContactPoint.email(f"p{n % 60}@example.com")])
            for n in range(80)
        ]
        kept = tx.contacts.add_many(wanted)
        assert [one.id for one in kept[60:]] == [one.id for one in wanted[:20]]
        alone = tx.contacts.add("Ünï alone", points=[ContactPoint.email("alone@example.com")])
        (single,), (many,) = tx.events.timeline(alone.id), tx.events.timeline(kept[0].id)
        assert (many.type, many.actor, many.version if hasattr(many, "version") else 1) == (
            single.type,
            "system",
            1,
        )
        assert tx.contacts.find(ContactPoint.email("P7@example.com")) == wanted[7]
        assert tx.contacts.get_many([one.id for one in wanted[:60]]) == {one.id: one for one in wanted[:60]}


def test_a_run_that_was_cut_off_goes_on_to_the_same_end(crm: CRM, tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "people.csv"
    path.write_text(customers(40))
    plan, calls = look(path), 0
    advance = importing.advance_import

    def dies(*given: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        advance(*given)

    monkeypatch.setattr(importing, "advance_import", dies)
    with pytest.raises(KeyboardInterrupt):
        import_contacts(crm, plan, batch=10)
    report = import_contacts(crm, plan, batch=10)
    assert (report.resumed_from, report.read) == (20, 43)
    assert (report.added, report.updated, report.unchanged, report.rejected) == (40, 1, 1, 1)
    assert (
        Path(report.rejects)
        .read_text(encoding="utf-8-sig")
        .splitlines()[1]
        .startswith("Nobody,no address,,,8,")
    )
    again = import_contacts(crm, plan, batch=10)
    assert again.repeated
    assert again.counts() == report.counts()
    monkeypatch.setattr(
        importing, "advance_import", lambda *given: advance(given[0], given[1], 7, *given[3:])
    )
    with pytest.raises(Conflict, match="another process"):
        import_contacts(crm, plan, batch=10, again=True)


def test_a_dry_run_tells_the_same_and_writes_nothing(crm: CRM, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(customers(20))
    dry = import_contacts(crm, look(path), batch=7, dry_run=True)
    with crm.begin() as tx:
        assert tx.contacts.page() == []
    real = import_contacts(crm, look(path), batch=7)
    assert dry.counts() == real.counts()
    assert dry.reasons == real.reasons


def test_duplicates_follow_the_policy(crm: CRM, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    for policy, family in (("fill", "New"), ("update", "New"), ("skip", "")):
        with crm.begin() as tx:
            address = ContactPoint.email(f"{policy}@example.com")
            ann = tx.contacts.add("Ann", gender="f", points=[address])
        path.write_text(
            f"name,family name,gender,email,phone\nann,New,x,{policy}@Example.com,+442079460001\n"
        )
        import_contacts(crm, look(path), on_duplicate=policy)
        with crm.begin() as tx:
            found = tx.contacts.get(ann.id)
        assert (found.name.lower(), found.family_name) == ("ann", family)
        assert found.gender == ("x" if policy == "update" else "f")
        assert len(found.points) == (1 if policy == "skip" else 2)
    path = tmp_path / "people.csv"
    path.write_text("name,email\nAnn,ann@example.com\nAnne,ann@example.com\n")
    report = import_contacts(crm, look(path), on_duplicate="reject")
    assert report.reasons == ["line 3: email:ann@example.com is a contact already"]


def test_orders_are_history_and_returns_are_refunds(crm: CRM, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(
        "order,date,sku,quantity,price,customer id,email\n"
        "1,2020-01-02 10:00,A,2,1.50,17.0,ann@example.com\n"
        "1,2020-01-02 10:00,B,1,3.00,17.0,ann@example.com\n"
        "C2,2020-01-05 10:00,A,-1,1.50,17.0,ann@example.com\n"
        "3,2020-01-06 10:00,A,half,1.50,17.0,ann@example.com\n"
        "3,2020-01-06 10:00,B,1,1.50,17.0,ann@example.com\n"
        "C4,2020-01-07 10:00,Z,-1,1.50,17.0,ann@example.com\n"
    )
    columns = ColumnMap(
        columns={
            "order": "order", "date": "placed_at", "sku": "sku", "quantity": "quantity", "price": "price",
            "customer id": "external:shop", "email": "email",
        },
        currency="GBP", zone="Europe/London", whole=["customer id"],
    )  # fmt: skip
    plan = look(path, columns, orders=True)
    report = import_orders(crm, plan)
    assert (report.read, report.added, report.rejected) == (6, 3, 3), report.reasons
    with crm.begin() as tx:
        record = tx.orders.get("1")
        ann = tx.contacts.find(ContactPoint.external("shop", 17))
        assert ann is not None
        assert record.contact_id == ann.id
        assert (record.order.total.minor, record.refunded.minor) == (600, 150)
        assert record.order.placed_at.isoformat() == "2020-01-02T10:00:00+00:00"
    again = import_orders(crm, plan, again=True)
    assert (again.added, again.unchanged, again.rejected) == (0, 3, 3), again.reasons


def test_what_was_written_after_the_last_commit_is_cut_off(tmp_path: Path) -> None:
    class Source:
        def head(self) -> str:
            return "head\n"

        def rejected(self, one: Any) -> str:
            return f"{one}\n"

    path, source = tmp_path / "r.csv", Source()
    with Rejects(path, source, 0) as rejects:  # type: ignore[arg-type]
        rejects.write(["a"])  # type: ignore[list-item]
        size = rejects.size
        rejects.write(["lost"])  # type: ignore[list-item]
    with Rejects(path, source, size) as rejects:  # type: ignore[arg-type]
        rejects.write(["b"])  # type: ignore[list-item]
    assert path.read_text() == "head\na\nb\n"


@pytest.mark.parametrize("server", ["postgresql_url", "mariadb_url"])
def test_what_another_changed_meanwhile_stays(
    request: pytest.FixtureRequest, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crm = CRM(request.getfixturevalue(server))
    crm.create_tables()
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann", points=[ContactPoint.email("ann@example.com")])
    lock = bulk.lock_contacts

    def meanwhile(*given: Any) -> None:
        monkeypatch.undo()
        with crm.begin() as other:
            other.contacts.update(ann.id, owner="staff:bea")
        lock(*given)

    monkeypatch.setattr(bulk, "lock_contacts", meanwhile)
    path = tmp_path / "a.csv"
    path.write_text("name,email,gender\nAnn,ann@example.com,f\n")
    assert import_contacts(crm, look(path)).updated == 1
    with crm.begin() as tx:
        found = tx.contacts.get(ann.id)
        assert (found.owner, found.gender) == ("staff:bea", "f")
    crm.engine.dispose()
