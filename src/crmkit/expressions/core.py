"""The fields that every CRM has: of contacts, their orders and consents, and the present."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from crmkit.clock import FOREVER
from crmkit.contacts import PointKind
from crmkit.errors import ValueRefused
from crmkit.expressions.addresses import address_fields
from crmkit.expressions.fields import Field
from crmkit.expressions.kinds import FieldType
from crmkit.expressions.sources import (
    Aggregate,
    Clock,
    Condition,
    Consent,
    ContactColumn,
    Members,
    Ratio,
)
from crmkit.money import exponent

#: More orders than this are a mistake somewhere, and sums stay within 64 bits for fewer.
MOST_ORDERS = 10**7
_MOST_MINOR = 10**15

_PAID = (Condition("state", "in", ("paid", "shipped")), Condition("paid_at", "<", FOREVER))

_TEXTS = {
    "name": "The whole name as it is written.",
    "given_name": "The part of the name that friends use.",
    "family_name": "The part of the name that is shared with relatives.",
    "kind": '"person" or "organisation".',
    "honorific": 'How the contact wishes to be addressed, such as "Dr".',
    "formality": '"formal" or "informal".',
    "gender": "As the contact says.",
    "locale": 'The language to write in, such as "vi" or "en-GB".',
    "zone": 'The time zone of the contact\'s days, such as "Asia/Tbilisi".',
    "source": 'Where the contact came from, such as "fair".',
    "classification": "The shop's own word for the relation.",
    "stage": '"lead", "first_time", "repeat", "loyal", "lapsed" or "lost".',
    "owner": "The member of staff who looks after the contact.",
}


def core_fields(
    purposes: Iterable[str] = (), points_elsewhere: Collection[PointKind] = ()
) -> tuple[Field, ...]:
    """Return the fields that every CRM has, but for amounts of money; see `FieldTable`.

    Args:
        purposes: what messages are sent for; each that is a name makes a field `consent.NAME`.
        points_elsewhere: as the contact store says; see `StoreCapabilities`.
    """
    addresses = address_fields(points_elsewhere)
    return (*_contact(), *addresses, *_sets(), *_orders(), *_consents(purposes), *_present())


def reserved(name: str) -> str:
    """Return why a field of a plugin or host cannot have a name, or empty text."""
    if name.startswith(("segment.", "consent.")):
        return f"field {name!r} begins with {name.partition('.')[0] + '.'!r}, which names the core's own"
    amounts = ("orders.total", "orders.average", "orders.count")
    taken = name.startswith(amounts) or name in {field.name for field in core_fields()}
    return f"field {name!r} is one of the core's; begin with a name of your own" if taken else ""


def _contact() -> Iterator[Field]:
    for name, doc in _TEXTS.items():
        yield Field(f"contact.{name}", FieldType.TEXT, doc=doc, source=ContactColumn(name))
    yield Field(
        "contact.business",
        FieldType.BOOLEAN,
        doc="Whether the contact buys as a business.",
        source=ContactColumn("business"),
    )
    yield Field(
        "contact.internal",
        FieldType.BOOLEAN,
        doc="Whether the contact belongs to the shop itself.",
        source=ContactColumn("internal"),
    )
    yield Field(
        "contact.birth_date", FieldType.DATE, doc="The date of birth.", source=ContactColumn("birth_date")
    )
    yield Field(
        "contact.created_at",
        FieldType.INSTANT,
        doc="When the contact was added here.",
        source=ContactColumn("created_at"),
    )


def _sets() -> Iterator[Field]:
    def texts(name: str, doc: str, source: Members) -> Field:
        return Field(f"contact.{name}", FieldType.TEXT_SET, doc=doc, source=source)

    yield texts("tags", "The tags, case folded.", Members("contact_tags", "tag"))
    for liking in ("likes", "dislikes"):
        preferred = Members(
            "contact_preferences",
            "value",
            where={"liking": liking},
            latest="set_at",
            per=("kind", "value"),
        )
        yield texts(liking, f"What the contact {liking}: topics, products, channels, languages.", preferred)
    lasting = Members("contact_relations", "kind", where={"ended_at": FOREVER})
    yield texts("relations", 'What the contact is to others, such as "employer".', lasting)


def _orders() -> Iterator[Field]:
    yield COUNT
    for name, function, doc in (
        ("first", "min", "When the first of those orders was placed."),
        ("last", "max", "When the last of those orders was placed."),
    ):
        source = Aggregate("orders", function, "placed_at", where=_PAID)
        yield Field(f"orders.{name}", FieldType.INSTANT, doc=doc, source=source)


COUNT = Field(
    "orders.count",
    FieldType.INTEGER,
    bound=(0, MOST_ORDERS),
    doc="How many paid orders there are that were neither cancelled nor refunded whole.",
    source=Aggregate("orders", "count", where=_PAID),
)


def _consents(purposes: Iterable[str]) -> Iterator[Field]:
    for purpose in purposes:
        doc = f'How consent to {purpose} stands: "granted", "withdrawn", "pending" or "expired".'
        try:
            yield Field(f"consent.{purpose}", FieldType.TEXT, doc=doc, source=Consent(purpose))
        except ValueRefused:  # no name of the language: it cannot be asked
            continue


def _present() -> Iterator[Field]:
    yield Field("now", FieldType.INSTANT, doc="The present instant.", source=Clock())
    yield Field("today", FieldType.DATE, doc="The present day in UTC.", source=Clock())


def money_fields(currency: str, named: str) -> tuple[Field, Field]:
    """Return what a contact has spent in a currency, and the average of its orders.

    Args:
        currency: ISO 4217.
        named: what their names end with: `.EUR`, or nothing for the currency that is meant where none is named.

    Raises:
        ValueRefused: if there is no such currency.
    """
    scale = exponent(currency)
    where = (*_PAID, Condition("currency", "==", currency))
    most = _MOST_MINOR // 10**scale
    total = Field(
        f"orders.total{named}",
        FieldType.DECIMAL,
        scale=scale,
        bound=(-most, most),
        doc=f"What those orders in {currency} come to, refunds subtracted.",
        source=Aggregate("orders", "sum", "total", minus="refunded", where=where),
    )
    count = Field(
        f"orders.count{named or '.' + currency}",
        FieldType.INTEGER,
        bound=(0, MOST_ORDERS),
        doc=f"How many of those orders are in {currency}.",
        source=Aggregate("orders", "count", where=where),
    )
    average = Field(
        f"orders.average{named}",
        FieldType.DECIMAL,
        scale=scale,
        doc=f"The average of those orders in {currency}; it stands alone on one side of a comparison.",
        source=Ratio(total, count),
    )
    return total, average


class FieldTable(Mapping[str, Field]):
    """The fields of one CRM by name; those of amounts are made for whatever currency is named.

    Args:
        fields: the core's, the host's and the plugins'.
        currency: which one `orders.total` and `orders.average` mean; empty if a currency is always named.
    """

    def __init__(self, fields: Iterable[Field], currency: str = "") -> None:
        self._fields = {field.name: field for field in fields}
        for field in money_fields(currency, "") if currency else ():
            self._fields.setdefault(field.name, field)

    def __getitem__(self, name: str) -> Field:
        found = self._fields.get(name)
        if found is None:
            found = self._fields[name] = self._amount(name)
        return found

    def _amount(self, name: str) -> Field:
        orders, _, rest = name.partition(".")
        what, _, currency = rest.partition(".")
        if orders != "orders" or what not in ("total", "average", "count") or len(currency) != 3:
            raise KeyError(name)
        try:
            total, average = money_fields(currency, f".{currency}")
        except ValueRefused:
            raise KeyError(name) from None
        assert isinstance(average.source, Ratio)
        return {"total": total, "average": average, "count": average.source.by}[what]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._fields))

    def __len__(self) -> int:
        return len(self._fields)
