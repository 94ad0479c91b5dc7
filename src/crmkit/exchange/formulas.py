"""Cells that a spreadsheet would run as formulas, made harmless and read back."""

from __future__ import annotations

#: What a formula can begin with; the wide signs are taken for the others in some languages.
_BEGINNINGS = frozenset("=+-@\t\r\n＝＋－＠")


def guarded(cell: str) -> str:
    """Return a cell that no spreadsheet runs: an apostrophe stands before what looks like a formula."""
    return f"'{cell}" if _runs(cell) else cell


def unguarded(cell: str) -> str:
    """Return a cell as it was before `guarded`."""
    return cell[1:] if cell.startswith("'") and _runs(cell) else cell


def _runs(cell: str) -> bool:
    # one apostrophe more before those that begin with apostrophes and a sign, so that none is lost on the way back
    return cell.lstrip("'")[:1] in _BEGINNINGS and cell not in ("", "'" * len(cell))
