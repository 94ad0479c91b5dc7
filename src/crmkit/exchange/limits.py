"""How much of a file is taken at once: what a stranger can send must not fill the memory."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Limits:
    """The greatest sizes that are read; what is larger is refused with its line number.

    Args:
        line: bytes of one line of the file.
        record: bytes of one row or card, which may stand on several lines.
        lines: lines of one row of CSV or one card.
        columns: cells of one row.
        unpacked: bytes that a compressed file may come to.
    """

    line: int = 1_000_000
    record: int = 4_000_000
    lines: int = 20_000
    columns: int = 1_000
    unpacked: int = 20_000_000_000
