# SPDX-License-Identifier: Apache-2.0
"""Headers: what they say, and what they may not."""

import pytest

from gateway.headers import Headers, preferred_language
from services.chassis.refusal import InvalidArgument


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("", "en"),
        ("kk", "kk"),
        ("KK-kz", "kk"),
        ("ru-RU,ru;q=0.9,en-US;q=0.8,en;q=0.7", "ru"),
        ("en;q=0.1, kk;q=0.2, ru;q=0.3", "ru"),
        ("de, fr;q=0.9", "en"),
        ("de, kk;q=0.1", "kk"),
        ("*", "en"),
        ("kk;q=0, *", "en"),
        ("en;q=0, *;q=0.5", "kk"),
        ("en;q=0", "en"),
        ("kk;q=0", "en"),
        ("kk, ru", "kk"),
        ("ru, kk", "ru"),
        ("kk;q=2", "en"),
        ("kk;x=1", "en"),
        (";;;,,,", "en"),
        ("\xff", "en"),
        ("de," * 100_000 + "kk", "en"),
        ("k" * 100_000, "en"),
    ],
)
def test_titles_are_in_the_preferred_of_three_languages(accept: str, language: str) -> None:
    assert preferred_language(accept) == language


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (b"abc", "abc"),
        (b'"abc"', "abc"),
        (b'"a\\"b"', 'a"b'),
        (b'"a\\\\b"', "a\\b"),
        (b"a\\b", "a\\b"),
        (b"  abc ", "abc"),
        (b"x" * 128, "x" * 128),
    ],
)
def test_an_idempotency_key_is_a_string_or_the_same_without_quotes(value: bytes, key: str) -> None:
    assert Headers([(b"idempotency-key", value)]).idempotency_key() == key


@pytest.mark.parametrize(
    "value", [b"", b'""', b'"a', b'a"b"\x7f', b'"a b"', b'"a"b', b'"\\a"', b"\xd3\x98", b"x" * 129]
)
def test_a_key_of_another_form_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidArgument):
        Headers([(b"idempotency-key", value)]).idempotency_key()


def test_a_header_may_not_stand_twice() -> None:
    twice = Headers([(b"Authorization", b"a"), (b"authorization", b"b")])
    with pytest.raises(InvalidArgument):
        twice.one("Authorization")
    assert twice.one("Qupia-Site") is None
