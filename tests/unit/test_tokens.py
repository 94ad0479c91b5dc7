"""Tokens of links: whole or worth nothing, for one act, until their time, and with nothing personal in them."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.clock import FOREVER
from crmkit.errors import TokenRefused
from crmkit.settings import Secret
from crmkit.tokens import TOKEN_LIMIT, Token, TokenAct, read_token, write_token

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
KEY = Secret("the installation's")

tokens = st.builds(
    Token,
    act=st.sampled_from(TokenAct),
    purpose=st.sampled_from(["", "news", "promo", "x" * 60]),
    channel=st.sampled_from(["", "email", "sms"]),
    digest=st.binary(min_size=32, max_size=32).map(bytes.hex),
    nonce=st.uuids(),
    contact_id=st.none() | st.uuids().filter(lambda id: id.int != 0),
    until=st.just(FOREVER) | st.integers(1, 10**6).map(lambda seconds: NOW + timedelta(seconds=seconds)),
)
ONE = Token(
    act=TokenAct.CONFIRM, purpose="news", channel="email", digest="ab" * 32, nonce=UUID(int=7),
    contact_id=UUID(int=8), until=NOW + timedelta(days=1),
)  # fmt: skip


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


@given(tokens)
def test_what_is_written_is_read(token: Token) -> None:
    text = write_token(KEY, token)
    assert read_token(KEY, text, NOW) == token
    assert len(text) <= TOKEN_LIMIT and text.isascii() and text.replace("-", "").replace("_", "").isalnum()


@given(tokens, st.data())
def test_a_token_of_which_one_byte_was_changed_is_refused(token: Token, data: st.DataObject) -> None:
    raw = bytearray(_bytes(write_token(KEY, token)))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(TokenRefused):
        read_token(KEY, _text(bytes(raw)), NOW)


@given(tokens, st.data())
def test_a_token_of_which_one_character_was_changed_is_refused(token: Token, data: st.DataObject) -> None:
    text = write_token(KEY, token)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda char: char != text[place]))
    with pytest.raises(TokenRefused):
        read_token(KEY, text[:place] + other + text[place + 1 :], NOW)


@given(st.text() | st.binary().map(_text))
def test_anything_else_is_refused_without_a_traceback_of_ours(text: str) -> None:
    with pytest.raises(TokenRefused):
        read_token(KEY, text, NOW)


@pytest.mark.parametrize(
    "text",
    [
        write_token(KEY, ONE)[:-1],
        write_token(KEY, ONE) + "A",
        write_token(KEY, ONE) + "=",
        " " + write_token(KEY, ONE),
        "A" * 10_000_000,
        "",
    ],
)
def test_a_token_that_was_cut_or_grown_is_refused(text: str) -> None:
    with pytest.raises(TokenRefused, match="cut off"):
        read_token(KEY, text, NOW)


def test_a_token_of_another_installation_is_refused() -> None:
    with pytest.raises(TokenRefused):
        read_token(Secret("another"), write_token(KEY, ONE), NOW)


def test_a_seal_for_one_act_is_none_for_another() -> None:
    other = write_token(KEY, attrs.evolve(ONE, act=TokenAct.UNSUBSCRIBE))
    seal = _bytes(other)[-32:]
    with pytest.raises(TokenRefused):
        read_token(KEY, _text(_bytes(write_token(KEY, ONE))[:-32] + seal), NOW)


def test_a_token_ends_at_its_instant() -> None:
    text = write_token(KEY, ONE)
    assert read_token(KEY, text, ONE.until - timedelta(microseconds=1)) == ONE
    with pytest.raises(TokenRefused, match="valid until 2026-01-16 12:00"):
        read_token(KEY, text, ONE.until)
