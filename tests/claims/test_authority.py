# SPDX-License-Identifier: Apache-2.0
"""Until when a representative's paper is good (law.md 2.7: Civil Code 164, 168)."""

from datetime import date

import pytest

from services.claims.authority import (
    Authority,
    AuthorityDocument,
    AuthorityVoid,
    good_until,
    require_good,
)

POWER = AuthorityDocument.POWER_OF_ATTORNEY
OTHERS = sorted(set(AuthorityDocument) - {POWER})
ISSUED = date(2024, 2, 29)


@pytest.mark.parametrize(
    ("expiry", "until"),
    [
        (None, date(2025, 2, 28)),
        (date(2024, 6, 1), date(2024, 6, 1)),
        (date(2027, 2, 28), date(2027, 2, 28)),
        (date(2030, 1, 1), date(2027, 2, 28)),
    ],
    ids=["silent", "shorter", "three years", "longer"],
)
def test_a_power_of_attorney_is_good_for_a_year_if_silent_and_three_at_most(
    expiry: date | None, until: date
) -> None:
    assert good_until(Authority(POWER, ISSUED, expiry)) == until


def test_a_power_of_attorney_without_date_is_void() -> None:
    with pytest.raises(AuthorityVoid) as void:
        good_until(Authority(POWER, None, date(2030, 1, 1)))
    assert (void.value.member, void.value.rule) == ("issueDate", "required")


@pytest.mark.parametrize("document", OTHERS)
def test_a_legal_representatives_paper_needs_no_date(document: AuthorityDocument) -> None:
    assert good_until(Authority(document, None, None)) is None
    assert good_until(Authority(document, ISSUED, date(2040, 1, 1))) == date(2040, 1, 1)


@pytest.mark.parametrize(
    ("day", "member"),
    [(date(2024, 2, 28), "issueDate"), (date(2025, 3, 1), "expiryDate")],
)
def test_a_paper_is_good_on_the_day_of_receipt_or_not_at_all(day: date, member: str) -> None:
    with pytest.raises(AuthorityVoid) as void:
        require_good(Authority(POWER, ISSUED, None), day)
    assert void.value.member == member


@pytest.mark.parametrize("day", [ISSUED, date(2025, 2, 28)])
def test_the_first_and_the_last_day_count(day: date) -> None:
    assert require_good(Authority(POWER, ISSUED, None), day) == date(2025, 2, 28)


def test_a_paper_that_ends_before_it_begins_is_void() -> None:
    with pytest.raises(AuthorityVoid):
        good_until(Authority(AuthorityDocument.COURT_ACT, ISSUED, date(2024, 1, 1)))
