"""Events as plain data and back, old and unknown ones included."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any, ClassVar

import attrs
import pytest

from crmkit import (
    Award,
    ContactAdded,
    ContactUpdated,
    Event,
    Lot,
    MessageSent,
    Money,
    NoAward,
    Order,
    OrderLine,
    OrderPaid,
    OrderRecorded,
    OrderRefunded,
    Returned,
    UnknownEvent,
)
from crmkit.codec import dump, load
from crmkit.events import CORE_EVENTS, actor

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ORDER = Order(
    "A-1",
    [OrderLine("a", 2, Money(500, "GBP"), tax=Money(80, "GBP"), name="მუგი", category="mugs"),
     OrderLine("POST", 1, Money(300, "GBP"), kind="shipping", id="post")],
    placed_at=NOW,
    contact_id=uuid.uuid4(),
    channel="web",
)  # fmt: skip
EVENTS = [
    OrderRecorded(order=ORDER),
    OrderPaid(
        order_key="A-1",
        amount=Money(800, "GBP"),
        awards=(Award(amount=5, lot=Lot(active_from=NOW), inputs={"spent": 500}, rule="r@1", owner="p"),),
        refusals=(NoAward(reason="too little"),),
    ),
    OrderRefunded(
        order_key="A-1",
        refund_key="r",
        amount=Money(500, "GBP"),
        parts={"1": Returned(2, 500)},
        returned={"1": Returned(2, 500)},
        whole=False,
    ),
    MessageSent(delivery_id=uuid.uuid4(), channel="email", topic="thanks"),
    ContactAdded(name="ნინო", points=("email:a@b.example",)),
    ContactUpdated(fields=("name",), before={"name": "a"}, after={"name": "b"}),
]
TYPES = {cls.__name__: cls for cls in CORE_EVENTS}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_what_is_written_reads_the_same(event: Event) -> None:
    data, personal = json.loads(json.dumps(dump(event)))
    assert load(TYPES, type(event).__name__, 1, data, personal) == event


def test_personal_values_stand_apart_and_their_loss_leaves_the_fact() -> None:
    data, personal = dump(ContactUpdated(fields=("name",), before={"name": "Ann"}, after={"name": "Anna"}))
    assert "Ann" not in json.dumps(data)
    assert load(TYPES, "ContactUpdated", 1, data, {}) == ContactUpdated(fields=("name",))
    assert personal


def test_an_order_is_written_without_the_buyers_addresses() -> None:
    from crmkit import ContactPoint

    order = attrs.evolve(ORDER, points=[ContactPoint.email("ann@example.com")], name="Ann Lee")
    assert "Ann Lee" not in json.dumps(dump(OrderRecorded(order=order)))
    assert "ann@" not in json.dumps(dump(OrderRecorded(order=order)))


def test_an_unknown_type_is_kept_as_it_is() -> None:
    read = load(TYPES, "TicketOpened", 3, {"subject": "x"}, {})
    assert read == UnknownEvent(type="TicketOpened", stored_version=3, data={"subject": "x"})
    assert dump(read) == ({"subject": "x"}, {})


@attrs.frozen(kw_only=True)
class Moved(Event):
    version: ClassVar[int] = 2
    place: str

    @classmethod
    def upcast(cls, version: int, data: dict[str, Any]) -> dict[str, Any]:
        return {"place": data["location"]} if version == 1 else data


@attrs.frozen(kw_only=True)
class Strict(Moved):
    place: str = attrs.field(validator=attrs.validators.in_(["Tbilisi", "Hue"]))


def test_an_older_version_is_brought_up_to_today_and_a_newer_one_kept() -> None:
    assert load({"Moved": Moved}, "Moved", 1, {"location": "Tbilisi"}, {}) == Moved(place="Tbilisi")
    assert isinstance(load({"Moved": Moved}, "Moved", 3, {"city": "Hue"}, {}), UnknownEvent)


@pytest.mark.parametrize(("version", "data"), [(1, {"nothing": "here"}), (2, {}), (2, {"place": 7, "x": 1})])
def test_what_its_class_refuses_is_kept_instead_of_stopping_the_log(version: int, data: Any) -> None:
    """A relay that meets an event it cannot read would stop there for ever."""
    read = load({"Moved": Strict}, "Moved", version, data, {})
    assert read == UnknownEvent(type="Moved", stored_version=version, data=data)


@pytest.mark.parametrize("value", ["", "anna", "staff:", "system:x", "robot:r2", "staff:" + "x" * 100])
def test_actors_are_checked(value: str) -> None:
    with pytest.raises(ValueError, match="actor"):
        actor(value)
