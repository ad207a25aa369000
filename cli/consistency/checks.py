# SPDX-License-Identifier: Apache-2.0
"""All checks, each put together from the rows it compares; a module for each kind of record."""

from cli.consistency import checks_records, checks_sent, checks_vault
from cli.consistency.check import Check
from cli.consistency.checks_books import checks_of_books
from services.chassis.calendar import WorkingCalendar


def all_checks(calendar: WorkingCalendar) -> tuple[Check, ...]:
    """Every check in the order of asking; due dates are reckoned with `calendar`."""
    return (
        *checks_of_books(calendar),
        *checks_vault.CHECKS,
        *checks_sent.CHECKS,
        *checks_records.CHECKS,
    )
