"""Policies of retention: how long which rows are kept, and what becomes of them then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

import attrs

from crmkit.errors import ValueRefused
from crmkit.text import clean

#: The table of whose rows a policy with `RetentionAction.ERASE` is about.
CONTACTS = "contacts"
#: Counts a contact's age from the last thing that happened with it.
ACTIVITY = "activity"


class RetentionAction(StrEnum):
    """What becomes of rows whose time is over."""

    DELETE = "delete"  #: the rows are deleted
    ANONYMISE = "anonymise"  #: what they hold of a person is cleared, the rows stay
    ERASE = "erase"  #: the contact is erased, in every table


def _name(value: str) -> str:
    return clean(value, "name of a retention policy", limit=60, empty=False)


def _where(value: Mapping[str, str | Iterable[str]]) -> Mapping[str, tuple[str, ...]]:
    return MappingProxyType(
        {name: (one,) if isinstance(one, str) else tuple(one) for name, one in value.items()}
    )


def _age(instance: object, attribute: attrs.Attribute[timedelta], value: object) -> None:
    if not isinstance(value, timedelta) or value < timedelta(days=1):
        raise ValueRefused(f"retention: after is {value!r}; it must be a timedelta of at least a day")


@attrs.frozen
class RetentionPolicy:
    """How long the rows of a table are kept, and what becomes of them then.

    Args:
        name: unique; what reports and `crmkit retention` call it.
        table: the table's name without the prefix, or "contacts".
        after: how old a row may grow.
        since: the column with the instant from which its age counts; for contacts "activity" counts from the last
            thing that happened with it.
        action: what becomes of rows that are older.
        where: only rows whose columns have one of these texts, such as {"state": ("sent", "dead")}.

    Raises:
        ValueRefused: if they contradict each other.
    """

    name: str = attrs.field(converter=_name)
    table: str
    after: timedelta = attrs.field(validator=_age)
    since: str = attrs.field(kw_only=True)
    action: RetentionAction = attrs.field(
        default=RetentionAction.ANONYMISE, converter=RetentionAction, kw_only=True
    )
    where: Mapping[str, tuple[str, ...]] = attrs.field(
        factory=dict, converter=_where, kw_only=True, hash=False
    )

    def __attrs_post_init__(self) -> None:
        if (self.action is RetentionAction.ERASE) != (self.table == CONTACTS):
            raise ValueRefused(
                f"retention policy {self.name!r}: contacts are erased and no other table is; "
                f"the action on {self.table!r} is {self.action.value!r}"
            )
        if self.since == ACTIVITY and self.table != CONTACTS:
            raise ValueRefused(
                f"retention policy {self.name!r}: only contacts have an {ACTIVITY}; name a column with an instant"
            )
