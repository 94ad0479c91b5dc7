"""HMACs of personal values: they can be compared after the values themselves are gone, and not be guessed back."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable

from crmkit.errors import ValueRefused
from crmkit.settings import Secret

#: The length of a digest in bytes.
DIGEST_SIZE = 32

_DOMAIN = b"crmkit digest 1\x00"


def digest(secret: Secret, purpose: str, value: str) -> bytes:
    """Return the HMAC-SHA256 of a value; under another purpose the same value has an unrelated one.

    Args:
        secret: the key, `crm.digest` gives the installation's.
        purpose: what the digest is for, such as "suppression"; one purpose for each use.
        value: the text, already in the form that is compared: folded, NFC.

    Raises:
        ValueRefused: if the purpose is empty or holds NUL, or the secret is empty.
    """
    return digester(secret, purpose)(value)


def digester(secret: Secret, purpose: str, beginning: str = "") -> Callable[[str], bytes]:
    """Return the function from a value to its digest, for many values.

    Args:
        secret: as for `digest`.
        purpose: as for `digest`.
        beginning: what every value begins with, and is left out when the function is called.
    """
    if not purpose or "\x00" in purpose:
        raise ValueRefused(f"the purpose of a digest is {purpose!r}; it must be a text without NUL")
    if not secret:
        raise ValueRefused("a digest needs a secret that is not empty")
    key = secret.reveal().encode("utf-8", "surrogatepass")
    # NUL ends the purpose, so that no purpose and value run together as another pair does
    start = _DOMAIN + purpose.encode() + b"\x00" + beginning.encode("utf-8", "surrogatepass")
    return lambda value: hmac.digest(key, start + value.encode("utf-8", "surrogatepass"), "sha256")


def new_secret() -> Secret:
    """Return a random secret of 256 bits as text."""
    return Secret(secrets.token_urlsafe(32))
