"""What others need for the same: django-post-office in the same database, Celery on Redis."""

from __future__ import annotations

from collections.abc import Iterator

from places import Maker
from report import Options, Row


def peer_rows(make: Maker, options: Options) -> Iterator[Row]:
    """Yield the rows of the peers that are there."""
    yield from ()
