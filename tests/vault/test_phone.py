# SPDX-License-Identifier: Apache-2.0
"""The contact telephone (clause 3.2.2, T-3.2.2-a)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.vault.phone import normalize_phone
from services.vault.violation import FieldInvalid, Rule


def rule_of(value: object) -> Rule:
    with pytest.raises(FieldInvalid) as refusal:
        normalize_phone("phone", value)
    assert refusal.value.field == "phone"
    if isinstance(value, str) and value.strip():
        assert value not in str(refusal.value)
    return refusal.value.rule


@pytest.mark.parametrize(
    "written",
    [
        "87011234567",
        "+7 701 123 45 67",
        "7011234567",
        "8 701 123 45 67",
        "8 (701) 123-45-67",
        "+7(701)123-45-67",
        "(+7 701) 123 45 67",
        "(701) 123-45-67",
        "701.123.45.67",
        "77011234567",
        " +7\u00a0701\u00a0123\u00a045\u00a067 ",
        "8 701 123\N{EN DASH}45\N{NON-BREAKING HYPHEN}67",
    ],
)
def test_every_way_of_writing_a_kazakh_number_is_kept_in_e164(written: str) -> None:
    assert normalize_phone("phone", written) == "+77011234567"


def test_a_landline_is_a_contact_telephone() -> None:
    assert normalize_phone("phone", "8 (727) 250-00-00") == "+77272500000"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("+7 495 123 45 67", "+74951234567"),
        ("+7 926 123 45 67", "+79261234567"),
        ("+44 20 7946 0958", "+442079460958"),
        ("810 44 20 7946 0958", "+442079460958"),
        ("+996 555 123456", "+996555123456"),
    ],
)
def test_a_foreign_number_that_says_its_country_is_accepted(written: str, kept: str) -> None:
    assert normalize_phone("phone", written) == kept


@pytest.mark.parametrize(
    "written",
    ["8-800-080-1234", "8 800 555 35 35", "8 495 123 45 67", "89261234567"],
)
def test_a_number_without_plus_is_never_guessed_to_be_russian(written: str) -> None:
    assert rule_of(written) is Rule.PHONE_COUNTRY_UNCLEAR


@pytest.mark.parametrize(
    "written",
    [
        "112",
        "+7 000 123 45 67",
        "770112345678",
        "74951234567",
        "+8 701 123 45 67",
        "8701123456",
        "+7",
    ],
)
def test_a_number_that_no_country_uses_is_refused(written: str) -> None:
    assert rule_of(written) in {Rule.PHONE_NOT_IN_USE, Rule.PHONE_MALFORMED}


@pytest.mark.parametrize(
    "written",
    [
        "٨٧٠١١٢٣٤٥٦٧",
        "8٧٠١١٢٣٤٥٦٧",
        "８７０１１２３４５６７",
        "+1 800 FLOWERS",
        "+77011234567;ext=5",
        "+7 701 123 45 67 доб. 5",
        "tel:+77011234567",
        "+7701+1234567",
        "87011234567, 87017654321",
        "87011234567/87017654321",
        "8/7011234567",
        "87011234567+",
        "++77011234567",
        "-+77011234567",
        "жоқ",
        "-",
        "+",
    ],
)
def test_only_one_number_in_ascii_digits_is_a_telephone(written: str) -> None:
    assert rule_of(written) is Rule.PHONE_MALFORMED


def test_what_is_no_short_text_is_refused() -> None:
    assert rule_of(87011234567) is Rule.WRONG_TYPE
    assert rule_of("") is Rule.EMPTY
    assert rule_of("8701\x001234567") is Rule.FORBIDDEN_CHARACTER
    assert rule_of("8" * 1_000_000) is Rule.TOO_LONG
    assert rule_of("8" * 41) is Rule.TOO_LONG


@given(st.text(alphabet="+0123456789-() ٣a", max_size=20))
def test_a_kept_number_is_kept_again(written: str) -> None:
    try:
        kept = normalize_phone("phone", written)
    except FieldInvalid:
        return
    assert kept.startswith("+")
    assert kept[1:].isascii()
    assert kept[1:].isdigit()
    assert normalize_phone("phone", kept) == kept


@settings(max_examples=400)
@given(st.integers(0, 10**9 - 1))
def test_a_number_in_its_kept_form_is_what_parsing_makes_of_it(rest: int) -> None:
    kept = f"+77{rest:09d}"
    spaced = f"{kept[:2]} {kept[2:]}"
    assert _told(kept) == _told(spaced)


def _told(text: str) -> str:
    try:
        return normalize_phone("phone", text)
    except FieldInvalid as violation:
        return str(violation.rule)
