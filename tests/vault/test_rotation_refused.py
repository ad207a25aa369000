# SPDX-License-Identifier: Apache-2.0
"""Keys that still have rows under them, or that do not open, are not retired."""

from collections.abc import Iterator

import pytest

from services.chassis.database import DatabaseDefect
from services.vault.fields import Field
from services.vault.provider import (
    KeyMoved,
    KeyStillCurrent,
)
from services.vault.rotation_walk import KeyStillUsed, KeyUnknown
from tests.vault.key_scene import KeyScene, scene_in
from tests.vault.vault_process import Premises


@pytest.fixture
def scene(premises: Premises) -> Iterator[KeyScene]:
    scene = scene_in(premises)
    yield scene
    scene.close()


def test_no_key_is_retired_above_zero_rows(scene: KeyScene) -> None:
    scene.add(3)
    epoch, kek = scene.epoch(), scene.provider.kek_id()
    retirement = scene.retirement()
    for retire in (
        lambda: retirement.retire_epoch(epoch),
        lambda: retirement.retire_kek(kek),
        lambda: retirement.retire_index_key("demo", Field.EMAIL, 1),
    ):
        with pytest.raises(KeyStillCurrent):
            retire()
    with pytest.raises(InterruptedError):
        scene.rotations().rotate_epoch(_stop_at_once)
    with pytest.raises(KeyStillUsed, match=r"3 rows") as refusal:
        retirement.retire_epoch(epoch)
    assert refusal.value.count == 3
    with pytest.raises(KeyStillUsed):
        retirement.retire_kek(kek)
    assert kek in scene.provider.kek_ids()
    with pytest.raises(KeyUnknown):
        retirement.retire_epoch("nothing")
    with pytest.raises(KeyUnknown):
        retirement.retire_kek("nothing")
    with pytest.raises(KeyUnknown):
        retirement.retire_index_key("demo", Field.EMAIL, 7)
    scene.all_is_well_but_sealing()


def _stop_at_once(_: object) -> None:
    raise InterruptedError


def test_an_index_key_is_not_retired_above_zero_rows(scene: KeyScene) -> None:
    scene.add(120)
    with pytest.raises(InterruptedError):
        scene.rotations().rotate_index_key("demo", Field.PHONE, _stop_at_once)
    with pytest.raises(KeyStillUsed, match=r"20 rows"):
        scene.retirement().retire_index_key("demo", Field.PHONE, 1)
    scene.rotations().resume()
    scene.retirement().retire_index_key("demo", Field.PHONE, 1)


def test_of_all_old_index_keys_none_is_retired_while_one_has_a_row(scene: KeyScene) -> None:
    """What the custodian's RetireKey asks for: all of them, or none."""
    scene.add(120)
    scene.rotations().rotate_index_key("demo", Field.EMAIL)
    with pytest.raises(InterruptedError):
        scene.rotations().rotate_index_key("demo", Field.PHONE, _stop_at_once)
    with pytest.raises(KeyStillUsed, match=r"20 rows"):
        scene.retirement().retire_index_keys()
    for field in (Field.EMAIL, Field.PHONE):
        assert set(scene.keys.index_keys("demo", field)) == {1, 2}
    scene.rotations().resume()
    assert scene.retirement().retire_index_keys() == 2


def test_the_database_itself_refuses_an_epoch_to_go_before_its_data_keys(scene: KeyScene) -> None:
    scene.add(1)
    scene.rotations().rotate_epoch()
    with pytest.raises(DatabaseDefect), scene.key_store.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM epoch_keys WHERE current")


def test_a_moved_data_key_is_left_where_it_is_and_holds_the_retirement(scene: KeyScene) -> None:
    one, other, *_ = scene.add(5)
    old = scene.epoch()
    with scene.house.owner(key_store=True) as owner:
        owner.execute(
            "UPDATE data_keys mine SET wrapped = theirs.wrapped FROM data_keys theirs"
            " WHERE mine.owner_id = %s AND theirs.owner_id = %s",
            (one[1], other[1]),
        )
    rotated = scene.rotations().rotate_epoch()
    assert rotated.failed == 1
    assert scene.metrics.registry.get_sample_value("qupia_alarms_total", {"kind": "key_moved"}) == 1
    with pytest.raises(KeyMoved):
        scene.read(one)
    with pytest.raises(KeyStillUsed, match=r"1 rows"):
        scene.retirement().retire_epoch(old)
    del scene.people[one]
    scene.all_is_well_but_sealing()


def test_a_moved_index_or_sealing_key_is_left_where_it_is(scene: KeyScene) -> None:
    scene.add(1)
    old = scene.provider.kek_id()
    with scene.house.owner(key_store=True) as owner:
        owner.execute(
            "UPDATE index_keys mine SET wrapped = theirs.wrapped FROM index_keys theirs"
            " WHERE mine.field = 'email' AND theirs.field = 'phone'"
        )
    assert scene.rotations().rotate_kek().failed == 1
    with pytest.raises(KeyStillUsed, match=r"1 rows"):
        scene.retirement().retire_kek(old)
    # An index key is not needed for a new version of it.
    scene.rotations().rotate_index_key("demo", Field.EMAIL)
    scene.retirement().retire_index_key("demo", Field.EMAIL, 1)
    scene.retirement().retire_kek(old)
    scene.all_is_well_but_sealing()


def test_a_lost_index_key_is_mended_by_rotating_it(scene: KeyScene) -> None:
    scene.add(3)
    with scene.house.owner(key_store=True) as owner:
        owner.execute("DELETE FROM index_keys WHERE field = 'email'")
    (lost,) = [s for s in scene.status().index_keys if s.field == "email"]
    assert (lost.kek_id, lost.rows) == ("", 3)
    rotated = scene.rotations().rotate_index_key("demo", Field.EMAIL)
    assert (rotated.failed, rotated.rotation.rewrapped) == (0, 3)
    scene.all_is_well_but_sealing()


def test_a_person_without_a_datum_leaves_no_digest_behind(scene: KeyScene) -> None:
    (subject,) = scene.add(1)
    with scene.house.owner() as owner:
        owner.execute("DELETE FROM data WHERE field = 'email'")
    scene.rotations().rotate_index_key("demo", Field.EMAIL)
    assert scene.house.rows("SELECT 1 FROM blind_index WHERE field = 'email'") == []
    assert scene.find(subject) == []


def test_the_status_needs_no_key(scene: KeyScene) -> None:
    scene.add(2)
    scene.house.key_file.unlink()
    status = scene.status()
    assert "is missing" in status.fault
    assert [(kek.held, kek.rows) for kek in status.keks] == [(None, 3)]
    assert [epoch.rows for epoch in status.epochs] == [2]
