"""What stands in the database, and the laws that its rows keep at every moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import select

from crmkit import Transaction
from crmkit.testing import loyalty_law
from crmkit_loyalty.ledger import HELD, Account, Kind
from crmkit_loyalty.testing.programme import UNITS

#: The rows of each table.
Rows = dict[str, list[dict[str, Any]]]
#: What can be compared.
State = Mapping[str, set[str]]
_COLUMNS = {
    "loyalty_transactions": ("id", "key", "kind", "contact_id", "unit", "content"),
    "loyalty_lots": (
        "id",
        "contact_id",
        "unit",
        "quantity",
        "transaction_id",
        "subject_id",
        "active_from",
        "expires_at",
    ),
    "loyalty_postings": ("transaction_id", "n", "contact_id", "unit", "account", "lot_id", "amount"),
    # a wallet's revision tells of writes, it is no part of what is held
    "loyalty_wallets": ("contact_id", "unit"),
    "loyalty_timers": ("id", "kind", "at"),
    "orders": ("id", "key", "state", "total", "refunded"),
    "events": ("id", "key"),
}
_APPENDED = ("loyalty_transactions", "loyalty_lots", "loyalty_postings", "events")


def hold(number: int, what: str, found: object, expected: object) -> None:
    """Compare the two sides of the law with that number; raise LawBroken if they differ."""
    if found != expected:
        loyalty_law(number).check(what, found, expected)


def read(tx: Transaction) -> Rows:
    """Return the rows of the ledger, the orders and the log."""
    found = {}
    for name, columns in _COLUMNS.items():
        table = tx.table(name)
        if "read" not in table.info:  # a statement that is built once is compiled once
            table.info["read"] = select(*(table.c[column] for column in columns))
        found[name] = [dict(zip(columns, row, strict=True)) for row in tx.sql.execute(table.info["read"])]
    return found


def digest(rows: Rows) -> dict[str, set[str]]:
    """Return a state that can be compared."""
    return {name: {repr(tuple(row.values())) for row in found} for name, found in rows.items()}


def totals(rows: Rows, by: Callable[[dict[str, Any]], Any]) -> Counter[Any]:
    """Return sums of postings by what `by` answers."""
    sums: Counter[Any] = Counter()
    for posting in rows["loyalty_postings"]:
        sums[by(posting)] += posting["amount"]
    return sums


def law_1_transactions_add_up_to_zero(rows: Rows) -> None:
    sums = totals(rows, lambda p: (p["transaction_id"], p["unit"]))
    hold(1, "transactions that do not add up", {key: n for key, n in sums.items() if n}, {})


def law_2_nothing_is_lost(rows: Rows) -> None:
    sums = totals(rows, lambda p: (p["unit"], p["account"]))
    for unit in UNITS:
        handed = {row["id"] for row in rows["loyalty_transactions"] if row["kind"] == Kind.TRANSFER}
        lots = [lot for lot in rows["loyalty_lots"] if lot["unit"] == unit]
        issued = sum(lot["quantity"] for lot in lots if lot["transaction_id"] not in handed)
        kept = sum(sums[unit, account] for account in Account if account is not Account.ISSUANCE)
        # what is corrected downwards is owed or taken from a lot, and was issued before
        hold(2, f"{unit} issued = held + redeemed + expired + clawed - owed", kept, issued)
        hold(2, f"{unit} handed on, less what came in", sums[unit, Account.TRANSFERRED], 0)


def law_4_rows_only_come(before: Mapping[str, set[str]], after: Mapping[str, set[str]]) -> None:
    gone = {name: sorted(before[name] - after[name]) for name in _APPENDED if before[name] - after[name]}
    hold(4, "rows changed or deleted", gone, {})


def law_5_lots_hold(rows: Rows) -> None:
    left = totals(rows, lambda p: (p["account"], p["lot_id"]))
    for lot in rows["loyalty_lots"]:
        kept = [left[account, lot["id"]] for account in HELD]
        n = sum(kept)
        hold(5, f"0 <= {n} left <= {lot['quantity']}", 0 <= n <= lot["quantity"], True)
        hold(5, f"no part of a lot is below 0 in {kept}", min(kept) >= 0, True)
    burnt = totals(rows, lambda p: (p["transaction_id"], p["account"], p["lot_id"] is not None))
    for one in rows["loyalty_transactions"]:
        if one["kind"] == Kind.REDEEM:
            parts = -burnt[one["id"], Account.ACTIVE, True], burnt[one["id"], Account.REDEEMED, False]
            hold(5, "a burn's lots and its amount", parts, (one["content"]["amount"],) * 2)


def law_10_reservations_end_once(rows: Rows) -> None:
    sums = totals(rows, lambda p: (p["transaction_id"], p["account"]))
    keys = {row["key"]: row for row in rows["loyalty_transactions"]}
    open_ = 0
    for row in rows["loyalty_transactions"]:
        if row["kind"] == Kind.RESERVE:
            end = keys.get("end:" + row["key"].removeprefix("redeem:"))
            aside = sums[row["id"], Account.RESERVED]
            open_ += aside if end is None else 0
            if end is not None:
                hold(10, f"{row['key']} ended", -sums[end["id"], Account.RESERVED], aside)
    kept = totals(rows, lambda p: p["account"])[Account.RESERVED]
    hold(10, "what is reserved, and what open reservations have set aside", kept, open_)


def law_11_no_floats(rows: Rows) -> None:
    floats = [p for p in rows["loyalty_postings"] if type(p["amount"]) is not int]
    hold(11, "amounts that are no whole numbers", floats, [])


def law_46_returned_once_and_exactly(rows: Rows, cancelled: Mapping[str, int]) -> None:
    spent = totals(rows, lambda p: (p["transaction_id"], p["account"]))
    kinds = {row["key"]: row["id"] for row in rows["loyalty_transactions"]}
    returns = [row for row in rows["loyalty_transactions"] if row["kind"] == Kind.RETURN]
    hold(46, "returns are as many as cancelled redemptions", len(returns), len(cancelled))
    for key, amount in cancelled.items():
        back = spent[kinds.get(f"return:{key}"), Account.REDEEMED]
        hold(46, f"redemption {key} returned", -back, amount)
