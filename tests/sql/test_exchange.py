"""Imports on every database: set-wise as if added singly, resumed, counted, retried."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event

from crmkit import CRM, Contact, ContactPoint
from crmkit.errors import Conflict
from crmkit.exchange import ColumnMap, export_contacts, import_contacts, import_orders, importing, look
from crmkit.exchange.rejects import Rejects
from crmkit.testing import FakeClock
from crmkit.transaction import bulk

#: Of somebody whom an address is found by, with another one that is preferred.
CARD = (
    "BEGIN:VCARD\nVERSION:4.0\nFN:{name}\nEMAIL:{name}@example.com\nEMAIL;PREF=1:{email}@example.com\n"
    "END:VCARD\n"
)
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


def test_of_a_contacts_points_one_is_primary_however_many_rows_prefer_another(
    crm: CRM, tmp_path: Path
) -> None:
    """kills: SetBatch without demote_points, without _settled; given_points that gives a row's as they are."""
    path = tmp_path / "a.vcf"

    def take(policy: str, **emails: str) -> None:
        rows = [(name, email) for name, some in emails.items() for email in some.split()]
        path.write_text("".join(CARD.format(name=name, email=email) for name, email in rows))
        import_contacts(crm, look(path), on_duplicate=policy)

    def primary() -> dict[str, list[str]]:
        with crm.begin() as tx:
            found = {one.name: [p.value for p in one.points if p.primary] for one in tx.contacts.page()}
        return {name: [value.partition("@")[0] for value in values] for name, values in found.items()}

    with crm.begin() as tx:
        tx.contacts.add("ann", points=[ContactPoint.email("ann@example.com").with_(primary=True)])
        tx.contacts.add("ben", points=[ContactPoint.email("ben@example.com")])
    take("fill", ann="ann2", ben="ben2 ben3", cai="cai2 cai3")
    assert primary() == {"ann": ["ann"], "ben": ["ben2"], "cai": ["cai2"]}
    take("update", ann="ann4 ann5", cai="cai6", dee="dee2 dee3")
    assert primary() == {"ann": ["ann5"], "ben": ["ben2"], "cai": ["cai6"], "dee": ["dee3"]}
    path = tmp_path / "b.jsonl"
    two = [{"kind": "email", "value": f"eve{n}@example.com", "primary": True} for n in range(2)]
    path.write_text(json.dumps({"name": "Eve", "points": two}) + "\n")
    report = import_contacts(crm, look(path))
    assert report.rejected == 1 and "both primary" in report.reasons[0]


@pytest.mark.parametrize("server", ["postgresql_url", "mariadb_url"])
def test_what_another_changed_meanwhile_stays(
    request: pytest.FixtureRequest, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crm = CRM(request.getfixturevalue(server))
    crm.create_tables()
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann", points=[ContactPoint.email("ann@example.com")])
    lock = bulk.lock_as_read

    def meanwhile(*given: Any) -> None:
        monkeypatch.undo()
        with crm.begin() as other:
            other.contacts.update(ann.id, owner="staff:bea")
        lock(*given)

    monkeypatch.setattr(bulk, "lock_as_read", meanwhile)
    path = tmp_path / "a.csv"
    path.write_text("name,email,gender\nAnn,ann@example.com,f\n")
    assert import_contacts(crm, look(path)).updated == 1
    with crm.begin() as tx:
        found = tx.contacts.get(ann.id)
        assert (found.owner, found.gender) == ("staff:bea", "f")
    crm.engine.dispose()


@pytest.mark.parametrize("level", ["", "REPEATABLE READ"])
@pytest.mark.parametrize("server", ["postgresql_url", "mariadb_url"])
def test_what_another_import_filled_meanwhile_stays(
    request: pytest.FixtureRequest, server: str, level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kills: lock_contacts in place of lock_as_read, with which MariaDB overwrites what is not in its snapshot."""
    crm = CRM(request.getfixturevalue(server))
    crm.create_tables()
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann", points=[ContactPoint.email("ann@example.com")])
    if level:
        crm.engine = crm.engine.execution_options(isolation_level=level)
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    files[0].write_text("name,email,gender,owner\nAnn,ann@example.com,f,\n")
    files[1].write_text("name,email,gender,owner\nAnn,ann@example.com,x,bea\n")
    read = bulk.bulk.read_holders

    def meanwhile(*given: Any) -> Any:
        monkeypatch.undo()
        found = read(*given)
        assert import_contacts(crm, look(files[1])).updated == 1
        return found

    monkeypatch.setattr(bulk.bulk, "read_holders", meanwhile)
    assert import_contacts(crm, look(files[0])).unchanged == 1
    with crm.begin() as tx:
        found = tx.contacts.get(ann.id)
        assert (found.owner, found.gender) == ("bea", "x")
    crm.engine.dispose()


def known(count: int) -> str:
    """Lines with everything that is known of contacts, as an export writes them."""
    at = "2026-01-10T09:30:00.000001+00:00"
    return "".join(
        json.dumps(
            {
                "id": str(UUID(int=n)),
                "name": f"Ünï {n}",
                "kind": "person",
                "points": [],
                "tags": ["vip"],
                "notes": [{"text": f"Nöte\n{n}", "kind": "call", "at": at}],
                "relations": [
                    {"kind": "boss", "name": f"Bøss {n}", "began_on": "2020-01-01"},
                    *([{"kind": "friend", "of": str(UUID(int=n - 1)), "ended_at": at}] if n > 1 else []),
                ],
                "preferences": [{"kind": "topic", "value": f"tea {n}", "liking": "dislikes"}],
                "facts": [{"text": f"fæct {n}", "on": "2026-09-01", "privacy": "confidential"}],
                "consents": [
                    {"purpose": "news", "state": "granted", "source": "import:fair", "at": at},
                    {"channel": "sms", "state": "withdrawn", "source": "import:fair", "at": at},
                ],
            },
            ensure_ascii=False,
        )
        + "\n"
        for n in range(1, count + 1)
    )


def statements(crm: CRM, path: Path, count: int) -> int:
    """Return how many statements it takes to import so many lines."""
    found: list[str] = []
    path.write_text(known(count), encoding="utf-8")

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        found.append(statement)

    event.listen(crm.engine, "before_cursor_execute", note)
    report = import_contacts(crm, look(path), again=True)
    event.remove(crm.engine, "before_cursor_execute", note)
    assert (report.read, report.rejected, report.warned) == (count, 0, 0), report.reasons
    return len(found)


def test_everything_that_is_known_of_many_goes_in_and_out_again(crm: CRM, tmp_path: Path) -> None:
    statements(crm, tmp_path / "a.jsonl", 60)
    out = io.StringIO(newline="")
    assert export_contacts(crm, out, format="jsonl", page=7) == 60
    assert [json.loads(line) for line in out.getvalue().splitlines()] == [
        json.loads(line) for line in known(60).splitlines()
    ]


def test_statements_are_as_many_for_many_rows(crm: CRM, tmp_path: Path) -> None:
    """kills: notes, relations, consents and what else is known that is read or written row by row."""
    first, again = (statements(crm, tmp_path / "a.jsonl", 60) for _ in range(2))
    for count in (180, 300):  # of each, 120 rows are new, and the others are there
        assert statements(crm, tmp_path / "b.jsonl", count) <= first + again
        assert statements(crm, tmp_path / "b.jsonl", count) == again


@pytest.mark.parametrize("server", ["postgresql_url", "mariadb_url"])
def test_what_another_says_of_a_contact_meanwhile_is_there_once(
    request: pytest.FixtureRequest, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kills: rows that are taken for new because the transaction's snapshot is older than they are."""
    crm = CRM(request.getfixturevalue(server))
    crm.create_tables()
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann", points=[ContactPoint.email("ann@example.com")])
    crm.engine = crm.engine.execution_options(isolation_level="REPEATABLE READ")
    path = tmp_path / "a.csv"
    path.write_text("name,email,tags,note\nAnn,ann@example.com,vip,likes tea\n")
    lock = bulk.lock_as_read

    def meanwhile(*given: Any) -> None:
        monkeypatch.undo()
        with crm.begin() as other:
            other.contacts.tags.add(ann.id, "vip")
            other.contacts.notes.write(ann.id, "likes tea")
        lock(*given)

    monkeypatch.setattr(bulk, "lock_as_read", meanwhile)
    assert import_contacts(crm, look(path)).rejected == 0
    with crm.begin() as tx:
        assert tx.contacts.tags.of(ann.id) == ("vip",)
        assert [one.text for one in tx.contacts.notes.of(ann.id)] == ["likes tea"]
    crm.engine.dispose()
