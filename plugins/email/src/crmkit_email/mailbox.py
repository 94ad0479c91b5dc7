"""One mail address, alone or with a display name; never a list of them."""

from __future__ import annotations

import re
from email import policy

import attrs

from crmkit import ContactPoint, ValueRefused

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ORDINARY = re.compile(
    rf"({_ATOM}(?:\.{_ATOM})*)@((?:{_LABEL}\.)+[A-Za-z](?:[A-Za-z0-9-]{{0,61}}[A-Za-z0-9]))"
)


@attrs.frozen
class Mailbox:
    """A display name and the one address behind it.

    Args:
        name: the display name, or empty.
        local: what stands before the @.
        domain: what stands behind it, in ASCII (IDNA).
    """

    name: str
    local: str
    domain: str

    @property
    def address(self) -> str:
        """The address as servers want it."""
        return f"{self.local}@{self.domain}"

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else self.address


def mailbox(address: str, name: str = "") -> Mailbox:
    """Return the mailbox of exactly one bare address.

    Args:
        address: such as `anna@shop.example`; no display name, no list.
        name: the display name.

    Raises:
        ValueRefused: if it is not exactly one address that can receive mail.
    """
    ordinary = _ORDINARY.fullmatch(address)
    if ordinary and len(address) <= 254:
        return Mailbox(name, ordinary[1], ordinary[2])
    point = ContactPoint.email(address)
    return Mailbox(name, point.value.rpartition("@")[0], point.key.rpartition("@")[2])


def parse_mailbox(text: str) -> Mailbox:
    """Return the mailbox that is written as `anna@shop.example` or `Anna <anna@shop.example>`.

    Raises:
        ValueRefused: if it is not exactly one.
    """
    if any(char in text for char in "\r\n"):
        raise ValueRefused(
            f"{text!r} holds a line break; write one address such as 'Shop <hello@shop.example>'"
        )
    header = policy.default.header_factory("to", text)
    found = [address for group in header.groups for address in group.addresses]
    if len(found) != 1 or header.groups[0].display_name is not None:
        raise ValueRefused(
            f"{text!r} is not exactly one address; write 'Shop <hello@shop.example>', "
            "with double quotes around a name that has a comma"
        )
    bare = f"{found[0].username}@{found[0].domain}"
    if not text.rstrip().endswith((bare, f"<{bare}>")):
        raise ValueRefused(f"{text!r} does not end in its address, as 'Shop <hello@shop.example>' does")
    return mailbox(bare, " ".join(found[0].display_name.split()))
