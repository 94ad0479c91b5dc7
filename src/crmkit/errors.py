"""Every error that crmkit raises on purpose.

CrmkitError
├── ConfigError              the CRM cannot be built as asked
│   ├── SettingsError        a setting is unknown, missing or wrong
│   ├── ProgrammeError       a programme of reward rules does not say what can be done; names file, rule and key
│   └── PluginError          a plugin is at fault; names plugin, distribution and version
│       ├── PluginNotFound   no installed plugin has that name
│       ├── PluginLoadError  importing or constructing it failed
│       ├── PluginInvalid    its hooks or what they returned break the contract
│       └── PluginConflict   two plugins claim one name
├── SchemaError              the tables are missing, or somebody else owns them
├── ValueRefused             a value is wrong; the message says what would have been right
│   ├── ExpressionError      an expression does not parse or does not fit its fields
│   └── TokenRefused         the token of a link is not ours, not whole, or not valid any more
├── NotFound                 the thing named does not exist
├── Conflict                 the request contradicts what is recorded
│   ├── KeyConflict          the key was used before, for other content
│   ├── PointTaken           the contact point belongs to another contact
│   ├── MergeRefused         the contacts are merged already, the other way round
│   ├── TransitionRefused    an order in that state does not allow the step
│   ├── ErasureHeld          a legal hold keeps what was to be erased
│   └── AlreadyErased        the contact was erased; nothing new is written about it
├── TransactionError         the connection cannot carry a transaction of ours
│   ├── TransactionRequired  autocommit is on, or no real transaction is open
│   ├── TransactionPoisoned  a database error ended the transaction
│   └── RetryTransaction     nothing was wrong but the timing: roll back and run it again
├── ReactionOverflow         reactions kept causing events
└── DeliveryError            a delivery cannot be made, or made now
"""

from __future__ import annotations

from typing import Any


class CrmkitError(Exception):
    """The root of every error that crmkit raises on purpose."""


class ConfigError(CrmkitError):
    """The CRM cannot be built as asked."""


class SettingsError(ConfigError):
    """A setting is unknown, missing or wrong."""


class ProgrammeError(ConfigError):
    """A programme of reward rules is wrong; the message names the file, the rule, the key and its value."""


class PluginError(ConfigError):
    """A plugin is at fault; the message names the plugin, its distribution and version.

    Args:
        message: what happened and what would have been right.
        plugin: the plugin's name.
    """

    def __init__(self, message: str, *, plugin: str = "") -> None:
        super().__init__(message)
        self.plugin = plugin


class PluginNotFound(PluginError):
    """No installed plugin has that name."""


class PluginLoadError(PluginError):
    """Importing or constructing the plugin failed."""


class PluginInvalid(PluginError):
    """The plugin's hooks, or what they returned, break the contract."""


class PluginConflict(PluginError):
    """Two plugins claim one name."""


class SchemaError(CrmkitError):
    """The tables are missing, or another owner keeps them."""


class ValueRefused(CrmkitError, ValueError):
    """A value is wrong; the message names it and says what would have been right."""


class ExpressionError(ValueRefused):
    """An expression does not parse, or does not fit the declared fields.

    Args:
        message: what is wrong and what would have been right.
        text: the whole expression.
        column: 0-based offset in `text` at which the mistake stands.
    """

    def __init__(self, message: str, *, text: str = "", column: int | None = None) -> None:
        super().__init__(message)
        self.text = text
        self.column = column


class TokenRefused(ValueRefused):
    """The token of a link is not ours, not whole, or not valid any more."""


class NotFound(CrmkitError, LookupError):
    """The thing named does not exist."""


class Conflict(CrmkitError):
    """The request contradicts what is recorded."""


class KeyConflict(Conflict):
    """A key was used before for other content.

    Args:
        key: the key that was used twice.
        stored: what was recorded under it.
        given: what was given now.
    """

    def __init__(self, key: str, *, stored: Any, given: Any) -> None:
        super().__init__(
            f"key {key!r} was used before for other content:\n"
            f"  stored: {stored!r}\n"
            f"  given:  {given!r}\n"
            "Repeat a call with the same content, or use a new key for new content."
        )
        self.key = key
        self.stored = stored
        self.given = given


class PointTaken(Conflict):
    """A contact point belongs to another contact.

    Args:
        point: the contact point.
        contact_id: the id of the contact that has it.
    """

    def __init__(self, point: Any, contact_id: Any) -> None:
        super().__init__(
            f"{point} belongs to contact {contact_id}; "
            "pass shared=True if both people really use it, or update that contact instead"
        )
        self.point = point
        self.contact_id = contact_id


class MergeRefused(Conflict):
    """The contacts are merged already, the other way round.

    Args:
        loser_id: the contact that was to go on as the other one.
        into_id: the contact that goes on as it.
        merge_id: the merge that made it so.
    """

    def __init__(self, loser_id: Any, into_id: Any, merge_id: Any) -> None:
        super().__init__(
            f"contact {into_id} goes on as {loser_id} already, by the merge {merge_id}; "
            "undo that one with tx.merges.unmerge if it is to be the other way round"
        )
        self.loser_id = loser_id
        self.into_id = into_id
        self.merge_id = merge_id


class TransitionRefused(Conflict):
    """An order in its present state does not allow the step."""


class ErasureHeld(Conflict):
    """A legal hold keeps what was to be erased.

    Args:
        contact_id: whose data.
        hold: the legal hold.
    """

    def __init__(self, contact_id: Any, hold: Any) -> None:
        super().__init__(
            f"contact {contact_id} cannot be erased before {hold.until.isoformat()}: legal hold {hold.id}, "
            f"{hold.reason!r}, keeps everything; tx.privacy.release(...) ends it"
        )
        self.contact_id = contact_id
        self.hold = hold


class AlreadyErased(Conflict):
    """A contact was erased, so nothing new is written about it.

    Args:
        contact_id: who.
        at: when.
    """

    def __init__(self, contact_id: Any, at: Any) -> None:
        super().__init__(
            f"contact {contact_id} was erased on {at.isoformat()} and stays so; "
            "add a new contact for somebody who comes back"
        )
        self.contact_id = contact_id
        self.at = at


class TransactionError(CrmkitError):
    """The connection cannot carry a transaction of ours."""


class TransactionRequired(TransactionError):
    """Autocommit is on, or no real transaction is open."""


class TransactionPoisoned(TransactionError):
    """A database error ended the transaction; nothing more can be written in it."""


class RetryTransaction(TransactionError):
    """The timing was unlucky: roll the whole transaction back and run it again."""


class ReactionOverflow(CrmkitError):
    """Reactions kept causing events; the message shows the chain."""


class DeliveryError(CrmkitError):
    """A delivery cannot be made, or cannot be made now."""
