"""The file in which rejected rows stand with the reason, so that they can be mended and imported again."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from crmkit.errors import ValueRefused
from crmkit.exchange.incoming import Rejected
from crmkit.exchange.sources import Source


class Rejects:
    """Writes rejected rows; what it has written is on the disk before the batch is committed.

    Args:
        path: where; it is made when the first row is rejected.
        source: knows how its rows are written.
        size: how many bytes of it are good: what a run that was killed wrote after its last commit is cut off.
    """

    def __init__(self, path: Path, source: Source, size: int) -> None:
        self._path = path
        self._source = source
        self._file: IO[bytes] | None = None
        self.size = size

    def __enter__(self) -> Self:
        if not self.size:
            self._path.unlink(missing_ok=True)
        elif not self._path.exists() or self._path.stat().st_size < self.size:
            raise ValueRefused(
                f"rows that the run before has rejected are no longer in {str(self._path)!r}; name the file where "
                "they are, or begin anew (--again)"
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()

    def write(self, rows: list[Rejected]) -> None:
        """Write rows and see them on the disk."""
        if not rows:
            return
        file = self._file or self._open()
        for row in rows:
            text = (self._source.head() if not self.size else "") + self._source.rejected(row)
            self.size += file.write(text.encode("utf-8", "backslashreplace"))
        file.flush()
        os.fsync(file.fileno())

    def cut(self, size: int) -> None:
        """Forget what was written after so many bytes: its batch was undone."""
        if self._file and self.size != size:
            self._file.truncate(size)
            self._file.seek(size)
        self.size = size

    def _open(self) -> IO[bytes]:
        try:
            self._file = file = self._path.open("r+b" if self.size else "wb")
        except OSError as error:
            raise ValueRefused(f"file of rejects {str(self._path)!r} cannot be written: {error}") from error
        file.truncate(self.size)
        file.seek(self.size)
        return file
