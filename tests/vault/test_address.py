# SPDX-License-Identifier: Apache-2.0
"""The place of residence (clause 3.2.4), part by part."""

from collections.abc import Mapping

import pytest

from services.vault.address import (
    MAX_LENGTHS,
    Address,
    AddressPart,
    merge_address,
    normalize_address,
)
from services.vault.concealed import Concealed
from services.vault.violation import DataInvalid, FieldInvalid, Rule

ALMATY = {
    "country": "KZ",
    "locality": "Алматы",
    "street": "Абай даңғылы",
    "house": "10",
    "flat": "5",
    "postalCode": "050000",
}


def placed(
    raw: Mapping[str, object], current: dict[AddressPart, str] | None = None
) -> dict[AddressPart, str] | None:
    before: Address | None = Concealed(current) if current else None
    after = merge_address("address", before, normalize_address("address", raw))
    return None if after is None else dict(after)


def violations_of(raw: object) -> list[tuple[str, Rule]]:
    with pytest.raises(DataInvalid) as refusal:
        normalize_address("address", raw)
    return [(violation.field, violation.rule) for violation in refusal.value.violations]


def test_an_address_is_kept_part_by_part() -> None:
    assert placed(ALMATY) == {AddressPart(name): text for name, text in ALMATY.items()}


def test_a_later_change_leaves_the_other_parts() -> None:
    before = placed(ALMATY)
    after = placed({"flat": "6", "house": None}, before)
    assert after is not None
    assert after == {
        **{AddressPart(name): text for name, text in ALMATY.items() if name != "house"},
        AddressPart.FLAT: "6",
    }
    assert before is not None
    assert before[AddressPart.FLAT] == "5"


def test_an_address_whose_last_part_is_cleared_is_gone() -> None:
    assert placed({"house": None}, placed({"house": "10"})) is None
    assert placed({}) is None


def test_a_country_is_a_code_of_two_letters() -> None:
    kept = placed({"country": "kz"})
    assert kept == {AddressPart.COUNTRY: "KZ"}
    for wrong in ("XX", "KAZ", "Қ1", "1", "77"):
        assert [field for field, _ in violations_of({"country": wrong})] == ["address.country"]
    assert violations_of({"country": "ZZ"}) == [("address.country", Rule.COUNTRY_UNKNOWN)]


@pytest.mark.parametrize("code", ["050000", "A05E2X3", "a05e2x3", " 050000 "])
def test_both_kazakh_postal_codes_are_accepted(code: str) -> None:
    assert placed({"country": "KZ", "postalCode": code}) == {
        AddressPart.COUNTRY: "KZ",
        AddressPart.POSTAL_CODE: code.strip().upper(),
    }
    assert placed({"postalCode": code}) == {AddressPart.POSTAL_CODE: code.strip().upper()}


@pytest.mark.parametrize("code", ["05000", "0500000", "AB5E2X3", "A05E2X", "SW1A 1AA", "05 0000"])
def test_another_postal_code_is_refused_at_home(code: str) -> None:
    for raw in ({"country": "KZ", "postalCode": code}, {"postalCode": code}):
        with pytest.raises(FieldInvalid) as refusal:
            placed(raw)
        assert refusal.value.field == "address.postalCode"
        assert refusal.value.rule is Rule.POSTAL_CODE_MALFORMED
        assert code not in str(refusal.value)


def test_another_country_has_its_own_postal_codes() -> None:
    assert placed({"country": "GB", "postalCode": "sw1a 1aa"}) == {
        AddressPart.COUNTRY: "GB",
        AddressPart.POSTAL_CODE: "SW1A 1AA",
    }


def test_a_postal_code_is_held_against_the_country_it_ends_up_with() -> None:
    british = placed({"country": "GB", "postalCode": "SW1A 1AA"})
    with pytest.raises(FieldInvalid):
        placed({"country": "KZ"}, british)
    with pytest.raises(FieldInvalid):
        placed({"country": None}, british)


@pytest.mark.parametrize("code", ["٠٥٠٠٠٠", "０５００００", "05000!", "АО5Е2Х3", "-"])
def test_a_postal_code_is_written_in_ascii(code: str) -> None:
    assert violations_of({"country": "RU", "postalCode": code}) == [
        ("address.postalCode", Rule.POSTAL_CODE_MALFORMED)
    ]


def test_all_violations_are_told_at_once() -> None:
    raw = {"street": "", "house": 10, "planet": "Earth", "flat": "5", "region": "а\x00"}
    assert violations_of(raw) == [
        ("address.street", Rule.EMPTY),
        ("address.house", Rule.WRONG_TYPE),
        ("address.planet", Rule.UNKNOWN_FIELD),
        ("address.region", Rule.FORBIDDEN_CHARACTER),
    ]


@pytest.mark.parametrize("part", AddressPart)
def test_every_part_has_a_limit(part: AddressPart) -> None:
    too_long = "1" * (MAX_LENGTHS[part] + 1)
    assert violations_of({part.value: too_long}) == [(f"address.{part}", Rule.TOO_LONG)]


@pytest.mark.parametrize("value", ["Алматы, Абай 10", 7, ["Алматы"], True], ids=repr)
def test_what_is_no_object_is_no_address(value: object) -> None:
    assert violations_of(value) == [("address", Rule.WRONG_TYPE)]


def test_a_value_in_the_place_of_a_name_is_not_repeated() -> None:
    assert violations_of({"Абай даңғылы 10": "x"}) == [("address.(unnamed)", Rule.UNKNOWN_FIELD)]


def test_an_address_printed_by_accident_tells_nothing() -> None:
    address: Address = Concealed({AddressPart.STREET: "Абай даңғылы"})
    assert repr(address) == "Concealed(street)"
    assert "Абай" not in f"{address} {[address]}"
