# SPDX-License-Identifier: Apache-2.0
"""One rotation at a time, at its pace, waiting for whoever holds a row."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.vault import store
from services.vault.fields import Field
from services.vault.rotation_walk import (
    Pace,
    Progress,
    RotationIncomplete,
    RotationUnderWay,
)
from tests.vault.key_scene import KeyScene, scene_of_ten
from tests.vault.vault_process import Premises

ROOT = Path(__file__).parents[2]


@pytest.fixture
def scene(premises: Premises, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyScene]:
    """Ten people, batches of three."""
    scene = scene_of_ten(premises, monkeypatch)
    yield scene
    scene.close()


def _stopping(_: Progress) -> None:
    raise InterruptedError


def test_two_rotations_at_once_are_refused(scene: KeyScene) -> None:
    begun, go_on = threading.Event(), threading.Event()
    faults: list[BaseException] = []

    def wait(_: Progress) -> None:
        begun.set()
        go_on.wait(20)

    def run() -> None:
        try:
            scene.rotations().rotate_epoch(wait)
        except BaseException as fault:  # noqa: BLE001 - told by the test's own thread
            faults.append(fault)

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(20)
    for act in (
        scene.rotations().rotate_kek,
        scene.rotations().rotate_epoch,
        scene.rotations().resume,
        scene.retirement().finish,
        lambda: scene.retirement().retire_epoch(scene.epoch()),
    ):
        with pytest.raises(RotationUnderWay):
            act()
    go_on.set()
    thread.join()
    assert faults == []
    assert len(scene.provider.kek_ids()) == 2
    assert scene.rotations().resume() is None


def test_what_was_stopped_is_resumed_before_anything_else_begins(scene: KeyScene) -> None:
    with pytest.raises(InterruptedError):
        scene.rotations().rotate_epoch(_stopping)
    with pytest.raises(RotationUnderWay, match=r"EPOCH .* resume it"):
        scene.rotations().rotate_kek()
    with pytest.raises(RotationUnderWay):
        scene.rotations().rotate_index_key("demo", Field.EMAIL)
    scene.rotations().rotate_epoch()
    scene.rotations().rotate_index_key("demo", Field.EMAIL)


def test_rows_that_others_hold_are_waited_for_and_never_forgotten(scene: KeyScene) -> None:
    old = scene.epoch()
    holder = scene.key_store.engine.connect()
    holder.exec_driver_sql("SELECT 1 FROM data_keys WHERE site_id = 'other' FOR UPDATE")
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            holder.close()

    assert scene.rotations(Pace(pause=pause)).rotate_epoch().failed == 0
    assert len(pauses) == 3
    assert scene.under(old) == 0


def test_rows_that_stay_held_leave_the_rotation_to_be_resumed(scene: KeyScene) -> None:
    with scene.database.transaction() as connection:
        subject = next(iter(scene.people))
        store.lock_shared(connection, *subject)
        with pytest.raises(RotationIncomplete, match="1 rows"):
            scene.rotations(Pace(pause=lambda _: None)).rotate_index_key("demo", Field.EMAIL)
    scene.all_is_well()
    scene.rotations().resume()
    assert [s.rows for s in scene.status().index_keys if s.key_version == 1] == [0, 8, 2, 2]


def test_a_rotation_keeps_to_its_pace() -> None:
    now, waited = [100.0], []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        now[0] += seconds

    pace = Pace(1000, pause=pause, monotonic=lambda: now[0])
    for _ in range(4):
        now[0] += 0.2
        pace.after(500)
    assert now[0] == pytest.approx(100.0 + 0.2 + 3 * 0.5, abs=0.01)
    now[0] += 60
    before = now[0]
    pace.after(500)
    pace.after(500)
    assert now[0] - before == pytest.approx(0.5)
    with pytest.raises(ValueError, match="more than 0"):
        Pace(0)


def test_the_key_file_s_folder_holds_no_more_than_the_key_file(scene: KeyScene) -> None:
    scene.rotations().rotate_kek()
    folder: Path = scene.house.key_file.parent
    assert [child.name for child in folder.iterdir()] == [scene.house.key_file.name]
