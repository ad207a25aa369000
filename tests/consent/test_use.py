# SPDX-License-Identifier: Apache-2.0
"""How much a use proves (clause 2.1, law.md 4.5)."""

import pytest

from services.consent.use import Strength, Use, UseKind, page_digest


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
        page_digest(secret, site, subject, page)
        for secret in (b"a" * 32, b"b" * 32)
        for site in ("demo", "other")
        for subject in ("1" * 32, "2" * 32)
        for page in ("/cart", "/checkout")
    }
    assert len(digests) == 16
    assert page_digest(b"a" * 32, "demo", "1" * 32, "/cart") in digests
