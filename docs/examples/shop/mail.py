"""The SMTP server that the demo's mails go to: a process of its own on loopback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from pathlib import Path


@contextmanager
def smtp_server(maildir: Path) -> Iterator[int]:
    """Run the server and give its port; each mail that it takes becomes a file in `maildir`.

    Raises:
        SystemExit: if it does not start.
    """
    command = [sys.executable, "-m", "crmkit_email.testing", "--port", "0", "--maildir", str(maildir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            if not port:
                raise SystemExit("the SMTP server did not start; it needs aiosmtpd")
            yield int(port)
        finally:
            process.terminate()


def recipients(maildir: Path) -> list[str]:
    """Return whom the mails in `maildir` are addressed to, one entry for each mail."""
    mails = (message_from_bytes(file.read_bytes(), policy=policy.default) for file in maildir.glob("*.eml"))
    return [mail["To"].addresses[0].addr_spec for mail in mails]
