# SPDX-License-Identifier: Apache-2.0
"""kill -9 of PostgreSQL itself, which writes through to the disk here: nothing acknowledged is
lost, everything starts again on the same data, and the story goes on (I5, R2)."""

from pathlib import Path

import pytest

from tests.chaos.books import check_with_fsck
from tests.chaos.telling import Telling, plan
from tests.harness.suite import Suite

pytestmark = pytest.mark.long

KILLS = 2


def _story(suite: Suite, seed: int, path: Path) -> None:
    telling = Telling(suite, plan("postgres", KILLS, seed), path)
    telling.tell()
    assert len(telling.killed) == KILLS
    telling.check()
    telling.close()


def test_the_story_outlives_kills_of_the_database(tmp_path: Path) -> None:
    with Suite({"QUPIA_FSYNC": "on"}) as own:
        _story(own, 1, tmp_path / "journal")
        check_with_fsck(own)


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(2, 7))
def test_many_stories_outlive_kills_of_the_database(seed: int, tmp_path: Path) -> None:
    with Suite({"QUPIA_FSYNC": "on"}) as own:
        for part in range(2):
            _story(own, 10 * seed + part, tmp_path / f"journal-{part}")
        check_with_fsck(own)
