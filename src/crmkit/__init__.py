"""crmkit: a CRM that lives inside your application - same process, same database, same transaction."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crmkit.channels import (
        Accepted,
        AuthLost,
        Channel,
        ChannelSpec,
        Dedup,
        Deferred,
        Outcome,
        Pending,
        Problem,
        Rejected,
        Scope,
        SendContext,
        Sender,
        Unknown,
    )
    from crmkit.clock import FOREVER
    from crmkit.contacts import Contact, ContactKind, ContactPoint, PointKind
    from crmkit.crm import CRM, Deliver
    from crmkit.delivery import Report
    from crmkit.errors import (
        ConfigError,
        Conflict,
        CrmkitError,
        DeliveryError,
        ExpressionError,
        KeyConflict,
        NotFound,
        PluginConflict,
        PluginError,
        PluginInvalid,
        PluginLoadError,
        PluginNotFound,
        PointTaken,
        ReactionOverflow,
        RetryTransaction,
        SchemaError,
        SettingsError,
        TransactionError,
        TransactionPoisoned,
        TransactionRequired,
        TransitionRefused,
        ValueRefused,
    )
    from crmkit.events import (
        ContactAdded,
        ContactPointsAdded,
        ContactUpdated,
        Event,
        LogEntry,
        MessageFailed,
        MessageSent,
        OrderAmended,
        OrderCancelled,
        OrderPaid,
        OrderRecorded,
        OrderRefunded,
        OrderShipped,
        UnknownEvent,
        personal,
    )
    from crmkit.expressions import Field, FieldType
    from crmkit.hookspecs import Command, HealthCheck, Job, Page, Reaction, hookimpl
    from crmkit.messages import Delivery, DeliveryState, DeliveryStatus, Message, Repeat
    from crmkit.money import Money, allocate
    from crmkit.orders import (
        Base,
        LineKind,
        Order,
        OrderLine,
        OrderState,
        Refund,
        Returned,
        add_returns,
        split_refund,
    )
    from crmkit.rewards import (
        Award,
        Decision,
        Facts,
        Lot,
        NoAward,
        Owned,
        RewardRule,
        evaluate,
    )
    from crmkit.settings import Secret
    from crmkit.stores import ContactStore, StoreCapabilities
    from crmkit.templates import Template
    from crmkit.transaction import OrderOutcome, OrderRecord, Transaction

_HOMES = {
    "channels": "Accepted AuthLost Channel ChannelSpec Dedup Deferred Outcome Pending Problem Rejected Scope "
    "SendContext Sender Unknown",
    "clock": "FOREVER",
    "contacts": "Contact ContactKind ContactPoint PointKind",
    "crm": "CRM Deliver",
    "delivery": "Report",
    "errors": "ConfigError Conflict CrmkitError DeliveryError ExpressionError KeyConflict NotFound PluginConflict "
    "PluginError PluginInvalid PluginLoadError PluginNotFound PointTaken ReactionOverflow RetryTransaction "
    "SchemaError SettingsError TransactionError TransactionPoisoned TransactionRequired TransitionRefused "
    "ValueRefused",
    "events": "ContactAdded ContactPointsAdded ContactUpdated Event LogEntry MessageFailed MessageSent OrderAmended "
    "OrderCancelled OrderPaid OrderRecorded OrderRefunded OrderShipped UnknownEvent personal",
    "expressions": "Field FieldType",
    "hookspecs": "Command HealthCheck Job Page Reaction hookimpl",
    "messages": "Delivery DeliveryState DeliveryStatus Message Repeat",
    "money": "Money allocate",
    "orders": "Base LineKind Order OrderLine OrderState Refund Returned add_returns split_refund",
    "rewards": "Award Decision Facts Lot NoAward Owned RewardRule evaluate",
    "settings": "Secret",
    "stores": "ContactStore StoreCapabilities",
    "templates": "Template",
    "transaction": "OrderOutcome OrderRecord Transaction",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [
    "Accepted",
    "AuthLost",
    "Award",
    "Base",
    "CRM",
    "Channel",
    "ChannelSpec",
    "Command",
    "ConfigError",
    "Conflict",
    "Contact",
    "ContactAdded",
    "ContactKind",
    "ContactPoint",
    "ContactPointsAdded",
    "ContactStore",
    "ContactUpdated",
    "CrmkitError",
    "Decision",
    "Dedup",
    "Deferred",
    "Deliver",
    "Delivery",
    "DeliveryError",
    "DeliveryState",
    "DeliveryStatus",
    "Event",
    "ExpressionError",
    "FOREVER",
    "Facts",
    "Field",
    "FieldType",
    "HealthCheck",
    "Job",
    "KeyConflict",
    "LineKind",
    "LogEntry",
    "Lot",
    "Message",
    "MessageFailed",
    "MessageSent",
    "Money",
    "NoAward",
    "NotFound",
    "Order",
    "OrderAmended",
    "OrderCancelled",
    "OrderLine",
    "OrderOutcome",
    "OrderPaid",
    "OrderRecord",
    "OrderRecorded",
    "OrderRefunded",
    "OrderShipped",
    "OrderState",
    "Outcome",
    "Owned",
    "Page",
    "Pending",
    "PluginConflict",
    "PluginError",
    "PluginInvalid",
    "PluginLoadError",
    "PluginNotFound",
    "PointKind",
    "PointTaken",
    "Problem",
    "Reaction",
    "ReactionOverflow",
    "Refund",
    "Rejected",
    "Repeat",
    "Report",
    "RetryTransaction",
    "Returned",
    "RewardRule",
    "SchemaError",
    "Scope",
    "Secret",
    "SendContext",
    "Sender",
    "SettingsError",
    "StoreCapabilities",
    "Template",
    "Transaction",
    "TransactionError",
    "TransactionPoisoned",
    "TransactionRequired",
    "TransitionRefused",
    "Unknown",
    "UnknownEvent",
    "ValueRefused",
    "__version__",
    "add_returns",
    "allocate",
    "evaluate",
    "hookimpl",
    "personal",
    "split_refund",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("crmkit")
    if name not in _HOME:
        raise AttributeError(f"module 'crmkit' has no attribute {name!r}")
    value = getattr(import_module(f"crmkit.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
