"""A host shop for the tests: its own table, and every way in which it may hold a connection."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, make_url

from crmkit import CRM, ContactPoint, Money, Order, OrderLine

metadata = MetaData()
host_orders = Table(
    "host_orders", metadata, Column("id", Integer, primary_key=True), Column("number", String(40))
)


def order(key: str = "A-1", *, email: str = "ann@example.com", pence: int = 1250, **fields: Any) -> Order:
    """Return a small order placed now."""
    return Order(
        key,
        [OrderLine("85123A", 1, Money(pence, "GBP"))],
        placed_at=fields.pop("placed_at", datetime.now(UTC)),
        points=[ContactPoint.email(email)] if email else (),
        name=fields.pop("name", "Ann"),
        **fields,
    )


def shop(url: str, **options: Any) -> CRM:
    """Return a CRM with its tables, beside the host's own table."""
    crm = CRM(url, **options)
    crm.create_tables()
    metadata.create_all(crm.engine)
    return crm


def counts(crm: CRM) -> tuple[int, int, int]:
    """Return how many host orders, CRM orders and events are committed."""
    with crm.engine.connect() as connection:
        tables = (host_orders, crm.tables["orders"], crm.tables["events"])
        return tuple(  # type: ignore[return-value]
            connection.exec_driver_sql(f"SELECT COUNT(*) FROM {table.name}").scalar_one() for table in tables
        )


def sqlite_rows(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.row_factory = sqlite3.Row
    return connection


def sqlite_dicts(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.row_factory = lambda cursor, row: {
        column[0]: value for column, value in zip(cursor.description, row, strict=True)
    }
    return connection


def drivers(engine: Engine) -> dict[str, Callable[[], Any]]:
    """Return, by name, functions that open a connection of each driver as hosts configure it."""
    url = make_url(str(engine.url.render_as_string(hide_password=False)))
    if url.get_backend_name() == "sqlite":
        path = str(url.database)
        return {
            "sqlite3": lambda: sqlite3.connect(path),
            "sqlite3 rows": lambda: sqlite_rows(sqlite3.connect(path)),
            "sqlite3 dicts": lambda: sqlite_dicts(sqlite3.connect(path)),
            "sqlite3 detect_types": lambda: sqlite3.connect(
                path, detect_types=sqlite3.PARSE_DECLTYPES | sqlite3.PARSE_COLNAMES
            ),
            "sqlite3 bytes": lambda: _bytes(sqlite3.connect(path)),
        }
    if url.get_backend_name() == "postgresql":
        return {
            "psycopg": lambda: _psycopg(url),
            "psycopg dicts": lambda: _psycopg(url, dicts=True),
            "psycopg2": lambda: _psycopg2(url),
            "psycopg2 dicts": lambda: _psycopg2(url, dicts=True),
        }
    return {
        f"{name}{' dicts' if dicts else ''}": lambda module=module, dicts=dicts: _mysql(
            module, url, dicts=dicts
        )
        for name, module in mysql_drivers().items()
        for dicts in (False, True)
    }


def mysql_drivers() -> dict[str, str]:
    """Return the modules of the MariaDB drivers by name; mysqlclient needs a compiler, so only CI must have it."""
    if importlib.util.find_spec("MySQLdb") is None and not os.environ.get("CI"):
        return {"PyMySQL": "pymysql"}
    return {"PyMySQL": "pymysql", "mysqlclient": "MySQLdb"}


def _bytes(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.text_factory = bytes
    return connection


def _psycopg(url: Any, *, dicts: bool = False) -> Any:
    import psycopg
    from psycopg.rows import dict_row, tuple_row

    target = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(target, row_factory=dict_row if dicts else tuple_row)


def _psycopg2(url: Any, *, dicts: bool = False) -> Any:
    import psycopg2
    from psycopg2.extras import RealDictCursor, register_uuid

    target = url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = psycopg2.connect(target, cursor_factory=RealDictCursor if dicts else None)
    if dicts:
        register_uuid(conn_or_curs=connection)
    return connection


def _mysql(module: str, url: Any, *, dicts: bool = False) -> Any:
    driver = importlib.import_module(module)
    cursors = importlib.import_module(f"{module}.cursors")
    return driver.connect(
        host=url.host or "127.0.0.1",
        port=url.port or 3306,
        user=url.username,
        password=url.password or "",
        database=url.database,
        charset="utf8mb4",
        cursorclass=cursors.DictCursor if dicts else cursors.Cursor,
    )
