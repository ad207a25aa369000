# SPDX-License-Identifier: Apache-2.0
"""Page tokens are ours: nobody makes one up, nobody carries one to another list."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.paging import PageTokens, page_size
from services.chassis.refusal import InvalidArgument

TOKENS = PageTokens(b"s" * 32)
PLACES = st.lists(st.one_of(st.integers(-(2**60), 2**60), st.text(max_size=40)), max_size=4)


@given(PLACES, st.text(max_size=30))
def test_a_token_opens_to_the_place_it_was_made_for(place: list[str | int], scope: str) -> None:
    token = TOKENS.make(scope, place)
    assert TOKENS.open(scope, token) == place
    assert token.isascii()
    with pytest.raises(InvalidArgument):
        TOKENS.open(scope + "|other", token)
    with pytest.raises(InvalidArgument):
        PageTokens(b"t" * 32).open(scope, token)


def test_no_token_is_the_beginning() -> None:
    assert TOKENS.open("claims|demo", "") is None


@given(st.text(min_size=1, max_size=80))
def test_no_text_is_a_token_by_chance(text: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        TOKENS.open("claims|demo", text)
    assert [v.field for v in caught.value.fields] == ["pageToken"]


def test_every_changed_byte_is_noticed() -> None:
    token = TOKENS.make("claims|demo", ["2026-05-12", 7])
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for place in range(len(raw)):
        for bit in (1, 128):
            changed = bytearray(raw)
            changed[place] ^= bit
            forged = base64.urlsafe_b64encode(bytes(changed)).decode().rstrip("=")
            with pytest.raises(InvalidArgument):
                TOKENS.open("claims|demo", forged)


@pytest.mark.parametrize(("asked", "size"), [(0, 50), (1, 1), (100, 100)])
def test_a_page_has_the_size_asked_for(asked: int, size: int) -> None:
    assert page_size(asked, 50, 100) == size


@pytest.mark.parametrize("asked", [-1, 101, 2**31])
def test_a_page_is_neither_negative_nor_too_large(asked: int) -> None:
    with pytest.raises(InvalidArgument):
        page_size(asked, 50, 100)
