# SPDX-License-Identifier: Apache-2.0
"""A canary is found in whatever form it was written, or the search for it would prove nothing."""

import base64
import io
import json
import unicodedata
from typing import Any
from urllib.parse import quote

import pytest

from tests.harness.canary import KAZAKH, Canary, Hit, Person, Scanner, forms

WORD = "Әғқңөұүһі"
ENCODED = {
    "utf-8": WORD.encode(),
    "utf-16-le": WORD.encode("utf-16-le"),
    "utf-16-be": WORD.encode("utf-16-be"),
    "hex": WORD.encode().hex().encode(),
    "HEX": WORD.encode().hex().upper().encode(),
    "\\u": json.dumps(WORD).encode(),
    "url": quote(WORD).encode(),
    "lower case": WORD.lower().encode(),
    "upper case": WORD.upper().encode(),
}


@pytest.mark.parametrize("form", ENCODED)
def test_a_canary_is_found_in_every_form(form: str) -> None:
    hits = list(Scanner([Canary("word", WORD)]).in_bytes(b"\0\xd3" + ENCODED[form] + b"\n", "here"))
    assert form in {hit.form for hit in hits}


@pytest.mark.parametrize("before", range(7))
@pytest.mark.parametrize("after", range(3))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_canary_is_found_in_base64_wherever_it_stands(
    before: int, after: int, encode: Any
) -> None:
    content = encode(b"\xfb" * before + WORD.encode() + b"\xfe" * after)
    hits = list(Scanner([Canary("word", WORD)]).in_bytes(content, "here"))
    assert {hit.form.split(" ")[0] for hit in hits} & {"base64", "base64url"}


def test_a_decomposed_canary_is_found() -> None:
    word = f"{WORD}й"
    content = unicodedata.normalize("NFD", word).encode()
    assert [h.form for h in Scanner([Canary("word", word)]).in_bytes(content, "here")] == ["nfd"]


def test_a_phone_number_is_found_by_its_digits() -> None:
    person = Person.mint()
    for text in (person.phone, f"8{person.phone[2:]}", person.phone[2:]):
        hits = Scanner(person.canaries).in_bytes(text.encode(), "here")
        assert {hit.canary for hit in hits} == {"phone"}


@pytest.mark.parametrize("size", [1, 3, 7, 64])
def test_a_canary_is_found_across_the_border_of_two_chunks(size: int) -> None:
    content = b"-" * 50 + WORD.encode() + b"-" * 50
    stream = io.BytesIO(content)
    hits = set(Scanner([Canary("word", WORD)]).in_stream(stream, "here", size))
    assert Hit("word", "utf-8", "here", 50) in hits


def test_a_minted_person_has_all_kazakh_letters_and_nobody_elses_values() -> None:
    first, second = Person.mint(), Person.mint()
    for person in (first, second):
        words = [canary.text for canary in person.canaries if not canary.text.isascii()]
        assert len(words) >= 13
        assert all(set(KAZAKH) <= set(word.lower()) for word in words)
    assert not {c.text for c in first.canaries} & {c.text for c in second.canaries}
    assert len(forms(first.family_name)) >= 12
