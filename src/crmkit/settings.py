"""Settings of the core, and the wrapper that keeps secrets out of sight."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from hmac import compare_digest
from typing import Any, TypeVar

import attrs

from crmkit.errors import SettingsError
from crmkit.purposes import Purpose, purposes
from crmkit.retention import RetentionPolicy
from crmkit.text import clean

T = TypeVar("T")


class Secret:
    """A text that never shows: its repr, str and format are stars.

    Args:
        value: the secret text.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str | Secret) -> None:
        self.__value: str = value.reveal() if isinstance(value, Secret) else str(value)

    def reveal(self) -> str:
        """Return the secret text."""
        return self.__value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and compare_digest(self.__value.encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash((Secret, self.__value))

    def __reduce__(self) -> Any:
        raise TypeError("a Secret is not pickled")


def _positive(instance: object, attribute: attrs.Attribute[timedelta], value: Any) -> None:
    if not isinstance(value, timedelta) or value <= timedelta(0):
        raise SettingsError(
            f"settings['core'][{attribute.name!r}] is {value!r}; must be a positive timedelta"
        )


def _yes_or_no(instance: object, attribute: attrs.Attribute[bool], value: Any) -> None:
    if not isinstance(value, bool):
        raise SettingsError(f"settings['core'][{attribute.name!r}] is {value!r}; must be True or False")


def _probability(instance: object, attribute: attrs.Attribute[float], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise SettingsError(
            f"settings['core'][{attribute.name!r}] is {value!r}; must be a probability between 0 and 1, such as 0.5"
        )


def _count(instance: object, attribute: attrs.Attribute[int], value: Any) -> None:
    if type(value) is not int or not 1 <= value <= 1000:
        raise SettingsError(
            f"settings['core'][{attribute.name!r}] is {value!r}; must be a number from 1 to 1000"
        )


def _link(instance: object, attribute: attrs.Attribute[str], value: Any) -> None:
    name = f"settings['core'][{attribute.name!r}]"
    if not isinstance(value, str):
        raise SettingsError(f"{name} is {type(value).__name__}; must be a URL with {{token}}")
    secure = value.startswith(("https://", "http://localhost", "http://127.0.0.1"))
    if value and not (secure and value.count("{token}") == 1 and value.isascii() and value.isprintable()):
        raise SettingsError(f"{name} is {value!r}; must be like https://shop.example/path?t={{token}}")
    if len(value) > 500:
        raise SettingsError(f"{name} has {len(value)} characters, at most 500 are taken")


def _policies(value: Any) -> tuple[RetentionPolicy | str, ...]:
    given = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
    for one in given:
        if not isinstance(one, (RetentionPolicy, str)):
            raise SettingsError(
                f"settings['core']['retention'] holds {one!r}; each must be a RetentionPolicy or a policy's name"
            )
    names = [one if isinstance(one, str) else one.name for one in given]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SettingsError(f"settings['core']['retention'] names {', '.join(map(repr, twice))} twice")
    return given


def _channels(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise SettingsError(
            f"settings['core']['channels'] is {value!r}; must be a list of names, such as ['chat']"
        )
    return tuple(clean(one, "settings['core']['channels']", limit=30, empty=False) for one in value)


def _currency(value: str) -> str:
    if value:
        from crmkit.money import exponent  # looks into a table that is read when first asked

        exponent(value)
    return value


@attrs.frozen(kw_only=True)
class CoreSettings:
    """The settings of the core, given as `settings={"core": {...}}`.

    Args:
        installation: a name of this deployment that the database is stamped with; a CRM whose name differs
            from the stamp holds its messages. By default it is where the database stands.
        max_effect_age: an order that is older when it is recorded is refused unless it is history.
        attempts: how often a delivery is tried before it is dead.
        max_delivery_age: how long after it was queued a delivery is still tried.
        backoff: the first pause after a failed try; it doubles with each further one.
        backoff_limit: the longest pause.
        lease: how long a worker that died keeps its claim.
        max_reactions: how many events reactions may cause in one transaction.
        seal_every: the least time between two sealings of the log.
        retention: policies of retention that are applied once a day: each a `RetentionPolicy`, or the name of one
            that a plugin offers.
        secret: the key of the HMACs under which personal values are compared, and of tokens; by default a random
            one that is kept in the database. Another key finds nothing of what was kept under this one.
        purposes: what messages are sent for: the legal basis of each purpose by its name, added to service
            (contract), news and promo (consent).
        channels: names of further channels of which consents and suppressions may speak: those that other processes
            enable, or by which contacts are written to without crmkit.
        unsubscribe_url: where one click unsubscribes, with `{token}` in it; set as List-Unsubscribe on messages
            that one can refuse.
        confirm_url: where a consent is confirmed, with `{token}` in it.
        currency: the one that `orders.total` and `orders.average` mean in expressions; without it a currency is always
            named, as in `orders.total.EUR`.
        consent_requests: how many requests for consent one address is sent in a day (UTC).
        duplicates_review: from which probability on two contacts that look like one are shown to somebody.
        duplicates_merge: from which probability on a search that is asked to merge does so by itself.
        stages: whether `run_due` derives the stages of contacts from their orders.
        stage_repeat: from how many orders on a contact is a repeat customer.
        stage_loyal: from how many orders on it is loyal.
        stage_lapsed_after: how long after its last order it counts as lapsed.
        stage_lost_after: how long after its last order it counts as lost.
    """

    installation: str = ""
    max_effect_age: timedelta = attrs.field(default=timedelta(days=7), validator=_positive)
    attempts: int = attrs.field(default=10, validator=_count)
    max_delivery_age: timedelta = attrs.field(default=timedelta(days=3), validator=_positive)
    backoff: timedelta = attrs.field(default=timedelta(seconds=30), validator=_positive)
    backoff_limit: timedelta = attrs.field(default=timedelta(hours=6), validator=_positive)
    lease: timedelta = attrs.field(default=timedelta(minutes=5), validator=_positive)
    max_reactions: int = attrs.field(default=100, validator=_count)
    stages: bool = attrs.field(default=True, validator=_yes_or_no)
    stage_repeat: int = attrs.field(default=2, validator=_count)
    stage_loyal: int = attrs.field(default=5, validator=_count)
    stage_lapsed_after: timedelta = attrs.field(default=timedelta(days=180), validator=_positive)
    stage_lost_after: timedelta = attrs.field(default=timedelta(days=365), validator=_positive)
    seal_every: timedelta = attrs.field(default=timedelta(minutes=1), validator=_positive)
    retention: tuple[RetentionPolicy | str, ...] = attrs.field(default=(), converter=_policies)
    secret: Secret = attrs.field(default=Secret(""), converter=Secret)
    purposes: Mapping[str, Purpose] = attrs.field(factory=dict, converter=purposes)
    channels: tuple[str, ...] = attrs.field(default=(), converter=_channels)
    unsubscribe_url: str = attrs.field(default="", validator=_link)
    confirm_url: str = attrs.field(default="", validator=_link)
    currency: str = attrs.field(default="", converter=_currency)
    consent_requests: int = attrs.field(default=3, validator=_count)
    duplicates_review: float = attrs.field(default=0.5, validator=_probability)
    duplicates_merge: float = attrs.field(default=0.99, validator=_probability)


def build_settings(cls: type[T], values: Mapping[str, Any], path: str) -> T:
    """Return an instance of a settings class made of plain values.

    Args:
        cls: an attrs class.
        values: its arguments by name.
        path: where they come from, for the error message, such as `settings['email']`.

    Raises:
        SettingsError: if a key is unknown, one is missing, or a value is refused.
    """
    if not isinstance(values, Mapping):
        raise SettingsError(f"{path} must be a mapping of settings, not {type(values).__name__}")
    known = [field.alias or field.name for field in attrs.fields(cls) if field.init]  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise SettingsError(f"{path} has no setting {key!r}{did_you_mean(str(key), known)}")
    attrs.resolve_types(cls)  # type: ignore[type-var]
    hidden = {field.name for field in attrs.fields(cls) if field.type is Secret}  # type: ignore[arg-type]
    try:
        return cls(**{name: Secret(v) if name in hidden else v for name, v in values.items()})
    except SettingsError:
        raise
    except TypeError as error:
        raise SettingsError(f"{path}: {_said(error).replace('__init__() ', '')}") from None
    except ValueError as error:
        raise SettingsError(f"{path}: {_said(error)}") from None


def _said(error: Exception) -> str:
    # the validators of attrs add the attribute and the value to the message, secrets included
    return str(error.args[0] if error.args else error)


def did_you_mean(name: str, known: list[str]) -> str:
    """Return the part of an error message that offers the known names, the nearest first."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ";"
    return f"{hint} known are: {', '.join(sorted(known)) or 'none'}"
