"""Runs the revisions that a database does not have yet: the core's and those of every enabled plugin."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy import Connection, inspect, text

from crmkit.errors import SchemaError
from crmkit.sql import schema
from crmkit.sql.connection import Sql
from crmkit.sql.migrations.steps import OPTION, Place
from crmkit.sql.tables import OWNED_BY
from crmkit.sql.types import family

if TYPE_CHECKING:
    from crmkit.crm import CRM

CORE = "crmkit"

#: How the right to migrate a database is taken and given back; PostgreSQL's number is "crmkit" in ASCII.
_LOCKS = {
    "postgresql": (
        f"SELECT pg_advisory_lock({0x63726D6B6974})",
        f"SELECT pg_advisory_unlock({0x63726D6B6974})",
    ),
    "mariadb": (
        "SELECT GET_LOCK(CONCAT('crmkit ', DATABASE()), 600)",
        "SELECT RELEASE_LOCK(CONCAT('crmkit ', DATABASE()))",
    ),
}


@attrs.frozen
class Revision:
    """A step of the schema.

    Args:
        id: its id, such as "crmkit_0003".
        branch: the plugin whose it is, or "crmkit" for the core.
        doc: what it does.
        applied: whether this database has it.
    """

    id: str
    branch: str
    doc: str
    applied: bool


def _schema_of(migrations: Migrations) -> str | None:
    return migrations.crm.tables["installation"].schema


@attrs.frozen(eq=False)
class Migrations:
    """The revisions of one CRM's tables.

    Args:
        crm: the CRM.
        schema: the database schema that holds the tables; by default the CRM's.
    """

    crm: CRM
    schema: str | None = attrs.field(default=attrs.Factory(_schema_of, takes_self=True))

    def revisions(self) -> list[Revision]:
        """Return every revision, in the order in which they run, with whether the database has it."""
        with self.crm.engine.connect() as connection:
            applied = self._applied(connection)
        return [
            Revision(one.revision, branch, one.doc, one.revision in applied)
            for branch, one in self._ordered()
        ]

    def upgrade(self, *, adopt: bool = False) -> list[Revision]:
        """Run what the database does not have yet; return it.

        Args:
            adopt: take over tables that `crm.create_tables()` has made.

        Raises:
            SchemaError: if the tables are kept in another way, or a plugin with tables ships no revisions.
        """
        self._refuse_missing()
        with self._locked() as connection:
            before = self._applied(connection)
            self._refuse_other_owner(connection, adopt)
            connection.commit()
            self._run(connection, self._place())
            connection.commit()
            self._stamp(connection, adopt)
            connection.commit()
        return [
            Revision(one.revision, branch, one.doc, True)
            for branch, one in self._ordered()
            if one.revision not in before
        ]

    def sql(self) -> str:
        """Return the SQL of what the database does not have yet, without running it."""
        self._refuse_missing()
        written = io.StringIO()
        with self.crm.engine.connect() as connection:
            place = attrs.evolve(self._place(), inspector=inspect(connection))
            heads = self._context(connection).get_current_heads()
            self._environment(
                place,
                dialect_name=connection.dialect.name,
                output_buffer=written,
                as_sql=True,
                starting_rev=tuple(heads) or None,
                heads=heads,
            )
        return written.getvalue()

    def run_on(self, connection: Connection) -> None:
        """Run every revision on another, empty database.

        Args:
            connection: to it.
        """
        self._run(connection, self._place())

    def locations(self) -> Mapping[str, Path]:
        """Return the folder of revisions of the core and of each enabled plugin that has one."""
        found = {CORE: Path(__file__).parent / "versions"}
        for name, module in self.crm.modules.items():
            home = getattr(sys.modules.get(module.split(".")[0]), "__file__", None)
            folder = Path(home).parent / "migrations" if home else None
            if folder is not None and folder.is_dir() and Path(home or "").name == "__init__.py":
                found[name] = folder
        return found

    def heads(self) -> tuple[str, ...]:
        """Return the last revision of each branch."""
        return tuple(sorted(self._script().get_heads()))

    def _script(self) -> ScriptDirectory:
        places = list(dict.fromkeys(self.locations().values()))
        return ScriptDirectory(Path(__file__).parent, version_locations=places)

    def _ordered(self) -> list[tuple[str, Any]]:
        script = self._script()
        branches = {path: name for name, path in self.locations().items()}
        every = reversed(list(script.walk_revisions()))
        found = [(branches.get(Path(one.path).parent, ""), one) for one in every]
        order = list(self.locations())
        return sorted(found, key=lambda pair: order.index(pair[0]))

    def _context(self, connection: Connection) -> MigrationContext:
        return MigrationContext.configure(connection, opts=self._version_table())

    def _version_table(self) -> dict[str, Any]:
        return {"version_table": f"{self._prefix}alembic_version", "version_table_schema": self.schema}

    def _place(self) -> Place:
        return Place(self._prefix, self.schema)

    @property
    def _prefix(self) -> str:
        return self.crm.tables["installation"].name.removesuffix("installation")

    def _applied(self, connection: Connection) -> set[str]:
        heads = self._context(connection).get_current_heads()
        script = self._script()
        try:
            return {
                one.revision
                for head in heads
                for one in script.iterate_revisions(head, "base", inclusive=True)
            }
        except (CommandError, RevisionError) as error:
            raise SchemaError(
                f"the database has a revision that is not installed here ({error}); a plugin is missing, or "
                "crmkit here is older than the one that migrated the database"
            ) from None

    def _run(self, connection: Connection, place: Place) -> None:
        if place.schema and family(connection.dialect) != "sqlite":
            from sqlalchemy.schema import CreateSchema

            with connection.begin():
                connection.execute(CreateSchema(place.schema, if_not_exists=True))
        self._environment(place, connection=connection, transaction_per_migration=True)

    def _environment(
        self,
        place: Place,
        *,
        as_sql: bool = False,
        heads: Sequence[str] = (),
        connection: Connection | None = None,
        **options: Any,
    ) -> None:
        script = self._script()

        def upgrade(revision: Any, context: Any) -> Any:
            current: Any = tuple(heads) if as_sql else revision
            return script._upgrade_revs("heads", current)

        with EnvironmentContext(Config(), script, fn=upgrade, as_sql=as_sql) as environment:
            given: dict[str, Any] = {OPTION: place, **options}
            environment.configure(connection=connection, **self._version_table(), **given)
            with environment.begin_transaction():
                environment.run_migrations()

    def _refuse_missing(self) -> None:
        known = self.locations()
        owners = {table.info.get(OWNED_BY, CORE) for table in self.crm.tables.values()}
        for owner in sorted(owners - set(known)):
            raise SchemaError(
                f"plugin {owner!r} has tables and ships no revisions; it needs a folder `migrations` in its package "
                f"(`crmkit revision {owner}` writes them), or use crm.create_tables()"
            )

    def _refuse_other_owner(self, connection: Connection, adopt: bool) -> None:
        installation = self.crm.tables["installation"]
        if not inspect(connection).has_table(installation.name, schema=self.schema):
            return
        found = schema.read_stamp(Sql(connection, self.crm.tables), schema.OWNER)
        if found == schema.BY_CRM and adopt:
            return
        if found == schema.BY_CRM:
            raise SchemaError(
                f"the tables are kept by {found}; to hand them over for good: crmkit migrate --adopt"
            )
        if found not in ("", schema.BY_MIGRATE):
            raise SchemaError(f"the tables are kept by {found}; use that instead of crmkit migrate")

    def _stamp(self, connection: Connection, adopt: bool) -> None:
        sql = Sql(connection, self.crm.tables)
        schema.stamp(sql, schema.BY_MIGRATE, self.crm.place)
        if adopt:
            schema.hand_over(sql, schema.BY_MIGRATE)

    @contextmanager
    def _locked(self) -> Iterator[Connection]:
        """A connection that no other migration of this database runs beside."""
        engine, database = self.crm.engine, family(self.crm.engine.dialect)
        if database == "sqlite":
            with engine.connect() as connection:
                yield connection
            return
        take, give = _LOCKS[database]
        with engine.connect() as connection, engine.connect() as guard:
            if guard.execute(text(take)).scalar() == 0:  # MariaDB gives up, PostgreSQL waits
                raise SchemaError(
                    "another migration of this database has gone on for ten minutes; look after that first"
                )
            try:
                yield connection
            finally:
                guard.execute(text(give))
                guard.rollback()
