# SPDX-License-Identifier: Apache-2.0
"""The e-mail address (clause 3.2.3, T-3.2.3-a)."""

import email_validator
import pytest
from email_validator import validate_email
from hypothesis import given, settings
from hypothesis import strategies as st

from services.vault import email_address
from services.vault.email_address import email_index_form, normalize_email
from services.vault.violation import FieldInvalid, Rule


def rule_of(value: object) -> Rule:
    with pytest.raises(FieldInvalid) as refusal:
        normalize_email("email", value)
    assert refusal.value.field == "email"
    if isinstance(value, str) and value.strip():
        assert value not in str(refusal.value)
    return refusal.value.rule


@pytest.mark.parametrize(
    ("given", "kept", "indexed"),
    [
        ("nursultan@example.kz", "nursultan@example.kz", "nursultan@example.kz"),
        ("NurSultan@Example.KZ", "NurSultan@example.kz", "NurSultan@example.kz"),
        (" a.b+news@example.kz ", "a.b+news@example.kz", "a.b+news@example.kz"),
        ("user@қаз.kz", "user@қаз.kz", "user@xn--80ao21a.kz"),
        ("user@xn--80ao21a.kz", "user@қаз.kz", "user@xn--80ao21a.kz"),
        ("user@ҚАЗ.KZ", "user@қаз.kz", "user@xn--80ao21a.kz"),
        ("Әділ@example.kz", "Әділ@example.kz", "Әділ@example.kz"),
        ("a@straße.de", "a@straße.de", "a@xn--strae-oqa.de"),
    ],
)
def test_the_local_part_is_kept_and_the_domain_has_one_form(
    given: str, kept: str, indexed: str
) -> None:
    assert normalize_email("email", given) == kept
    assert normalize_email("email", kept) == kept
    assert email_index_form(kept) == indexed


@pytest.mark.parametrize(
    "domain",
    ["қазақстан.қаз", "президент.рф", "ΠΑΡΆΔΕΙΓΜΑ.gr", "bücher.example", "例え.jp", "EXAMPLE。kz"],
)
def test_the_indexed_domain_is_the_one_mail_goes_to(domain: str) -> None:
    kept = normalize_email("email", f"user@{domain}")
    sent = email_validator.validate_email(f"user@{domain}", check_deliverability=False)
    assert email_index_form(kept) == f"user@{sent.ascii_domain}"


@pytest.mark.parametrize(
    "wrong",
    [
        "nursultan",
        "nursultan@",
        "@example.kz",
        "a@b",
        "a b@example.kz",
        "a@exa mple.kz",
        "a@example.kz.",
        "a@-x.kz",
        "a@[192.0.2.1]",
        '"a b"@example.kz',
        "Name <a@example.kz>",
        "a@example.kz,b@example.kz",
        "a@@example.kz",
        "a..b@example.kz",
        "a@localhost",
        "a" * 65 + "@example.kz",
    ],
)
def test_what_is_no_single_address_is_refused(wrong: str) -> None:
    assert rule_of(wrong) is Rule.EMAIL_MALFORMED


def test_what_is_no_short_text_is_refused() -> None:
    assert rule_of(7) is Rule.WRONG_TYPE
    assert rule_of("") is Rule.EMPTY
    assert rule_of("a\n@example.kz") is Rule.FORBIDDEN_CHARACTER
    assert rule_of("a" * 1_000_000 + "@example.kz") is Rule.TOO_LONG


def test_an_address_that_leads_nowhere_is_accepted() -> None:
    """The administration does not check accuracy (clause 2.4): nothing asks the DNS."""
    assert normalize_email("email", "a@surely-not-registered-anywhere.kz")


_LABEL = st.text("abxn09-.", min_size=1, max_size=12)


@settings(max_examples=400)
@given(
    local=st.text("aZ0._+-", min_size=1, max_size=66),
    labels=st.lists(_LABEL, min_size=1, max_size=3),
    top=st.sampled_from(["kz", "com", "test", "local", "onion", "arpa", "c", "k9"]),
)
def test_a_plain_address_is_what_the_library_makes_of_it(
    local: str, labels: list[str], top: str
) -> None:
    text = f"{local}@{'.'.join([*labels, top])}"
    if email_address._is_plain(text):
        assert normalize_email("email", text) == text
        assert validate_email(text, strict=True, check_deliverability=False).normalized == text


def test_most_addresses_are_plain_and_none_of_a_reserved_domain() -> None:
    assert email_address._is_plain("Aigul.N+shop@mail-7.example.kz")
    for text in (
        "a@b.test",
        "a@localhost",
        "a@x.local",
        "a@xn--80ao21a.kz",
        "a..b@c.kz",
        "a@-c.kz",
    ):
        assert not email_address._is_plain(text)
