# SPDX-License-Identifier: Apache-2.0
"""Who may file a claim, when it was received, and its number (clauses 6.2.3, 8.1; law.md 4.7, 4.9).

A storefront files for the person who is authenticated there; whoever else claims comes before an
officer.
"""

from collections.abc import Sequence
from datetime import datetime

from services.chassis.calendar import WorkingCalendar
from services.chassis.deadline import plus_working_days
from services.claims.state import Claimant

# What a slice holds of one subject has to stay well under what one push may carry.
CLAIMS_PER_SUBJECT = 500
# Further back a second officer confirms the time of receipt; the claim blocks all the same.
FAR_BACK_WORKING_DAYS = 3


class ReceiptTimeRefused(ValueError):
    """The time of receipt cannot stand; `rule` and `description` say why, without the value."""

    def __init__(self, rule: str, description: str) -> None:
        super().__init__(description)
        self.rule = rule
        self.description = description


def may_file(claimant: Claimant, *, officer: bool) -> bool:
    """Say whether an officer, or else a storefront, may file a claim of `claimant`."""
    return officer or claimant is Claimant.SUBJECT


def receipt_time(given: datetime | None, now: datetime, *, officer: bool) -> datetime:
    """Return the aware time of receipt: `now` unless an officer proves an earlier one.

    Raises ReceiptTimeRefused for a time that a storefront gives, or that lies in the future.
    """
    if given is None:
        return now
    if not officer:
        raise ReceiptTimeRefused("not_allowed", "is the server's where a storefront files")
    if given > now:
        raise ReceiptTimeRefused("range", "may not lie in the future")
    return given


def is_far_back(
    receipt_time: datetime, record_time: datetime, calendar: WorkingCalendar, working_days: int
) -> bool:
    """Say whether a receipt lies more than so many working days before it was recorded."""
    return plus_working_days(receipt_time, working_days, calendar).has_passed(record_time)


def claim_number(year: int, ordinal: int) -> str:
    """Return the number of the `ordinal`-th claim of a local year, such as 2026-000001."""
    return f"{year:04d}-{ordinal:06d}"


def first_repeat(subject_ids: Sequence[str]) -> int | None:
    """Return the index of the first id that was named before, or None."""
    for index, subject_id in enumerate(subject_ids):
        if subject_id in subject_ids[:index]:
            return index
    return None
