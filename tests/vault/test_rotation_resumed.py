# SPDX-License-Identifier: Apache-2.0
"""A rotation that is stopped or killed anywhere loses nothing, and goes on where it was."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.vault import store_rotation
from services.vault.fields import Field
from services.vault.provider import KeyUnavailable
from services.vault.provider_file import FileKeyProvider
from services.vault.rotation_walk import (
    Progress,
    RotationKind,
    RotationUnderWay,
)
from tests.vault.key_scene import KeyScene, scene_of_ten
from tests.vault.vault_process import Premises

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]


@pytest.fixture
def scene(premises: Premises, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyScene]:
    """Ten people, batches of three."""
    scene = scene_of_ten(premises, monkeypatch)
    yield scene
    scene.close()


class Killed(BaseException):
    """The process ends here."""


def _rotate(scene: KeyScene, kind: RotationKind, report: Callable[[Progress], None]) -> None:
    rotations = scene.rotations()
    if kind is RotationKind.KEK:
        rotations.rotate_kek(report)
    elif kind is RotationKind.EPOCH:
        rotations.rotate_epoch(report)
    else:
        rotations.rotate_index_key("demo", Field.EMAIL, report)


@pytest.mark.parametrize(
    ("kind", "batches"), [(RotationKind.KEK, 6), (RotationKind.EPOCH, 9), (RotationKind.INDEX, 3)]
)
def test_killed_after_any_batch_it_goes_on_where_it_was(
    scene: KeyScene, kind: RotationKind, batches: int
) -> None:
    seen: list[Progress] = []

    def killed(progress: Progress) -> None:
        seen.append(progress)
        raise Killed

    with pytest.raises(Killed):
        _rotate(scene, kind, killed)
    under_way = scene.rotations().under_way()
    assert under_way is not None
    for _ in range(batches - 1):
        scene.all_is_well()
        with pytest.raises(Killed):
            scene.rotations().resume(killed)
    rotated = scene.rotations().resume()
    assert rotated is not None
    # One rotation to one key: nothing was begun twice, no row was moved twice.
    assert (rotated.rotation.rotation_id, rotated.failed) == (under_way.rotation_id, 0)
    assert rotated.rotation.target == under_way.target
    assert len(seen) == batches
    assert sum(progress.rewrapped for progress in seen) == rotated.rotation.rewrapped
    assert [p.total for p in seen] == sorted((p.total for p in seen), reverse=True)
    assert len(scene.provider.kek_ids()) == (1 if kind is RotationKind.INDEX else 2)
    assert scene.rotations().under_way() is None
    assert scene.rotations().resume() is None
    scene.all_is_well()


@pytest.mark.parametrize("kind", RotationKind)
def test_killed_before_its_new_key_is_known_it_makes_no_second_one(
    scene: KeyScene, kind: RotationKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(store_rotation, "set_target", _killing)
        with pytest.raises(Killed):
            _rotate(scene, kind, lambda _: None)
    scene.all_is_well()
    under_way = scene.rotations().under_way()
    assert under_way is not None
    assert under_way.target == ""
    scene.rotations().resume()
    assert len(scene.provider.kek_ids()) == (1 if kind is RotationKind.INDEX else 2)
    assert len(scene.status().epochs) == (2 if kind is RotationKind.EPOCH else 1)
    assert len(scene.status().index_keys) == (5 if kind is RotationKind.INDEX else 4)
    scene.all_is_well()


def _killing(*_: object) -> None:
    raise Killed


def test_killed_between_the_retirement_and_the_end_of_the_kek_it_is_finished_later(
    scene: KeyScene,
) -> None:
    class Dying(FileKeyProvider):
        def destroy(self, kek_id: str) -> None:
            raise Killed(kek_id)

    old, kek = scene.epoch(), scene.provider.kek_id()
    scene.rotations().rotate_epoch()
    with pytest.raises(Killed):
        scene.retirement(Dying(scene.house.key_file)).retire_epoch(old)
    (left,) = [each for each in scene.status().keks if each.kek_id == kek]
    assert left.held
    assert left.retire_time is not None
    assert left.destroy_time is None
    assert scene.retirement().finish() == [kek]
    assert scene.retirement().finish() == []
    assert kek not in scene.provider.kek_ids()
    scene.all_is_well()


def test_killed_after_the_end_of_the_kek_it_is_only_noted_later(scene: KeyScene) -> None:
    class Dying(FileKeyProvider):
        def destroy(self, kek_id: str) -> None:
            super().destroy(kek_id)
            raise Killed

    old, kek = scene.epoch(), scene.provider.kek_id()
    scene.rotations().rotate_epoch()
    with pytest.raises(Killed):
        scene.retirement(Dying(scene.house.key_file)).retire_epoch(old)
    assert scene.retirement().finish() == [kek]
    assert all(each.destroy_time for each in scene.status().keks if each.kek_id == kek)


_ROTATING = """
import sys
from pathlib import Path
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.chassis.metrics import Metrics
from services.vault import rotation_rewrap
from services.vault.keyring import Keyring
from services.vault.provider_file import FileKeyProvider
from services.vault.rotation import Rotations
from services.vault.rotation_walk import Pace
from services.vault.store_keys import EpochRows, KeyStore
vault, key_store, key_file = sys.argv[1:]
rotation_rewrap._DATA_KEYS = 2
database, provider = Database(key_store), FileKeyProvider(Path(key_file))
keys = KeyStore(database, Keyring(provider, EpochRows(database)), SystemClock())
Rotations(
    Database(vault), keys, provider, SystemClock(), Metrics(), Pace(20)
).rotate_epoch(lambda progress: print(progress.rewrapped, flush=True))
"""


def test_kill_9_in_the_middle_leaves_nobody_unreadable(scene: KeyScene) -> None:
    old = scene.epoch()
    urls = (scene.house.vault.runtime_url, scene.house.key_store.runtime_url)
    process = subprocess.Popen(
        [sys.executable, "-c", _ROTATING, *urls, str(scene.house.key_file)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout as told:
        while int(told.readline()) < 7:
            pass
        with pytest.raises(RotationUnderWay, match="wait"):
            scene.rotations().resume()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert 0 < scene.under(old) < 10
    scene.all_is_well()
    rotated = _patiently(lambda: scene.rotations().resume())
    assert rotated is not None
    assert scene.under(old) == 0
    scene.retirement().retire_epoch(old)
    scene.all_is_well()


def _patiently(act: Callable[[], object]) -> object:
    """PostgreSQL takes a moment to notice that a client was killed."""
    for _ in range(100):
        try:
            return act()
        except RotationUnderWay:
            time.sleep(0.05)
    return act()


def test_without_its_kek_a_rotation_stops_and_goes_on_when_it_is_back(scene: KeyScene) -> None:
    kept: list[bytes] = []

    def taken_away(_: Progress) -> None:
        if not kept:
            kept.append(scene.house.key_file.read_bytes())
            scene.house.key_file.unlink()

    with pytest.raises(KeyUnavailable):
        scene.rotations().rotate_epoch(taken_away)
    scene.house.key_file.write_bytes(kept[0])
    scene.house.key_file.chmod(0o600)
    scene.all_is_well()
    scene.rotations().resume()
    scene.all_is_well()
