# SPDX-License-Identifier: Apache-2.0
"""Clause 3.2.2: the contact telephone."""

import pytest

from tests.harness.contacts import new_phone
from tests.policy.site import Site


@pytest.mark.parametrize("form", ["8{}{}{}{}", "+7 {} {} {} {}", "{}{}{}{}"])
def test_a_kazakh_number_is_kept_in_one_form_however_it_is_written(site: Site, form: str) -> None:
    """T-3.2.2-a"""
    kept = new_phone()
    written = form.format(kept[2:5], kept[5:8], kept[8:10], kept[10:])
    assert site.person({"phone": written}).data() == {"phone": kept}


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("+998 90 123 45 67", "+998901234567"),
        ("+49 30 901820", "+4930901820"),
        ("+1 (202) 456-1111", "+12024561111"),
        ("+7 495 123-45-67", "+74951234567"),
    ],
)
def test_a_foreign_number_that_says_its_country_is_accepted(
    site: Site, written: str, kept: str
) -> None:
    """T-3.2.2-a"""
    assert site.person({"phone": written}).data() == {"phone": kept}
