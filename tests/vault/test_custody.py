# SPDX-License-Identifier: Apache-2.0
"""The schedule of epochs in a vault process: the old key goes by itself, and in evidence."""

from datetime import timedelta

import pytest

from tests.harness.waiting import wait_until
from tests.vault.vault_process import House

pytestmark = pytest.mark.long


def _epochs(house: House) -> list[tuple[str, bool]]:
    rows = house.rows("SELECT epoch, current FROM epoch_keys ORDER BY create_time", key_store=True)
    return [(epoch, current) for epoch, current in rows]


def _age(house: House, days: int) -> None:
    with house.owner(key_store=True) as connection:
        connection.execute(
            "UPDATE epoch_keys SET create_time = create_time - %s", (timedelta(days=days),)
        )


def test_an_epoch_is_rotated_and_the_old_one_retired_when_their_days_are_over(
    own_house: House,
) -> None:
    process = own_house.start(epochs_by_hand=True)
    ((first, _),) = _epochs(own_house)
    process.stop()
    _age(own_house, 7)
    process = own_house.start(epoch_days=7, epoch_keep_days=0)
    wait_until(
        lambda: first not in [epoch for epoch, _ in _epochs(own_house)], lambda: process.output
    )
    ((second, current),) = _epochs(own_house)
    assert (second != first, current) == (True, True)
    (destroyed,) = own_house.rows(
        "SELECT count(*) FROM keks WHERE destroy_time IS NOT NULL", key_store=True
    )
    assert destroyed[0] == 1
    events = [
        entry["event"]
        for entry in own_house.entries(principal="process/vault")
        if entry["event"].startswith(("rotation.", "key."))
    ]
    assert events == ["rotation.ordered", "rotation.ended", "key.retired"]
    process.stop()
