"""`make demo`: replays real invoices through the shop's checkout, sends the thank-yous, and counts everything twice."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path

from figures import Figures, gather
from invoices import Invoice, read
from mail import smtp_server
from replay import Clock, Replay, sign_up, thanked
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from shop import OptOuts, mapping, open_shop
from sqlalchemy.orm import Session
from tables import show

from crmkit import CRM, Event, Template

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]

THANK_YOU = Template(
    name="thank-you",
    subject="Thank you for order {{ order }}",
    text="Thank you for order {{ order }}.\n\nWe have received {{ amount }}, and are packing your parcel.\n",
)


def main(words: list[str] | None = None) -> int:
    """Run the demo; return 1 if two counts of one thing differ."""
    args = _arguments(words)
    notes = Console(stderr=True)
    invoices = read(args.data)
    maildir = _empty(args.folder)
    began = time.perf_counter()
    with smtp_server(maildir) as port:
        replay = _replay(args.folder / "shop.db", port, invoices, mapped=args.mapped)
        with _progress(notes, invoices) as (replayed, sent):
            replay.run(invoices, replayed, sent)
        figures = gather(replay, invoices, maildir)
    replay.crm.engine.dispose()
    if args.json:
        print(json.dumps(figures.plain(), indent=2, ensure_ascii=False))
    else:
        _tell(figures, args.folder, time.perf_counter() - began)
    return 0 if figures.agree else 1


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument(
        "--data",
        type=Path,
        default=HERE / "data",
        metavar="FOLDER",
        help="a folder of monthly files such as 2010-12.csv.gz; by default the excerpt beside the example",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=ROOT / "build" / "demo",
        metavar="FOLDER",
        help="where the shop's database and the mails go; what an earlier run left there is removed",
    )
    parser.add_argument(
        "--mapped",
        action="store_true",
        help="read contacts from the shop's own customers table instead of copying them to the CRM's",
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser.parse_args(words)


def _empty(folder: Path) -> Path:
    """Remove what an earlier run left in a folder, and nothing else; return where the mails go."""
    maildir = folder / "mail"
    maildir.mkdir(parents=True, exist_ok=True)
    for left in (*folder.glob("shop.db*"), *maildir.glob("*.eml"), *maildir.glob("*.part")):
        left.unlink()
    return maildir


def _replay(database: Path, port: int, invoices: list[Invoice], *, mapped: bool) -> Replay:
    engine = open_shop(database)
    clock = Clock(invoices[0].at.astimezone(UTC))
    crm = CRM(
        engine,
        plugins=["loyalty", "email", OptOuts(engine)],
        settings={
            "loyalty": {"points_per_unit": 1},
            "email": {
                "host": "127.0.0.1",
                "port": port,
                "security": "none",
                "sender": "The shop <hello@shop.example>",
            },
        },
        templates=[THANK_YOU],
        contacts=mapping() if mapped else None,
        clock=clock,
    )
    crm.create_tables()
    with Session(engine) as session:
        sign_up(session, invoices)
    replay = Replay(crm, clock)
    crm.signals.connect(Event, replay.hear)
    return replay


@contextmanager
def _progress(
    console: Console, invoices: list[Invoice]
) -> Iterator[tuple[Callable[[], object], Callable[[int], object]]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        replaying = progress.add_task("Replaying invoices", total=len(invoices))
        sending = progress.add_task("Sending thank-yous", total=thanked(invoices))
        yield lambda: progress.advance(replaying), lambda sent: progress.advance(sending, sent)


def _tell(figures: Figures, folder: Path, seconds: float) -> None:
    console = Console(width=None if sys.stdout.isatty() else 100, highlight=False)
    show(figures, console)
    if not figures.agree:
        console.print("[bold red]Some counts differ: see the table above.")
    console.print(f"It took {seconds:.1f} s. The shop's database and the mails are in {_near(folder)}.")
    console.print("\nTry next:")
    plugins = Path(sys.executable).with_name("crmkit")
    for command, what in (
        (f"{_near(plugins)} plugins --check", "what is installed, and with which hooks"),
        ('make demo ARGS="--data FOLDER"', "the same with monthly files of your own"),
        ('make demo ARGS="--mapped"', "the same, the contacts being the rows of the shop's own table"),
        ("make test", "every test"),
    ):
        console.print(f"  [bold]{command}[/]  {what}", soft_wrap=True)


def _near(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


if __name__ == "__main__":
    sys.exit(main())
