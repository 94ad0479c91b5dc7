"""Contacts with hostile data, what is true of them by a plain model, and expressions to ask of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Integer, MetaData, String, Table, insert

from crmkit import CRM, Transaction
from crmkit.clock import FOREVER, micros
from crmkit.expressions import Field, FieldType
from crmkit.expressions.core import FieldTable, core_fields
from crmkit.expressions.sources import ContactColumn
from crmkit.sql.contacts import goes_on
from crmkit.sql.source import ContactSource

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOP = 2**63 - 1
TEXTS = (
    *(
        "",
        "Ann",
        "ann",
        "ANN",
        "Ann ",
        " Ann",
        "Anna",
        "a",
        "b",
        "B",
        "caf\u00e9",
        "Caf\u00c9",
        "\u00df",
        "ss",
    ),
    *("\uffff", "\U0001f600", "\U0010ffff", "\ue000", "'; --", "%", "_", "\\", "1", "01", "\u0645", "\u4e2d"),
)
DAYS = ("0001-01-01", "1900-02-28", "1990-12-31", "2000-02-29", "2024-02-29", "2024-03-01", "9999-12-31")
INSTANTS = (
    *(datetime(1, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    *(
        NOW,
        NOW - timedelta(microseconds=1),
        NOW - timedelta(days=1),
        NOW - timedelta(days=90, microseconds=1),
    ),
)
WHOLE = (0, 1, -1, 2, 3, 49, 50, 51, -50, -51, 100, TOP, -TOP - 1, TOP - 1)
UNITS = (0, 1, 99, 100, 101, -1, 250, -9999, 10000, 10001, -10000, -10001, TOP, -TOP - 1)
CURRENCIES = ("EUR", "JPY")

CUSTOM = (
    Field("custom.note", FieldType.TEXT),
    Field("custom.visits", FieldType.INTEGER),
    Field("custom.small", FieldType.INTEGER, bound=(-50, 50)),
    Field("custom.credit", FieldType.DECIMAL, scale=2, bound=(-100, 100)),
    Field("custom.precise", FieldType.DECIMAL, scale=18),
    Field("custom.member", FieldType.BOOLEAN),
    Field("custom.born", FieldType.DATE),
    Field("custom.seen", FieldType.INSTANT),
    Field("custom.hobbies", FieldType.TEXT_SET),
)
TABLE = FieldTable((*core_fields(("news",)), *CUSTOM))
AMOUNTS = [f"orders.{what}.{currency}" for what in ("count", "total", "average") for currency in CURRENCIES]
FIELDS = {name: TABLE[name] for name in (*TABLE, *AMOUNTS)}
NUMBERS = (FieldType.INTEGER, FieldType.DECIMAL)

Facts = dict[str, object]


def build(url: str) -> CRM:
    """Return a CRM with its tables and the custom fields."""
    crm = CRM(url, fields=CUSTOM, clock=lambda: NOW, settings={"core": {"purposes": {"news": "consent"}}})
    crm.create_tables()
    return crm


def uuid(number: int) -> UUID:
    """Return an id; ids are in the order of their numbers."""
    return UUID(int=(7 << 76) | number)


class People:
    """Contacts whose rows are written as they are, past every check, with what expressions should see of them;
    some of them go on as others.

    Args:
        seed: of the choice among hostile values.
        count: how many contacts.
    """

    def __init__(self, seed: int, *, count: int = 40) -> None:
        self.random, self.talk = Random(seed), Random(seed)
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.ids = [uuid(n) for n in range(1, count + 1)]
        self.survivor = {id: id for id in self.ids}
        for loser in self.random.sample(range(count // 2), count // 5):
            self.survivor[self.ids[loser]] = self.ids[self.random.randrange(count // 2, count)]
        for number, id in enumerate(self.ids):
            self._add(number, id)
        aliases = ((id, into) for id, into in self.survivor.items() if id != into)
        self.rows["contact_aliases"] = [{"contact_id": id, "survivor_id": into} for id, into in aliases]

    def write(self, tx: Transaction) -> None:
        """Write the rows."""
        for name, rows in self.rows.items():
            tx.sql.insert(tx.table(name), rows)

    def facts(self, survivor: Mapping[UUID, UUID] | None = None) -> dict[UUID, Facts]:
        """Return what is true of each contact that goes on, by id, missing values left out.

        Args:
            survivor: whom each goes on as; by default as is written.
        """
        groups: dict[UUID, list[UUID]] = {}
        for id, into in (survivor or self.survivor).items():
            groups.setdefault(into, []).append(id)
        return {
            into: self._facts([into, *sorted(id for id in ids if id != into)]) for into, ids in groups.items()
        }

    def _put(self, table: str, **row: Any) -> None:
        self.rows.setdefault(table, []).append(row)

    def _pick(self, values: Iterable[Any]) -> Any:
        return self.random.choice(list(values))

    def _add(self, number: int, id: UUID) -> None:
        texts = ("name", "given_name", "family_name", "gender", "source", "owner", "classification")
        blank = ("honorific", "formality", "name_order", "first_name_by", "first_name_how", "locale", "zone")
        self._put(
            "contacts",
            id=id,
            **{name: self._pick(TEXTS) for name in texts},
            **dict.fromkeys(blank, ""),
            kind=self._pick(("person", "organisation")),
            stage=self._pick(("", "lead", "repeat", "loyal")),
            first_name_at=FOREVER,
            birth_date=self._pick(("", *DAYS)),
            business=self._pick((0, 1)),
            internal=0,
            created_at=self._pick(INSTANTS),
            updated_at=NOW,
        )
        for tag in self.random.sample(TEXTS, self._pick((0, 0, 1, 3))):
            self._put("contact_tags", contact_id=id, tag=tag, added_at=NOW)
        self._details(number, id)
        for _ in range(self._pick((0, 1, 3, 6))):
            self._order(id)
        for _ in range(self.talk.choice((0, 1, 2, 4, 8))):
            self._consent(id)

    def _details(self, number: int, id: UUID) -> None:
        for place in range(self._pick((0, 0, 1, 2))):
            city = {"city": self._pick(TEXTS), "postcode": "1", "country": self._pick(("", "DE", "AT"))}
            point = {"kind": "postal", "scope": "", "key": f"{number}-{place}", "rank": 0, "ordinal": place}
            rest = {"value": "x", "label": "", "source": "", "verified_at": FOREVER, "parts": None}
            primary = {"is_primary": self._pick((0, 1)) if place else 0, "added_at": NOW}
            self._put("contact_points", contact_id=id, **point, **rest, **city, **primary)
        for value in self.random.sample(TEXTS[1:], 2):
            liking = {"liking": self._pick(("likes", "dislikes")), "confidence": 50, "source": ""}
            at = NOW + timedelta(seconds=self.random.randrange(1000))
            self._put("contact_preferences", contact_id=id, kind="topic", value=value, set_at=at, **liking)
        for field in CUSTOM:
            if self.random.random() < 0.8:
                self._value(id, field)

    def _consent(self, id: UUID) -> None:
        pick = self.talk.choice
        own = uuid(10**6 * pick(range(1, 1000)) + len(self.rows.get("consents", ())))
        at, recorded_at, until = (NOW + timedelta(seconds=pick(range(-3, 4))) for _ in range(3))
        self._put(
            "consents",
            id=own,
            key=str(own),
            contact_id=id,
            purpose=pick(("", "news", "news", "news", "other")),
            channel=pick(("", "email", "sms")),
            state=pick(("granted", "granted", "granted", "withdrawn", "pending")),
            basis="consent",
            source=pick(("form", "imp", "import:list", "IMPORT")),
            personally=1,
            at=at,
            until=pick((FOREVER, until)),
            recorded_at=pick((NOW, recorded_at)),
            **dict.fromkeys(("text_version", "actor", "digest"), ""),
        )

    def _value(self, id: UUID, field: Field) -> None:
        at = NOW + timedelta(seconds=self.random.randrange(1000))
        count = self._pick((1, 2, 3)) if field.type is FieldType.TEXT_SET else 1
        for place, some in enumerate(self.random.sample(TEXTS, count)):
            number = {
                FieldType.INTEGER: self._pick(WHOLE),
                FieldType.DECIMAL: self._pick(UNITS),
                FieldType.BOOLEAN: self._pick((0, 1)),
                FieldType.INSTANT: micros(self._pick(INSTANTS)),
            }.get(field.type, 0)
            text = self._pick(DAYS) if field.type is FieldType.DATE else some
            kept = {"text": text, "number": number, "set_at": at}
            self._put("contact_values", contact_id=id, field=field.name, place=place, **kept)

    def _order(self, id: UUID) -> None:
        number = len(self.rows.get("orders", ()))
        total = self._pick((0, 1, 10, 999, 1000, 2500, 5000, 5001, 10**15, TOP))
        self._put(
            "orders",
            id=uuid(10**5 + number),
            key=f"A-{number}",
            contact_id=id,
            state=self._pick(("placed", "paid", "paid", "shipped", "refunded", "cancelled")),
            currency=self._pick(CURRENCIES),
            total=total,
            refunded=self._pick((0, 0, 1)) if total else 0,
            placed_at=self._pick(INSTANTS),
            paid_at=self._pick((NOW, NOW, FOREVER)),
            shipped_at=FOREVER,
            cancelled_at=FOREVER,
            lines_event_id=uuid(1),
        )

    def _facts(self, ids: list[UUID]) -> Facts:
        """Return what is true of a contact; the first of the ids is the one that goes on."""
        facts: Facts = {"now": NOW, "today": NOW.date()}
        facts |= self._of_contacts([self._one("contacts", id=id) for id in ids])
        of = {
            name: [row for row in self.rows.get(name, ()) if row.get("contact_id") in ids]
            for name in self.rows
        }
        facts["contact.tags"] = {row["tag"] for row in of.get("contact_tags", ())}
        latest = {row["value"]: row for row in sorted(of["contact_preferences"], key=_dated)}
        for liking in ("likes", "dislikes"):
            facts[f"contact.{liking}"] = {value for value, row in latest.items() if row["liking"] == liking}
        facts |= (
            self._of_points(ids)
            | self._of_values(of["contact_values"])
            | self._of_orders(of.get("orders", []))
        )
        facts["consent.news"] = self._of_consents(of.get("consents", []))
        return {name: value for name, value in facts.items() if value not in (None, "")}

    def _of_contacts(self, rows: list[Mapping[str, Any]]) -> Facts:
        groups = (
            ("name", "given_name", "family_name"),
            ("gender",),
            ("source",),
            ("owner",),
            ("classification",),
        )
        facts: Facts = {}
        for group in (*groups, ("stage",), ("birth_date",)):
            giver = next((row for row in rows if any(row[name] for name in group)), rows[0])
            facts |= {f"contact.{name}": giver[name] for name in group}
        own = rows[0]
        born = str(facts.pop("contact.birth_date"))
        facts["contact.birth_date"] = date.fromisoformat(born) if born else None
        facts |= {f"contact.{name}": bool(own[name]) for name in ("business", "internal")}
        return facts | {f"contact.{name}": own[name] for name in ("kind", "created_at")}

    def _of_points(self, ids: list[UUID]) -> Facts:
        mine = [row for row in self.rows.get("contact_points", ()) if row["contact_id"] in ids]
        if not mine:
            return {}
        used = min(mine, key=lambda row: (-row["is_primary"], ids.index(row["contact_id"]), row["ordinal"]))
        return {f"contact.{name}": used[name] for name in ("country", "city", "postcode")}

    def _of_consents(self, rows: list[dict[str, Any]]) -> str:
        """Return how consent to news stands, by asking of each word whether it counts: no fold, no window."""
        now = max([NOW, *(row["recorded_at"] for row in rows)])
        said = [row for row in rows if row["purpose"] in ("", "news") and row["at"] <= now]
        own_no = [row for row in said if row["state"] == "withdrawn"]
        own_yes = [row for row in said if row["state"] == "granted" and row["source"][:6].lower() != "import"]
        imported = [row for row in said if row["state"] == "granted" and row not in own_yes]
        kept = [
            row
            for row in imported
            if all(
                any(_said(no) < _said(yes) < _said(row) for yes in own_yes)
                for no in own_no
                if _said(no) < _said(row)
            )
        ]
        last = max([*own_no, *own_yes, *kept], key=_said, default=None)
        asked = [row for row in said if row["state"] == "pending" and (not last or _said(row) > _said(last))]
        if last and last["state"] == "granted" and last["until"] > now:
            return "granted"
        if asked and max(asked, key=_said)["until"] > now:
            return "pending"
        return {None: "", "granted": "expired", "withdrawn": "withdrawn"}[last and last["state"]]

    def _of_values(self, rows: list[Mapping[str, Any]]) -> Facts:
        last = {row["field"]: row["contact_id"] for row in sorted(rows, key=_dated)}
        facts: Facts = {}
        for row in rows:
            if last[row["field"]] == row["contact_id"]:
                field = FIELDS[row["field"]]
                if field.type is FieldType.TEXT_SET:
                    texts = facts.setdefault(field.name, set())
                    assert isinstance(texts, set)
                    texts.add(row["text"])
                else:
                    facts[field.name] = _value_of(field, row)
        return facts

    def _of_orders(self, rows: list[Mapping[str, Any]]) -> Facts:
        paid = [row for row in rows if row["state"] in ("paid", "shipped") and row["paid_at"] < FOREVER]
        facts: Facts = {"orders.count": len(paid)}
        for currency, scale in (("EUR", 2), ("JPY", 0)):
            found = [row["total"] - row["refunded"] for row in paid if row["currency"] == currency]
            facts[f"orders.count.{currency}"] = len(found)
            if found:
                facts[f"orders.total.{currency}"] = Decimal(sum(found)).scaleb(-scale)
        if paid:
            placed = [row["placed_at"] for row in paid]
            facts |= {"orders.first": min(placed), "orders.last": max(placed)}
        return facts

    def _one(self, table: str, **equal: Any) -> Mapping[str, Any]:
        return next(
            row for row in self.rows[table] if all(row[name] == value for name, value in equal.items())
        )


def _said(row: Mapping[str, Any]) -> Any:
    order = ("pending", "granted", "withdrawn").index(row["state"])
    said_at = min(row["at"], row["recorded_at"]) if row["state"] == "granted" else row["at"]
    return said_at, order, row["at"], row["recorded_at"], row["id"]


def _dated(row: Mapping[str, Any]) -> Any:
    return row["set_at"], row["contact_id"]


def _value_of(field: Field, row: Mapping[str, Any]) -> object:
    match field.type:
        case FieldType.TEXT:
            return row["text"]
        case FieldType.DATE:
            return date.fromisoformat(row["text"])
        case FieldType.BOOLEAN:
            return bool(row["number"])
        case FieldType.INSTANT:
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=row["number"])
        case FieldType.DECIMAL:
            return Decimal(row["number"]).scaleb(-field.scale)
        case _:
            return row["number"]


# A table that a host has, with text as hosts have it.

HOST_TEXTS = (*TEXTS, "cafe\u0301", "e\u0301", "\u212a", "K", None, "AE", "\u00c6", "ANN  ")
HOST_DAYS = (
    *DAYS,
    "",
    "2023-02-29",
    "1900-02-29",
    "2024-13-01",
    "31.12.1990",
    "2024-1-1",
    "0000-01-01",
    "x" * 10,
)
HOST_FIELDS = {
    field.name: field
    for field in (
        Field("contact.name", FieldType.TEXT, source=ContactColumn("name")),
        Field("contact.gender", FieldType.TEXT, source=ContactColumn("gender")),
        Field("contact.kind", FieldType.TEXT, source=ContactColumn("kind")),
        Field("contact.birth_date", FieldType.DATE, source=ContactColumn("birth_date")),
        Field("contact.business", FieldType.BOOLEAN, source=ContactColumn("business")),
        FIELDS["contact.tags"],
        FIELDS["orders.count"],
        FIELDS["custom.note"],
    )
}


def host_table(database: str) -> Table:
    """Return a host's table whose texts are compared as its database likes, not by code point."""
    collation = {"sqlite": "NOCASE", "mariadb": "utf8mb4_general_ci", "postgresql": "und-x-icu"}[database]
    return Table(
        "customers",
        MetaData(),
        Column("pk", Integer, primary_key=True, autoincrement=False),
        Column("name", String(60, collation=collation)),
        Column("sex", String(60, collation=collation)),
        Column("born", String(60, collation=collation)),
        Column("trade", Integer),
        mysql_charset="utf8mb4",
    )


def host_rows(seed: int, database: str, count: int = 60) -> Iterator[dict[str, Any]]:
    """Yield rows of that table; PostgreSQL takes no NUL."""
    random, nul = Random(seed), () if database == "postgresql" else ("A\0", "\0")
    for pk in range(1, count + 1):
        name, sex = random.choice((*HOST_TEXTS, *nul)), random.choice((*HOST_TEXTS, *nul))
        yield {"pk": pk, "name": name, "sex": sex, "born": random.choice(HOST_DAYS), "trade": pk % 2}


def host_source(tx: Transaction, table: Table, links: Table) -> ContactSource:
    """Return the host's rows as contacts: those of whom nothing was written have no id."""
    rows = table.outerjoin(links, links.c.pk == table.c.pk)
    c = table.c
    columns = {"name": c.name, "gender": c.sex, "birth_date": c.born, "business": c.trade}
    return ContactSource(rows, links.c.contact_id, c.pk, columns, goes_on(tx, links.c.contact_id))


def write_host(tx: Transaction, seed: int) -> tuple[Table, Table]:
    """Create the host's table with its rows, and link every second of them to a contact's id."""
    table = host_table(tx.sql.database)
    links = Table(
        "links",
        MetaData(),
        Column("pk", Integer, primary_key=True, autoincrement=False),
        Column("contact_id", tx.table("contacts").c.id.type),
    )
    connection = tx.sql.connection
    table.create(connection)
    links.create(connection)
    connection.execute(insert(table), list(host_rows(seed, tx.sql.database)))
    ids = [{"pk": pk, "contact_id": uuid(pk // 2)} for pk in range(2, 61, 2)]
    connection.execute(insert(links), ids)
    return table, links
