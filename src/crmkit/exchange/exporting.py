"""Contacts become files, page by page, in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import IO, Any
from uuid import UUID

from crmkit.crm import CRM
from crmkit.errors import ValueRefused
from crmkit.exchange.cards_out import vcard
from crmkit.exchange.documents import Exported, columns, document, row
from crmkit.exchange.formulas import guarded
from crmkit.exchange.gathering import gathered
from crmkit.exchange.sources import csv_line
from crmkit.transaction import Transaction
from crmkit.transaction.questions import SegmentMember

FORMATS = ("csv", "vcard", "jsonl")


def export_contacts(
    crm: CRM,
    out: IO[str],
    *,
    format: str = "csv",
    raw: bool = False,
    segment: str = "",
    page: int = 500,
    told: Callable[[int], object] = bool,
) -> int:
    """Write contacts to a file or another stream, in the order of their ids; return how many.

    Args:
        crm: the CRM.
        out: takes text; opened with `newline=""`.
        format: csv, vcard (4.0) or jsonl.
        raw: whether cells of CSV that a spreadsheet would run as formulas are written as they are.
        segment: the name of a segment; by default all contacts.
        page: how many are read at once.
        told: called after each page with how many are written so far.

    Raises:
        ValueRefused: if the format is none of these.
        NotFound: if there is no such segment.
    """
    if format not in FORMATS:
        raise ValueRefused(f"format {format!r} must be one of {', '.join(FORMATS)}")
    if segment:
        crm.transact(lambda tx: tx.segments.get(segment))  # before anything is written
    custom = sorted(crm.registry.custom_fields)
    write = _writer(format, custom, raw=raw)
    if format == "csv":
        out.write(csv_line(columns(custom), ","))
    count = 0
    for contacts in _pages(crm, segment, page):
        out.write("".join(map(write, contacts)))
        count += len(contacts)
        told(count)
    return count


def _writer(format: str, custom: Sequence[str], *, raw: bool) -> Callable[[Exported], str]:
    if format == "vcard":
        return vcard
    if format == "jsonl":
        return lambda one: json.dumps(document(one), ensure_ascii=False) + "\n"
    guard: Callable[[str], str] = str if raw else guarded
    return lambda one: csv_line([guard(cell) for cell in row(one, custom)], ",")


def _pages(crm: CRM, segment: str, size: int) -> Iterator[list[Exported]]:
    """Yield pages of contacts, each read in a transaction of its own, so that nobody waits for a long export."""
    page: Any = partial(_members, segment) if segment else _contacts
    after: Any = None
    while True:
        found, after = crm.transact(partial(page, after=after, size=size))
        yield found
        if after is None:
            return


def _contacts(tx: Transaction, *, after: UUID | None, size: int) -> tuple[list[Exported], UUID | None]:
    contacts = tx.contacts.page(after=after, limit=size)
    return gathered(tx, contacts, in_order=True), contacts[-1].id if len(contacts) == size else None


def _members(
    segment: str, tx: Transaction, *, after: SegmentMember | None, size: int
) -> tuple[list[Exported], SegmentMember | None]:
    members = tx.segments.members(segment, after=after, limit=size)
    found = tx.contacts.get_many([one.id for one in members])
    contacts = list({contact.id: contact for contact in found.values()}.values())
    return gathered(tx, contacts, in_order=False), members[-1] if len(members) == size else None
