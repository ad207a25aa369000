# SPDX-License-Identifier: Apache-2.0
"""The data that sites add to the list, as the configuration says them (T-3.2.4-a)."""

from pathlib import Path
from typing import Any

import pytest

from cli.layout import DEVELOPMENT_FIELDS
from services.chassis.config import ConfigError
from services.chassis.configured_fields import ConfiguredFields, Form, load_configured_fields

CARD = """
[fields.loyaltyCard]
label = { kk = "Карта", ru = "Карта", en = "Card" }
purposes = ["SUPPORT"]
personal = true
policyVersion = 1
form = "CODE"
maxLength = 20
"""


def _load(path: Path, text: str) -> ConfiguredFields:
    path.write_text(text, "utf-8")
    return load_configured_fields(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fields.toml"


def test_a_site_has_its_own_data_and_those_of_every_site(path: Path) -> None:
    own = CARD.replace("fields.loyaltyCard", "sites.shop.fields.shoeSize")
    fields = _load(path, CARD + own)
    assert set(fields.of_site("shop")) == {"loyaltyCard", "shoeSize"}
    assert set(fields.of_site("elsewhere")) == {"loyaltyCard"}
    rule = fields.of_site("shop")["loyaltyCard"]
    assert (rule.form, rule.max_length, set(rule.purposes)) == (Form.CODE, 20, {"SUPPORT"})


def test_without_a_file_nothing_is_added() -> None:
    assert load_configured_fields(None).of_site("demo") == {}


def test_the_list_of_the_first_run_is_right(path: Path) -> None:
    assert set(_load(path, DEVELOPMENT_FIELDS).of_site("demo")) == {"loyaltyCard"}


FAULTS: dict[str, tuple[str, Any, str]] = {
    "a datum of the policy": ("loyaltyCard", "phone", "is on the list already"),
    "a technical datum": ("loyaltyCard", "userAgent", "is on the list already"),
    "a part of the address": ("loyaltyCard", "postalCode", "is on the list already"),
    "other": ("loyaltyCard", "other", "there is no datum OTHER"),
    "other by another name": ("loyaltyCard", "otherData", "there is no datum OTHER"),
    "notes": ("loyaltyCard", "notes", "there is no datum OTHER"),
    "not lowerCamelCase": ("loyaltyCard", "LoyaltyCard", "is no name"),
    "too long a name": ("loyaltyCard", "a" * 41, "is no name"),
    "no purpose": ('["SUPPORT"]', "[]", "purposes"),
    "an unknown purpose": ("SUPPORT", "PROFILING", "is no purpose of clause 4.1"),
    "technical purposes": ("SUPPORT", "SECURITY_LOCATION", "reads technical data only"),
    "a purpose without data": ("SUPPORT", "PARTNER_SITES", "gives out nothing"),
    "verification": ("SUPPORT", "VERIFY_DATA", "reaches every stated datum"),
    "a consent": ("SUPPORT", "AUTOMATED_DECISION", "is a consent"),
    "the zero purpose": ("SUPPORT", "CODE_UNSPECIFIED", "is no purpose of clause 4.1"),
    "no personal mark": ("personal = true", "", "personal"),
    "a mark that is no truth value": ("personal = true", 'personal = "?"', "personal"),
    "no policy version": ("policyVersion = 1", "", "policyVersion"),
    "version 0": ("policyVersion = 1", "policyVersion = 0", "policyVersion"),
    "no label in Kazakh": ('kk = "Карта", ', "", "label.kk"),
    "an empty label": ('kk = "Карта"', 'kk = ""', "label.kk"),
    "an unknown form": ('"CODE"', '"ANYTHING"', "form"),
    "no length": ("maxLength = 20", "", "maxLength of CODE is from 1 to 64"),
    "too long": ("maxLength = 20", "maxLength = 65", "maxLength of CODE is from 1 to 64"),
    "a date of a length": ('"CODE"', '"DATE"', "DATE has no maxLength"),
    "choices of a code": ("maxLength = 20", 'maxLength = 20\nchoices = ["a"]', "CHOICE"),
    "a choice without choices": ('"CODE"\nmaxLength = 20', '"CHOICE"', "CHOICE"),
    "the same choice twice": (
        '"CODE"\nmaxLength = 20',
        '"CHOICE"\nchoices = ["S", "S"]',
        "different codes",
    ),
    "an unknown member": ("personal = true", "personal = true\nsecret = true", "secret"),
    "python's name": ("policyVersion", "policy_version", "policy_version"),
    "no TOML": ("[fields", "[[[", "is not TOML"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_named_at_the_start(path: Path, fault: str) -> None:
    """T-3.2.4-a"""
    old, new, told = FAULTS[fault]
    assert old in CARD
    with pytest.raises(ConfigError) as error:
        _load(path, CARD.replace(old, new, 1))
    assert told in str(error.value)
    assert str(path) in str(error.value)


def test_a_site_cannot_give_another_meaning_to_a_datum_of_every_site(path: Path) -> None:
    own = CARD.replace("fields.loyaltyCard", "sites.shop.fields.loyaltyCard")
    with pytest.raises(ConfigError, match="stands for every site already"):
        _load(path, CARD + own)


def test_a_site_adds_at_most_fifty(path: Path) -> None:
    many = [CARD.replace("loyaltyCard", f"datum{number}") for number in range(51)]
    assert len(_load(path, "".join(many[:50])).of_site("demo")) == 50
    with pytest.raises(ConfigError, match="at most 50"):
        _load(path, "".join(many))


def test_a_file_that_is_not_there_is_said(path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the fields file"):
        load_configured_fields(path)
