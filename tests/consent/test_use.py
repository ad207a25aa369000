# SPDX-License-Identifier: Apache-2.0
"""How much a use proves (clause 2.1, law.md 4.5)."""

import pytest

from services.consent.use import (
    Strength,
    Use,
    UseKind,
    page_digest,
    standing_salt,
    technical_digest,
)


@pytest.mark.parametrize(
    ("kind", "notice_shown", "strength"),
    [
        (UseKind.VIEW, True, Strength.WEAK),
        (UseKind.LOGIN, True, Strength.WEAK),
        (UseKind.FORM_SUBMIT, True, Strength.STRONG),
        (UseKind.ORDER, True, Strength.STRONG),
        (UseKind.VIEW, False, Strength.WEAK),
        (UseKind.LOGIN, False, Strength.WEAK),
        (UseKind.FORM_SUBMIT, False, Strength.WEAK),
        (UseKind.ORDER, False, Strength.WEAK),
    ],
)
def test_only_a_form_or_an_order_after_the_notice_is_strong_evidence(
    kind: UseKind, notice_shown: bool, strength: Strength
) -> None:
    assert Use(kind, "", notice_shown, None).strength is strength


def test_the_digest_of_a_page_links_no_two_persons_and_no_two_services() -> None:
    digests = {
        page_digest(standing_salt(secret, site, subject), page)
        for secret in (b"a" * 32, b"b" * 32)
        for site in ("demo", "other")
        for subject in ("1" * 32, "2" * 32)
        for page in ("/cart", "/checkout")
    }
    assert len(digests) == 16
    assert page_digest(standing_salt(b"a" * 32, "demo", "1" * 32), "/cart") in digests


def test_the_digest_of_technical_data_is_of_names_and_values_and_links_no_two_uses() -> None:
    data = {"ip": "203.0.113.9", "cookie": "sid"}
    digest = technical_digest("aa" * 16, data)
    assert technical_digest("aa" * 16, dict(reversed(data.items()))) == digest
    assert technical_digest("ab" * 16, data) != digest
    assert technical_digest("aa" * 16, {"ip": "sid", "cookie": "203.0.113.9"}) != digest
