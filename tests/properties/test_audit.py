"""Whatever is changed of a sealed log is found and named; each mutant of the seals lets something through."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import attrs
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from crmkit import CRM, ContactErased, ContactPoint
from crmkit import merkle as real_merkle
from crmkit.merkle import LEAF, NODE, commitment, leaf_hash, node_hash, proof_of, root_from, root_hash
from crmkit.privacy import audit as real_audit
from crmkit.privacy import seals as real_seals
from crmkit.privacy.audit import prove, verify
from crmkit.sql import relay as real_relay
from crmkit.sql import seals as real_rows
from crmkit.sql.events import number_events
from crmkit.testing import FakeClock, memory_crm

BATCH = 4
_TEXTS = ("type", "key", "actor", "data", "digest")
_NUMBERS = ("version", "occurred_at", "recorded_at", "position")
_IDS = ("id", "contact_id", "subject_id", "cause_id")
_SEAL_TEXTS = ("leaves", "root", "previous", "seal")
_SEAL_NUMBERS = ("number", "first", "last", "sealed_at")


def sealed_log(monkeypatch: pytest.MonkeyPatch) -> CRM:
    """Return a CRM whose log is sealed in three batches, but for the last two events."""
    monkeypatch.setattr(real_seals, "BATCH", BATCH)
    clock = FakeClock()
    crm = memory_crm(clock=clock)
    with crm.begin() as tx:
        for number in range(6):
            contact = tx.contacts.add(f"Ann {number}", points=[ContactPoint.email(f"a{number}@example.com")])
            tx.contacts.update(contact.id, given_name="Ann")
    crm.run_due()
    with crm.begin() as tx:
        tx.contacts.add("Ben")
        tx.contacts.add("Eva")
    clock.advance(seconds=1)  # too early for the next seal
    crm.run_due()
    assert (verify(crm).sealed, verify(crm).unsealed) == (12, 2)
    return crm


@attrs.frozen
class Tampering:
    """Statements that somebody with the database's password may send, and what they come to."""

    what: str
    statements: tuple[tuple[str, tuple[Any, ...]], ...]


def events(crm: CRM) -> list[dict[str, Any]]:
    with crm.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM crm_events ORDER BY position")
        return [dict(row) for row in rows.mappings()]


def other_text(draw: st.DrawFn, value: str) -> str:
    """Return a text that differs in one character, or by one."""
    place = draw(st.integers(0, max(len(value) - 1, 0)))
    how = draw(st.sampled_from(["change", "insert", "remove"] if value else ["insert"]))
    char = draw(st.characters(codec="ascii", categories=("L", "N", "P", "Zs")))
    if how == "change":
        char = char if char != value[place] else "~" if char != "~" else "!"
        return value[:place] + char + value[place + 1 :]
    if how == "remove":
        return value[:place] + value[place + 1 :]
    return value[:place] + char + value[place:]


@st.composite
def tamperings(draw: st.DrawFn, crm: CRM, kinds: tuple[str, ...]) -> Tampering:
    log = events(crm)
    row = draw(st.sampled_from(log[:12]))
    where = row["id"]
    kind = draw(st.sampled_from(kinds))
    if kind == "text":
        name = draw(st.sampled_from(_TEXTS))
        value = other_text(draw, row[name])
        return change("events", name, value, "id", where)
    if kind == "number":
        name = draw(st.sampled_from(_NUMBERS))
        step = draw(st.integers(1, 30) | st.integers(-30, -1))
        return change("events", name, row[name] + step, "id", where)
    if kind == "id":
        name = draw(st.sampled_from(_IDS))
        value = draw(st.binary(min_size=16, max_size=16).filter(lambda one: one != row[name]))
        return change("events", name, value, "id", where)
    if kind == "remove":
        return Tampering("remove", (("DELETE FROM crm_events WHERE id = ?", (where,)),))
    if kind == "insert":
        copied = {**row, "id": draw(st.binary(min_size=16, max_size=16)), "key": "forged"}
        copied["position"] = draw(st.integers(1, 12) | st.just(99) | st.just(0))
        names = ", ".join(copied)
        marks = ", ".join("?" * len(copied))
        return Tampering(
            "insert", ((f"INSERT INTO crm_events ({names}) VALUES ({marks})", (*copied.values(),)),)
        )
    if kind == "reorder":
        other = draw(st.sampled_from([one for one in log[:12] if one["id"] != where]))
        statement = "UPDATE crm_events SET position = ? WHERE id = ?"
        return Tampering(
            "reorder", ((statement, (other["position"], where)), (statement, (row["position"], other["id"])))
        )
    if kind == "personal":
        name = draw(st.sampled_from(["data", "salt"]))
        with crm.engine.connect() as connection:
            query = "SELECT event_id, data, salt FROM crm_event_personal ORDER BY event_id"
            found = draw(st.sampled_from(connection.exec_driver_sql(query).mappings().all()))
        return change("event_personal", name, other_text(draw, found[name]), "event_id", found["event_id"])
    if kind == "forge":
        text, salt = draw(st.sampled_from(['{"name":"Eve"}', "{}"])), "0" * 32
        row = draw(st.sampled_from([one for one in log[:12] if one["digest"]]))
        return Tampering(
            "forge",
            (
                (
                    "UPDATE crm_event_personal SET data = ?, salt = ? WHERE event_id = ?",
                    (text, salt, row["id"]),
                ),
                ("UPDATE crm_events SET digest = ? WHERE id = ?", (commitment(salt, text), row["id"])),
            ),
        )
    return seal_tampering(draw, crm)


def seal_tampering(draw: st.DrawFn, crm: CRM) -> Tampering:
    with crm.engine.connect() as connection:
        seals = connection.exec_driver_sql("SELECT * FROM crm_seals ORDER BY number").mappings().all()
    seal = draw(st.sampled_from(seals))
    if draw(st.booleans()):
        return Tampering("seal gone", (("DELETE FROM crm_seals WHERE number >= ?", (seal["number"],)),))
    name = draw(st.sampled_from(_SEAL_TEXTS + _SEAL_NUMBERS))
    if name in _SEAL_TEXTS:
        value: Any = other_text(draw, seal[name])
    else:
        value = seal[name] + draw(st.sampled_from([-100, 100, 1000]))
    return change("seals", name, value, "number", seal["number"])


def change(table: str, column: str, value: Any, key: str, where: Any) -> Tampering:
    return Tampering(
        f"{table}.{column}", ((f"UPDATE crm_{table} SET {column} = ? WHERE {key} = ?", (value, where)),)
    )


@contextmanager
def tampered(crm: CRM, tampering: Tampering) -> Iterator[None]:
    """Do it for the block, and restore the log."""
    with crm.engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        kept = raw.serialize()
        for statement, values in tampering.statements:
            connection.exec_driver_sql(statement, values)
        connection.commit()
    try:
        yield
    finally:
        with crm.engine.connect() as connection:
            raw = connection.connection.dbapi_connection
            raw.deserialize(kept)


ALL = ("text", "number", "id", "remove", "insert", "reorder", "personal", "forge", "seal")


def law(monkeypatch: pytest.MonkeyPatch, kinds: tuple[str, ...] = ALL) -> None:
    """No tampering passes; an example that a mutant lets through is not made smaller."""
    crm = sealed_log(monkeypatch)

    @settings(phases=tuple(Phase) if kinds == ALL else (Phase.generate,))
    @given(st.data())
    def check(data: st.DataObject) -> None:
        tampering = data.draw(tamperings(crm, kinds))
        with tampered(crm, tampering):
            found = verify(crm)
            assert not found.intact, tampering
            assert found.broken is not None and found.broken.what

    check()
    assert verify(crm).intact


def test_no_tampering_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    law(monkeypatch)


def without(place: int) -> Callable[[Any], str]:
    """Return a leaf that leaves one field out."""

    def leaf(fields: Any) -> str:
        return leaf_hash([*fields[:place], *fields[place + 1 :]])

    return leaf


@pytest.mark.parametrize(
    ("kind", "place"), [("text", 5), ("number", 4), ("id", 6), ("text", 12), ("forge", 13), ("text", 8)]
)
def test_a_leaf_without_one_of_the_fields_is_caught(
    monkeypatch: pytest.MonkeyPatch, kind: str, place: int
) -> None:
    monkeypatch.setattr(real_rows, "leaf_hash", without(place))
    with pytest.raises(AssertionError):
        law(monkeypatch, (kind,))


def test_seals_that_are_not_chained_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A seal that says nothing of the one before it can be cut out, and the rest renumbered."""

    def loose(seal: Any) -> str:
        return real_merkle.seal_hash((seal.number, seal.root))

    monkeypatch.setattr(real_seals, "chained", loose)
    monkeypatch.setattr(real_audit, "chained", loose)
    with pytest.raises(AssertionError):
        law(monkeypatch, ("seal",))


def test_personal_values_that_are_not_compared_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real_rows, "_personal", lambda row: "there")
    with pytest.raises(AssertionError):
        law(monkeypatch, ("personal",))


def test_the_first_break_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    crm = sealed_log(monkeypatch)
    log = events(crm)
    for statement, values, said in (
        ("UPDATE crm_events SET actor = ? WHERE position = 6", ("staff:eve",), (2, 6, "was altered")),
        ("DELETE FROM crm_events WHERE position = 7", (), (2, 7, "was removed")),
        ("UPDATE crm_seals SET root = ? WHERE number = 3", ("0" * 64,), (3, None, "the seal was altered")),
        ("DELETE FROM crm_seals WHERE number = 2", (), (2, None, "the seal was removed")),
        (
            "UPDATE crm_events SET position = 40 WHERE position = 14",
            (),
            (0, 40, "has a position that was never"),
        ),
        ("DELETE FROM crm_events WHERE position = 13", (), (0, 14, "its neighbour was removed")),
    ):
        with tampered(crm, Tampering("", ((statement, values),))):
            broken = verify(crm).broken
            assert broken is not None
            assert (broken.batch, broken.position) == said[:2] and broken.what.startswith(str(said[2]))
            if broken.position == 6:
                assert broken.event_id is not None and broken.event_id.bytes == log[5]["id"]


def test_a_log_written_anew_is_found_by_the_head_that_was_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may write every table can seal again what he altered; not so that the old seal is in the chain."""
    crm = sealed_log(monkeypatch)
    head = verify(crm).head
    rewrite = (
        ("UPDATE crm_events SET actor = 'staff:eve' WHERE position = 2", ()),
        ("DELETE FROM crm_seals", ()),
        ("DELETE FROM crm_cursors WHERE name = 'seals'", ()),
    )
    with tampered(crm, Tampering("", rewrite)):
        real_seals.seal_events(crm)
        assert verify(crm).intact
        broken = verify(crm, head=head).broken
        assert broken is not None and "is not in the chain" in broken.what
    real_seals.seal_events(crm)
    assert verify(crm, head=head).intact and verify(crm).head != head


def test_events_from_before_there_were_digests_are_sealed_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    crm = memory_crm()
    with crm.begin() as tx:
        tx.contacts.add("Ann")
    with crm.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE crm_events SET digest = ''")
        connection.exec_driver_sql("UPDATE crm_event_personal SET salt = ''")
    crm.run_due()
    assert verify(crm).intact and verify(crm).sealed == 1
    with crm.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE crm_event_personal SET data = '{}'")
    assert not verify(crm).intact


def test_events_from_before_there_were_digests_are_whole_also_before_they_are_sealed() -> None:
    crm = memory_crm()
    with crm.begin() as tx:
        tx.contacts.add("Ann")
    with crm.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE crm_events SET digest = ''")
        connection.exec_driver_sql("UPDATE crm_event_personal SET salt = ''")
    crm.transact(lambda tx: number_events(tx.sql, 10))
    assert (verify(crm).broken, verify(crm).unsealed) == (None, 1)
    real_seals.seal_events(crm)
    with crm.begin() as tx:
        tx.events.append(ContactErased(reason="x"), contact_id=tx.contacts.add("Ben").id)
    crm.transact(lambda tx: number_events(tx.sql, 10))
    real_seals.seal_events(crm)
    with crm.engine.begin() as connection:  # invented for an event that never had any
        connection.exec_driver_sql(
            "INSERT INTO crm_event_personal (event_id, data, salt) "
            "SELECT id, '{}', '' FROM crm_events WHERE type = 'ContactErased'"
        )
    assert "personal values were altered" in str(verify(crm).broken)


def test_a_log_that_is_sealed_meanwhile_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    crm = sealed_log(monkeypatch)
    transact, left = type(crm).transact, [1, 2]

    def late(self: CRM, function: Any, *given: Any, **options: Any) -> Any:
        if getattr(function, "__name__", "") == "_tail" and left:
            left.pop()
            with crm.begin() as tx:
                tx.contacts.add("Late")
            transact(crm, lambda tx: number_events(tx.sql, 100))
            real_seals.seal_events(crm)
        return transact(self, function, *given, **options)

    monkeypatch.setattr(type(crm), "transact", late)
    found = verify(crm)
    assert (found.broken, found.sealed, found.unsealed) == (None, 16, 0) and not left


def test_a_log_that_is_written_meanwhile_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    crm = sealed_log(monkeypatch)
    ends = iter([13])  # what READ COMMITTED shows just before the numberer commits
    monkeypatch.setattr(
        real_audit, "last_position", lambda sql: next(ends, None) or real_relay.last_position(sql)
    )
    found = verify(crm)
    assert (found.broken, found.sealed, found.unsealed) == (None, 12, 1)


def test_an_event_is_proven_to_who_has_the_seal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    crm = sealed_log(monkeypatch)
    with crm.begin() as tx:
        for entry in tx.events.since(0, limit=12):
            proof = prove(tx, entry.id)
            assert root_from(proof.leaf, proof.steps) == proof.seal.root
            assert real_seals.chained(proof.seal) == proof.seal.seal
            forged = copy.copy(proof.leaf[::-1])
            assert root_from(forged, proof.steps) != proof.seal.root


def reference(leaves: list[str]) -> str:
    """Return the root as RFC 6962, section 2.1, defines it: the left part is the largest power of two below n."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(reference(leaves[:split]), reference(leaves[split:]))


@given(st.lists(st.binary(max_size=3), min_size=1, max_size=40))
def test_roots_and_proofs_are_those_of_rfc_6962(data: list[bytes]) -> None:
    leaves = [sha256(LEAF + one).hexdigest() for one in data]
    assert root_hash(leaves) == reference(leaves)
    for place, leaf in enumerate(leaves):
        assert root_from(leaf, proof_of(leaves, place)) == reference(leaves)


def test_hashes_are_those_of_the_rfc() -> None:
    """The roots of the reference implementation's own test vectors, which certificate-transparency-go publishes."""
    inputs = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    leaves = [sha256(LEAF + bytes.fromhex(one)).hexdigest() for one in inputs]
    assert leaves[0] == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert root_hash(leaves[:2]) == "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
    assert root_hash(leaves) == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    assert NODE != LEAF
