"""What others take for the same: django-post-office in a database of its own, Celery on Redis; each if it is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from measure import Cost, Side, alternate
from places import Maker, cpu_of
from report import Options, Row
from shop import BODY

HERE = Path(__file__).parent
POST_OFFICE = (
    "django-post-office at its defaults: 5 threads, batches of 100 marked at their end, a row of log per mail"
)
CELERY = (
    "Celery: one worker process (pool solo) on Redis as it stands here; no transaction with the host's database, "
    "no event, not durable: not the same work"
)


class Missing(Exception):
    """A peer is not there; the message says what it lacks."""


def peer_rows(make: Maker, options: Options, ours: Callable[[int], Side]) -> Iterator[Row]:
    """Yield the rows of the peers that are there; say why others are left out.

    Args:
        make: gives a database.
        options: how long to measure.
        ours: gives crmkit's side for a number of messages.
    """
    for peer, full, note in ((post_office, 500, POST_OFFICE), (celery, 500, CELERY)):
        size = 50 if options.quick else full
        try:
            with peer(make, size) as theirs:
                side = ours(size)
                alternate(theirs, side, rounds=options.rounds, turns=1, warm_up=1)
                what, database = f"beside {theirs.name}", make().database
                yield Row.of("dispatch", database, what, theirs, side, rate=True, note=note)
        except Missing as missing:
            print(f"\n{missing}")


@contextmanager
def post_office(make: Maker, size: int) -> Iterator[Side]:
    """Give django-post-office, with a mail backend that sends nothing."""
    if find_spec("post_office") is None:
        raise Missing("django-post-office is not installed (requirements-bench.txt); it is left out")
    place = make()
    with place.engine.connect():
        pass  # the file is there, and in WAL mode
    words = [sys.executable, str(HERE / "peer_post_office.py"), place.url, BODY]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:

        def ask(line: str = "") -> str:
            assert process.stdin is not None and process.stdout is not None
            if line:
                print(line, file=process.stdin, flush=True)
            answer = process.stdout.readline()
            if not answer:
                raise RuntimeError("django-post-office has ended")
            return answer

        ask()
        yield Side(
            "django-post-office",
            lambda: Cost(*json.loads(ask("work"))),
            lambda: ask(f"fill {size}"),
            place.cpu,
            size,
        )
        process.kill()


@contextmanager
def celery(make: Maker, size: int) -> Iterator[Side]:
    """Give Celery with one worker; its queue is filled while the worker does not listen to it."""
    if find_spec("celery") is None or find_spec("redis") is None:
        raise Missing("celery or redis is not installed (requirements-bench.txt); Celery is left out")
    os.environ["CRMKIT_BENCH_QUEUE"] = f"crmkit-bench-{os.getpid()}"
    import peer_celery as peer
    from redis import Redis
    from redis.exceptions import RedisError

    redis = Redis.from_url(peer.BROKER, socket_timeout=150)
    try:
        redis.ping()
    except RedisError as error:
        raise Missing(
            f"Redis does not answer at {peer.BROKER}, Celery is left out: start it or set "
            f"CRMKIT_BENCH_REDIS_URL ({error})"
        ) from None
    with ExitStack() as stack:
        stack.callback(_clean, redis, peer.QUEUE, was_empty=redis.dbsize() == 0)
        worker = stack.enter_context(_worker(peer))
        yield Side(
            "Celery on Redis",
            lambda: _consume(peer, redis, worker.pid),
            lambda: _fill(peer, size),
            units=size,
        )


@contextmanager
def _worker(peer: Any) -> Iterator[subprocess.Popen[bytes]]:
    words = "worker --pool solo --concurrency 1 --loglevel ERROR --without-gossip --without-mingle".split()
    command = [sys.executable, "-m", "celery", "-A", "peer_celery", *words, "-Q", f"{peer.QUEUE}-idle"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=HERE, stdout=quiet, stderr=quiet) as process:
        try:
            while not peer.app.control.ping(timeout=0.5):
                if process.poll() is not None:
                    raise Missing(f"the Celery worker ended with {process.returncode}; Celery is left out")
            yield process
        finally:
            process.kill()


def _fill(peer: Any, size: int) -> None:
    peer.app.control.cancel_consumer(peer.QUEUE, reply=True, timeout=5, limit=1)
    with peer.app.producer_pool.acquire(block=True) as producer:
        for number in range(size):
            words = (f"customer.{number}@shop.example.com", "Offer", BODY, number == size - 1)
            peer.send.apply_async(words, queue=peer.QUEUE, producer=producer)


def _consume(peer: Any, redis: Any, pid: int) -> Cost:
    cpu, started = cpu_of(pid), perf_counter_ns()
    peer.app.control.add_consumer(peer.QUEUE)
    if redis.blpop([f"{peer.QUEUE}-done"], timeout=120) is None:
        raise RuntimeError("the Celery worker did not come to the end in 120 seconds")
    return Cost(perf_counter_ns() - started, cpu_of(pid) - cpu)


def _clean(redis: Any, queue: str, *, was_empty: bool) -> None:
    if was_empty:
        redis.flushdb()
    else:
        redis.delete(queue, f"{queue}-idle", f"{queue}-done")
