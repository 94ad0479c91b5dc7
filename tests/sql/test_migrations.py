"""`crmkit migrate`: from nothing, from the tables of the first core, from the middle; and who owns the schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import (
    Column,
    Engine,
    Integer,
    MetaData,
    Table,
    create_engine,
    event,
    inspect,
    make_url,
    select,
)

from crmkit import CRM, ContactPoint, SchemaError, hookimpl
from crmkit.cli import main
from crmkit.sql import Id, Text, column, index, table
from crmkit.sql.migrations import hidden
from crmkit.sql.migrations.run import Migrations
from crmkit.testing import FakeClock
from crmkit_loyalty import Loyalty
from crmkit_loyalty.plugin import LoyaltyPlugin

DUMPS = Path(__file__).parent / "dumps"


def make(url: str, **options: Any) -> CRM:
    return CRM(url, plugins=[LoyaltyPlugin()], clock=FakeClock(), **options)


def load(url: str) -> None:
    """Fill an empty database from the committed dump of its kind."""
    engine = create_engine(url)
    database = {"postgresql": "postgresql", "sqlite": "sqlite"}.get(
        make_url(url).get_backend_name(), "mariadb"
    )
    lines = (DUMPS / f"core-{database}.sql").read_text(encoding="utf-8").splitlines()
    script = "\n".join(line for line in lines if not line.startswith("--"))
    if database == "sqlite":
        raw: Any = engine.raw_connection()
        raw.executescript(script)
        raw.close()
    else:
        execute(engine, script)
    engine.dispose()


def execute(engine: Engine, script: str) -> None:
    """Execute a script, statement by statement."""
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        cursor = raw.cursor()
        lines = (line for line in script.splitlines() if not line.startswith("--"))
        for statement in "\n".join(lines).split(";\n"):
            if statement.strip(" \n;"):
                cursor.execute(statement)
        cursor.close()


def shape(crm: CRM) -> dict[str, Any]:
    """Return what the database says of each of the CRM's tables."""
    there = inspect(crm.engine)
    return {
        one.name: {
            "columns": {c["name"]: (str(c["type"]), c["nullable"]) for c in there.get_columns(one.name)},
            "key": there.get_pk_constraint(one.name)["constrained_columns"],
            "indexes": sorted((i["name"], i["column_names"]) for i in there.get_indexes(one.name)),
            "unique": sorted(u["column_names"] for u in there.get_unique_constraints(one.name)),
        }
        for one in crm.tables.values()
    }


#: What create_tables() makes on each kind of database, looked up once.
SHAPES: dict[str, dict[str, Any]] = {}


def wanted(request: pytest.FixtureRequest, url: str) -> dict[str, Any]:
    """Return the shape that create_tables() makes on an empty database of the same server."""
    kind = make_url(url).get_backend_name()
    if kind not in SHAPES:
        with second(request, url) as other:
            crm = make(other)
            crm.create_tables()
            SHAPES[kind] = shape(crm)
            crm.engine.dispose()
    return SHAPES[kind]


@contextmanager
def second(request: pytest.FixtureRequest, url: str) -> Iterator[str]:
    """A second empty database on the same server."""
    if url.startswith("sqlite"):
        yield url + "-second"
        return
    server = request.getfixturevalue(
        "postgresql_server" if url.startswith("postgresql") else "mariadb_server"
    )
    with server.database() as made:
        yield made


def test_the_first_core_is_taken_over_with_its_data(
    request: pytest.FixtureRequest, database_url: str
) -> None:
    """The committed dump, migrated, has the shape that create_tables() makes, and everything that was in it."""
    load(database_url)
    crm = make(database_url)
    migrations = Migrations(crm)
    with pytest.raises(SchemaError, match=r"kept by crm.create_tables\(\).*crmkit migrate --adopt"):
        migrations.upgrade()
    done = migrations.upgrade(adopt=True)
    assert [one.id for one in done][:2] == ["crmkit_0001", "crmkit_0002"]
    assert migrations.upgrade() == []
    assert all(one.applied for one in migrations.revisions())
    assert shape(crm) == wanted(request, database_url)
    with crm.begin() as tx:
        ann = tx.contacts.find(ContactPoint.email("Ann@example.com"))
        assert ann is not None and (ann.name, ann.given_name, ann.honorific) == ("Ann Example", "Ann", "")
        assert [str(point) for point in ann.points][1:] == [
            "phone:+442079460001",
            "postal:GB:1 High Street\nLondon",
            "external:shop:7",
        ]
        assert tx.orders.get("A1").refunded.minor == 500
        points = tx.table("contact_points")
        postal = select(points.c.country).where(points.c.kind == "postal")
        assert tx.sql.execute(postal).scalars().all() == ["GB"]
        assert {status.delivery.purpose for status in tx.messages.list()} == {"service"}
        assert len(tx.events.timeline(ann.id)) == 14
        assert Loyalty(tx).balance(ann.id) == 35
        tx.contacts.update(ann.id, honorific="Ms")
    with pytest.raises(SchemaError, match="kept by crmkit migrate"):
        crm.create_tables()
    crm.engine.dispose()


def test_an_empty_database_is_migrated_and_works(request: pytest.FixtureRequest, database_url: str) -> None:
    crm = make(database_url)
    assert not any(one.applied for one in Migrations(crm).revisions())
    Migrations(crm).upgrade()
    assert shape(crm) == wanted(request, database_url)
    with crm.begin() as tx:
        tx.contacts.add("Ann", points=[ContactPoint.email("ann@example.com")])
    assert crm.run_due().numbered == 1
    crm.engine.dispose()


class Broken(Exception):
    """The machine was switched off."""


@pytest.mark.parametrize("at", [1, 23, 41])
def test_a_migration_that_broke_off_is_run_again(
    request: pytest.FixtureRequest, sqlite_url: str, at: int
) -> None:
    broken_off(sqlite_url, at)
    crm = make(sqlite_url)
    Migrations(crm).upgrade(adopt=True)
    assert shape(crm) == wanted(request, sqlite_url)


def test_a_migration_that_broke_off_is_run_again_where_ddl_commits(mariadb_url: str) -> None:
    for at in (9, 24):
        broken_off(mariadb_url, at, first=at == 9)
    crm = make(mariadb_url)
    assert Migrations(crm).upgrade(adopt=True)
    assert all(one.applied for one in Migrations(crm).revisions())
    crm.engine.dispose()


def broken_off(url: str, at: int, *, first: bool = True) -> None:
    """Migrate the dump until its n-th change of the schema."""
    if first:
        load(url)
    crm = make(url)
    count = 0

    @event.listens_for(crm.engine, "before_cursor_execute")
    def stop(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        nonlocal count
        if statement.lstrip().upper().startswith(("CREATE", "ALTER")):
            count += 1
            if count == at:
                raise Broken

    with pytest.raises(Broken):
        Migrations(crm).upgrade(adopt=True)
    crm.engine.dispose()


def test_the_sql_that_is_printed_does_the_same(request: pytest.FixtureRequest, database_url: str) -> None:
    load(database_url)
    crm = make(database_url)
    before = shape_of_all(crm)
    script = Migrations(crm).sql()
    assert shape_of_all(crm) == before
    execute(crm.engine, script)
    assert Migrations(crm).sql().count("CREATE TABLE") == 0
    assert shape(crm) == wanted(request, database_url)
    assert all(one.applied for one in Migrations(crm).revisions())
    crm.engine.dispose()


def shape_of_all(crm: CRM) -> list[str]:
    return sorted(inspect(crm.engine).get_table_names())


def test_two_migrations_at_once_are_one_after_the_other(postgresql_url: str) -> None:
    found: list[Any] = []

    def migrate() -> None:
        crm = make(postgresql_url)
        try:
            found.append(len(Migrations(crm).upgrade()))
        except Exception as error:
            found.append(error)
        crm.engine.dispose()

    threads = [Thread(target=migrate) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    crm = make(postgresql_url)
    assert sorted(found) == [0, 0, len(Migrations(crm).revisions())]
    crm.engine.dispose()


def test_a_hosts_own_alembic_sees_an_empty_diff(database_url: str) -> None:
    host = MetaData()
    Table("customers", host, Column("id", Integer, primary_key=True))
    crm = CRM(database_url, plugins=[LoyaltyPlugin()], metadata=host)
    host.create_all(crm.engine)
    crm.adopt()
    with crm.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), host) == []
    with pytest.raises(SchemaError, match="kept by the host's own migrations"):
        Migrations(CRM(crm.engine, plugins=[LoyaltyPlugin()])).upgrade()
    crm.engine.dispose()


def test_a_host_that_leaves_the_tables_to_crmkit_does_not_see_them(sqlite_url: str) -> None:
    host = MetaData()
    Table("customers", host, Column("id", Integer, primary_key=True))
    crm = make(sqlite_url)
    host.create_all(crm.engine)
    Migrations(crm).upgrade()
    with crm.engine.connect() as connection:
        options = {"include_name": hidden()}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), host) == []
        assert len(compare_metadata(MigrationContext.configure(connection), host)) > 10


def test_create_tables_refuses_tables_of_an_older_crmkit(sqlite_url: str) -> None:
    load(sqlite_url)
    with pytest.raises(SchemaError, match=r"table crm_contacts has no column .*crmkit migrate --adopt"):
        make(sqlite_url).create_tables()


def test_a_plugin_with_tables_and_no_revisions_is_named(sqlite_url: str) -> None:
    class Notes:
        @hookimpl
        def crmkit_tables(self, metadata: MetaData) -> None:
            table(metadata, "notes_pages", Column("id", Id(), primary_key=True))

    crm = CRM(sqlite_url, plugins=[Notes()])
    with pytest.raises(SchemaError, match=r"plugin '.*' has tables and ships no revisions"):
        Migrations(crm).upgrade()
    assert inspect(crm.engine).get_table_names() == []


def test_a_database_of_a_newer_crmkit_is_refused(sqlite_url: str) -> None:
    Migrations(make(sqlite_url)).upgrade()
    with create_engine(sqlite_url).begin() as connection:
        connection.exec_driver_sql("INSERT INTO crm_alembic_version VALUES ('later_0001')")
    with pytest.raises(SchemaError, match="a revision that is not installed here"):
        Migrations(make(sqlite_url)).revisions()


def test_the_command_line(sqlite_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    target = ["--url", sqlite_url, "--plugin", "loyalty"]
    assert main(["migrate", "--status", "--json", *target]) == 1
    assert {one["applied"] for one in json.loads(capsys.readouterr().out)} == {False}
    assert main(["migrate", *target]) == 0
    assert "applied  loyalty_0001" in capsys.readouterr().out
    assert main(["migrate", *target]) == 0
    assert capsys.readouterr().out == "The tables are up to date.\n"
    assert main(["migrate", "--status", *target]) == 0
    assert main(["migrate"]) == 2
    assert "--app MODULE:NAME or --url URL" in capsys.readouterr().err


def test_revisions_make_just_what_is_declared() -> None:
    """Whoever changes a table writes its revision: `crmkit revision crmkit`."""
    from sqlalchemy import StaticPool

    from crmkit.sql.migrations.write import steps

    engine = create_engine("sqlite://", poolclass=StaticPool)
    crm = CRM(engine, plugins=[LoyaltyPlugin()])
    with engine.connect() as connection:
        Migrations(crm).run_on(connection)
    assert [step.doc for step in steps(engine, crm.tables)] == []


def test_an_author_has_revisions_written(tmp_path: Path) -> None:
    from crmkit.sql.migrations.write import steps, write

    metadata = MetaData()
    from crmkit.sql.tables import set_prefix, tables_of

    set_prefix(metadata, "crm_")
    table(
        metadata,
        "pages",
        Column("id", Id(), primary_key=True),
        column("name", Text(20)),
        index("by_name", "name"),
    )
    engine = create_engine("sqlite://")
    (path,) = write(tmp_path, "pages", steps(engine, tables_of(metadata)), None, 1)
    assert path.name == "0001_pages.py"
    text = path.read_text()
    assert 'column("name", Text(20)),' in text and 'index("by_name", "name"),' in text
    assert 'branch_labels = ("pages",)' in text
    compile(text, str(path), "exec")
