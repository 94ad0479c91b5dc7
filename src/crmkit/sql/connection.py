"""One database connection inside one transaction, and what its errors mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from sqlalchemy import Connection, CursorResult, Executable, Table, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from crmkit.errors import (
    CrmkitError,
    RetryTransaction,
    TransactionPoisoned,
    TransactionRequired,
)
from crmkit.sql.types import bind_text, bind_texts, family, write_json

Row = Mapping[str, Any]

_RETRY_STATES = {"40001", "40P01", "55P03"}  # serialization failure, deadlock, lock not available
_FATAL_STATES = {"25P02", "53100", "57P01", "57P02", "57P03"}  # failed transaction, disk full, shutdown
_RETRY_NUMBERS = {1020, 1205, 1213}  # record changed, lock wait time-out, deadlock
_FATAL_NUMBERS = {1021, 1114, 1927, 2006, 2013}  # disk full, table full, killed, gone away, lost connection
_DUPLICATE = 1062
_SQLITE_RETRY = {5, 6}  # busy, locked
_SQLITE_FATAL = {10, 11, 13, 26}  # I/O error, corrupt, full, not a database
_MANY = 50  # rows from which on it pays to go past SQLAlchemy
_IN_ERROR = 3  # libpq's PQTRANS_INERROR

#: Tells apart the savepoints of transactions that are joined to one connection: MariaDB drops one of the same name.
_NUMBERS = count()


class Sql:
    """Executes statements in the transaction of one connection; crmkit's only way to a database.

    Args:
        connection: a SQLAlchemy connection in a transaction.
        tables: the CRM's tables by their names without the prefix.
    """

    def __init__(self, connection: Connection, tables: Mapping[str, Table]) -> None:
        self._connection = connection
        self._transaction = connection.get_transaction() or connection.begin()
        self.database = family(connection.dialect)
        self.tables = tables
        self._verdict: RetryTransaction | TransactionPoisoned | None = None
        self._name = f"crmkit_{next(_NUMBERS) % 1000}"
        self._depth = 0
        self._wanted = 0
        #: Told of rows before they are inserted; set by a contact store that has ids of its own to keep first.
        self.watch: Callable[[Table, Sequence[Row]], None] | None = None

    @property
    def connection(self) -> Connection:
        """The connection itself, with the savepoints of `isolated` set: what is written there is undone as well."""
        self._open_savepoint()
        return self._connection

    def execute(
        self, statement: Executable, parameters: Row | Sequence[Row] | None = None
    ) -> CursorResult[Any]:
        """Execute a statement, parameters always bound.

        Raises:
            RetryTransaction: if the database chose this transaction to give way.
            TransactionPoisoned: if an error ended the transaction.
            TransactionRequired: if the host has ended the transaction.
            ValueRefused: if a column's type refuses a value.
        """
        self._refuse_ended()
        if self._depth < self._wanted:
            self._open_savepoint()
        try:
            return self._connection.execute(statement, parameters)
        except DBAPIError as error:
            self._judge(error)
            raise
        except StatementError as error:
            if isinstance(error.orig, CrmkitError):
                raise error.orig from None  # its wrapping would tell every other value too
            raise

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert rows; they all name the same columns."""
        if self.watch is not None:
            self.watch(table, rows)
        if len(rows) >= _MANY and self._pays():
            self._insert_many(table, {name: [row[name] for row in rows] for name in rows[0]})
        elif rows:
            self.execute(_insert(table), rows if len(rows) > 1 else rows[0])

    def insert_columns(self, table: Table, columns: Mapping[str, Sequence[Any]]) -> None:
        """Insert rows that are given column by column, which is faster where there are many.

        Args:
            table: into which.
            columns: the values of each column, all of one length.
        """
        if self.watch is None and len(next(iter(columns.values()))) >= _MANY and self._pays():
            self._insert_many(table, columns)
        else:
            rows = zip(*columns.values(), strict=True)
            self.insert(table, [dict(zip(columns, row, strict=True)) for row in rows])

    def _pays(self) -> bool:
        """Whether it pays, and is possible, to go past SQLAlchemy's execution with this connection."""
        dialect = self._connection.dialect
        if self._connection.get_execution_options().get("schema_translate_map"):
            return False
        if self.database == "postgresql":
            return dialect.driver == "psycopg"  # psycopg2 sends row by row: 20,000 in 14 s, SQLAlchemy in 7 s
        return dialect.paramstyle in ("qmark", "format", "pyformat")  # a host's engine may have another

    def _insert_many(self, table: Table, values: Mapping[str, Sequence[Any]]) -> None:
        """Insert rows past SQLAlchemy's execution, which takes longer for a row than the database does."""
        columns = tuple(values)
        bound = _bound(table, values, self._connection.dialect)
        self._refuse_ended()
        self._open_savepoint()
        try:
            if self.database == "postgresql":
                self._copy(table, columns, bound)
            else:
                statement = _insert_statement(table, columns, self._connection.dialect)
                self._connection.exec_driver_sql(statement, bound)
        except DBAPIError as error:
            self._judge(error)
            raise

    def _copy(self, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        dialect = self._connection.dialect
        quote = dialect.identifier_preparer
        names = ", ".join(quote.quote(column) for column in columns)
        statement = f"COPY {quote.format_table(table)} ({names}) FROM STDIN"
        cursor: Any = self._connection.connection.cursor()
        driver = dialect.loaded_dbapi.Error
        try:
            with cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
        except driver as original:
            raise self._lost_or(statement, original) from original
        finally:
            cursor.close()

    def claim(self, table: Table, row: Row) -> bool:
        """Insert a row unless one of its unique keys is taken; say whether it was inserted."""
        if self.watch is not None:
            self.watch(table, [row])
        if self.database != "mariadb":
            return self.execute(insert_or_ignore(table, self.database), row).rowcount == 1
        try:
            self.execute(_insert(table), row)
        except IntegrityError as error:
            if _number(error) != _DUPLICATE:
                raise
            return False  # MariaDB undoes the statement alone, the transaction goes on
        return True

    @contextmanager
    def isolated(self) -> Iterator[None]:
        """Undo everything the block wrote if it raises; costs nothing while the block writes nothing."""
        self._wanted += 1
        try:
            yield
            if self._depth == self._wanted and self._fails():
                raise CrmkitError(
                    "a database error was caught where it happened, and PostgreSQL answers nothing after one; "
                    "put tx.sql.isolated() around what may fail"
                )
        except Exception as error:
            if self._verdict is None and isinstance(error, DBAPIError):
                self._verdict = judge(error)
            self._leave("ROLLBACK TO SAVEPOINT")
            self._raise_verdict(error)
            raise
        except BaseException:
            self._leave("ROLLBACK TO SAVEPOINT")
            raise
        self._leave("RELEASE SAVEPOINT")
        self._raise_verdict(None)

    def check(self) -> None:
        """Raise what ended the transaction, for whoever believes that it goes on.

        Raises:
            RetryTransaction: as `execute` did when it happened.
            TransactionPoisoned: as `execute` did, or if another's statement failed.
        """
        self._raise_verdict(None)
        if self._fails():
            raise TransactionPoisoned(
                "a database error that somebody caught ended the PostgreSQL transaction"
            )

    def _fails(self) -> bool:
        if self.database != "postgresql" or self._connection.invalidated:
            return False
        raw: Any = self._connection.connection.dbapi_connection
        return int(raw.info.transaction_status) == _IN_ERROR

    def _refuse_ended(self) -> None:
        self._raise_verdict(None)
        if self._connection.get_transaction() is not self._transaction:
            raise TransactionRequired(
                "the transaction in which this was joined has ended; call crm.join(...) again in the next one"
            )

    def _raise_verdict(self, cause: BaseException | None) -> None:
        if self._verdict is not None and self._verdict is not cause:
            raise self._verdict from cause or self._verdict.__cause__

    def _open_savepoint(self) -> None:
        while self._depth < self._wanted:
            self._depth += 1
            self._driver(f"SAVEPOINT {self._name}_{self._depth}")

    def _leave(self, how: str) -> None:
        opened, self._wanted = self._depth == self._wanted, self._wanted - 1
        if not opened:
            return
        self._depth -= 1
        if self._verdict is not None:
            return
        self._driver(f"{how} {self._name}_{self._depth + 1}")
        if how.startswith("ROLLBACK"):
            self._driver(f"RELEASE SAVEPOINT {self._name}_{self._depth + 1}")

    def _driver(self, statement: str) -> None:
        # past SQLAlchemy, which would take five times as long to prepare for values and rows that there are not
        cursor = self._connection.connection.cursor()
        try:
            cursor.execute(statement)
        except self._connection.dialect.loaded_dbapi.Error as original:
            error = self._lost_or(statement, original)
            self._judge(error)
            self._verdict = TransactionPoisoned(f"the transaction was ended by somebody: {_short(error)}")
            raise self._verdict from error
        finally:
            cursor.close()

    def _lost_or(self, statement: str, original: Any) -> DBAPIError:
        """Return a driver's error as SQLAlchemy would raise it; a connection that is lost is closed, as it would."""
        dialect = self._connection.dialect
        raw = self._connection.connection.dbapi_connection
        lost = dialect.is_disconnect(original, raw, None)
        if lost:
            self._connection.invalidate(original)
        error: Any = DBAPIError.instance(
            statement, None, original, dialect.loaded_dbapi.Error, connection_invalidated=lost
        )
        return error  # type: ignore[no-any-return]

    def _judge(self, error: DBAPIError) -> None:
        self._verdict = judge(error)
        if self._verdict is not None:
            raise self._verdict from error


def judge(error: DBAPIError) -> RetryTransaction | TransactionPoisoned | None:
    """Return what a driver's error means for the transaction: run it again, it is over, or neither."""
    original = error.orig
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    code = getattr(original, "sqlite_errorcode", None)
    number = _number(error)
    short = _short(error)
    if (
        state in _RETRY_STATES
        or number in _RETRY_NUMBERS
        or (code is not None and code & 0xFF in _SQLITE_RETRY)
    ):
        return RetryTransaction(f"the database asks to run the transaction again: {short}")
    fatal = state in _FATAL_STATES or number in _FATAL_NUMBERS or (state or "").startswith("08")
    if fatal or error.connection_invalidated or (code is not None and code & 0xFF in _SQLITE_FATAL):
        return TransactionPoisoned(f"the database ended the transaction: {short}")
    return None


def _short(error: DBAPIError) -> str:
    return str(error.orig).strip().split("\n")[0][:200]


def _number(error: DBAPIError) -> int | None:
    arguments = getattr(error.orig, "args", ())
    first = arguments[0] if arguments else None
    return first if isinstance(first, int) else None


def prepared(table: Table, name: str, build: Callable[[Table], Any]) -> Any:
    """Return a statement that is built once for a table: only then its compiled form is found without a search.

    Args:
        table: it keeps the statement.
        name: of the statement, unique among those of the table.
        build: called with the table at the first time.
    """
    key = f"crmkit {name}"
    statement = table.info.get(key)
    if statement is None:
        statement = table.info[key] = build(table)
    return statement


def _insert(table: Table) -> Any:
    return prepared(table, "insert", insert)


def _bound(table: Table, columns: Mapping[str, Sequence[Any]], dialect: Any) -> list[tuple[Any, ...]]:
    """Return the rows' values as the driver takes them; column by column, most of which need no more than a look."""
    sides: list[Sequence[Any]] = []
    for name, values in columns.items():
        process = table.c[name].type.dialect_impl(dialect).bind_processor(dialect)
        sides.append(_side(values, process))
    return list(zip(*sides, strict=True))


def _side(values: Sequence[Any], process: Callable[[Any], Any] | None) -> Sequence[Any]:
    if process is None:
        return values
    same = values.count(values[0]) == len(values)
    if same and (
        process is not write_json or not values[0]
    ):  # within JSON, 1 and True are equal and not the same
        return [process(values[0])] * len(values)
    return bind_texts(values) if process is bind_text else [process(value) for value in values]


def _insert_statement(table: Table, columns: Sequence[str], dialect: Any) -> str:
    quote = dialect.identifier_preparer
    names = ", ".join(quote.quote(column) for column in columns)
    mark = "?" if dialect.paramstyle == "qmark" else "%s"
    values = ", ".join([mark] * len(columns))
    return f"INSERT INTO {quote.format_table(table)} ({names}) VALUES ({values})"


def insert_or_ignore(table: Table, database: str) -> Any:
    """Return the statement that inserts rows but for those of which a unique key is taken."""
    if database == "mariadb":
        return prepared(table, "claim mariadb", lambda table: insert(table).prefix_with("IGNORE"))
    make = sqlite.insert if database == "sqlite" else postgresql.insert
    return prepared(
        table,
        f"claim {database}",
        lambda table: make(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True),
    )
