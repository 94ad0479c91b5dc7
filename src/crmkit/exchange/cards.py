"""The cards of a vCard file, 2.1 to 4.0, and their properties.

The texts within a property are read by vobject. What stands before them is read here, because no parser reads every
file that address books write, and some need hours for a hostile line: lines are unfolded, quoted-printable text is
decoded, and pictures, sounds and keys are left out before they fill the memory.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from quopri import decodestring
from types import SimpleNamespace
from typing import Any

import attrs

from crmkit.errors import ConfigError
from crmkit.exchange.limits import Limits
from crmkit.exchange.lines import Line

#: Properties that hold a picture, a sound or a key: left out on purpose, and counted.
BINARY = ("PHOTO", "LOGO", "SOUND", "KEY")

_NAME = re.compile(r"^(?:[A-Za-z0-9-]+\.)?([A-Za-z0-9_-]+)[;:]")
_WORD = re.compile(r"[A-Za-z0-9_-]+")
_QUOTED = re.compile(r"^[^:]*;(?:ENCODING=)?QUOTED-PRINTABLE[;:]", re.IGNORECASE)
_BASE64 = re.compile(r"^[^:]*;(?:ENCODING=)?(?:BASE64|B)[;:]", re.IGNORECASE)
_PLAIN_BASE64 = re.compile(r"^[A-Za-z0-9+/=]+$")
_NAMED, _WITHIN = 1, 2  # how far a card within a card, 2.1's AGENT, has come
_ENCODINGS = ("QUOTED-PRINTABLE", "BASE64", "8BIT", "7BIT", "B")
_CARET = {"^n": "\n", "^N": "\n", "^^": "^", "^'": '"'}


@attrs.frozen
class Property:
    """One property of a card.

    Args:
        name: in capitals.
        value: decoded, but for the backslashes of its parts.
        parameters: by name in capitals; a type without a name, as in 2.1, stands under TYPE.
        group: what stands before the name with a point between, or empty.
    """

    name: str
    value: str
    parameters: Mapping[str, tuple[str, ...]]
    group: str = ""

    @property
    def types(self) -> tuple[str, ...]:
        """What its TYPE says, in small letters."""
        values = self.parameters.get("TYPE", ())
        return tuple(word.strip().lower() for value in values for word in value.split(",") if word.strip())

    def text(self) -> str:
        """Return the value as one text."""
        return grammar().icalendar.stringToTextValues(self.value, listSeparator="\x00")[0]  # type: ignore[no-any-return]

    def parts(self, separator: str = ";") -> list[str]:
        """Return the parts of the value; one that is a list reads with spaces between."""
        if separator != ";":
            return [
                text.strip()
                for text in grammar().icalendar.stringToTextValues(self.value, listSeparator=separator)
            ]
        return [
            " ".join(part) if isinstance(part, list) else str(part)
            for part in grammar().vcard.splitFields(self.value)
        ]


@attrs.frozen(kw_only=True)
class Card:
    """One card of a file.

    Args:
        line: the number of its BEGIN.
        properties: in their order.
        left_out: how many pictures, sounds and keys were left out, by property.
        fault: why it cannot be taken; empty if it can.
        raw: its lines, without what was left out.
    """

    line: int
    properties: tuple[Property, ...] = ()
    left_out: Counter[str] = attrs.field(factory=Counter)
    fault: str = ""
    raw: tuple[str, ...] = ()


def read_cards(lines: Iterable[Line], limits: Limits) -> Iterator[Card]:
    """Yield every card; what stands between cards is a faulty one of its own.

    Args:
        lines: of the file.
        limits: how much one card may be.
    """
    open_: _Open | None = None
    for line in lines:
        word = line.text.strip().upper()
        if word == "BEGIN:VCARD" and not (open_ and open_.agent):
            if open_:
                yield open_.card("the card has no END:VCARD")
            open_ = _Open(line.number, limits)
            open_.raw.append("BEGIN:VCARD")
        elif open_ is None:
            if word:
                said = line.fault or "the line stands outside of every card: BEGIN:VCARD is missing"
                yield Card(line=line.number, fault=said, raw=(line.text.rstrip("\r\n"),))
        elif open_.take(line, word):
            yield open_.card("")
            open_ = None
    if open_:
        yield open_.card("the card has no END:VCARD")


@attrs.define
class _Open:
    """A card that is being read."""

    line: int
    limits: Limits
    raw: list[str] = attrs.field(factory=list)
    logical: list[str] = attrs.field(factory=list)
    left_out: Counter[str] = attrs.field(factory=Counter)
    agent: int = 0
    fault: str = ""
    _skipping: bool = False
    _soft: bool = False
    _size: int = 0
    _lines: int = 0

    def take(self, line: Line, word: str) -> bool:
        """Take a line; return whether it ends the card."""
        if word == "BEGIN:VCARD":
            self.agent = _WITHIN
        elif word == "END:VCARD":
            if self.agent < _WITHIN:
                self.raw.append("END:VCARD")
                return True
            self.agent = 0
            return False
        if self.agent == _WITHIN or not self._fits(line):
            return False
        self._add(line)
        return False

    def _fits(self, line: Line) -> bool:
        text = line.text.rstrip("\r\n")
        if self._skips(text):
            return False
        self._lines += 1
        self._size += len(text)
        if line.fault:
            self.fault = self.fault or f"line {line.number}: {line.fault}"
            self.raw.append(text)
            return False
        if self._lines > self.limits.lines or self._size > self.limits.record:
            self.fault = f"the card has more than {self.limits.lines} lines or {self.limits.record} bytes"
            return False
        self.raw.append(text)
        return True

    def _skips(self, text: str) -> bool:
        """Return whether a line belongs to a picture, a sound or a key, however long it is."""
        if self._skipping:
            if text[:1] in (" ", "\t") or not text.strip() or _PLAIN_BASE64.match(text):
                return True
            self._skipping = False
        if self._soft:
            return False
        found = _NAME.match(text)
        name = found[1].upper() if found else ""
        if name == "AGENT":
            self.agent = _NAMED
            self.left_out["AGENT"] += 1
        if name not in BINARY and not (found and _BASE64.match(text[:2000])):
            return name == "AGENT"
        self.left_out[name] += 1
        self._skipping = True
        return True

    def _add(self, line: Line) -> None:
        text = line.text.rstrip("\r\n")
        if self._soft:
            self._soft = text.endswith("=")
            self.logical[-1] = self.logical[-1][:-1] + text
        elif text[:1] in (" ", "\t") and self.logical:
            self.logical[-1] += text[1:]
            self._soft = bool(_QUOTED.match(self.logical[-1][:2000])) and text.endswith("=")
        elif text.strip():
            self.logical.append(text)
            self._soft = bool(_QUOTED.match(text[:2000])) and text.endswith("=")

    def card(self, fault: str) -> Card:
        """Return the card."""
        fault, properties = self.fault or fault, []
        for text in () if fault else self.logical:
            try:
                properties.append(read_property(text))
            except ValueError as error:
                fault = fault or str(error)
        return Card(
            line=self.line,
            properties=tuple(properties),
            left_out=self.left_out,
            fault=fault,
            raw=tuple(self.raw),
        )


def read_property(text: str) -> Property:
    """Return the property of an unfolded line.

    Raises:
        ValueError: if it is none.
    """
    group, name, parameters, value = _split(text)
    found: dict[str, list[str]] = {}
    for parameter in parameters:
        key, equals, values = parameter.partition("=")
        if equals:
            texts = (one.strip('"') for one in _parts(values, ","))
            found.setdefault(key.strip().upper(), []).extend(_uncareted(one) for one in texts)
        elif key:
            found.setdefault("ENCODING" if key.upper() in _ENCODINGS else "TYPE", []).append(key)
    if "QUOTED-PRINTABLE" in [one.upper() for one in found.get("ENCODING", ())]:
        value = _unquoted(value, found.get("CHARSET", ["utf-8"])[0])
    given = {key: tuple(values) for key, values in found.items()}
    return Property(name.upper().replace("_", "-"), value, given, group.lower())


def _split(text: str) -> tuple[str, str, list[str], str]:
    """Return group, name, parameters and value; vobject's own grammar takes hours for some hostile parameters.

    Raises:
        ValueError: if the line has no name and value.
    """
    head, *_ = found = _parts(text, ":", most=1)
    first, *parameters = _parts(head, ";")
    group, point, name = first.strip().rpartition(".")
    if len(found) < 2 or not _WORD.fullmatch(name) or (point and not _WORD.fullmatch(group)):
        raise ValueError(f"{text[:60]!r} is no property: NAME;PARAMETER=VALUE:VALUE")
    return group, name, parameters, found[1]


def _parts(text: str, sign: str, most: int = -1) -> list[str]:
    """Return what stands between signs that are not within double quotes."""
    if '"' not in text.partition(sign)[0] and (most == 1 or '"' not in text):
        return text.split(sign, most)
    found, start, quoted = [], 0, False
    for place, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif char == sign and not quoted:
            found.append(text[start:place])
            start = place + 1
            if most == 1:
                break
    return [*found, text[start:]]


def _uncareted(value: str) -> str:
    """RFC 6868: how parameters write line breaks, quotes and carets."""
    return re.sub(r"\^[nN^']", lambda found: _CARET[found[0]], value) if "^" in value else value


def _unquoted(value: str, charset: str) -> str:
    raw = decodestring(value.encode("utf-8", "replace").rstrip(b"="))
    try:
        return raw.decode(charset, "replace")
    except LookupError:  # no such charset
        return raw.decode("utf-8", "replace")


@cache
def grammar() -> Any:
    """Return vobject's modules: the grammar of content lines, of lists of texts, and of structured values.

    Raises:
        ConfigError: if it is not installed.
    """
    try:
        modules = {name: import_module(f"vobject.{name}") for name in ("base", "icalendar", "vcard")}
    except ImportError:
        raise ConfigError("vCards are read and written with vobject: install crmkit[exchange]") from None
    return SimpleNamespace(**modules)
