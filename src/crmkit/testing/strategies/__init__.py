"""Hypothesis strategies for crmkit's values: real people's names, odd prices, refunds in parts.

With `crmkit[testing]` installed, `st.from_type(Order)` and its like draw from them too.
"""

from crmkit.testing.strategies.expressions import expressions
from crmkit.testing.strategies.fields import field_values
from crmkit.testing.strategies.messages import messages
from crmkit.testing.strategies.money import currencies, money
from crmkit.testing.strategies.orders import facts, order_lines, orders
from crmkit.testing.strategies.people import contacts, members, names, points
from crmkit.testing.strategies.refunds import partitions, refunds
from crmkit.testing.strategies.time import instants, timelines
from crmkit.testing.strategies.turns import interleavings

__all__ = [
    "contacts",
    "currencies",
    "expressions",
    "facts",
    "field_values",
    "instants",
    "interleavings",
    "members",
    "messages",
    "money",
    "names",
    "order_lines",
    "orders",
    "partitions",
    "points",
    "refunds",
    "timelines",
]
