# SPDX-License-Identifier: Apache-2.0
"""Placing data: the closed list, all violations at once, nothing kept of a refused input."""

from collections.abc import Mapping

import pytest

from services.vault.address import Address, AddressPart
from services.vault.fields import STATED_FIELDS, TECHNICAL_FIELDS, AnyField, Field
from services.vault.personal_data import PersonalData, merge_data, normalize_data
from services.vault.violation import DataInvalid, Rule

NURSULTAN = {
    "familyName": "Әбілқайырұлы",
    "givenName": "Нұрсұлтан",
    "patronymic": "Ғалымұлы",
    "phone": "8 701 123 45 67",
    "email": "nursultan@example.kz",
    "address": {
        "country": "KZ",
        "locality": "Алматы",
        "street": "Абай даңғылы",
        "house": "10",
        "flat": "5",
        "postalCode": "050000",
    },
}


def placed(
    raw: Mapping[str, object], current: Mapping[AnyField, str | Address] | None = None
) -> PersonalData:
    return merge_data(current or {}, normalize_data(raw))


def violations_of(
    raw: Mapping[str, object], current: Mapping[AnyField, str | Address] | None = None
) -> list[tuple[str, Rule]]:
    with pytest.raises(DataInvalid) as refusal:
        placed(raw, current)
    return [(violation.field, violation.rule) for violation in refusal.value.violations]


def test_the_data_of_a_checkout_form_are_placed() -> None:
    data = placed(NURSULTAN)
    assert set(data) == STATED_FIELDS
    assert data[Field.FAMILY_NAME] == "Әбілқайырұлы"
    assert data[Field.PHONE] == "+77011234567"
    address = data[Field.ADDRESS]
    assert not isinstance(address, str)
    assert address[AddressPart.STREET] == "Абай даңғылы"


def test_the_list_of_fields_is_closed_and_knows_no_other_data() -> None:
    assert {field.value for field in Field} == {
        "familyName",
        "givenName",
        "patronymic",
        "phone",
        "email",
        "address",
        "purchases",
        "technical.ip",
        "technical.cookie",
        "technical.userAgent",
        "technical.accessTime",
        "technical.page",
        "technical.referrer",
    }
    assert not STATED_FIELDS & TECHNICAL_FIELDS
    assert Field.PURCHASES not in STATED_FIELDS | TECHNICAL_FIELDS


@pytest.mark.parametrize("name", ["other", "iin", "phone2", "Phone", "family_name", ""])
def test_a_field_not_on_the_list_is_refused(name: str) -> None:
    [(_, rule)] = violations_of({name: "value"})
    assert rule is Rule.UNKNOWN_FIELD


def test_a_mistyped_field_is_named_and_a_value_in_its_place_is_not() -> None:
    assert violations_of({"fone": "x"})[0][0] == "fone"
    assert violations_of({"+77011234567": "x"})[0][0] == "(unnamed)"
    assert violations_of({"Әбілқайырұлы": "x"})[0][0] == "(unnamed)"


@pytest.mark.parametrize(
    "name", [*sorted(TECHNICAL_FIELDS), Field.PURCHASES.value, "technical"], ids=str
)
def test_what_is_recorded_by_itself_cannot_be_placed(name: str) -> None:
    assert violations_of({str(name): "value"}) == [(str(name), Rule.NOT_SETTABLE)]
    assert violations_of({str(name): None}) == [(str(name), Rule.NOT_SETTABLE)]


def test_all_violations_of_one_input_are_told_in_its_order() -> None:
    raw = {
        "phone": "123",
        "givenName": "Нұрсұлтан",
        "nickname": "x",
        "address": {"house": "", "postalCode": "!"},
        "email": "nobody",
    }
    assert violations_of(raw) == [
        ("phone", Rule.PHONE_NOT_IN_USE),
        ("nickname", Rule.UNKNOWN_FIELD),
        ("address.house", Rule.EMPTY),
        ("address.postalCode", Rule.POSTAL_CODE_MALFORMED),
        ("email", Rule.EMAIL_MALFORMED),
    ]


def test_a_merge_patch_changes_what_it_names_and_clears_with_null() -> None:
    before = placed(NURSULTAN)
    after = placed({"phone": "+77017654321", "email": None, "address": {"flat": None}}, before)
    assert after[Field.PHONE] == "+77017654321"
    assert Field.EMAIL not in after
    assert after[Field.GIVEN_NAME] == "Нұрсұлтан"
    address = after[Field.ADDRESS]
    assert not isinstance(address, str)
    assert AddressPart.FLAT not in address
    assert AddressPart.HOUSE in address
    assert before[Field.PHONE] == "+77011234567"


def test_an_address_is_cleared_whole_or_by_its_last_part() -> None:
    before = placed({"address": {"house": "10"}})
    assert Field.ADDRESS not in placed({"address": None}, before)
    assert Field.ADDRESS not in placed({"address": {"house": None}}, before)


def test_an_empty_patch_changes_nothing() -> None:
    before = placed(NURSULTAN)
    assert placed({}, before) == before


@pytest.mark.parametrize("name", ["familyName", "givenName"])
def test_one_part_of_a_name_is_enough(name: str) -> None:
    assert placed({name: "Абай", "patronymic": "Құнанбайұлы"})
    assert placed({name: "Абай"})


def test_a_subject_without_patronymic_is_accepted() -> None:
    data = placed({key: value for key, value in NURSULTAN.items() if key != "patronymic"})
    assert Field.PATRONYMIC not in data


def test_a_patronymic_alone_is_no_name() -> None:
    assert violations_of({"patronymic": "Құнанбайұлы"}) == [("patronymic", Rule.NAME_MISSING)]
    before = placed(NURSULTAN)
    cleared = {"familyName": None, "givenName": None}
    assert violations_of(cleared, before) == [("patronymic", Rule.NAME_MISSING)]
    assert placed({**cleared, "patronymic": None}, before)


def test_who_only_subscribes_gives_an_email_and_no_name() -> None:
    assert set(placed({"email": "a@example.kz"})) == {Field.EMAIL}


def test_a_postal_code_of_the_merged_address_is_judged_with_the_rest() -> None:
    before = placed({"address": {"country": "GB", "postalCode": "SW1A 1AA"}})
    raw = {"address": {"country": "KZ"}, "patronymic": "Құнанбайұлы"}
    assert violations_of(raw, before) == [
        ("address.postalCode", Rule.POSTAL_CODE_MALFORMED),
        ("patronymic", Rule.NAME_MISSING),
    ]


@pytest.mark.parametrize("name", sorted(STATED_FIELDS))
@pytest.mark.parametrize(
    "value", [7, True, 1.5, b"x", ["x"], [[]], pytest.param(object(), id="object")], ids=repr
)
def test_a_value_of_another_type_is_refused(name: Field, value: object) -> None:
    assert violations_of({name.value: value}) == [(name.value, Rule.WRONG_TYPE)]


def test_neither_refusals_nor_data_print_a_value() -> None:
    with pytest.raises(DataInvalid) as refusal:
        normalize_data({"phone": "8701-secret", "email": "secret", "givenName": "secret\x00"})
    told = [str(refusal.value), repr(refusal.value)]
    told += [f"{violation!r} {violation.description}" for violation in refusal.value.violations]
    assert len(refusal.value.violations) == 3
    assert "secret" not in " ".join(told)
    assert "Нұрсұлтан" not in repr(placed(NURSULTAN)) + repr(normalize_data(NURSULTAN))
