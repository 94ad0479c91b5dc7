"""Who keeps the tables, where they stand, and which installation they belong to."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, inspect

from crmkit import CRM, ConfigError, SchemaError
from crmkit.sql.schema import OWNER, PLACE, read_stamp
from sql.hosts import counts, order, shop


def test_creating_twice_changes_nothing_and_the_installation_is_stamped(database_url: str) -> None:
    crm = shop(database_url)
    with crm.begin() as tx:
        tx.orders.record(order())
    crm.create_tables()
    assert counts(crm)[1] == 1
    with crm.begin() as tx:
        assert read_stamp(tx.sql, PLACE) == crm.place
        assert "@" not in crm.place, "the place holds no credentials"


def test_tables_in_the_hosts_metadata_are_left_to_the_hosts_migrations(database_url: str) -> None:
    metadata = MetaData()
    Table("users", metadata, Column("id", Integer, primary_key=True))
    crm = CRM(database_url, metadata=metadata)
    with pytest.raises(SchemaError, match=r"host's own migrations create them; call crm\.adopt"):
        crm.create_tables()
    metadata.create_all(crm.engine)
    crm.adopt()
    with crm.begin() as tx:
        tx.orders.record(order())
        assert read_stamp(tx.sql, OWNER) == "the host's own migrations"
    with pytest.raises(SchemaError, match="kept by the host's own migrations"):
        CRM(database_url).create_tables()
    assert crm.run_due().numbered == 3  # the contact, its order, its stage


def test_a_prefix_and_a_schema_keep_installations_apart(postgresql_url: str) -> None:
    plain, prefixed, apart = (
        CRM(postgresql_url),
        CRM(postgresql_url, prefix="x_"),
        CRM(postgresql_url, schema="shop2"),
    )
    for crm in (plain, prefixed, apart):
        crm.create_tables()
    with apart.begin() as tx:
        tx.orders.record(order())
    for crm in (plain, prefixed):
        with crm.begin() as tx:
            assert tx.events.since(0) == []
            assert tx.contacts.find(*order().points) is None
    assert "crm_orders" in inspect(apart.engine).get_table_names(schema="shop2")
    assert apart.run_due().numbered == 3  # the contact, its order, its stage


@pytest.mark.parametrize("prefix", ["", "a b", "x;", "é", "x" * 21])
def test_a_prefix_is_a_plain_name(prefix: str) -> None:
    with pytest.raises(ConfigError, match="prefix"):
        CRM("sqlite://", prefix=prefix)
