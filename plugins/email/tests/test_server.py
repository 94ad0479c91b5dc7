"""The SMTP server for tests, also as a process of its own."""

from __future__ import annotations

import smtplib
import subprocess
import sys
from pathlib import Path

import pytest

from crmkit_email.testing import SmtpServer

MAIL = b"Subject: hello\r\n\r\n.dot\r\n"


def test_it_keeps_what_it_gets(server: SmtpServer) -> None:
    with smtplib.SMTP("127.0.0.1", server.port, "shop.example") as smtp:
        smtp.sendmail("a@x.example", ["b@y.example", "c@y.example"], MAIL)
    (mail,) = server.received
    assert (mail.sender, mail.recipients, mail.content) == (
        "a@x.example",
        ("b@y.example", "c@y.example"),
        MAIL,
    )
    assert mail.message["Subject"] == "hello"


def test_it_answers_as_told_and_then_on_its_own(server: SmtpServer) -> None:
    server.answer("RCPT", "full", "452 4.2.2 full", "452 4.2.2 still full")
    with smtplib.SMTP("127.0.0.1", server.port, "shop.example") as smtp:
        for code in (452, 452, 250):
            smtp.ehlo()
            smtp.mail("a@x.example")
            assert smtp.rcpt("full@y.example")[0] == code
            smtp.rset()


def test_a_misspelt_step_is_refused(server: SmtpServer) -> None:
    with pytest.raises(ValueError, match="'rcpt' is not one of AUTH, MAIL, RCPT, DATA, content"):
        server.answer("rcpt", "*", "250 OK")


def test_as_a_process_it_prints_its_port_and_writes_each_mail(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "crmkit_email.testing", "--maildir", str(tmp_path / "mails")]
    command += ["--answer", "RCPT", "full", "452 4.2.2 full"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            with smtplib.SMTP("127.0.0.1", int(process.stdout.readline()), "shop.example") as smtp:
                refused = smtp.sendmail("a@x.example", ["b@y.example", "full@y.example"], MAIL)
                smtp.sendmail("a@x.example", ["c@y.example"], MAIL)
        finally:
            process.terminate()
    assert list(refused) == ["full@y.example"]
    assert [path.read_bytes() for path in sorted((tmp_path / "mails").iterdir())] == [MAIL, MAIL]
