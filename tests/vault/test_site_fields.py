# SPDX-License-Identifier: Apache-2.0
"""The forms of configured data, and how far purposes and consents reach them."""

import pytest

from services.chassis.configured_fields import ConfiguredFields
from services.vault.address import Address
from services.vault.decide import Life, Operation, Permit, Question, decide
from services.vault.fields import AnyField, Field, Reach, configured, field_of
from services.vault.personal_data import merge_data, normalize_data
from services.vault.purposes import PURPOSES
from services.vault.site_fields import AsStaged, SiteLists
from services.vault.standing import Standing
from services.vault.violation import DataInvalid
from tests.vault import decision_world as world

LABEL = {"kk": "К", "ru": "К", "en": "K"}


def _rule(form: str, *purposes: str, version: int = 1, **more: object) -> dict[str, object]:
    rule = {"label": LABEL, "purposes": purposes or ("SUPPORT",), "personal": True}
    return {**rule, "policyVersion": version, "form": form, **more}


LISTS = SiteLists(
    ConfiguredFields.model_validate(
        {
            "fields": {
                "nickname": _rule("TEXT", maxLength=10),
                "card": _rule("CODE", "NEWS", maxLength=10),
                "birthDate": _rule("DATE"),
                "size": _rule("CHOICE", choices=["S", "M"]),
                "iin": _rule("IIN", "PAYMENT", version=3),
            }
        }
    )
)
SITE = LISTS.of("demo")


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("nickname", "  Әсел \u0438\u0306 ", "Әсел й"),
        ("card", "A-1_b.2", "A-1_b.2"),
        ("birthDate", "1990-02-28", "1990-02-28"),
        ("size", "M", "M"),
        ("iin", "900101300017", "900101300017"),
    ],
)
def test_a_value_is_kept_in_its_form(name: str, given: str, kept: str) -> None:
    change = normalize_data({"configured": {name: given}}, SITE)
    assert dict(change) == {configured(name): kept}


@pytest.mark.parametrize(
    ("name", "given", "rule"),
    [
        ("nickname", "x" * 11, "TOO_LONG"),
        ("nickname", "", "EMPTY"),
        ("nickname", 5, "WRONG_TYPE"),
        ("nickname", "a\u202eb", "FORBIDDEN_CHARACTER"),
        ("card", "A 1", "FORM_MISMATCH"),
        ("card", "Ә1", "FORM_MISMATCH"),
        ("card", "A" * 11, "TOO_LONG"),
        ("birthDate", "1990-02-30", "FORM_MISMATCH"),
        ("birthDate", "19900228", "FORM_MISMATCH"),
        ("birthDate", "28.02.1990", "FORM_MISMATCH"),
        ("size", "L", "FORM_MISMATCH"),
        ("size", "m", "FORM_MISMATCH"),
        ("iin", "900101300018", "FORM_MISMATCH"),
        ("shoeSize", "43", "UNKNOWN_FIELD"),
        ("shoeSize", None, "UNKNOWN_FIELD"),
        ("phone", "+77011234567", "UNKNOWN_FIELD"),
    ],
)
def test_what_has_not_its_form_is_refused_by_name(name: str, given: object, rule: str) -> None:
    """T-3.2-a"""
    with pytest.raises(DataInvalid) as refused:
        normalize_data({"configured": {name: given}, "givenName": "Әсел"}, SITE)
    [violation] = refused.value.violations
    assert (violation.field, str(violation.rule)) == (f"configured.{name}", rule)


def test_a_merge_patch_changes_what_it_names_and_clears_by_null() -> None:
    card, size = configured("card"), configured("size")
    current: dict[AnyField, str | Address] = {Field.GIVEN_NAME: "Әсел", card: "A1", size: "S"}
    change = normalize_data({"configured": {"card": None, "nickname": "А"}}, SITE)
    assert dict(merge_data(current, change)) == {
        Field.GIVEN_NAME: "Әсел",
        size: "S",
        configured("nickname"): "А",
    }
    everything = normalize_data({"configured": None}, SITE)
    assert dict(merge_data(current, everything)) == {Field.GIVEN_NAME: "Әсел"}


def test_what_was_staged_is_written_whatever_the_list_says_now() -> None:
    """T-6.2.3-e"""
    staged = {"configured": {"goneSince": "X", "card": None}}
    change = normalize_data(staged, AsStaged())
    assert dict(change) == {configured("goneSince"): "X", configured("card"): None}


def _reached(purpose: str, version: int = 1, **more: object) -> set[str]:
    reaches = SITE.reached_by(purpose)
    question = Question(
        Operation.READ,
        purpose,
        reference=world.STRANGE,
        configured=reaches,
        **more,  # type: ignore[arg-type]
    )
    needed = "AUTOMATED_DECISION" if more else purpose
    found = world.Consents((world.fact(needed, version=version),))
    agreed = world.AGREEMENTS["accepted"][0]
    standing = Standing(world.consent_slice(agreed, found), None, None)
    given = decide(question, Life.PRESENT, standing, found.schedule, world.NOW)
    assert isinstance(given, Permit), given
    return {str(f) for f in given.fields - PURPOSES[purpose].fields}


def test_a_purpose_reaches_the_added_data_that_name_it_and_no_others() -> None:
    """T-3.2.4-a"""
    assert _reached("SUPPORT") == {
        "configured.nickname",
        "configured.birthDate",
        "configured.size",
    }
    assert _reached("PAYMENT") == {"configured.iin"}
    assert _reached("IDENTIFY_FOR_ORDER") == set()
    assert _reached("NEWS") == {"configured.card"}


def test_an_express_consent_reaches_what_was_listed_when_it_was_given() -> None:
    """T-9.1-b"""
    assert _reached("PAYMENT", version=2, automated_decision=True) == set()
    assert _reached("PAYMENT", version=3, automated_decision=True) == {"configured.iin"}


def test_verification_reaches_all_that_the_site_has_added() -> None:
    """T-4.1.5-a"""
    names = {f"configured.{name}" for name in SITE.names()}
    assert {str(reach.field) for reach in SITE.reached_by("VERIFY_DATA")} == names


def test_the_name_of_a_row_is_a_field_even_where_no_site_lists_it_now() -> None:
    assert field_of("configured.goneSince") == configured("goneSince")
    assert field_of("phone") is Field.PHONE
    with pytest.raises(ValueError, match="other"):
        field_of("other")
    assert Reach(configured("a"), 1).field == "configured.a"
