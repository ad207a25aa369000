# SPDX-License-Identifier: Apache-2.0
"""Unusual volume: a credential compared with its own earlier days, counted from evidence."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.chassis import evidence
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.chassis.evidence import Entry
from services.chassis.ids import new_subject_id, new_uuid
from services.chassis.metrics import Metrics
from services.vault import store_volumes
from services.vault.budget import local_day
from services.vault.volume import is_unusual, usual_most
from services.vault.volume_watch import VolumeWatch
from tests.vault.vault_process import House


@pytest.mark.parametrize(
    ("today", "earlier", "unusual"),
    [
        (10_000, [], False),
        (10_000, [5, 5], False),
        (101, [5, 5, 5], True),
        (100, [5, 5, 5], False),
        (301, [100, 100, 100], True),
        (300, [100, 100, 100], False),
        # One day of another kind moves nothing; days without traffic are no days.
        (301, [100, 9_000, 100, 100, 0, 0, 0], True),
        # Days long ago do not count.
        (301, [100] * 14 + [9_000] * 30, True),
    ],
)
def test_a_day_is_compared_with_the_credentials_own_days(
    today: int, earlier: list[int], unusual: bool
) -> None:
    assert is_unusual(today, earlier) is unusual


def test_too_few_days_tell_nothing() -> None:
    assert usual_most([7, 7]) is None


@pytest.fixture
def database(own_house: House) -> Iterator[Database]:
    """The database of a vault without people."""
    with closing(Database(own_house.vault.runtime_url, pool_size=2)) as database:
        yield database


def _read(database: Database, principal: str, people: int, outcome: str = "PERMITTED") -> None:
    """Evidence that so many different people were read."""
    entries = [
        Entry(
            event="data.read",
            verb="USE",
            outcome=outcome,
            site_id="demo",
            principal=principal,
            subject=new_subject_id(),
        )
        for _ in range(people)
    ]
    with database.transaction() as connection:
        # Whoever is read twice counts once.
        again = [replace(entry, entry_id=new_uuid()) for entry in entries[:3]]
        evidence.append_all(connection, entries + again, datetime.now(UTC))


def test_unusual_volume_is_one_entry_a_day_and_a_metric(
    own_house: House, database: Database
) -> None:
    clock, metrics = SystemClock(), Metrics()
    day = local_day(clock.now())
    with database.transaction() as connection:
        for back in (1, 2, 3):
            counts = {("demo", name): 10 for name in ("key/shop", "key/quiet", "key/refused")}
            store_volumes.write_day(connection, day - timedelta(days=back), counts)
    _read(database, "key/shop", 101)
    _read(database, "key/quiet", 100)
    _read(database, "key/new", 300)
    _read(database, "key/refused", 300, "REFUSED")
    _read(database, "process/disclosure", 300)
    watch = VolumeWatch(database, clock, metrics, 1.0)
    assert watch.look() >= 1.0
    watch.look()
    (noted,) = own_house.entries(event="volume.noted")
    assert noted["refs"]["credential"] == "key/shop"
    assert noted["decidedOn"] == {"subjects": 101, "usualMost": 100}
    assert metrics.alarms.labels("unusual_volume")._value.get() == 1
    counted = own_house.rows(
        "SELECT principal, subjects FROM volume_days WHERE day = %s ORDER BY principal", day
    )
    assert counted == [("key/new", 300), ("key/quiet", 100), ("key/shop", 101)]
