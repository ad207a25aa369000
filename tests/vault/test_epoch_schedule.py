# SPDX-License-Identifier: Apache-2.0
"""When epochs are rotated and retired by themselves, and when no backup opens anybody."""

from datetime import UTC, datetime, timedelta

import pytest

from services.vault import destruction
from services.vault.epoch_schedule import Epoch, EpochSchedule

DAY = timedelta(days=1)
BEGAN = datetime(2026, 11, 1, tzinfo=UTC)
OLDEST, OLD, CURRENT = (
    Epoch("oldest", False, BEGAN),
    Epoch("old", False, BEGAN + 7 * DAY),
    Epoch("current", True, BEGAN + 14 * DAY),
)
EPOCHS = [CURRENT, OLDEST, OLD]
WEEKLY = EpochSchedule(7, 5)
BY_HAND = EpochSchedule(7, 5, by_hand=True)


@pytest.mark.parametrize(("days", "due"), [(0, False), (6.99, False), (7, True), (400, True)])
def test_a_new_epoch_is_due_after_its_days(days: float, due: bool) -> None:
    assert WEEKLY.is_due(EPOCHS, CURRENT.create_time + days * DAY) is due


def test_an_old_epoch_goes_its_days_after_its_successor_began() -> None:
    assert WEEKLY.end_time(EPOCHS, OLDEST) == OLD.create_time + 5 * DAY
    assert WEEKLY.end_time(EPOCHS, OLD) == CURRENT.create_time + 5 * DAY
    at = CURRENT.create_time + 5 * DAY
    assert WEEKLY.to_retire(EPOCHS, at) == ["oldest", "old"]
    assert WEEKLY.to_retire(EPOCHS, at - timedelta(seconds=1)) == ["oldest"]


def test_the_current_epoch_is_never_retired_however_old() -> None:
    assert WEEKLY.to_retire([CURRENT], CURRENT.create_time + 1000 * DAY) == []


def test_who_is_destroyed_now_is_in_no_readable_backup_once_the_last_epoch_of_now_is_gone() -> None:
    assert WEEKLY.all_end_time(EPOCHS) == CURRENT.create_time + 12 * DAY
    assert WEEKLY.all_end_time([]) is None


def test_by_hand_nothing_happens_by_itself_and_no_date_is_promised() -> None:
    late = BEGAN + 5000 * DAY
    assert BY_HAND.is_due(EPOCHS, late) is False
    assert BY_HAND.to_retire(EPOCHS, late) == []
    assert BY_HAND.all_end_time(EPOCHS) is None


@pytest.mark.parametrize(("age", "left"), [(0, 12), (2, 10), (7, 5), (400, 5)])
def test_a_certificate_names_the_day_on_which_the_epochs_last_backup_goes(
    age: int, left: int
) -> None:
    """T-5.1-b: the days left of the epoch, none where it is overdue, and then those of a backup."""
    schedule = destruction.KeySchedule(rotation=7 * DAY, backups=5 * DAY)
    now = BEGAN + 400 * DAY
    epoch = destruction.Epoch("current", "kek", now - age * DAY)
    assert schedule.destroyed_by(epoch, now) == now + left * DAY
