"""The folded form of an address, found again from what was sent to, and the digest by which it is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from crmkit.contacts.points import ContactPoint, PointKind
from crmkit.digests import digester
from crmkit.errors import ValueRefused
from crmkit.settings import Secret


def address_key(kind: PointKind, address: str) -> str:
    """Return the key of the contact point that an address belongs to, without asking any store.

    Args:
        kind: what it is the address of.
        address: as a channel writes to it, in whatever case.
    """
    if kind is PointKind.EMAIL and address.isascii():
        return address.strip().casefold()  # what ContactPoint.email makes of it, without its checks
    if kind is PointKind.PHONE and address[:1] == "+" and address[1:].isdecimal():
        return address
    return _key(kind, address)


@lru_cache(maxsize=4096)
def _key(kind: PointKind, address: str) -> str:
    try:
        return _POINTS[kind](address).key
    except ValueRefused:  # nobody's point, and still an address that somebody named
        return address.strip().casefold()


_POINTS: Mapping[PointKind, Callable[[str], ContactPoint]] = {
    PointKind.EMAIL: ContactPoint.email,
    PointKind.PHONE: ContactPoint.phone,
    PointKind.POSTAL: ContactPoint.postal,
    PointKind.HANDLE: lambda address: ContactPoint.handle("any", address),
    PointKind.EXTERNAL: lambda address: ContactPoint.external("any", address),
}


#: What digests of addresses are made for; consents, suppressions and tokens share them.
ADDRESS = "address"


def address_digester(secret: Secret, kind: PointKind, scope: str) -> Callable[[str], bytes]:
    """Return the function from the key of an address to the digest by which it is known once it may not be kept.

    Args:
        secret: the installation's.
        kind: what they are addresses of.
        scope: the network of handles or the system of external ids.
    """
    within = scope if kind in (PointKind.HANDLE, PointKind.EXTERNAL) else ""
    return digester(secret, ADDRESS, f"{kind}\x00{within}\x00")


def point_digest(secret: Secret, point: ContactPoint) -> str:
    """Return the digest of a contact point."""
    return address_digester(secret, point.kind, point.scope)(point.key).hex()
