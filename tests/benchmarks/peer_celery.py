"""A Celery task that sends nothing; the last message of a batch tells that it was the last."""

from __future__ import annotations

import os

from celery import Celery
from redis import Redis

BROKER = os.environ.get("CRMKIT_BENCH_REDIS_URL", "redis://127.0.0.1:6379/15")
QUEUE = os.environ.get("CRMKIT_BENCH_QUEUE", "crmkit-bench")

app = Celery("peer_celery", broker=BROKER)


@app.task(ignore_result=True)  # type: ignore[untyped-decorator]
def send(to: str, subject: str, text: str, last: bool = False) -> None:
    """Send nothing."""
    if last:
        Redis.from_url(BROKER).rpush(f"{QUEUE}-done", to)
