# SPDX-License-Identifier: Apache-2.0
"""kill -9 of any one process during the story: nothing acknowledged is lost, the story goes on."""

from pathlib import Path

import pytest

from cli.settings import PROCESSES
from tests.chaos.books import check_with_fsck
from tests.chaos.telling import Telling, plan
from tests.harness.suite import Suite

# The most is one fewer than the deaths within a minute at which the supervisor gives up.
KILLS, FEW_KILLS = 4, 2


@pytest.mark.parametrize(
    "process",
    [pytest.param(p, marks=() if p == "vault" else (pytest.mark.long,)) for p in PROCESSES],
)
def test_the_story_outlives_kills_of_a_process(mortal: Suite, process: str, tmp_path: Path) -> None:
    telling = Telling(mortal, plan(process, FEW_KILLS, seed=1), tmp_path / "journal")
    telling.tell()
    assert len(telling.killed) == FEW_KILLS
    telling.check()
    telling.close()


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(2, 22))
def test_many_stories_outlive_kills_of_every_process(seed: int, tmp_path: Path) -> None:
    with Suite() as own:
        for process in PROCESSES:
            telling = Telling(own, plan(process, KILLS, seed), tmp_path / f"journal-{process}")
            telling.tell()
            telling.check()
            telling.close()
        check_with_fsck(own)
