# SPDX-License-Identifier: Apache-2.0
"""Keys rotate without anybody noticing, and the old ones go for ever."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.vault.fields import Field
from services.vault.keyring import Keyring, WrappedKey
from services.vault.provider import (
    KeyProvider,
    KeyUnavailable,
)
from services.vault.rotation_walk import KeyStillUsed
from services.vault.store_keys import EpochRows
from tests.vault.key_scene import SITES, KeyScene, scene_in
from tests.vault.soft_token import SoftToken, forget_tokens, whats_missing
from tests.vault.vault_process import Premises


@pytest.fixture
def scene(premises: Premises) -> Iterator[KeyScene]:
    scene = scene_in(premises)
    yield scene
    scene.close()


@pytest.fixture(params=["file", "pkcs11"])
def any_scene(
    request: pytest.FixtureRequest,
    premises: Premises,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[KeyScene]:
    """A scene over either provider."""
    provider: KeyProvider | None = None
    if request.param == "pkcs11":
        if whats_missing():
            pytest.skip(whats_missing())
        token = SoftToken.create(tmp_path / "hsm")
        monkeypatch.setenv("SOFTHSM2_CONF", str(token.configuration))
        provider = token.provider()
    scene = scene_in(premises, provider)
    yield scene
    scene.close()
    if request.param == "pkcs11":
        forget_tokens()


def test_a_new_epoch_takes_everybody_over_and_the_old_one_goes_with_its_kek(
    any_scene: KeyScene,
) -> None:
    scene = any_scene
    scene.add(7)
    scene.add(3, "other")
    scene.keys.sealing_pair()
    old, old_kek = scene.epoch(), scene.provider.kek_id()
    rotated = scene.rotations().rotate_epoch()
    assert rotated.failed == 0
    assert rotated.rotation.rewrapped == 10 + 4 + 1  # data keys, index keys, the sealing key
    assert rotated.rotation.target == scene.epoch() != old
    assert (scene.under(old), scene.under(scene.epoch())) == (0, 10)
    scene.all_is_well()
    assert scene.retirement().retire_epoch(old) == [old_kek]
    assert old_kek not in scene.provider.kek_ids()
    assert [e.epoch for e in scene.status().epochs] == [scene.epoch()]
    scene.all_is_well()


def test_a_new_kek_takes_all_wrapped_keys_over(any_scene: KeyScene) -> None:
    scene = any_scene
    scene.add(2)
    scene.keys.sealing_pair()
    old = scene.provider.kek_id()
    rotated = scene.rotations().rotate_kek()
    assert (rotated.failed, rotated.rotation.rewrapped) == (0, 1 + 2 + 1)
    new = scene.provider.kek_id()
    assert new == rotated.rotation.target != old
    rows = {kek.kek_id: kek.rows for kek in scene.status().keks}
    assert rows == {old: 0, new: 4}
    scene.all_is_well()
    assert scene.retirement().retire_kek(old) == [old]
    (gone, _) = scene.status().keks
    assert (gone.kek_id, gone.held) == (old, False)
    assert gone.destroy_time is not None
    scene.all_is_well()


def test_a_new_index_key_makes_every_digest_anew(any_scene: KeyScene) -> None:
    scene = any_scene
    subjects = scene.add(5) + scene.add(2, "other")
    scene.keys.sealing_pair()
    before = scene.house.rows("SELECT digest FROM blind_index")
    rotated = scene.rotations().rotate_index_key("demo", Field.EMAIL)
    assert (rotated.failed, rotated.rotation.rewrapped, rotated.rotation.target) == (0, 5, "2")
    rows = {
        (s.site, s.field, s.key_version): (s.rows, s.current) for s in scene.status().index_keys
    }
    assert rows == {
        ("demo", "email", 1): (0, False),
        ("demo", "email", 2): (5, True),
        ("demo", "phone", 1): (5, True),
        ("other", "email", 1): (2, True),
        ("other", "phone", 1): (2, True),
    }
    assert len({*before} & {*scene.house.rows("SELECT digest FROM blind_index")}) == 9
    scene.all_is_well()
    scene.retirement().retire_index_key("demo", Field.EMAIL, 1)
    scene.write(subjects[0], {"email": "new@example.kz"})
    assert scene.find(subjects[0]) == [subjects[0][1]]
    scene.all_is_well()


def test_the_kek_is_not_rotated_before_the_old_epoch_is_retired(scene: KeyScene) -> None:
    """Or the old epoch's key, and what old backups hold under it, would live on under a new KEK."""
    scene.add(2)
    old = scene.epoch()
    scene.rotations().rotate_epoch()
    with pytest.raises(KeyStillUsed, match=old):
        scene.rotations().rotate_kek()
    scene.retirement().retire_epoch(old)
    scene.rotations().rotate_kek()


def test_an_old_pair_of_backups_opens_nobody_once_the_epoch_is_gone(any_scene: KeyScene) -> None:
    scene = any_scene
    living, dead = scene.add(2)
    scene.keys.sealing_pair()
    old = scene.epoch()
    backup = Backup(scene)
    assert backup.opens(scene.provider, dead)
    scene.house.rows(
        "DELETE FROM data_keys WHERE owner_id = %s RETURNING 1", dead[1], key_store=True
    )
    # The newest key store beside the old data: the dead have no key any more.
    assert scene.keys.owner_key(*dead) is None
    # The old pair opens everybody until the epoch goes.
    scene.rotations().rotate_epoch()
    assert backup.opens(scene.provider, dead)
    scene.retirement().retire_epoch(old)
    assert not backup.opens(scene.provider, dead)
    assert not backup.opens(scene.provider, living)
    assert backup.restored_opens_nothing(scene.provider)
    del scene.people[dead]
    scene.all_is_well()


class Backup:
    """A dump of the key store."""

    def __init__(self, scene: KeyScene) -> None:
        rows = scene.house.rows
        self._data_keys = {
            (site, owner): WrappedKey(epoch, bytes(wrapped))
            for site, owner, epoch, wrapped in rows(
                "SELECT site_id, owner_id, epoch, wrapped FROM data_keys", key_store=True
            )
        }
        self._wrapped = {
            epoch: WrappedKey(kek, bytes(wrapped))
            for epoch, kek, wrapped in rows(
                "SELECT epoch, kek_id, wrapped FROM epoch_keys", key_store=True
            )
        }

    def epoch_key(self, epoch: str) -> WrappedKey | None:
        return self._wrapped.get(epoch)

    def opens(self, provider: KeyProvider, owner: tuple[str, str]) -> bool:
        """Whether the backup, restored, opens somebody's data key."""
        try:
            Keyring(provider, self).open_data_key(*owner, self._data_keys[owner])
        except KeyUnavailable:
            return False
        return True

    def restored_opens_nothing(self, provider: KeyProvider) -> bool:
        return not any(self.opens(provider, owner) for owner in self._data_keys)


def test_epochs_are_unwrapped_anew_where_another_process_made_them(scene: KeyScene) -> None:
    """A second vault process goes on without a word after the first has rotated and retired."""
    subject = scene.add(1)[0]
    other = scene.other_process()
    assert scene.read(subject, other)
    old = scene.epoch()
    scene.rotations().rotate_epoch()
    scene.retirement().retire_epoch(old)
    assert scene.read(subject, other) == scene.people[subject]
    newcomer = scene.add(1)[0]
    assert other.ensure_owner_key(*newcomer).wrapped.wrapper_id == scene.epoch()
    assert EpochRows(scene.key_store).epoch_key(old) is None


@pytest.fixture(scope="module")
def long_lived(premises: Premises) -> Iterator[KeyScene]:
    scene = scene_in(premises)
    scene.add(6)
    scene.add(4, "other")
    scene.keys.sealing_pair()
    yield scene
    scene.close()


_address = count()
ACTS = st.sampled_from(["kek", "epoch", "email", "phone", "retire", "add", "write"])


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(ACTS, min_size=1, max_size=5))
def test_after_every_rotation_everybody_reads_the_same(
    long_lived: KeyScene, acts: list[str]
) -> None:
    scene = long_lived
    for act in acts:
        if act == "kek":
            _retire_all(scene)
            scene.rotations().rotate_kek()
        elif act == "epoch":
            scene.rotations().rotate_epoch()
        elif act in {"email", "phone"}:
            for site in SITES:
                scene.rotations().rotate_index_key(site, Field(act))
        elif act == "retire":
            _retire_all(scene)
        elif act == "add":
            scene.add(1, SITES[len(scene.people) % 2])
        else:
            subject = next(iter(scene.people))
            scene.write(subject, {"email": f"again.{next(_address)}@example.kz"})
        scene.all_is_well()
        _nothing_is_under_old_keys(scene)


def _nothing_is_under_old_keys(scene: KeyScene) -> None:
    status = scene.status()
    assert status.under_way is None
    assert [e.rows for e in status.epochs if not e.current] == [0] * (len(status.epochs) - 1)
    assert sum(e.rows for e in status.epochs) == len(scene.people)
    assert all(s.current or s.rows == 0 for s in status.index_keys)


def _retire_all(scene: KeyScene) -> None:
    status = scene.status()
    for version in status.index_keys:
        if not version.current:
            scene.retirement().retire_index_key(
                version.site, Field(version.field), version.key_version
            )
    for epoch in status.epochs:
        if not epoch.current:
            assert epoch.kek_id in scene.retirement().retire_epoch(epoch.epoch)
    for kek in scene.status().keks:
        if kek.held and not kek.current:
            scene.retirement().retire_kek(kek.kek_id)
    left = scene.status()
    assert [kek.kek_id for kek in left.keks if kek.held] == list(scene.provider.kek_ids())
    assert len(left.epochs) == 1
    assert len(scene.provider.kek_ids()) == 1
