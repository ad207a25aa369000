# SPDX-License-Identifier: Apache-2.0
"""A letter is tried again later each time, within the hour for ever (clause 8.2)."""

from services.claims.retry import next_try
from tests.claims.suite import NOW


def test_a_letter_waits_twice_as_long_each_time_and_an_hour_at_most() -> None:
    minutes = [(next_try(attempts, NOW) - NOW).total_seconds() / 60 for attempts in range(8)]
    assert minutes == [1, 2, 4, 8, 16, 32, 60, 60]
    assert next_try(10**6, NOW) == next_try(7, NOW)
