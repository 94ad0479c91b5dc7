"""Hypothesis strategies for crmkit's values: real people's names, odd prices, refunds in parts.

With `crmkit[testing]` installed, `st.from_type(Order)` and its like draw from them too.
"""

from crmkit.testing.strategies.messages import messages
from crmkit.testing.strategies.money import currencies, money
from crmkit.testing.strategies.orders import facts, order_lines, orders
from crmkit.testing.strategies.people import contacts, names, points
from crmkit.testing.strategies.refunds import partitions, refunds
from crmkit.testing.strategies.time import instants

__all__ = [
    "contacts",
    "currencies",
    "facts",
    "instants",
    "messages",
    "money",
    "names",
    "order_lines",
    "orders",
    "partitions",
    "points",
    "refunds",
]
