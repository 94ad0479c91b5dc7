"""The transaction: everything that is recorded about customers is recorded through one."""

from crmkit.transaction.contacts import Contacts
from crmkit.transaction.events import Events
from crmkit.transaction.messages import Messages
from crmkit.transaction.orders import Orders
from crmkit.transaction.outcomes import OrderOutcome, OrderRecord, RewardOutcome
from crmkit.transaction.rewards import Rewards
from crmkit.transaction.unit import Transaction

__all__ = [
    "Contacts",
    "Events",
    "Messages",
    "OrderOutcome",
    "OrderRecord",
    "Orders",
    "RewardOutcome",
    "Rewards",
    "Transaction",
]
