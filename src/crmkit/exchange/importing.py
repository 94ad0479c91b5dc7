"""Files become contacts: batch by batch, each with its progress in one transaction, so that a killed run goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import attrs

from crmkit.crm import CRM
from crmkit.errors import CrmkitError, TransactionError, ValueRefused
from crmkit.exchange.applying import Outcome, apply
from crmkit.exchange.checks import checked
from crmkit.exchange.incoming import Incoming, Rejected
from crmkit.exchange.plan import Plan
from crmkit.exchange.policy import OnDuplicate
from crmkit.exchange.rejects import Rejects
from crmkit.exchange.report import ImportReport
from crmkit.exchange.sources import Source
from crmkit.sql.imports import Progress, advance_import, begin_import, forget_import
from crmkit.transaction import Transaction

#: Called after each batch with the report so far.
Told = Callable[[ImportReport], object]


def silent(report: ImportReport) -> None:
    """Tell nothing."""


def import_contacts(
    crm: CRM,
    plan: Plan,
    *,
    on_duplicate: OnDuplicate | str = OnDuplicate.FILL,
    dry_run: bool = False,
    again: bool = False,
    batch: int = 1000,
    rejects: Path | None = None,
    actor: str = "system",
    told: Told = silent,
) -> ImportReport:
    """Take the contacts of a file over; the same call after a crash goes on where the last commit was.

    A file that was taken over already with the same options is not read again.

    Args:
        crm: the CRM.
        plan: how the file is read; made by `look`.
        on_duplicate: what is done with rows whose contact is there already.
        dry_run: whether everything is undone at the end; it is one transaction, which holds its locks that long.
        again: whether to begin anew although the file was taken over before, or in part.
        batch: how many rows are committed together.
        rejects: where rejected rows are written; by default beside the file, `FILE.rejects.csv`, of a dry run
            `FILE.dry-run.rejects.csv`.
        actor: who imports, as for `crm.begin`.
        told: called after each batch with the report so far.

    Raises:
        ValueRefused: if the file as a whole cannot be taken.
        Conflict: if another process is importing the same file.
    """
    policy = OnDuplicate(on_duplicate)
    work = partial(_work, crm, policy)
    source = plan.source(crm.new_id)
    run = Run(crm, plan, source, plan.key("contacts", policy), "contacts", work, batch, actor, told)
    path = rejects or rejects_beside(plan, source, dry_run=dry_run)
    return run.dry(path) if dry_run else run.real(path, again=again)


def rejects_beside(plan: Plan, source: Source, *, dry_run: bool) -> Path:
    """Return the file of rejects by default: a dry run has its own, so that it spoils none that somebody mends."""
    return Path(f"{plan.path}{'.dry-run' if dry_run else ''}{source.suffix}")


#: Applies raw rows in a transaction; called again row by row if the whole is refused.
Work = Callable[[Transaction, Source, Sequence[Any]], list[Outcome]]


def _work(
    crm: CRM, policy: OnDuplicate, tx: Transaction, source: Source, raws: Sequence[Any]
) -> list[Outcome]:
    rows = [_checked(crm, source.read(raw)) for raw in raws]
    try:
        return apply(tx, rows, policy)
    except TransactionError:
        raise
    except CrmkitError:  # something that only shows when it is written: find out which row it is
        return [_alone(tx, row, policy) for row in rows]


def _alone(tx: Transaction, row: Incoming | Rejected, policy: OnDuplicate) -> Outcome:
    try:
        return apply(tx, [row], policy)[0]
    except TransactionError:
        raise
    except CrmkitError as error:
        return Outcome(Rejected(row.line, str(error), row.raw), "rejected")


def _checked(crm: CRM, row: Incoming | Rejected) -> Incoming | Rejected:
    try:
        return row if isinstance(row, Rejected) else checked(crm, row)
    except ValueRefused as error:
        return Rejected(row.line, str(error), row.raw)


@attrs.define
class Run:
    """One run over a file.

    Args:
        crm: the CRM.
        plan: how the file is read.
        source: the file.
        key: what the import is known by.
        what: contacts or orders.
        work: applies raw rows in a transaction.
        size: how many rows make a batch.
        actor: who imports.
        told: called after each batch.
    """

    crm: CRM
    plan: Plan
    source: Source
    key: str
    what: str
    work: Work
    size: int
    actor: str
    told: Told

    def real(self, path: Path, *, again: bool) -> ImportReport:
        """Take the file over, and leave the rejects at `path`."""
        self._refuse_itself(path)
        progress = self.crm.transact(partial(self._begin, again=again), actor=self.actor)
        report = ImportReport.of(progress.report)
        report.rejects = str(path) if progress.rejects_size else ""
        if progress.finished:
            report.repeated = True
            return report
        report.resumed_from = progress.taken
        with Rejects(path, self.source, progress.rejects_size) as rejects:
            for raws, last in _batches(self.source.rows(), progress.taken, self.size):
                progress, report = self.crm.transact(
                    partial(
                        self._batch, raws=raws, last=last, progress=progress, report=report, rejects=rejects
                    ),
                    actor=self.actor,
                )
                report.rejects = str(path) if rejects.size else ""
                self.told(report)
        return report

    def dry(self, path: Path) -> ImportReport:
        """Do everything in one transaction and undo it; write the rejects all the same."""
        self._refuse_itself(path)
        report = ImportReport(dry_run=True)
        with Rejects(path, self.source, 0) as rejects:
            try:
                with self.crm.begin(actor=self.actor) as tx:
                    for raws, _ in _batches(self.source.rows(), 0, self.size):
                        self._take(tx, raws, report, rejects)
                        self.told(report)
                    raise _Undone
            except _Undone:
                report.rejects = str(path) if rejects.size else ""
        return report

    def _refuse_itself(self, path: Path) -> None:
        if path.exists() and path.samefile(self.plan.path):
            raise ValueRefused(f"rejected rows would overwrite the file itself, {str(path)!r}; name another")

    def _begin(self, tx: Transaction, *, again: bool) -> Progress:
        if again:
            forget_import(tx.sql, self.key)
        return begin_import(tx.sql, self.key, self.what, self.plan.path.name, tx.now)

    def _batch(
        self,
        tx: Transaction,
        *,
        raws: Sequence[Any],
        last: bool,
        progress: Progress,
        report: ImportReport,
        rejects: Rejects,
    ) -> tuple[Progress, ImportReport]:
        rejects.cut(progress.rejects_size)
        for counter, known in (
            (self.source.left_out, report.left_out),
            (self.source.ignored, report.ignored),
        ):
            counter.clear()  # of an attempt that was undone
            counter.update(known)
        so_far = attrs.evolve(report, warnings=list(report.warnings), reasons=list(report.reasons))
        self._take(tx, raws, so_far, rejects)
        after = Progress(
            taken=progress.taken + len(raws),
            rejects_size=rejects.size,
            finished=last,
            report=so_far.counts(),
        )
        advance_import(tx.sql, self.key, progress.taken, after, tx.now)
        return after, so_far

    def _take(self, tx: Transaction, raws: Sequence[Any], report: ImportReport, rejects: Rejects) -> None:
        outcomes = self.work(tx, self.source, raws)
        report.orders += len(raws) if self.what == "orders" else 0
        for one in outcomes:
            if isinstance(one.row, Rejected):
                report.reject(one.row.line, one.row.reason)
            else:
                report.count(one.what)
                for text in one.warnings:
                    report.warn(one.row.line, text)
        rejects.write([one.row for one in outcomes if isinstance(one.row, Rejected)])
        report.left_out, report.ignored = self.source.left_out.copy(), self.source.ignored.copy()


class _Undone(Exception):
    pass


def _batches(rows: Iterator[Any], skip: int, size: int) -> Iterator[tuple[list[Any], bool]]:
    """Yield rows in lists, and whether a list is the last one; at least one list."""
    rest = islice(rows, skip, None)
    taken = list(islice(rest, size))
    while True:
        following = list(islice(rest, size))
        yield taken, not following
        if not following:
            return
        taken = following
