"""What one call of a hook costs, by the number of plugins that implement it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pluggy
from measure import Side, alternate
from report import Options, Row

from crmkit import CRM, Contact, Delivery, hookimpl
from crmkit.clock import IdSource, system_clock
from crmkit.hookspecs import Specs

TITLE = "one call of a hook that every plugin answers with None (crmkit_suppress_delivery)"
CALLS = 1000


def measure_alone(options: Options) -> Iterator[Row]:
    """Yield the rows of the table."""
    for number in (0, 1, 5, 20):
        yield from _case(number, options)


def _case(number: int, options: Options) -> Iterator[Row]:
    plugins = [_plugin(place) for place in range(number)]
    facade = CRM("sqlite://", plugins=plugins).hooks
    manager = pluggy.PluginManager("crmkit")
    manager.add_hookspecs(Specs)
    for plugin in plugins:
        manager.register(plugin)
    functions = [plugin.crmkit_suppress_delivery for plugin in plugins]
    delivery, contact = _given()

    def plain() -> None:
        for _ in range(CALLS):
            for function in functions:
                function(delivery, contact)

    def by_pluggy() -> None:
        for _ in range(CALLS):
            manager.hook.crmkit_suppress_delivery(delivery=delivery, contact=contact)

    def by_facade() -> None:
        for _ in range(CALLS):
            facade.suppress_delivery(delivery, contact)

    sides = [
        Side("plain calls", plain, units=CALLS),
        Side("pluggy", by_pluggy, units=CALLS),
        Side("the facade", by_facade, units=CALLS),
    ]
    alternate(*sides, rounds=options.rounds, turns=options.turns(30))
    what = f"{number} plugin{'s' * (number != 1)}"
    yield Row.of("hooks", "", what, sides[0], sides[2])
    yield Row.of("hooks", "", what, sides[1], sides[2])


def _plugin(number: int) -> Any:
    class Plugin:
        @hookimpl
        def crmkit_suppress_delivery(self, delivery: Delivery, contact: Contact | None) -> str | None:
            return None

    Plugin.__name__ = f"Quiet{number}"
    return Plugin()


def _given() -> tuple[Delivery, Contact]:
    ids = IdSource(system_clock)
    contact = Contact(id=ids(), name="Customer")
    delivery = Delivery(
        id=ids(),
        key="offer",
        channel="email",
        address="customer@shop.example.com",
        contact_id=contact.id,
        topic="offer",
        subject="Offer",
        text="Hello",
        queued_at=datetime.now(UTC),
    )
    return delivery, contact
