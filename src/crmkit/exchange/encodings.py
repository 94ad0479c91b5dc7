"""Which encoding a file is in, and what its bytes come to."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import attrs

from crmkit.errors import ValueRefused
from crmkit.exchange.limits import Limits
from crmkit.exchange.lines import opened

_CHUNK = 1 << 20
_SAMPLE = 1 << 16
_COMMON = "cp1252"  # what spreadsheets save in the West, where nothing is known better
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: Encodings that a guess may name: those in which spreadsheets and address books still save.
_CANDIDATES = (
    "cp1252 cp1250 cp1251 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 cp874 iso8859_2 iso8859_15 koi8_r "
    "mac_roman shift_jis euc_jp gb18030 big5 euc_kr"
).split()


@attrs.frozen
class Look:
    """What a first look at a whole file tells.

    Args:
        digest: SHA-256 of the file, in hexadecimal.
        encoding: the one it seems to be in.
        sure: whether that is certain and not a guess.
        sample: the first bytes.
        marked: whether a byte order mark says so.
    """

    digest: str
    encoding: str
    sure: bool
    sample: bytes
    marked: bool = False


def look_at(path: Path, limits: Limits) -> Look:
    """Read a file once in bounded memory, and return what it is.

    Args:
        path: the file.
        limits: how much a compressed one may come to.

    Raises:
        ValueRefused: if it cannot be read, or comes to more.
    """
    if not path.is_file():
        raise ValueRefused(f"file {str(path)!r} does not exist or is no regular file")
    digest = sha256()
    with path.open("rb") as raw:
        while chunk := raw.read(_CHUNK):
            digest.update(chunk)
    with opened(path) as source:
        sample = source.read(_SAMPLE)
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            return Look(digest.hexdigest(), encoding, True, sample, marked=True)
    encoding, sure = _unmarked(path, sample, limits)
    return Look(digest.hexdigest(), encoding, sure, sample)


def _unmarked(path: Path, sample: bytes, limits: Limits) -> tuple[str, bool]:
    zeros = [sample[start::2].count(0) for start in (0, 1)]
    for zero, encoding in zip(zeros, ("utf-16-be", "utf-16-le"), strict=True):
        if len(sample) >= 4 and zero > len(sample) * 0.3 and sum(zeros) - zero < len(sample) * 0.05:
            return encoding, False
    foreign = _not_utf8(path, limits)
    if not foreign:
        return "utf-8", True
    if any(_is_utf8(line) and not line.isascii() for line in sample.splitlines()):
        return "utf-8", True  # a file of several encodings: lines in another one are reported one by one
    return _guess(foreign), False


def _not_utf8(path: Path, limits: Limits) -> bytes:
    """Return a sample of the chunks that are not UTF-8; empty if the whole file is."""
    found, decoder = bytearray(), codecs.getincrementaldecoder("utf-8")()
    for chunk in _every(path, limits):
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError:
            decoder.reset()
            found += b"\n".join(line for line in chunk.splitlines() if not line.isascii())[:_SAMPLE]
            if len(found) >= _SAMPLE:
                break
    return bytes(found)


def _every(path: Path, limits: Limits) -> Iterator[bytes]:
    total = 0
    with opened(path) as source:
        while chunk := source.read(_CHUNK):
            total += len(chunk)
            if total > limits.unpacked:
                raise ValueRefused(f"file {str(path)!r} comes to more than {limits.unpacked} bytes; split it")
            yield chunk


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _guess(foreign: bytes) -> str:
    try:
        guesser: Any = import_module("charset_normalizer")
    except ImportError:
        return _COMMON
    best = guesser.from_bytes(foreign, cp_isolation=_CANDIDATES).best()
    return str(best.encoding) if best is not None else _COMMON
