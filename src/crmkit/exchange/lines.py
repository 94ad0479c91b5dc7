"""The lines of a file, one after another in bounded memory, whatever its encoding and line ends."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import attrs

from crmkit.errors import ValueRefused
from crmkit.exchange.limits import Limits

_CHUNK = 1 << 18
_SHOWN = 200  # characters that are kept of a line too long to take


@attrs.frozen
class Line:
    """One line of a file.

    Args:
        number: counted from 1.
        text: its characters with the line end; of a faulty line as much as can be shown.
        fault: why it cannot be taken; empty if it can.
    """

    number: int
    text: str
    fault: str = ""


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to read its bytes, unpacked if it is gzip.

    Raises:
        ValueRefused: if it cannot be opened.
    """
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if not packed:
                yield raw
                return
            with gzip.open(raw) as unpacked:
                yield unpacked  # type: ignore[misc]
    except (OSError, EOFError, zlib.error) as error:
        raise ValueRefused(f"file {str(path)!r} cannot be read: {error}") from error


def read_lines(source: IO[bytes], encoding: str, limits: Limits) -> Iterator[Line]:
    """Yield the lines of a file; one that is too long or not in the encoding has a fault.

    Args:
        source: the bytes from their beginning.
        encoding: as Python names it; a byte order mark is dropped.
        limits: a line's greatest length.
    """
    wide = encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32"))
    chunks = _recoded(source, encoding, limits) if wide else _chunks(source, limits)
    one = "utf-8" if wide else encoding
    for number, (raw, cut) in enumerate(_split(chunks, limits.line), start=1):
        text, fault = _decoded(raw, one, first=number == 1)
        if cut:
            fault = f"the line has more than {limits.line} bytes"
            text = text[:_SHOWN] + "…"
        yield Line(number, text, fault)


def _chunks(source: IO[bytes], limits: Limits) -> Iterator[bytes]:
    total = 0
    while chunk := source.read(_CHUNK):
        total += len(chunk)
        if total > limits.unpacked:
            raise ValueRefused(f"the file comes to more than {limits.unpacked} bytes; split it")
        yield chunk


def _recoded(source: IO[bytes], encoding: str, limits: Limits) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for chunk in _chunks(source, limits):
        yield decoder.decode(chunk).encode("utf-8", "replace")
    yield decoder.decode(b"", True).encode("utf-8", "replace")


def _split(chunks: Iterator[bytes], limit: int) -> Iterator[tuple[bytes, bool]]:
    """Yield lines with their ends, and whether one was cut at the limit; ends are LF, CRLF or a lone CR."""
    rest, cut, bare = b"", False, False
    first = True
    for chunk in chunks:
        if first:
            bare, first = b"\n" not in chunk and b"\r" in chunk, False
        if cut and b"\n" not in chunk and not bare:
            continue  # the rest of a line that is too long
        data = rest + (chunk.replace(b"\r", b"\n") if bare else chunk)
        *whole, rest = data.split(b"\n")
        for line in whole:
            yield line[:limit] + b"\n", cut or len(line) > limit
            cut = False
        if len(rest) > limit:
            rest, cut = rest[:limit], True
    if rest:
        yield rest, cut


def _decoded(raw: bytes, encoding: str, *, first: bool) -> tuple[str, str]:
    fault = ""
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        text = raw.decode("cp1252", "replace")
        found = f"byte {error.object[error.start]:#04x} at {error.start}"
        fault = f"{found} is not {encoding}; save the file in one encoding"
    if first:
        text = text.removeprefix("\ufeff")
    if "\x00" in text:
        fault = f"the line holds a NUL byte, at position {text.index(chr(0))}"
        text = text[:_SHOWN].replace("\x00", "\ufffd")
    return text, fault
