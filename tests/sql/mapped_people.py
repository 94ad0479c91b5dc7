"""Contacts in a table of a host's, with their addresses in its columns, and what a plain reading of each says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Integer, MetaData, String, Table

from crmkit import CRM, Contact, ContactPoint, MappedContacts, Transaction
from crmkit.contacts import PointKind, PostalAddress
from crmkit.expressions import Field
from crmkit.expressions.core import FieldTable, core_fields

COLUMNS: dict[str, Any] = {
    "name": "label",
    "gender": "sex",
    "email": ["mail", "mail2"],
    "phone": "tel",
    "handle": {"fediverse": "fedi"},
    "postal": {"street": "road", "locality": "city", "postcode": "zip", "country": "land"},
}
NAMES = ("", "Ann", "ann", "Bo", "caf\u00e9", "\u00df", None)
TEXTS: Mapping[str, tuple[str | None, ...]] = {
    "label": NAMES,
    "sex": ("", "f", "m", None),
    "mail": (None, "", "no address", "Ann{n}@Example.com", "bo{n}@b\u00fccher.example"),
    "mail2": (None, None, "second{n}@example.com"),
    "tel": (None, "", "none", "020 7946 0{n:03}", "+49 30 901820"),
    "fedi": (None, "", "@Ann{n}", "bo"),
    "road": (None, "", "Weg 1"),
    "city": (None, "", "Berlin", "berlin", "Wien"),
    "zip": (None, "", "10115"),
    "land": (None, "", "DE", "de", "Germany", "\u00c9"),
}
#: Texts to compare with.
LITERALS = sorted({text for some in TEXTS.values() for text in some if text is not None})
ASKED = (
    *("name", "gender", "kind", "country", "city", "postcode"),
    *("emails", "phones", "networks", "systems"),
)
_TABLE = FieldTable(core_fields())
FIELDS: Mapping[str, Field] = {f"contact.{name}": _TABLE[f"contact.{name}"] for name in ASKED}
_SETS = {"emails": "email", "phones": "phone", "networks": "handle", "systems": "external"}


def customers() -> Table:
    """Return the host's table."""
    texts = [Column(name, String(60)) for name in TEXTS]
    keys = Column("no", Integer, primary_key=True, autoincrement=False), Column("gone", Integer)
    return Table("customers", MetaData(), *keys, *texts, mysql_charset="utf8mb4")


def build(url: str, **columns: Any) -> tuple[CRM, Table]:
    """Return a CRM over the host's table, which stands empty.

    Args:
        url: of the database.
        columns: further ones of the mapping, or others.
    """
    table = customers()
    mapping = {name: column for name, column in (COLUMNS | columns).items() if column}
    store = MappedContacts(table=table, columns=mapping, where={"gone": 0}, region="GB")
    crm = CRM(url, contacts=store)
    crm.create_tables()
    table.metadata.create_all(crm.engine)
    return crm, table


def rows(random: Random, count: int) -> Iterator[dict[str, Any]]:
    """Yield rows of that table: addresses in columns, of one or of no use, in parts or in none."""
    for number in range(1, count + 1):
        texts = {name: random.choice(values) for name, values in TEXTS.items()}
        said = {name: value and value.format(n=number) for name, value in texts.items()}
        yield {"no": number, "gone": int(number % 11 == 0), **said}


def people(crm: CRM, table: Table, seed: int, count: int = 60) -> None:
    """Fill the table, give some contacts more addresses beside it, merge some, and lose rows of some of those.

    Args:
        crm: the CRM.
        table: the host's.
        seed: of every choice.
        count: how many rows.
    """
    random = Random(seed)
    with crm.engine.begin() as connection:
        connection.execute(table.insert(), list(rows(random, count)))
    with crm.begin() as tx:
        ids = [contact.id for contact in tx.contacts.page()]
        ids += [_guest(tx, random, number).id for number in range(count // 6)]
        for id in random.sample(ids, len(ids) // 3):
            _add_points(tx, random, id)
        merged = _merge(tx, random, ids)
        hosts = [one.host for one in crm.store.get(tx, merged).values() if one.host is not None]
    lost = [int(host.pk) for host in random.sample(hosts, len(hosts) // 2)]
    with crm.engine.begin() as connection:
        connection.execute(table.delete().where(table.c.no.in_(lost[::2])))
        connection.execute(table.update().where(table.c.no.in_(lost[1::2])).values(gone=1))


def _guest(tx: Transaction, random: Random, number: int) -> Contact:
    points = [ContactPoint.email(f"guest{number}@example.com")] if number % 2 else []
    return tx.contacts.add(random.choice(("Gus", "ann", "")), points=points)


def _add_points(tx: Transaction, random: Random, id: UUID) -> None:
    number = id.int % 1000
    place = PostalAddress(street=f"Ring {number}", locality="Graz", country=random.choice(("", "AT")))
    some = [
        ContactPoint.email(f"side{number}@example.com"),
        ContactPoint.external("shop", number),
        ContactPoint.handle("photos", f"p{number}"),
        ContactPoint.postal(place),
    ]
    tx.contacts.remember(id, *random.sample(some, 3), shared=True)
    postal = [one for one in tx.contacts.get(id).points if one.kind is PointKind.POSTAL]
    if postal and random.random() < 0.5:
        tx.contacts.points.prefer(id, random.choice(postal))


def _merge(tx: Transaction, random: Random, ids: list[UUID]) -> list[UUID]:
    chosen = random.sample(ids, len(ids) // 2)
    pairs = list(zip(chosen[::2], chosen[1::2], strict=False))
    for one, other in pairs:
        tx.merges.merge(one, into=other)
    for one, other in zip(pairs[::4], pairs[1::4], strict=False):
        tx.merges.merge(one[1], into=other[1])
    return chosen


def facts(contact: Contact) -> dict[str, object]:
    """Return what is true of a contact, as anybody would read it."""
    found: dict[str, object] = {"contact.name": contact.name, "contact.gender": contact.gender}
    found["contact.kind"] = str(contact.kind)
    for name, kind in _SETS.items():
        column = "key" if name in ("emails", "phones") else "scope"
        found[f"contact.{name}"] = {getattr(one, column) for one in contact.points if one.kind == kind}
    place = contact.point(PointKind.POSTAL)
    if place is not None:
        found["contact.country"] = place.scope
        found["contact.city"] = place.parts.locality if place.parts else ""
        found["contact.postcode"] = place.parts.postcode if place.parts else ""
    return {name: value for name, value in found.items() if value != ""}
