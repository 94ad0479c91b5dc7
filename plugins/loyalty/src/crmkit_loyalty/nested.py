"""Groups of settings within the plugin's, such as settings['loyalty']['tiers']."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from crmkit import SettingsError

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


def refused(group: str, name: str, value: object, right: str) -> SettingsError:
    """Return the error for a setting of a group: where it stands, its value and what would have been right."""
    return SettingsError(f"settings['loyalty'][{group!r}][{name!r}] is {value!r}; {right}")


def group(cls: type[T], name: str, value: object) -> T:
    """Return a group of settings of a mapping, or of an instance.

    Args:
        cls: an attrs class.
        name: the group's.
        value: as the host gave it.

    Raises:
        SettingsError: if it is neither, or names a setting that there is not.
    """
    if isinstance(value, cls):
        return value
    known = [field.name for field in attrs.fields(cls)]  # type: ignore[arg-type]
    if not isinstance(value, Mapping):
        raise SettingsError(
            f"settings['loyalty'][{name!r}] is {value!r}; must be a mapping of {', '.join(known)}"
        )
    for key in value:
        if key not in known:
            raise SettingsError(
                f"settings['loyalty'][{name!r}] has no setting {key!r}; known are: {', '.join(known)}"
            )
    return cls(**value)


def whole(group: str, name: str, least: int, greatest: int, *, none: bool = False) -> Callable[[Any], Any]:
    """Return the converter that lets whole numbers of a range through, and None if `none` says so."""
    right = f"must be a whole number from {least} to {greatest}" + (", or None" if none else "")

    def check(value: Any) -> Any:
        if (value is None and none) or (type(value) is int and least <= value <= greatest):
            return value
        raise refused(group, name, value, right)

    return check


def chosen(kind: type[E], group: str, name: str) -> Callable[[Any], E]:
    """Return the converter to a member of an enum."""

    def check(value: Any) -> E:
        try:
            return kind(value)
        except ValueError:
            raise refused(group, name, value, f"must be one of: {', '.join(kind)}") from None

    return check


def zone(value: Any) -> str:
    """Return the name of an IANA zone.

    Raises:
        SettingsError: if it is none.
    """
    try:
        return ZoneInfo(value).key
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        raise SettingsError(
            f"settings['loyalty']['zone'] is {value!r}; must be an IANA time zone such as 'Europe/London'"
        ) from None
