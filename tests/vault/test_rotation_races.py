# SPDX-License-Identifier: Apache-2.0
"""Whatever happens between two steps of somebody else, a rotation makes nothing fail or be lost."""

import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import pytest

from services.chassis.database import Connection
from services.vault import store_index
from services.vault.fields import Field
from services.vault.index_version import index_key_for_writing
from services.vault.keyring import Keyring, WrappedKey
from services.vault.provider import KeyUnavailable
from services.vault.rotation_walk import KeyStillUsed
from services.vault.store_index import Contact, IndexVersion
from services.vault.store_keys import EpochRows, KeyStore
from tests.vault.key_scene import KeyScene, scene_of_ten
from tests.vault.vault_process import Premises

pytestmark = pytest.mark.long


@pytest.fixture
def scene(premises: Premises, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyScene]:
    """Ten people, batches of three."""
    scene = scene_of_ten(premises, monkeypatch)
    yield scene
    scene.close()


@contextmanager
def _others(*acts: Callable[[], None]) -> Iterator[list[BaseException]]:
    """Do these over and over meanwhile; what they raise is in the list."""
    stop = threading.Event()
    faults: list[BaseException] = []

    def run(act: Callable[[], None]) -> None:
        try:
            while not stop.is_set():
                act()
        except BaseException as fault:  # noqa: BLE001 - told by the test's own thread
            faults.append(fault)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    yield faults
    stop.set()
    for thread in threads:
        thread.join()


def test_no_read_write_or_search_fails_while_all_keys_rotate_and_retire(scene: KeyScene) -> None:
    scene.keep_seconds = 0.0  # every key is opened anew: no memory bridges the change
    forgetful = scene.other_process()
    remembering = scene.keys
    readers = list(scene.people)
    written = iter(range(100_000))

    def read() -> None:
        for subject in readers[1:]:
            for keys in (forgetful, remembering):
                assert scene.read(subject, keys) == scene.people[subject]

    def search() -> None:
        for subject in readers[1:]:
            for indexed in (Field.EMAIL, Field.PHONE):
                assert scene.find(subject, indexed, forgetful) == [subject[1]]

    def write() -> None:
        scene.write(readers[0], {"email": f"w{next(written)}@example.kz"})

    with _others(read, search, write, lambda: _newcomer(scene)) as faults:
        for _ in range(2):
            old = scene.epoch()
            version = scene.rotations().rotate_index_key("demo", Field.EMAIL).rotation.target
            scene.rotations().rotate_epoch()
            _until_unused(partial(scene.retirement().retire_epoch, old))
            written_before = int(version) - 1
            _until_unused(
                partial(scene.retirement().retire_index_key, "demo", Field.EMAIL, written_before)
            )
            scene.rotations().rotate_kek()
    assert faults == []
    assert next(written) > 2
    scene.all_is_well()


def _newcomer(scene: KeyScene) -> None:
    subject = ("new", os.urandom(16).hex())
    key = scene.keys.ensure_owner_key(*subject)
    scene.keys.open(*subject, key)


def _until_unused(retire: Callable[[], object]) -> None:
    """Somebody may come under the old key as long as a transaction of before runs."""
    for _ in range(20):
        try:
            retire()
        except KeyStillUsed:
            continue
        return
    retire()


def test_a_version_is_not_retired_while_somebody_writes_under_it(scene: KeyScene) -> None:
    scene.rotations().rotate_index_key("demo", Field.EMAIL)
    version = IndexVersion("demo", Field.EMAIL, 1)
    retired = threading.Event()

    def retire() -> None:
        scene.retirement().retire_index_key("demo", Field.EMAIL, 1)
        retired.set()

    with scene.database.transaction() as connection:
        store_index.hold_version(connection, "demo", Field.EMAIL, 1)
        thread = threading.Thread(target=retire)
        thread.start()
        assert not retired.wait(0.3)
        assert version.version in scene.keys.index_keys("demo", Field.EMAIL)
    thread.join()
    assert retired.is_set()


def test_a_data_key_made_under_an_epoch_that_is_gone_is_made_again(
    scene: KeyScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = Keyring.create_data_key

    def late(keyring: Keyring, site: str, owner: str, epoch: str) -> object:
        made = create(keyring, site, owner, epoch)
        monkeypatch.setattr(Keyring, "create_data_key", create)
        scene.rotations().rotate_epoch()
        scene.retirement().retire_epoch(epoch)
        return made

    monkeypatch.setattr(Keyring, "create_data_key", late)
    newcomer = ("demo", "5b" * 16)
    key = scene.keys.ensure_owner_key(*newcomer)
    assert key.wrapped.wrapper_id == scene.epoch()
    assert scene.other_process().open(*newcomer, key).reveal()


def test_a_key_wrapped_by_a_kek_that_is_retired_is_not_stored(
    scene: KeyScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = Keyring.create

    def late(keyring: Keyring, name: object) -> object:
        made = create(keyring, name)  # type: ignore[arg-type]
        monkeypatch.setattr(Keyring, "create", create)
        old = scene.provider.kek_id()
        scene.rotations().rotate_kek()
        scene.retirement().retire_kek(old)
        return made

    monkeypatch.setattr(Keyring, "create", late)
    with pytest.raises(KeyUnavailable, match="retired meanwhile"):
        scene.keys.ensure_index_keys("third", Field.EMAIL)
    assert scene.keys.index_keys("third", Field.EMAIL) == {}
    assert max(scene.keys.ensure_index_keys("third", Field.EMAIL)) == 1


def _new_epoch(scene: KeyScene) -> None:
    old = scene.epoch()
    scene.rotations().rotate_epoch()
    scene.retirement().retire_epoch(old)


def _new_kek(scene: KeyScene) -> None:
    old = scene.provider.kek_id()
    scene.rotations().rotate_kek()
    scene.retirement().retire_kek(old)


def test_a_data_key_read_before_its_epoch_went_still_opens(scene: KeyScene) -> None:
    subject = next(iter(scene.people))
    read = scene.keys.owner_key(*subject)
    assert read is not None
    _new_epoch(scene)
    assert scene.other_process().open(*subject, read).reveal()


def test_an_index_key_read_before_its_kek_went_still_opens(scene: KeyScene) -> None:
    read = scene.keys.index_keys("demo", Field.EMAIL)
    _new_kek(scene)
    assert scene.other_process().open_index_key("demo", Field.EMAIL, 1, read[1]).reveal()


def test_an_epoch_key_read_before_its_kek_went_still_opens(
    scene: KeyScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    epoch_key = EpochRows.epoch_key

    def late(rows: EpochRows, epoch: str) -> WrappedKey | None:
        read = epoch_key(rows, epoch)
        monkeypatch.setattr(EpochRows, "epoch_key", epoch_key)
        _new_kek(scene)
        return read

    monkeypatch.setattr(EpochRows, "epoch_key", late)
    subject = next(iter(scene.people))
    assert scene.read(subject, scene.other_process()) == scene.people[subject]


def test_a_search_that_began_before_a_rotation_finds_whom_it_moved(
    scene: KeyScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_all = store_index.find_all

    def late(
        connection: Connection, sought: Sequence[tuple[Contact, int, bytes]]
    ) -> dict[Contact, list[str]]:
        monkeypatch.setattr(store_index, "find_all", find_all)
        scene.rotations().rotate_index_key("demo", Field.EMAIL)
        return find_all(connection, sought)

    monkeypatch.setattr(store_index, "find_all", late)
    subject = next(iter(scene.people))
    assert scene.find(subject) == [subject[1]]


def test_a_search_that_began_before_a_version_was_retired_finds_all_the_same(
    scene: KeyScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    index_keys = KeyStore.all_index_keys

    def late(
        keys: KeyStore, places: Collection[tuple[str, Field]]
    ) -> dict[tuple[str, Field], Mapping[int, WrappedKey]]:
        read = index_keys(keys, places)
        monkeypatch.setattr(KeyStore, "all_index_keys", index_keys)
        scene.rotations().rotate_index_key("demo", Field.EMAIL)
        scene.retirement().retire_index_key("demo", Field.EMAIL, 1)
        _new_kek(scene)
        return read

    monkeypatch.setattr(KeyStore, "all_index_keys", late)
    subject = next(iter(scene.people))
    assert scene.find(subject, keys=scene.other_process()) == [subject[1]]


def test_who_began_to_write_before_a_rotation_writes_under_the_new_version(
    scene: KeyScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = store_index.hold_version

    def late(connection: Connection, site: str, indexed: Field, version: int) -> None:
        monkeypatch.setattr(store_index, "hold_version", hold)
        scene.rotations().rotate_index_key("demo", Field.EMAIL)
        scene.retirement().retire_index_key("demo", Field.EMAIL, 1)
        hold(connection, site, indexed, version)

    monkeypatch.setattr(store_index, "hold_version", late)
    with scene.database.transaction() as connection:
        version, _ = index_key_for_writing(connection, scene.keys, "demo", Field.EMAIL)
    assert version == 2
