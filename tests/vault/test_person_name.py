# SPDX-License-Identifier: Apache-2.0
"""Names as people write them (clause 3.2.1, T-3.2.1-a)."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.vault.person_name import MAX_LENGTH, normalize_name
from services.vault.violation import FieldInvalid, Rule

KAZAKH = "ӘҒҚҢӨҰҮҺІәғқңөұүһі"


def rule_of(value: object) -> Rule:
    with pytest.raises(FieldInvalid) as refusal:
        normalize_name("familyName", value)
    assert refusal.value.field == "familyName"
    if isinstance(value, str) and value.strip():
        assert value not in str(refusal.value)
    return refusal.value.rule


def test_the_nine_kazakh_letters_are_kept_byte_for_byte() -> None:
    assert len(KAZAKH) == 18
    assert normalize_name("familyName", KAZAKH).encode() == KAZAKH.encode()
    assert normalize_name("givenName", "Әбілқайырұлы") == "Әбілқайырұлы"


def test_a_decomposed_name_is_composed() -> None:
    decomposed = unicodedata.normalize("NFD", "Йолдасұлы Ёлкин")
    assert normalize_name("familyName", decomposed) == "Йолдасұлы Ёлкин"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("  Нұрсұлтан  ", "Нұрсұлтан"),
        ("Абдул   Карим", "Абдул Карим"),
        ("Абдул\u00a0Карим", "Абдул Карим"),
        ("O’Brien-Smith", "O’Brien-Smith"),
        ("Қ.", "Қ."),
        ("李", "李"),
        ("Ғалым ұлы", "Ғалым ұлы"),
    ],
)
def test_a_name_of_any_script_is_kept_with_single_spaces(given: str, kept: str) -> None:
    assert normalize_name("givenName", given) == kept


@pytest.mark.parametrize("blank", ["", " ", "\u00a0\u3000"])
def test_an_empty_name_is_refused(blank: str) -> None:
    assert rule_of(blank) is Rule.EMPTY


@pytest.mark.parametrize("unreal", ["12345", "٣٤", "-", "..", "№ 5", "🙂"])
def test_a_name_without_a_letter_is_refused(unreal: str) -> None:
    assert rule_of(unreal) is Rule.LETTER_MISSING


@pytest.mark.parametrize(
    "hidden",
    ["А\x00бай", "Абай\n", "А\tбай", "\x1bАбай", "А\u202eбай", "А\u200bбай", "А\ud800", "\ue000А"],
    ids=ascii,
)
def test_a_name_with_an_invisible_character_is_refused(hidden: str) -> None:
    assert rule_of(hidden) is Rule.FORBIDDEN_CHARACTER


def test_a_name_is_measured_in_letters_and_not_in_bytes() -> None:
    assert normalize_name("givenName", "Ұ" * MAX_LENGTH) == "Ұ" * MAX_LENGTH
    assert rule_of("Ұ" * (MAX_LENGTH + 1)) is Rule.TOO_LONG
    assert rule_of("A" * 1_000_000) is Rule.TOO_LONG


@pytest.mark.parametrize("value", [None, 7, True, 1.5, b"bytes", ["Абай"], {"a": 1}], ids=repr)
def test_what_is_no_text_is_refused(value: object) -> None:
    assert rule_of(value) is Rule.WRONG_TYPE


@given(st.text())
def test_a_kept_name_is_kept_again_and_always_fits(given_name: str) -> None:
    try:
        kept = normalize_name("givenName", given_name)
    except FieldInvalid:
        return
    assert normalize_name("givenName", kept) == kept
    assert unicodedata.is_normalized("NFC", kept)
    assert kept.encode()
