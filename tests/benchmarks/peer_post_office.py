"""django-post-office in a process of its own, told by lines on standard input what to do.

`fill N` queues N messages, `work` sends what is queued and answers its wall time and CPU in nanoseconds.
"""

from __future__ import annotations

import json
import logging
import sys
from time import perf_counter_ns, process_time_ns
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from sqlalchemy import make_url

SUBJECT, SENDER = "Offer", "shop@shop.example.com"


def configure(address: str) -> None:
    """Set Django up over a database, with a backend that sends nothing; everything else as it comes."""
    url = make_url(address)
    database: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "NAME": url.database}
    if url.get_backend_name() == "sqlite":
        pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL"
        database["OPTIONS"] = {"init_command": pragmas, "transaction_mode": "IMMEDIATE"}
    else:
        database |= {"ENGINE": "django.db.backends.postgresql", "HOST": url.host, "PORT": url.port}
        database |= {"USER": url.username, "PASSWORD": url.password or ""}
    settings.configure(
        DATABASES={"default": database},
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "post_office"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend",
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        USE_TZ=True,
    )
    django.setup()
    logging.getLogger("post_office").setLevel(logging.ERROR)  # its lines on the console would slow it down
    call_command("migrate", verbosity=0)


def fill(number: int, body: str) -> None:
    """Queue so many messages."""
    from post_office import mail

    person = "customer.{}@shop.example.com"
    mail.send_many(
        [
            {"recipients": [person.format(place)], "sender": SENDER, "subject": SUBJECT, "message": body}
            for place in range(number)
        ]
    )


def work() -> list[int]:
    """Send what is queued; return the wall time and the CPU."""
    from post_office.mail import get_queued, send_queued

    cpu, started = process_time_ns(), perf_counter_ns()
    while get_queued().exists():
        send_queued(processes=1)
    return [perf_counter_ns() - started, process_time_ns() - cpu]


def main(address: str, body: str) -> None:
    """Do what is asked for, line by line."""
    configure(address)
    print("ready", flush=True)
    for line in sys.stdin:
        word, *numbers = line.split()
        if word == "fill":
            fill(int(numbers[0]), body)
            print("filled", flush=True)
        else:
            print(json.dumps(work()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
