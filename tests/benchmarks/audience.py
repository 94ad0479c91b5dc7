"""A million contacts with orders, tags and addresses, made by the database itself."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

from crmkit import CRM

SEGMENTS = {
    "stage, orders and a tag": 'contact.stage == "repeat" and orders.count >= 3 and "vip" in contact.tags',
    "country, orders and a tag": 'contact.country == "DE" and orders.count >= 3 and "vip" in contact.tags',
    "total, no tag, or a date": (
        'orders.total.EUR > 100 and "vip" not in contact.tags and contact.birth_date < date("1990-01-01")'
    ),
}
_PAID = "{o}state IN ('paid', 'shipped') AND {o}paid_at < 253402300799999999"

#: The same by hand, each in the ways in which one would write it; the quickest counts.
BY_HAND: dict[str, tuple[str, ...]] = {
    "stage, orders and a tag": (
        "SELECT count(*) FROM crm_contacts c WHERE c.stage = 'repeat' AND EXISTS (SELECT 1 FROM crm_contact_tags t "
        "WHERE t.contact_id = c.id AND t.tag = 'vip') AND (SELECT count(*) FROM crm_orders o WHERE "
        f"o.contact_id = c.id AND {_PAID.format(o='o.')}) >= 3",
        "SELECT count(*) FROM crm_contacts c JOIN (SELECT contact_id FROM crm_orders WHERE "
        f"{_PAID.format(o='')} GROUP BY contact_id HAVING count(*) >= 3) o ON o.contact_id = c.id JOIN "
        "crm_contact_tags t ON t.contact_id = c.id AND t.tag = 'vip' WHERE c.stage = 'repeat'",
    ),
    "country, orders and a tag": (
        "SELECT count(*) FROM crm_contacts c WHERE EXISTS (SELECT 1 FROM crm_contact_tags t WHERE t.contact_id = c.id "
        "AND t.tag = 'vip') AND (SELECT p.country FROM crm_contact_points p WHERE p.contact_id = c.id AND "
        "p.kind = 'postal' ORDER BY p.is_primary DESC, p.ordinal LIMIT 1) = 'DE' AND (SELECT count(*) FROM "
        f"crm_orders o WHERE o.contact_id = c.id AND {_PAID.format(o='o.')}) >= 3",
        "SELECT count(*) FROM crm_contacts c JOIN (SELECT contact_id FROM crm_orders WHERE "
        f"{_PAID.format(o='')} GROUP BY contact_id HAVING count(*) >= 3) o ON o.contact_id = c.id JOIN "
        "crm_contact_tags t ON t.contact_id = c.id AND t.tag = 'vip' WHERE (SELECT p.country FROM crm_contact_points p "
        "WHERE p.contact_id = c.id AND p.kind = 'postal' ORDER BY p.is_primary DESC, p.ordinal LIMIT 1) = 'DE'",
    ),
    "total, no tag, or a date": (
        "SELECT count(*) FROM crm_contacts c WHERE c.birth_date <> '' AND c.birth_date < '1990-01-01' AND NOT EXISTS "
        "(SELECT 1 FROM crm_contact_tags t WHERE t.contact_id = c.id AND t.tag = 'vip') AND (SELECT "
        f"sum(o.total - o.refunded) FROM crm_orders o WHERE o.contact_id = c.id AND {_PAID.format(o='o.')} "
        "AND o.currency = 'EUR') > 10000",
        "SELECT count(*) FROM crm_contacts c JOIN (SELECT contact_id FROM crm_orders WHERE "
        f"{_PAID.format(o='')} AND currency = 'EUR' GROUP BY contact_id HAVING sum(total - refunded) > 10000) o "
        "ON o.contact_id = c.id WHERE c.birth_date <> '' AND c.birth_date < '1990-01-01' AND NOT EXISTS "
        "(SELECT 1 FROM crm_contact_tags t WHERE t.contact_id = c.id AND t.tag = 'vip')",
    ),
}


def fill(crm: CRM, contacts: int) -> None:
    """Give an empty database so many contacts, twice as many orders, a tag for every third and an address each."""
    with crm.engine.begin() as connection:
        for statement in _statements(connection.dialect.name):
            connection.execute(text(statement), {"n": contacts} if ":n" in statement else {})
    with crm.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        _analyze(connection)


def _analyze(connection: Connection) -> None:
    connection.execute(text("ANALYZE" if connection.dialect.name == "sqlite" else "VACUUM ANALYZE"))


def _statements(database: str) -> list[str]:
    is_sqlite = database == "sqlite"
    numbers = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :n)" if is_sqlite else ""
    )
    source = "n" if is_sqlite else "generate_series(1, CAST(:n AS bigint)) AS n(i)"

    def id(number: str) -> str:
        if is_sqlite:
            return f"CAST(printf('%016d', {number}) AS BLOB)"
        return f"CAST('00000000-0000-7000-8000-' || lpad(to_hex({number}), 12, '0') AS uuid)"

    spread = "CASE i % 5 WHEN 0 THEN 'repeat' WHEN 1 THEN 'lead' WHEN 2 THEN 'loyal' ELSE '' END"
    year = "substr(CAST(1950 + i % 60 AS text), 1, 4) || '-02-01'"
    ends = "253402300799999999"
    return [
        _insert(
            "crm_contacts", CONTACT | {"id": id("i"), "stage": spread, "birth_date": year}, numbers, source
        ),
        _insert(
            "crm_contact_tags",
            {
                "contact_id": id("i * 3"),
                "tag": "CASE i % 3 WHEN 0 THEN 'vip' ELSE 'news' END",
                "added_at": "0",
            },
            numbers,
            source,
            " WHERE i * 3 <= :n",
        ),
        _insert(
            "crm_contact_points",
            POINT
            | {"contact_id": id("i"), "key": "CAST(i AS text)", "country": _COUNTRY, "verified_at": ends},
            numbers,
            source,
        ),
        _insert(
            "crm_orders",
            {
                "id": id("i"),
                "key": "CAST(i AS text)",
                # from no order to four each
                "contact_id": id("(i % 4 + 1) * (i / 4) % :n + 1"),
                "state": "CASE i % 10 WHEN 0 THEN 'cancelled' ELSE 'paid' END",
                "currency": "CASE i % 3 WHEN 0 THEN 'USD' ELSE 'EUR' END",
                "total": "i % 20000",
                "refunded": "0",
                "placed_at": "i",
                "paid_at": "i",
                "shipped_at": ends,
                "cancelled_at": ends,
                "lines_event_id": id("1"),
            },
            numbers.replace(":n", ":n * 2"),
            source.replace(":n", ":n * 2").replace("CAST(:n * 2 AS bigint)", "CAST(:n AS bigint) * 2"),
        ),
    ]


_COUNTRY = "CASE i % 4 WHEN 0 THEN 'DE' WHEN 1 THEN 'AT' ELSE 'FR' END"
CONTACT: dict[str, Any] = dict.fromkeys(
    ("name", "given_name", "family_name", "honorific", "formality", "name_order", "first_name_by"), "''"
) | dict.fromkeys(("first_name_how", "gender", "locale", "zone", "source", "classification", "owner"), "''")
CONTACT |= {"kind": "'person'", "first_name_at": "253402300799999999"}
CONTACT |= dict.fromkeys(("business", "internal", "created_at", "updated_at"), "0")
POINT: dict[str, Any] = dict.fromkeys(("scope", "value", "label", "source", "city", "postcode"), "''")
POINT |= {"kind": "'postal'"} | dict.fromkeys(("rank", "ordinal", "is_primary", "added_at"), "0")


def _insert(table: str, columns: dict[str, Any], numbers: str, source: str, where: str = "") -> str:
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) {numbers} SELECT {', '.join(columns.values())} "
        f"FROM {source}{where}"
    )
