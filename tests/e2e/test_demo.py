"""`make demo` on a small slice: what it prints is what a count from the CSV comes to, made here on its own."""

from __future__ import annotations

import csv
import gzip
import json
import re
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

ROOT = Path(__file__).resolve().parents[2]
SHOP = ROOT / "docs" / "examples" / "shop"
EXCERPT = SHOP / "data" / "2010-12.csv.gz"

Row = dict[str, str]

SHIPPING = {"POST", "DOT", "C2"}
BY_HAND = {"M", "D", "BANK CHARGES"}
NOT_SOLD = {"AMAZONFEE", "S"}


def rows_of(file: Path) -> list[Row]:
    with gzip.open(file, "rt", encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


def write_slice(rows: Iterable[Row], folder: Path) -> Path:
    rows = list(rows)
    folder.mkdir()
    with gzip.open(folder / "2010-12.csv.gz", "wt", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def demo(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SHOP), *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)


@attrs.define
class Sold:
    """A line that was sold, and how many of it came back."""

    order: str
    customer: str
    code: str
    quantity: int
    pence: int
    is_product: bool
    back: int = 0


def sold_lines(rows: list[Row]) -> list[Sold]:
    """Return the lines that were sold, with what came back of each; by hand, and unlike the example does it."""
    costs = {row["InvoiceNo"] for row in rows if Decimal(row["UnitPrice"]) > 0}
    sold: list[Sold] = []
    for row in sorted(rows, key=lambda row: row["InvoiceDate"]):
        code, quantity = row["StockCode"].upper(), int(row["Quantity"])
        pence, customer = int(Decimal(row["UnitPrice"]) * 100), row["CustomerID"]
        if code in NOT_SOLD or row["InvoiceNo"] not in costs:
            continue
        if row["InvoiceNo"][0] != "C":
            special = code in SHIPPING | BY_HAND or code.startswith("GIFT_")
            if quantity > 0 and (pence or not special):
                sold.append(
                    Sold(row["InvoiceNo"], customer, code, quantity, pence, pence > 0 and not special)
                )
        elif customer and code not in BY_HAND:
            candidates = (one for one in sold if (one.customer, one.code) == (customer, code) and one.pence)
            enough = [one for one in candidates if one.quantity - one.back >= -quantity]
            if enough:
                enough[-1].back -= quantity
    return sold


@attrs.frozen
class Expected:
    """What the figures have to be."""

    shop: dict[str, int]
    points: dict[str, int]
    thanked: dict[str, int]


def expected(rows: list[Row]) -> Expected:
    orders: dict[str, list[Sold]] = defaultdict(list)
    for line in sold_lines(rows):
        orders[line.order].append(line)
    known = {number: lines for number, lines in orders.items() if lines[0].customer}
    issued = clawed = 0
    for lines in known.values():
        goods = sum(one.quantity * one.pence for one in lines if one.is_product)
        returned = sum(one.back * one.pence for one in lines if one.is_product)
        whole = all(one.back == one.quantity for one in lines if one.pence)
        issued += goods // 100
        clawed += goods // 100 if whole else (goods // 100) * returned // max(goods, 1)
    buyers = [int(float(lines[0].customer)) for lines in known.values()]
    everything = [line for lines in orders.values() for line in lines]
    thanked = {
        "held": sum(buyer % 16 == 0 for buyer in buyers),
        "suppressed": sum(buyer % 16 != 0 and buyer % 50 == 0 for buyer in buyers),
        "sent": sum(buyer % 16 != 0 and buyer % 50 != 0 for buyer in buyers),
    }
    return Expected(
        {
            "invoices": len({row["InvoiceNo"] for row in rows}),
            "users": len({row["CustomerID"] for row in rows} - {""}),
            "customers with an order": len(set(buyers)),
            "orders": len(orders),
            "orders of nobody known": len(orders) - len(known),
            "ordered": sum(one.quantity * one.pence for one in everything),
            "refunded": sum(one.back * one.pence for one in everything),
        },
        {"issued": issued, "clawed back": clawed, "outstanding": issued - clawed},
        {state: n for state, n in thanked.items() if n},
    )


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Row], Path]:
    """The slice: customers, and invoices of nobody, whose number ends in 0."""
    rows = [row for row in rows_of(EXCERPT) if (row["CustomerID"][:-2] or row["InvoiceNo"]).endswith("0")]
    return rows, write_slice(rows, tmp_path_factory.mktemp("demo") / "data")


@pytest.fixture(scope="module")
def figures(small: tuple[list[Row], Path], folders: tuple[Path, Path]) -> dict[str, Any]:
    done = demo("--json", "--data", small[1], "--folder", folders[0])
    assert done.returncode == 0, done.stdout + done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Where the demo's database lies when the contacts are copied, and when they are the shop's own rows."""
    return tmp_path_factory.mktemp("copied") / "shop", tmp_path_factory.mktemp("mapped") / "shop"


@pytest.fixture(scope="module")
def mapped(small: tuple[list[Row], Path], folders: tuple[Path, Path]) -> dict[str, Any]:
    done = demo("--mapped", "--json", "--data", small[1], "--folder", folders[1])
    assert done.returncode == 0, done.stdout + done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def test_the_slice_has_what_it_takes(small: tuple[list[Row], Path]) -> None:
    wanted = expected(small[0])
    assert wanted.points["clawed back"] > 0
    assert wanted.shop["orders of nobody known"] > 0
    assert set(wanted.thanked) == {"held", "suppressed", "sent"}


def test_the_shops_figures_are_those_of_the_csv(
    figures: dict[str, Any], small: tuple[list[Row], Path]
) -> None:
    wanted = expected(small[0]).shop
    assert {name: figures["shop"][name] for name in wanted} == wanted


def test_the_points_are_those_of_the_csv(figures: dict[str, Any], small: tuple[list[Row], Path]) -> None:
    assert figures["points"] == expected(small[0]).points


def test_the_messages_are_those_of_the_csv(figures: dict[str, Any], small: tuple[list[Row], Path]) -> None:
    assert {one["state"]: one["count"] for one in figures["messages"]} == expected(small[0]).thanked


def test_every_line_is_told_of(figures: dict[str, Any], small: tuple[list[Row], Path]) -> None:
    assert sum(figures["lines"].values()) == len(small[0])


def test_every_count_is_made_twice_and_agrees(figures: dict[str, Any]) -> None:
    assert len(figures["checks"]) > 10
    assert [check for check in figures["checks"] if not check["equal"]] == []
    received = [check for check in figures["checks"] if check["other"] == "the SMTP server"]
    assert received[0]["count"] == received[0]["again"] > 0


def test_the_shops_own_table_gives_the_same_figures(figures: dict[str, Any], mapped: dict[str, Any]) -> None:
    assert {**mapped, "speed": {}} == {**figures, "speed": {}}


def test_the_shops_own_table_is_left_as_it_was(
    figures: dict[str, Any], mapped: dict[str, Any], folders: tuple[Path, Path]
) -> None:
    copied, in_place = (_database(folder / "shop.db") for folder in folders)
    assert in_place["schema"] == copied["schema"] == SCHEMA
    assert in_place["customers"] == copied["customers"]
    assert copied["contacts"] == copied["buyers"] > 0
    assert in_place["contacts"] == 0
    assert in_place["buyers"] == copied["buyers"]


#: What the shop's own models make, before any CRM has seen the database.
SCHEMA = [
    "CREATE TABLE customers ( customer_no INTEGER NOT NULL, full_name VARCHAR NOT NULL, mail VARCHAR, "
    "newsletter BOOLEAN NOT NULL, PRIMARY KEY (customer_no) )",
    "CREATE INDEX ix_customers_mail ON customers (mail)",
]


def _database(file: Path) -> dict[str, Any]:
    def ask(statement: str) -> list[Any]:
        return connection.execute(statement).fetchall()

    with closing(sqlite3.connect(file)) as connection:
        made = ask("SELECT sql FROM sqlite_master WHERE tbl_name = 'customers' AND sql IS NOT NULL")
        return {
            "schema": [" ".join(sql.split()) for (sql,) in made],
            "customers": ask("SELECT * FROM customers ORDER BY customer_no"),
            "contacts": ask("SELECT COUNT(*) FROM crm_contacts WHERE name <> ''")[0][0],
            "buyers": ask("SELECT COUNT(DISTINCT contact_id) FROM crm_orders")[0][0],
        }


def test_a_second_run_starts_clean_and_ends_with_commands_that_work(
    small: tuple[list[Row], Path], tmp_path: Path
) -> None:
    first_customer = next(row["CustomerID"] for row in small[0] if row["CustomerID"])
    data = write_slice([row for row in small[0] if row["CustomerID"] == first_customer], tmp_path / "data")
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    outputs = [demo("--data", data, "--folder", folder) for _ in range(2)]
    assert [done.returncode for done in outputs] == [0, 0], outputs[-1].stdout + outputs[-1].stderr
    assert (folder / "notes.txt").read_text() == "mine"
    timed = re.compile(r"It took .*|.* per second.*")
    assert timed.sub("", outputs[0].stdout) == timed.sub("", outputs[1].stdout)
    named = re.findall(r"^  (\S*crmkit plugins --check|make \w+)", outputs[1].stdout, re.MULTILINE)
    assert [command.split("/")[-1] for command in named] == [
        "crmkit plugins --check",
        "make demo",
        "make demo",
        "make test",
    ]
    assert subprocess.run(named[0].split(), cwd=ROOT, capture_output=True, check=False).returncode == 0


def test_a_count_that_differs_makes_it_fail(tmp_path: Path, small: tuple[list[Row], Path]) -> None:
    one_day = [row for row in small[0] if row["InvoiceDate"] < "2010-12-02"]
    data = write_slice(one_day, tmp_path / "data")
    sabotage = (
        f"import runpy, sys; sys.path.insert(0, {str(SHOP)!r}); import mail; mail.recipients = lambda maildir: [];"
        f"sys.argv = ['demo', '--data', {str(data)!r}, '--folder', {str(tmp_path / 'shop')!r}];"
        f"runpy.run_path({str(SHOP / '__main__.py')!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", sabotage], capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.count("DIFFERENT") == 1
    assert "Some counts differ" in done.stdout


def test_a_folder_without_invoices_is_refused(tmp_path: Path) -> None:
    done = demo("--data", tmp_path, "--folder", tmp_path / "shop")
    assert done.returncode == 1
    assert "holds no *.csv.gz" in done.stderr


def test_the_excerpt_holds_what_its_script_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SHOP)
    import excerpt

    rows = rows_of(EXCERPT)
    assert all(map(excerpt.kept, rows))
    odd = rows[0] | {"CustomerID": "17851.0"}
    folder = write_slice([odd, *rows[:100]], tmp_path / "whole")
    monkeypatch.setattr(excerpt, "HERE", tmp_path)
    excerpt.main(folder)
    first = (tmp_path / excerpt.MONTH).read_bytes()
    excerpt.main(folder)
    assert (tmp_path / excerpt.MONTH).read_bytes() == first
    assert rows_of(tmp_path / excerpt.MONTH) == rows[:100]
