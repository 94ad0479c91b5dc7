"""HMACs of personal values, and the secret they are made under."""

from __future__ import annotations

import logging

import pytest

from crmkit import CRM, Transaction, ValueRefused
from crmkit.digests import DIGEST_SIZE, digest, new_secret
from crmkit.settings import Secret
from crmkit.sql.secret import SECRET
from crmkit.testing import memory_crm

ADDRESS = "ann@example.com"


def stored_secret(crm: CRM) -> str | None:
    """Return what the installation's table holds of the secret."""
    with crm.begin() as tx:
        row = tx.sql.connection.exec_driver_sql(
            f"SELECT value FROM crm_installation WHERE name = '{SECRET}'"
        ).first()
    return str(row[0]) if row else None


def without_secret() -> CRM:
    """Return a CRM over a database that was stamped before there were secrets."""
    crm = memory_crm()
    with crm.begin() as tx:
        tx.sql.connection.exec_driver_sql(f"DELETE FROM crm_installation WHERE name = '{SECRET}'")
    return CRM(crm.engine)


def test_a_digest_depends_on_secret_purpose_and_value() -> None:
    key, other = new_secret(), new_secret()
    found = {digest(key, "a", "x"), digest(key, "a", "y"), digest(key, "b", "x"), digest(other, "a", "x")}
    assert len(found) == 4 and all(len(one) == DIGEST_SIZE for one in found)
    assert digest(key, "a", "x") == digest(key, "a", "x")


def test_purpose_and_value_do_not_run_together() -> None:
    key = new_secret()
    assert digest(key, "ab", "c") != digest(key, "a", "bc")
    with pytest.raises(ValueRefused, match="without NUL"):
        digest(key, "a\x00b", "c")
    with pytest.raises(ValueRefused, match="without NUL"):
        digest(key, "", "c")


def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(ValueRefused, match="needs a secret"):
        digest(Secret(""), "a", "b")


def test_the_tables_are_created_with_a_random_secret() -> None:
    one, two = memory_crm(), memory_crm()
    assert stored_secret(one) and stored_secret(one) != stored_secret(two)
    assert one.digest("test", ADDRESS) != two.digest("test", ADDRESS)
    one.create_tables()
    before = one.digest("test", ADDRESS)
    one.create_tables()
    assert one.digest("test", ADDRESS) == before


def test_inside_and_outside_a_transaction_it_is_the_same() -> None:
    crm = memory_crm()
    with crm.begin() as tx:
        inside = tx.digest("test", ADDRESS)
    assert crm.digest("test", ADDRESS) == inside == digest(Secret(stored_secret(crm) or ""), "test", ADDRESS)


def test_the_settings_secret_wins() -> None:
    one = memory_crm(settings={"core": {"secret": "of the settings"}})
    assert one.digest("test", ADDRESS) == digest(Secret("of the settings"), "test", ADDRESS)


def test_a_database_without_a_secret_gets_one_when_it_is_needed() -> None:
    crm = without_secret()
    first = crm.digest("test", ADDRESS)
    assert stored_secret(crm) and crm.digest("test", ADDRESS) == first


def test_a_secret_that_is_rolled_back_is_not_remembered() -> None:
    crm = without_secret()

    def lose(tx: Transaction) -> None:
        lost.append(tx.digest("test", ADDRESS))
        assert [tx.digest("test", ADDRESS)] == lost
        raise ZeroDivisionError

    lost: list[bytes] = []
    with pytest.raises(ZeroDivisionError):
        crm.transact(lose)
    with crm.begin() as tx:
        kept = tx.digest("test", ADDRESS)
    assert [kept] != lost
    assert crm.digest("test", ADDRESS) == kept


def test_the_secret_is_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        crm = memory_crm()
        crm.digest("test", ADDRESS)
    secret = stored_secret(crm) or ""
    assert secret not in f"{crm!r} {crm.secret!r} {vars(crm)!r}" and secret not in caplog.text
    assert crm.redact(f"key {secret}") == "key ***"
