"""Tokens in links: what may be done, to which address, and until when, signed; nothing personal stands in them."""

from __future__ import annotations

import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import attrs

from crmkit.clock import FOREVER, from_micros, micros
from crmkit.digests import DIGEST_SIZE, digest
from crmkit.errors import TokenRefused
from crmkit.settings import Secret

#: No token of ours is longer; what is longer is not even decoded.
TOKEN_LIMIT = 400

_VERSION = 1
_HEAD = struct.Struct(f">BBq16s16s{DIGEST_SIZE}s")  # version, act, expiry, nonce, contact, address
_NOBODY = UUID(int=0)


class TokenAct(StrEnum):
    """What a token lets its holder do; a token for one act is none for the other."""

    CONFIRM = "confirm"
    UNSUBSCRIBE = "unsubscribe"


_ACTS = tuple(TokenAct)


@attrs.frozen(kw_only=True)
class Token:
    """What a token says.

    Args:
        act: what it lets its holder do.
        purpose: for which purpose; empty for all.
        channel: over which channel; empty for all.
        digest: of the address.
        nonce: makes it unlike every other; of a request its id.
        contact_id: the contact, if any.
        until: from when it is refused; the end of time if never.
    """

    act: TokenAct
    purpose: str
    channel: str
    digest: str = attrs.field(repr=False)
    nonce: UUID
    contact_id: UUID | None = None
    until: datetime = FOREVER


def write_token(secret: Secret, token: Token) -> str:
    """Return a token as text of letters, digits, `-` and `_`.

    Args:
        secret: the installation's.
        token: what it is to say.
    """
    body = _body(token)
    return urlsafe_b64encode(body + _seal(secret, token.act, body)).rstrip(b"=").decode()


def read_token(secret: Secret, text: str, now: datetime) -> Token:
    """Return what a token says.

    Args:
        secret: the installation's.
        text: as somebody gave it.
        now: the present instant.

    Raises:
        TokenRefused: if it is no token of this installation, or not valid any more.
    """
    raw = _decoded(text)
    body, seal = raw[:-DIGEST_SIZE], raw[-DIGEST_SIZE:]
    act = _ACTS[body[1]] if len(body) > _HEAD.size and body[0] == _VERSION and body[1] < len(_ACTS) else None
    if act is None or not hmac.compare_digest(seal, _seal(secret, act, body)):
        raise TokenRefused("this is no valid token; perhaps the link was cut off")
    token = _token(act, body)
    if token.until <= now:
        raise TokenRefused(f"this token was valid until {token.until:%Y-%m-%d %H:%M} UTC")
    return token


def _seal(secret: Secret, act: TokenAct, body: bytes) -> bytes:
    return digest(secret, f"token {act}", body.decode("latin-1"))


def _body(token: Token) -> bytes:
    contact_id = token.contact_id or _NOBODY
    head = _HEAD.pack(
        _VERSION,
        _ACTS.index(token.act),
        micros(token.until),
        token.nonce.bytes,
        contact_id.bytes,
        bytes.fromhex(token.digest),
    )
    return head + f"{token.purpose}\x00{token.channel}".encode()


def _token(act: TokenAct, body: bytes) -> Token:
    _, _, until, nonce, contact, address = _HEAD.unpack_from(body)
    purpose, _, channel = body[_HEAD.size :].decode().partition("\x00")
    contact_id = UUID(bytes=contact)
    return Token(
        act=act,
        purpose=purpose,
        channel=channel,
        digest=address.hex(),
        nonce=UUID(bytes=nonce),
        contact_id=None if contact_id == _NOBODY else contact_id,
        until=from_micros(until),
    )


def _decoded(text: str) -> bytes:
    refused = TokenRefused("this is no valid token; perhaps the link was cut off")
    if type(text) is not str or not text.isascii() or not 0 < len(text) <= TOKEN_LIMIT:
        raise refused
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (Base64Error, ValueError):
        raise refused from None
    # one text for one token: else bits that base64 leaves unused could be changed
    if urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
        raise refused
    return raw
