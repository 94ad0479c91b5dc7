"""Make the excerpt in `data/` from the whole month: `python excerpt.py FOLDER`, which holds 2010-12.csv.gz.

Kept are all lines of customers with an even number, and, of invoices without a customer, those with an even
number. So every customer who is in the excerpt is in it with everything they bought and returned that month.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
from pathlib import Path

MONTH = "2010-12.csv.gz"
HERE = Path(__file__).resolve().parent / "data"


def kept(row: dict[str, str]) -> bool:
    """Return whether a line belongs to the excerpt."""
    number = row["CustomerID"].partition(".")[0] or row["InvoiceNo"].lstrip("C")
    return int(number) % 2 == 0


def main(folder: Path) -> None:
    """Read the month from `folder` and write the excerpt beside this script, the same bytes each time."""
    with gzip.open(folder / MONTH, "rt", encoding="utf-8", newline="") as source:
        rows = csv.DictReader(source)
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, rows.fieldnames or (), lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for row in rows if kept(row))
    HERE.mkdir(exist_ok=True)
    (HERE / MONTH).write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
