"""Contacts that are the rows of a table which the host has: what a mapping takes, reads, writes and refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    String,
    Table,
    select,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from crmkit import (
    CRM,
    ConfigError,
    ContactPoint,
    HostKey,
    MappedContacts,
    NotFound,
    PointTaken,
    SettingsError,
    ValueRefused,
)
from crmkit.contacts import PostalAddress, Stage
from crmkit.sql.contacts import OwnContacts
from crmkit.testing import memory_crm

EMAIL = ContactPoint.email


class Base(DeclarativeBase):
    """The host's models."""


class Customer(Base):
    """A customer of the host's."""

    __tablename__ = "customers"

    no: Mapped[int] = mapped_column(primary_key=True)
    full_name: Mapped[str]
    mail: Mapped[str | None] = mapped_column(unique=True)
    tel: Mapped[str | None]
    deleted_at: Mapped[str | None]


COLUMNS = {"name": "full_name", "email": "mail", "phone": "tel", "external": {"shop": "no"}}


def shop(**arguments: Any) -> CRM:
    """Return a CRM over the host's table, in which Ann and Ben stand."""
    given = {"table": Customer.__table__, "columns": COLUMNS, "where": {"deleted_at": None}} | arguments
    crm = memory_crm(contacts=MappedContacts(**given))
    Base.metadata.create_all(crm.engine)
    with Session(crm.engine) as session, session.begin():
        session.add(Customer(full_name="Ann", mail="Ann@Example.com", tel="020 7946 0001"))
        session.add(Customer(full_name="Ben", mail="ben@example.com", deleted_at="2026-01-01"))
    return crm


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"columns": {"nmae": "full_name"}}, "did you mean 'name'"),
        ({"columns": {}}, "columns is empty"),
        ({"columns": {"external": "no"}}, "give columns by system"),
        ({"columns": {"postal": {"town": "city"}}}, "no part 'town'"),
        ({"columns": {"name": 3}}, "must be the name of a column"),
        ({"columns": "full_name"}, "columns must be a mapping"),
        ({"name": "a:b"}, "without ':'"),
        ({"normalised": ["fax"]}, "'fax' is not a valid PointKind"),
    ],
)
def test_a_mapping_that_is_wrong_is_refused_when_it_is_made(arguments: dict[str, Any], words: str) -> None:
    settings = {"table": "customers", "columns": COLUMNS} | arguments
    with pytest.raises(SettingsError, match=words):
        CRM("sqlite://", settings={"contacts": settings})


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"table": "clients"}, "'clients', which the database does not have"),
        ({"columns": {"name": "ful_name"}}, "no column 'ful_name'; did you mean 'full_name'"),
        ({"where": lambda table: True}, "must be a condition of SQLAlchemy"),
        ({"where": {"gone": None}}, "no column 'gone'"),
        ({"key": "number"}, "no column 'number'"),
        ({"defaults": {"colour": 1}}, "no column 'colour'"),
    ],
)
def test_a_mapping_that_does_not_fit_the_table_says_so_at_the_first_read(
    arguments: dict[str, Any], words: str
) -> None:
    crm = shop(**arguments)
    with crm.begin() as tx, pytest.raises(ConfigError, match=words):
        tx.contacts.find(EMAIL("ann@example.com"))


def test_a_table_without_a_primary_key_needs_a_key() -> None:
    crm = shop(table="everybody")
    with crm.engine.begin() as connection:
        connection.execute(text("CREATE VIEW everybody AS SELECT * FROM customers"))
    with crm.begin() as tx, pytest.raises(ConfigError, match="has no primary key"):
        tx.contacts.find(EMAIL("ann@example.com"))
    crm = shop(table="everybody", key="no")
    with crm.engine.begin() as connection:
        connection.execute(text("CREATE VIEW everybody AS SELECT * FROM customers"))
    with crm.begin() as tx:
        found = tx.contacts.find(EMAIL("ann@example.com"))
        assert found is not None and found.host == HostKey("customers", "1")


def test_a_store_is_given_once() -> None:
    mapping = MappedContacts(table="customers", columns=COLUMNS)
    with pytest.raises(ConfigError, match=r"given by contacts= and by settings\['contacts'\]"):
        CRM("sqlite://", contacts=mapping, settings={"contacts": {"table": "customers", "columns": COLUMNS}})
    with pytest.raises(ConfigError, match="must be a ContactStore"):
        CRM("sqlite://", contacts="customers")  # type: ignore[arg-type]


def test_settings_alone_make_a_mapping() -> None:
    crm = CRM(
        "sqlite://",
        settings={"contacts": {"table": "customers", "columns": COLUMNS, "where": {"deleted_at": None}}},
    )
    assert isinstance(crm.store, MappedContacts)
    assert isinstance(CRM("sqlite://").store, OwnContacts)


def test_what_the_host_has_not_committed_is_read_in_its_session_and_rolled_back_with_it() -> None:
    crm = shop()
    with Session(crm.engine) as session:
        customer = Customer(full_name="Eve", mail="eve@example.com")
        session.add(customer)
        session.flush()
        with crm.join(session) as tx:
            eve = tx.contacts.find(EMAIL("eve@example.com"))
            assert eve is not None and eve.name == "Eve"
            customer.full_name = "Eve Example"
            session.flush()
            assert tx.contacts.get(eve.id).name == "Eve Example"
            tx.contacts.update(eve.id, stage=Stage.LEAD)
        session.rollback()
    with crm.begin() as tx:
        assert tx.contacts.find(EMAIL("eve@example.com")) is None
        with pytest.raises(NotFound):
            tx.contacts.get(eve.id)
        assert tx.sql.execute(select(crm.tables["contact_hosts"])).all() == []


def test_an_id_that_was_only_read_is_known_later_where_the_key_is_a_number_or_a_uuid() -> None:
    crm = shop()
    with crm.begin() as tx:
        ann = tx.contacts.find(EMAIL("ann@example.com"))
        assert ann is not None
    with crm.begin() as tx:
        assert tx.contacts.get(ann.id).name == "Ann"
        tx.contacts.update(ann.id, owner="zoe")
    with crm.begin() as tx:
        assert (tx.contacts.get(ann.id).owner, tx.contacts.get(ann.id).id) == ("zoe", ann.id)


def test_an_empty_key_is_a_key() -> None:
    table = Table("users", MetaData(), Column("id", String(9), primary_key=True), *_strings("name", "mail"))
    crm = _over(table, columns={"name": "name", "email": "mail"})
    with crm.engine.begin() as connection:
        connection.execute(table.insert(), {"id": "", "name": "Ann", "mail": "ann@example.com"})
    with crm.begin() as tx:
        ann = tx.contacts.find(EMAIL("ann@example.com"))
        assert ann is not None and tx.contacts.tags.add(ann.id, "vip") == ("vip",)
        assert tx.contacts.get_many([tx.new_id()]) == {}
    with crm.begin() as tx:
        assert tx.contacts.get(ann.id).name == "Ann"


def _two(read_only: bool) -> tuple[CRM, Table, list[UUID]]:
    """Return a CRM over a table in which Ann and Ben stand, with their ids, Ann merged into Ben."""
    table = Table("users", MetaData(), Column("id", Integer, primary_key=True), *_strings("first", "mail"))
    crm = _over(table, columns={"given_name": "first", "email": "mail"}, read_only=read_only)
    with crm.engine.begin() as connection:
        people = [{"first": who, "mail": f"{who}@example.com"} for who in ("Ann", "Ben")]
        connection.execute(table.insert(), people)
    with crm.begin() as tx:
        found = [tx.contacts.find(EMAIL(f"{who}@example.com")) for who in ("ann", "ben")]
        ids = [one.id for one in found if one is not None]
        tx.merges.merge(*ids)
    return crm, table, ids


@pytest.mark.parametrize("read_only", [True, False])
def test_the_first_name_of_merged_rows_may_be_permitted(read_only: bool) -> None:
    crm, table, (ann, ben) = _two(read_only)
    with crm.begin() as tx:
        assert crm.greeting(tx.contacts.permit_first_name(ann, how="asked")) == "Dear Ben,"
        assert crm.greeting(tx.contacts.withdraw_first_name(ann)) == "Dear customer,"
    with crm.engine.begin() as connection:
        connection.execute(table.update().where(table.c.id == 2).values(first=None))
    with crm.begin() as tx:
        assert crm.greeting(tx.contacts.permit_first_name(ben, how="asked")) == "Dear Ann,"
        assert crm.greeting(tx.contacts.withdraw_first_name(ben)) == "Dear customer,"


def test_a_part_of_the_name_of_merged_rows_is_changed() -> None:
    crm, table, (ann, _) = _two(read_only=False)
    with crm.begin() as tx:
        tx.contacts.update(ann, given_name="Benjamin")
        assert tx.contacts.get(ann).name == "Benjamin"
        assert tx.sql.execute(select(table.c.first).order_by(table.c.id)).scalars().all() == [
            "Ann",
            "Benjamin",
        ]


def test_somebody_is_listed_whose_surviving_row_the_host_has_deleted() -> None:
    crm, table, (_, ben) = _two(read_only=True)
    with crm.engine.begin() as connection:
        connection.execute(table.delete().where(table.c.id == 2))
    with crm.begin() as tx:
        assert [(one.id, one.name) for one in tx.contacts.page()] == [(ben, "Ann")]


def test_what_no_contact_can_hold_is_left_out_and_nothing_fails() -> None:
    crm = shop(columns=COLUMNS | {"locale": "deleted_at"}, where=None)
    with Session(crm.engine) as session, session.begin():
        session.add(
            Customer(full_name="A\tlong " + "x" * 400, mail="no address", tel="none", deleted_at="z" * 50)
        )
        session.add(Customer(full_name="", mail="", tel=""))
    with crm.begin() as tx:
        third, fourth = (crm.store.at(tx, HostKey("customers", pk)) for pk in ("3", "4"))  # type: ignore[attr-defined]
        assert third.name.startswith("A long xxx") and len(third.name) == 300
        assert [str(point) for point in third.points] == ["external:shop:3"]
        assert (third.locale, fourth.name, len(fourth.points)) == ("", "", 1)


def test_a_name_is_made_of_its_parts() -> None:
    table = Table(
        "users", MetaData(), Column("id", Integer, primary_key=True), *_strings("first", "last", "mail")
    )
    columns = {"given_name": "first", "family_name": "last", "email": "mail"}
    crm = _over(table, columns=columns, read_only=False)
    with crm.engine.begin() as connection:
        connection.execute(table.insert(), {"first": "Nino", "last": "Beridze", "mail": "n@example.com"})
    with crm.begin() as tx:
        found = tx.contacts.find(EMAIL("n@example.com"))
        assert found is not None and found.name == "Nino Beridze"
        assert tx.contacts.update(found.id, given_name="Nina").given_name == "Nina"
        assert tx.contacts.get(found.id).name == "Nina Beridze"
        with pytest.raises(ValueRefused, match="change given_name and family_name"):
            tx.contacts.update(found.id, name="Eve")
        source = crm.store.source(tx)
        assert source is not None
        assert tx.sql.execute(select(source.columns["name"])).scalars().all() == ["Nina Beridze"]


@pytest.mark.parametrize("parts", [("given_name",), ("family_name",), ("given_name", "family_name")])
def test_a_whole_name_that_no_column_holds_is_kept(parts: tuple[str, ...]) -> None:
    """kills: read_fields and _whole_name that make an empty name of empty columns."""
    table = Table("users", MetaData(), Column("id", Integer, primary_key=True), *_strings(*parts, "mail"))
    crm = _over(table, columns={"email": "mail"} | {part: part for part in parts}, read_only=False)
    with crm.begin() as tx:
        ann = tx.contacts.find_or_add([EMAIL("ann@example.com")], name="Ann Lee")
        assert (ann.name, ann.host) == ("Ann Lee", HostKey("customers", "1"))
        assert tx.contacts.update(ann.id, name="Ann Lee-Smith").name == "Ann Lee-Smith"
    with crm.begin() as tx:
        source = crm.store.source(tx)
        assert source is not None
        names = tx.sql.execute(select(source.columns["name"])).scalars().all()
        assert [tx.contacts.get(ann.id).name] == names == ["Ann Lee-Smith"]
        named = tx.contacts.update(ann.id, **dict.fromkeys(parts, "Lee"))
        assert named == tx.contacts.get(ann.id) and named.name == " ".join(["Lee"] * len(parts))


def test_several_addresses_their_labels_and_the_parts_of_one() -> None:
    table = Table(
        "users",
        MetaData(),
        Column("id", Integer, primary_key=True),
        *_strings("m1", "m2", "road", "city", "zip", "land"),
    )
    columns = {
        "email": {"home": "m1", "work": "m2"},
        "postal": {"street": "road", "locality": "city", "postcode": "zip", "country": "land"},
    }
    crm = _over(table, columns=columns, read_only=False)
    home = PostalAddress(street="10 Downing Street", locality="London", postcode="SW1A 2AA", country="GB")
    with crm.begin() as tx:
        points = [
            EMAIL("a@example.com"),
            EMAIL("b@example.com"),
            EMAIL("c@example.com"),
            ContactPoint.postal(home),
        ]
        made = tx.contacts.add("Ann", points=points)
    with crm.engine.connect() as connection:
        row = connection.execute(select(table)).one()
    assert tuple(row) == (
        1,
        "a@example.com",
        "b@example.com",
        "10 Downing Street",
        "London",
        "SW1A 2AA",
        "GB",
    )
    with crm.begin() as tx:
        found = tx.contacts.get(made.id)
        assert [point.label for point in found.points[:2]] == ["home", "work"]
        assert {str(point) for point in found.points} == {str(point) for point in points}
        assert found.points[2].parts == home
        assert (
            found == tx.contacts.find(ContactPoint.postal(home)) == tx.contacts.find(EMAIL("c@example.com"))
        )
        guest = tx.contacts.add("Ben")
        source = crm.store.source(tx)
        assert source is not None
        places = select(*(source.columns[name] for name in ("country", "city", "postcode")))
        rows = tx.sql.execute(places.select_from(source.rows).order_by(source.key)).all()
        assert rows == [("GB", "London", "SW1A 2AA"), ("", "", "")]
        assert tx.contacts.get(guest.id).host is not None
        assert tx.contacts.get(made.id).name == "Ann"  # kept beside the table, which has no column for it


def test_a_new_contact_goes_where_the_mapping_says() -> None:
    crm = shop(read_only=False, region="GB")
    with crm.begin() as tx:
        tx.contacts.add(
            "Eve", points=[EMAIL("eve@example.com"), ContactPoint.phone("+442079460002")], owner="zoe"
        )
        with pytest.raises(PointTaken):
            tx.contacts.add("Ann", points=[EMAIL("ANN@example.com")])
    with Session(crm.engine) as session:
        eve = session.scalars(select(Customer).where(Customer.full_name == "Eve")).one()
        assert (eve.mail, eve.tel, eve.deleted_at) == ("eve@example.com", "+442079460002", None)
    with crm.begin() as tx:
        found = tx.contacts.find(EMAIL("eve@example.com"))
        assert found is not None and found.owner == "zoe" and found.host == HostKey("customers", str(eve.no))


def test_a_table_that_needs_more_says_what() -> None:
    table = Table(
        "users",
        MetaData(),
        Column("code", String, primary_key=True),
        Column("mail", String, nullable=False),
        Column("shop", Integer, nullable=False),
    )
    arguments: dict[str, Any] = {"columns": {"email": "mail"}, "read_only": False}
    crm = _over(table, **arguments)
    with crm.begin() as tx, pytest.raises(ConfigError, match="needs a value of code, shop; give defaults="):
        tx.contacts.add("Ann", points=[EMAIL("a@example.com")])
    crm = _over(table, **arguments, new_key=lambda contact: f"C-{contact.name}", where={"shop": 7})
    with crm.begin() as tx:
        assert tx.contacts.add("Ann", points=[EMAIL("a@example.com")]).host == HostKey("customers", "C-Ann")
        tx.contacts.find_or_add([EMAIL("a@example.com")])
    with crm.engine.connect() as connection:
        assert connection.execute(select(table)).all() == [("C-Ann", "a@example.com", 7)]
    crm = _over(
        table,
        **arguments,
        new_key=lambda contact: "1",
        defaults={"shop": 8},
        where=lambda table: table.c.shop == 7,
    )
    with crm.begin() as tx, pytest.raises(ConfigError, match="does not fulfil the mapping's where="):
        tx.contacts.add("Ann", points=[EMAIL("a@example.com")])


def test_a_row_that_the_host_refuses_tells_no_value(caplog: pytest.LogCaptureFixture) -> None:
    crm = shop(read_only=False)
    with crm.engine.begin() as connection:
        connection.execute(
            text("CREATE TRIGGER t BEFORE INSERT ON customers BEGIN SELECT RAISE(ABORT, 'no'); END")
        )
    with crm.begin() as tx, pytest.raises(ValueRefused, match="refused the new row") as caught:
        tx.contacts.add("Eve", points=[EMAIL("eve@example.com")])
    assert "eve@" not in str(caught.value)


def test_a_text_that_is_too_long_for_the_column_is_refused_before_it_is_cut() -> None:
    table = Table("users", MetaData(), Column("id", Integer, primary_key=True), Column("name", String(5)))
    crm = _over(table, columns={"name": "name"}, read_only=False)
    with crm.begin() as tx, pytest.raises(ValueRefused, match="keeps 5 characters, and the value has 11"):
        tx.contacts.add("Ann Example")


def test_a_key_that_the_database_gives_again_is_a_contact_of_its_own() -> None:
    crm = shop(read_only=False)
    with crm.begin() as tx:
        eve = tx.contacts.add("Eve", points=[EMAIL("eve@example.com")], owner="zoe")
    with crm.engine.begin() as connection:
        connection.execute(text("DELETE FROM customers WHERE no = 3"))
    with crm.begin() as tx:
        ida = tx.contacts.add("Ida", points=[EMAIL("ida@example.com")])
        assert ida.host == eve.host == HostKey("customers", "3")
        assert ida.id != eve.id
    with crm.begin() as tx:
        assert tx.contacts.get(ida.id).name == "Ida"
        assert (tx.contacts.get(eve.id).name, tx.contacts.get(eve.id).owner) == ("", "zoe")


@pytest.mark.parametrize("read_only, left", [(True, ("full_name", "mail", "tel", "no")), (False, ("no",))])
def test_what_the_columns_hold_can_be_cleared_or_told(read_only: bool, left: tuple[str, ...]) -> None:
    crm = shop(read_only=read_only)
    assert isinstance(crm.store, MappedContacts)
    with crm.begin() as tx:
        ann = tx.contacts.find(EMAIL("ann@example.com"))
        assert ann is not None
        names = tuple(f"customers.{name}" for name in left)
        assert crm.store.clear(tx, ann.id) == crm.store.columns_left(tx, ann.id) == names


def test_ids_of_rows_that_sql_sees_without_one() -> None:
    crm = shop()
    assert isinstance(crm.store, MappedContacts)
    with crm.begin() as tx:
        source = crm.store.source(tx)
        assert source is not None
        (row,) = tx.sql.execute(select(source.id, source.key)).all()
        assert row[0] is None
        ids = crm.store.identify(tx, [row[1]])
        crm.store.assign(tx, ids.values())
        assert tx.sql.execute(select(source.id)).scalars().all() == list(ids.values())
        assert tx.contacts.get(ids[row[1]]).name == "Ann"


@pytest.mark.parametrize("pk", [1, -1, 0, 2**61 - 1, -(2**61)])
def test_a_number_stands_in_the_id(pk: int) -> None:
    table = Table("users", MetaData(), Column("id", Integer, primary_key=True), Column("mail", String))
    crm = _over(table, columns={"email": "mail"})
    with crm.engine.begin() as connection:
        connection.execute(table.insert(), {"id": pk, "mail": "a@example.com"})
    with crm.begin() as tx:
        found = tx.contacts.find(EMAIL("a@example.com"))
        assert found is not None and found.id.version == 8 and found.host == HostKey("customers", str(pk))
    with crm.begin() as tx:
        assert tx.contacts.get(found.id).points == found.points


def test_tenants_have_a_mapping_each_unless_they_would_share_one() -> None:
    mapping = MappedContacts(table=Customer.__table__, columns=COLUMNS, where={"deleted_at": None})
    theirs = mapping.for_tenant("a", "schema_a")
    assert isinstance(theirs.table, Table) and theirs.table.schema == "schema_a"
    assert mapping.table is Customer.__table__ and mapping.table.schema is None
    assert mapping.for_tenant("a", None) is not mapping
    tied = MappedContacts(table="customers", columns=COLUMNS, where=Customer.deleted_at.is_(None))
    with pytest.raises(ConfigError, match="condition over one table, and tenant 'a' has another"):
        tied.for_tenant("a", "schema_a")


@pytest.mark.parametrize("how", ["file", "uri", "hard link"])
def test_a_tenant_has_a_file_of_its_own(tmp_path: Path, how: str) -> None:
    crm = CRM(f"sqlite:///{tmp_path}/main.db")
    crm.create_tables()
    (tmp_path / "link.db").hardlink_to(tmp_path / "main.db")
    urls = {
        "file": f"sqlite:///{tmp_path}/main.db",
        "uri": f"sqlite:///file:{tmp_path}/main.db?uri=true",
        "hard link": f"sqlite:///{tmp_path}/link.db",
    }
    crm = CRM(f"sqlite:///{tmp_path}/main.db", tenants=lambda name: urls[how])
    with pytest.raises(ConfigError, match="would share its tables"):
        crm.for_tenant("a")


def _strings(*names: str) -> tuple[Column[Any], ...]:
    return tuple(Column(name, String) for name in names)


def _over(table: Table, **arguments: Any) -> CRM:
    crm = memory_crm(contacts=MappedContacts(table=table, **arguments))
    table.metadata.create_all(crm.engine)
    return crm


def test_segments_see_what_merged_contacts_fill() -> None:
    crm = shop(where={})
    with Session(crm.engine) as session, session.begin():
        session.add(Customer(full_name="", mail="c@example.com"))
    with crm.begin() as tx:
        known = [tx.contacts.find(EMAIL(f"{name}@example.com")) for name in ("c", "ben")]
        nameless, ben = (one.id for one in known if one is not None)
        tx.contacts.update(ben, honorific="Dr", birth_date="1980-01-01", stage=Stage.LOYAL)
        tx.merges.merge(ben, into=nameless)
    with crm.begin() as tx:
        assert tx.contacts.get(nameless).name == "Ben"
        for field, value in (("name", '"Ben"'), ("honorific", '"Dr"'), ("stage", '"loyal"')):
            question = tx.segments.ask(f"contact.{field} == {value}")
            assert [one.id for one in question.members()] == [nameless], field
            assert question.contains(nameless), field
        assert tx.segments.ask('contact.birth_date < date("1981-01-01")').count() == 1
