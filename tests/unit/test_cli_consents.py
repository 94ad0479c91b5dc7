"""`crmkit consents` and `crmkit suppressions`: what contacts allow, and which addresses are written to no more."""

from __future__ import annotations

import json

import pytest

from crmkit import CRM, ContactPoint
from crmkit.cli import main


@pytest.fixture
def crm(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> CRM:
    monkeypatch.setenv("CRMKIT_URL", sqlite_url)
    crm = CRM(sqlite_url)
    crm.create_tables()
    with crm.begin() as tx:
        ann = tx.contacts.add("Ann", points=[ContactPoint.email("ann@example.com")])
        tx.consents.grant(ann.id, "news", source="till", text_version="3")
    return crm


def test_what_a_contact_allows(crm: CRM, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["consents", "show", "Ann@example.com"]) == 0
    shown = capsys.readouterr().out
    assert "news over email: yes (consent)" in shown
    assert "promo over email: no: the contact never consented to promo over email" in shown
    assert "granted: news over every channel (till, text 3, by system)" in shown
    assert main(["consents", "show", "ann@example.com", "--channel", "sms", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {(one["purpose"], one["channel"], one["allowed"]) for one in found["may_send"]} == {
        ("service", "sms", True), ("news", "sms", True), ("promo", "sms", False),
    }  # fmt: skip
    assert found["history"][0]["text_version"] == "3" and found["history"][0]["until"] is None


def test_of_whom_nothing_was_said(crm: CRM, capsys: pytest.CaptureFixture[str]) -> None:
    with crm.begin() as tx:
        bo = tx.contacts.add("Bo")
    assert main(["consents", "show", str(bo.id)]) == 0
    assert capsys.readouterr().out.endswith("Nothing was ever said.\n")


def test_the_list_is_kept(crm: CRM, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["suppressions", "list"]) == 0
    assert capsys.readouterr().out == "Nothing is suppressed.\n"
    assert main(["suppressions", "add", "ANN@example.com", "--actor", "staff:bo", "--purpose", "news"]) == 0
    assert "purpose:news: manual since" in capsys.readouterr().out
    assert main(["suppressions", "list", "ann@example.com"]) == 0
    listed = capsys.readouterr().out
    assert listed.endswith("(crmkit cli), by staff:bo\n") and "ann" not in listed.replace("channel", "")
    words = ["suppressions", "lift", "ann@example.com", "--by", "staff:bo", "--because", "she asked"]
    assert main([*words, "--purpose", "news", "--json"]) == 0
    (lifted,) = json.loads(capsys.readouterr().out)
    assert (lifted["lifted_by"], lifted["lift_reason"]) == ("staff:bo", "she asked")
    assert main(["suppressions", "list", "ann@example.com", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == []


def test_phones_are_addresses_too(crm: CRM, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["suppressions", "add", "+49 30 901820", "--reason", "hard_bounce"]) == 0
    assert main(["suppressions", "list", "+4930901820", "--reason", "hard_bounce"]) == 0
    assert main(["suppressions", "list", "+4930901820", "--reason", "manual"]) == 1
    capsys.readouterr()
    assert main(["suppressions", "list", "--reason", "hard_bounce", "--limit", "1", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1


@pytest.mark.parametrize(
    "words, message",
    [
        (["consents", "show", "eve@example.com"], "no contact has the address"),
        (["consents", "show", "nonsense"], "neither an id nor an email"),
        (["suppressions", "add", "nonsense"], "neither an email address nor a phone"),
        (["suppressions", "add", "a@b@c"], "is not valid"),
        (["suppressions", "add", "ann@example.com", "--purpose", "newz"], "did you mean 'news'"),
        (["suppressions", "add", "ann@example.com", "--actor", "me"], "actor 'me'"),
        (
            ["suppressions", "lift", "ann@example.com", "--by", "staff:bo", "--because", "x"],
            "is not suppressed",
        ),
        (["suppressions", "lift", "ann@example.com", "--by", "system", "--because", "x"], "must answer"),
        (["suppressions", "list", "--limit", "0"], "--limit: '0' must be"),
    ],
)
def test_mistakes_are_told_without_a_traceback(
    crm: CRM, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(words) == 2
    assert message in capsys.readouterr().err


def test_a_complaint_needs_force(crm: CRM, capsys: pytest.CaptureFixture[str]) -> None:
    main(["suppressions", "add", "ann@example.com", "--reason", "complaint"])
    words = ["suppressions", "lift", "ann@example.com", "--by", "staff:bo", "--because", "by letter"]
    assert main(words) == 2 and "complained" in capsys.readouterr().err
    assert main([*words, "--force"]) == 0 and "lifted, was since" in capsys.readouterr().out
