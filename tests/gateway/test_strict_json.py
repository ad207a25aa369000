# SPDX-License-Identifier: Apache-2.0
"""JSON is read without forgiving anything, and in time that grows with its length only."""

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.strict_json import MAX_DEPTH, Members, Unusable, read_json
from services.chassis.refusal import Malformed


def test_equal_members_are_kept_for_the_walk() -> None:
    value = read_json(b'{"a":1,"a":{"b":[true,null,"x",1.5]}}')
    assert isinstance(value, Members)
    assert [name for name, _ in value.pairs] == ["a", "a"]
    inner = value.pairs[1][1]
    assert isinstance(inner, Members)
    assert inner.pairs == [("b", [True, None, "x", 1.5])]


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9" * 19, "9" * 5000]
)
def test_a_number_that_no_field_holds_is_marked(text: str) -> None:
    assert isinstance(read_json(text.encode()), Unusable)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"{]",
        b"{'a':1}",
        b'{"a":1,}',
        b'{"a" 1}',
        b'{"a":01}',
        b'{"a":+1}',
        b'{"a":.5}',
        b"nul",
        b'"\x01"',
        b'"\\x41"',
        b"\xef\xbb\xbf{}",
        b'"\xff"',
        b'"\xed\xa0\x80"',
        "{}".encode("utf-16"),
        b"// c\n{}",
    ],
)
def test_what_is_not_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_json(body)


def test_depth_is_bounded_wherever_brackets_stand() -> None:
    read_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    read_json(b'["' + b"[" * 1000 + b'"]')
    read_json(b'["\\"' + b"[" * 1000 + b'"]')
    read_json(b"[" + b"[],{}," * 1000 + b"[]]")
    for body in (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), b"[" * 200_000):
        with pytest.raises(Malformed):
            read_json(body)


@pytest.mark.parametrize(
    "body", [b'"' + b'\\"' * 120_000 + b"[" * 40, b'"\\' * 120_000 + b"[" * 40, b'{"":' * 50_000]
)
def test_no_body_takes_long(body: bytes) -> None:
    started = time.perf_counter()
    with pytest.raises(Malformed):
        read_json(body)
    assert time.perf_counter() - started < 5  # milliseconds, if it grows with the length


@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_malformed(body: bytes) -> None:
    with suppress(Malformed):
        read_json(body)
