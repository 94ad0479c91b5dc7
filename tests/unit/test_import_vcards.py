"""Every vCard file of real address books gives the names, points and details that its text shows."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from crmkit import CRM, Contact
from crmkit.exchange import ColumnMap, ImportReport, import_contacts, look
from crmkit.testing import memory_crm

N = "Ñ"

Points = list[tuple[str, str, str]]

#: By file: for each card its name, given name, family name and honorific, and its points with their labels.
EXPECTED: dict[str, list[tuple[tuple[str, str, str, str], Points]]] = {
    "John_Doe_ANDROID.vcf": [
        (("", "", "", ""), [("email", "john.doe@company.com", "")]),
        (("", "", "", ""), [("email", "jane.doe@company.com", "")]),
        ((" ".join(N * 5), "", " ".join(N * 4), ""), []),
        ((" ".join(N * 11), "", " ".join(N * 11), ""), []),
        ((" ".join(N * 4), " ".join(N * 3), " ".join(N * 2), ""), [("email", "bob@company.com", "work")]),
        ((N * 4, "", N * 4, ""), [("email", "henry@company.com", "")]),
    ],
    "John_Doe_GMAIL.vcf": [
        (
            ("Mr. John Richter, James Doe Sr.", "John", "Doe", "Mr."),
            [
                ("email", "john.doe@ibm.com", "home"),
                ("phone", "+19055551234", "mobile"),
                ("phone", "+19056661234", "home"),
                (
                    "postal",
                    "Crescent moon drive\n555-asd\nNice Area, Albaney, New York 12345\nUnited States of America",
                    "home",
                ),
            ],
        )
    ],
    "John_Doe_IPHONE.vcf": [
        (
            ("Mr. John Richter James Doe Sr.", "John", "Doe", "Mr."),
            [
                ("email", "john.doe@ibm.com", ""),
                ("phone", "+19055551234", "mobile"),
                ("phone", "+19056661234", "home"),
                ("phone", "+19057771234", "work"),
                ("phone", "+19058881234", "home fax"),
                ("phone", "+19059991234", "work fax"),
                ("phone", "+19052221234", "assistantphone"),
                ("postal", "Silicon Alley 5\n12345 New York\nNew York\nUS", "home"),
                ("postal", "Street4\nBuilding 6\nFloor 8\n12345 New York\nUS", "work"),
            ],
        )
    ],
    "gmail-list.vcf": [
        (("Arnold Smith", "Arnold", "Smith", ""), [("email", "asmithk@gmail.com", "")]),
        (("Chris Beatle", "Chris", "Beatle", ""), [("email", "chrisy55d@yahoo.com", "")]),
        (("Doug White", "Doug", "White", ""), [("email", "dwhite@gmail.com", "")]),
    ],
    "outlook-2007.vcf": [
        (
            ("Mr. Michael Angstadt Jr.", "Michael", "Angstadt", "Mr."),
            [
                ("postal", "TheOffice\n222 Broadway\n99999 New York\nNY\nUS", "work"),
                ("email", "mike.angstadt@gmail.com", ""),
                ("handle", "im@aim.com", ""),
            ],
        )
    ],
    "rfc2426-example.vcf": [
        (
            ("Frank Dawson", "", "", ""),
            [
                ("postal", "6544 Battleford Drive\n27613-3502 Raleigh\nNC\nUS", "work"),
                ("phone", "+19196769515", "work"),
                ("phone", "+19196769564", "fax work"),
                ("email", "Frank_Dawson@lotus.com", ""),
                ("email", "fdawson@earthlink.net", ""),
            ],
        ),
        (
            ("Tim Howes", "", "", ""),
            [
                ("postal", "501 E. Middlefield Rd.\n94043 Mountain View\nCA\nUS", "work"),
                ("phone", "+14159373419", "work"),
                ("phone", "+14155284164", "fax work"),
                ("email", "howes@netscape.com", ""),
            ],
        ),
    ],
    "rfc6350-example.vcf": [
        (
            ("Simon Perreault", "Simon", "Perreault", ""),
            [
                ("postal", "Suite D2-630\n2875 Laurier\nG1V 2M2 Quebec\nQC\nCA", "work"),
                ("phone", "+14186569254", "work ext. 102"),
                ("phone", "+14182626501", "work mobile"),
                ("email", "simon.perreault@viagenie.ca", "work"),
            ],
        )
    ],
}

#: What is left out on purpose, by file: the pictures and keys that the files hold, and a birthday without a year.
LEFT_OUT = {
    "John_Doe_ANDROID.vcf": {"PHOTO": 1},
    "John_Doe_IPHONE.vcf": {"PHOTO": 1},
    "outlook-2007.vcf": {"PHOTO": 1, "KEY": 1},
    "rfc6350-example.vcf": {"KEY": 1, "partial date": 1},
}


def imported(path: Path, rejects: Path) -> tuple[CRM, ImportReport, list[Contact]]:
    """Import a file into a CRM of its own."""
    crm = memory_crm()
    report = import_contacts(crm, look(path, ColumnMap(region="US")), rejects=rejects)
    with crm.begin() as tx:
        return crm, report, tx.contacts.page()


@pytest.mark.parametrize("file", EXPECTED)
def test_every_card_gives_its_names_and_points(file: str, shared_data: Path, tmp_path: Path) -> None:
    _, report, contacts = imported(shared_data / "vcards" / file, tmp_path / "rejects")
    found = [
        (
            (one.name, one.given_name, one.family_name, one.honorific),
            [(point.kind.value, point.value, point.label) for point in one.points],
        )
        for one in contacts
    ]
    assert found == EXPECTED[file]
    assert dict(report.left_out) == LEFT_OUT.get(file, {})
    assert report.rejected == 0


def test_no_file_is_forgotten(shared_data: Path) -> None:
    assert sorted(path.name for path in (shared_data / "vcards").glob("*.vcf")) == sorted(EXPECTED)


def test_details_are_kept(shared_data: Path, tmp_path: Path) -> None:
    crm, _, (contact,) = imported(shared_data / "vcards" / "outlook-2007.vcf", tmp_path / "rejects")
    assert contact.birth_date == date(1922, 3, 10)
    with crm.begin() as tx:
        relations = {(one.kind, one.other_name) for one in tx.contacts.relations.of(contact.id)}
        facts = {(one.text, one.on) for one in tx.contacts.facts.of(contact.id)}
        notes = [one.text for one in tx.contacts.notes.of(contact.id)]
    assert {("employer", "TheCompany"), ("spouse", "TheSpouse"), ("manager", "TheManagerName")} <= relations
    assert {
        ("nickname: Mike", None),
        ("job title: TheJobTitle", None),
        ("anniversary", date(2012, 8, 1)),
    } <= facts
    assert any(note.startswith("This is the NOTE field\t\r\nI assume it encodes this text") for note in notes)
    # numbers that the numbering plan does not have are not lost
    assert sum("(111) 555-" in note for note in notes) == 5


def test_gender_language_and_preference(shared_data: Path, tmp_path: Path) -> None:
    _, _, (simon,) = imported(shared_data / "vcards" / "rfc6350-example.vcf", tmp_path / "rejects")
    assert (simon.gender, simon.locale, simon.birth_date) == ("m", "fr", None)
    phone = simon.point("phone")
    assert phone is not None
    assert phone.value == "+14186569254"
    assert phone.primary


def test_tags_and_quoted_printable_notes(shared_data: Path, tmp_path: Path) -> None:
    crm, _, contacts = imported(shared_data / "vcards" / "John_Doe_ANDROID.vcf", tmp_path / "rejects")
    with crm.begin() as tx:
        assert tx.contacts.tags.of(contacts[0].id) == ("my contacts",)
        notes = [one.text for one in tx.contacts.notes.of(contacts[3].id)]
    assert any(set(note) == {N, " "} and note.count(N) > 20 for note in notes)


def card(*lines: str) -> str:
    return "".join(f"{line}\r\n" for line in ("BEGIN:VCARD", *lines, "END:VCARD"))


def take(path: Path, text: str) -> tuple[ImportReport, list[Contact]]:
    path.write_bytes(text.encode())
    _, report, contacts = imported(path, path.with_suffix(".rejects"))
    return report, contacts


def test_broken_cards_are_rejected_and_the_others_taken(tmp_path: Path) -> None:
    text = (
        "rubbish\r\n"
        + card("VERSION:3.0", "FN:Ann", "EMAIL:ann@example.com")
        + "BEGIN:VCARD\r\nFN:Without an end\r\n"
        + card("VERSION:3.0", "no property at all", "FN:Bob")
        + card("VERSION:3.0", "NOTE:nobody")
        + card("VERSION:4.0", "FN:Cy")
        + "BEGIN:VCARD\r\nFN:Cut"
    )
    report, contacts = take(tmp_path / "a.vcf", text)
    assert [one.name for one in contacts] == ["Ann", "Cy"]
    assert (report.read, report.added, report.rejected) == (7, 2, 5)
    assert [reason.partition(":")[0] for reason in report.reasons] == [
        f"line {number}" for number in (1, 7, 9, 14, 22)
    ]


def test_rejected_cards_can_be_mended(tmp_path: Path) -> None:
    report, _ = take(tmp_path / "a.vcf", card("VERSION:3.0", "no property", "FN:Bob"))
    text = Path(report.rejects).read_text(encoding="utf-8")
    assert "X-CRMKIT-REJECTED:line 1" in text
    again, contacts = take(
        tmp_path / "b.vcf", text.replace("no property\r\n", "").replace("no property\n", "")
    )
    assert (again.added, [one.name for one in contacts]) == (1, ["Bob"])


def test_a_picture_of_many_megabytes_on_one_line_is_left_out(tmp_path: Path) -> None:
    picture = "PHOTO;ENCODING=b;TYPE=JPEG:" + "QUJD" * 700_000
    report, (ann,) = take(tmp_path / "a.vcf", card("VERSION:3.0", "FN:Ann", picture, "EMAIL:ann@example.com"))
    assert (ann.name, len(ann.points), dict(report.left_out)) == ("Ann", 1, {"PHOTO": 1})


def test_a_card_within_a_card_is_left_out(tmp_path: Path) -> None:
    inner = card("VERSION:2.1", "FN:The Agent").strip()
    report, (ann,) = take(
        tmp_path / "a.vcf", card("VERSION:2.1", "FN:Ann", "AGENT:", inner, "EMAIL:a@example.com")
    )
    assert (ann.name, len(ann.points), dict(report.left_out)) == ("Ann", 1, {"AGENT": 1})


def test_messengers_ids_and_labels(tmp_path: Path) -> None:
    _, (ann,) = take(
        tmp_path / "a.vcf",
        card(
            "VERSION:3.0",
            "FN:Ann",
            "UID:abc-1",
            "IMPP;X-SERVICE-TYPE=Jabber:xmpp:ann@example.com",
            "X-SOCIALPROFILE;TYPE=twitter:https://twitter.com/ann_e",
            "item1.EMAIL:ann@example.com",
            "item1.X-ABLabel:_$!<School>!$_",
            "TZ:Europe/London",
        ),
    )
    points = {(one.kind.value, one.scope, one.value, one.label) for one in ann.points}
    assert points == {
        ("external", "vcard", "abc-1", ""),
        ("handle", "jabber", "ann@example.com", ""),
        ("handle", "twitter", "ann_e", ""),
        ("email", "", "ann@example.com", "school"),
    }
    assert ann.zone == "Europe/London"
