# SPDX-License-Identifier: Apache-2.0
"""The hierarchy of keys: KEK, epoch, data; each opens under its own name only."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.vault.key_cache import KeyCache
from services.vault.key_name import KeyKind, KeyName
from services.vault.keyring import Keyring, WrappedKey
from services.vault.provider import KeyUnavailable, KeyWrong
from services.vault.provider_file import FileKeyProvider
from services.vault.secret_key import SecretKey

SITE, OWNER, EPOCH = "demo", "5b" * 16, "2026-48"


class Rows:
    """An epoch key store in memory that counts its reads."""

    def __init__(self) -> None:
        self.epochs: dict[str, WrappedKey] = {}
        self.reads = 0

    def epoch_key(self, epoch: str) -> WrappedKey | None:
        self.reads += 1
        return self.epochs.get(epoch)


class Seconds:
    """Time that runs when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Scene:
    """A keyring over a fresh key file, with one epoch."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = Rows()
        self.seconds = Seconds()
        self.provider = FileKeyProvider.open(path, create=True)
        self.keyring = Keyring(self.provider, self.rows, monotonic=self.seconds)
        self.begin(EPOCH)

    def begin(self, epoch: str) -> None:
        self.rows.epochs[epoch] = self.keyring.create(KeyName.epoch(epoch))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "kek.json")


def test_a_data_key_opens_for_its_owner(scene: Scene) -> None:
    key, wrapped = scene.keyring.create_data_key(SITE, OWNER, EPOCH)
    assert wrapped.wrapper_id == EPOCH
    assert key.reveal() not in wrapped.wrapped
    assert scene.keyring.open_data_key(SITE, OWNER, wrapped).reveal() == key.reveal()


def test_every_owner_has_a_key_of_their_own(scene: Scene) -> None:
    keys = {scene.keyring.create_data_key(SITE, OWNER, EPOCH)[0].reveal() for _ in range(1000)}
    assert len(keys) == 1000


@pytest.mark.parametrize(
    ("site", "owner"),
    [
        pytest.param("other", OWNER, id="another site"),
        pytest.param(SITE, "5c" * 16, id="another owner"),
        pytest.param("dem", "o" + OWNER, id="the same letters cut elsewhere"),
    ],
)
def test_a_moved_data_key_opens_nothing(scene: Scene, site: str, owner: str) -> None:
    _, wrapped = scene.keyring.create_data_key(SITE, OWNER, EPOCH)
    with pytest.raises(KeyWrong):
        scene.keyring.open_data_key(site, owner, wrapped)


def test_a_data_key_does_not_open_under_another_epoch(scene: Scene) -> None:
    scene.begin("2026-49")
    _, wrapped = scene.keyring.create_data_key(SITE, OWNER, EPOCH)
    with pytest.raises(KeyWrong):
        scene.keyring.open_data_key(SITE, OWNER, WrappedKey("2026-49", wrapped.wrapped))


def test_two_epochs_rows_exchanged_open_nothing(scene: Scene) -> None:
    scene.begin("2026-49")
    _, wrapped = scene.keyring.create_data_key(SITE, OWNER, EPOCH)
    epochs = scene.rows.epochs
    epochs[EPOCH], epochs["2026-49"] = epochs["2026-49"], epochs[EPOCH]
    scene.keyring.forget_epoch(EPOCH)
    with pytest.raises(KeyWrong):
        scene.keyring.open_data_key(SITE, OWNER, wrapped)


def test_the_living_are_rewrapped_and_the_dead_epoch_opens_nobody(scene: Scene) -> None:
    keyring, old_kek = scene.keyring, scene.provider.kek_id()
    living_key, living = keyring.create_data_key(SITE, OWNER, EPOCH)
    _, dead = keyring.create_data_key(SITE, "de" * 16, EPOCH)
    old_epoch = scene.rows.epochs[EPOCH]

    scene.provider.create()
    scene.begin("2026-49")
    rewrapped = keyring.rewrap_data_key(SITE, OWNER, living, "2026-49")
    del scene.rows.epochs[EPOCH]
    keyring.forget_epoch(EPOCH)
    scene.provider.destroy(old_kek)

    assert keyring.open_data_key(SITE, OWNER, rewrapped).reveal() == living_key.reveal()
    with pytest.raises(KeyUnavailable, match=EPOCH):
        keyring.open_data_key(SITE, "de" * 16, dead)
    # An old backup brings the epoch's row back, but not the KEK that opens it (guarantee I9).
    scene.rows.epochs[EPOCH] = old_epoch
    with pytest.raises(KeyUnavailable, match=old_kek):
        keyring.open_data_key(SITE, "de" * 16, dead)


def test_keys_under_the_kek_survive_its_rotation(scene: Scene) -> None:
    name = KeyName.index(SITE, "email", 1)
    old = scene.keyring.create(name)
    new_kek = scene.provider.create()
    new = scene.keyring.rewrap(name, old)
    scene.provider.destroy(old.wrapper_id)
    assert new.wrapper_id == new_kek
    assert scene.keyring.open(name, new).reveal()
    with pytest.raises(KeyUnavailable):
        scene.keyring.open(name, old)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(KeyName.index("other", "email", 1), id="another site"),
        pytest.param(KeyName.index(SITE, "phone", 1), id="another field"),
        pytest.param(KeyName.index(SITE, "email", 2), id="another version"),
        pytest.param(KeyName(KeyKind.DATA, SITE, "email", "1"), id="another kind"),
        pytest.param(KeyName.epoch(EPOCH), id="an epoch"),
        pytest.param(KeyName.sealing("00" * 16), id="a sealing pair"),
    ],
)
def test_a_wrapped_key_serves_no_other_use(scene: Scene, other: KeyName) -> None:
    wrapped = scene.keyring.create(KeyName.index(SITE, "email", 1))
    with pytest.raises(KeyWrong):
        scene.keyring.open(other, wrapped)


letters = st.text(alphabet="ab1", max_size=3)
key_names = st.builds(KeyName, st.sampled_from(KeyKind), letters, letters, letters)


@given(key_names, key_names)
def test_two_names_never_encode_alike(one: KeyName, other: KeyName) -> None:
    assert (one.encode() == other.encode()) == (one == other)


def test_a_wrong_kek_is_told_at_start(scene: Scene, tmp_path: Path) -> None:
    scene.keyring.check(EPOCH)
    other = FileKeyProvider.open(tmp_path / "other", create=True)
    with pytest.raises(KeyUnavailable, match="restore the right file"):
        Keyring(other, scene.rows).check(EPOCH)


def test_a_check_asks_the_provider_and_not_the_memory(scene: Scene) -> None:
    scene.keyring.check(EPOCH)
    scene.path.unlink()
    with pytest.raises(KeyUnavailable, match="missing"):
        scene.keyring.check(EPOCH)


def test_without_its_kek_the_vault_stops_within_a_minute(scene: Scene) -> None:
    _, wrapped = scene.keyring.create_data_key(SITE, OWNER, EPOCH)
    scene.path.unlink()
    scene.keyring.open_data_key(SITE, OWNER, wrapped)
    scene.seconds.now += 60
    with pytest.raises(KeyUnavailable, match="missing"):
        scene.keyring.open_data_key(SITE, OWNER, wrapped)


def test_an_epoch_key_is_read_once_a_minute(scene: Scene) -> None:
    _, wrapped = scene.keyring.create_data_key(SITE, OWNER, EPOCH)
    for _ in range(50):
        scene.keyring.open_data_key(SITE, OWNER, wrapped)
    assert scene.rows.reads == 1
    scene.seconds.now += 60
    scene.keyring.open_data_key(SITE, OWNER, wrapped)
    assert scene.rows.reads == 2


def test_a_tampered_row_is_told_apart_from_a_lost_key(scene: Scene) -> None:
    _, wrapped = scene.keyring.create_data_key(SITE, OWNER, EPOCH)
    flipped = wrapped.wrapped[:-1] + bytes([wrapped.wrapped[-1] ^ 1])
    with pytest.raises(KeyWrong, match="fsck") as refusal:
        scene.keyring.open_data_key(SITE, OWNER, WrappedKey(EPOCH, flipped))
    assert OWNER not in str(refusal.value)


def test_a_wrapped_key_shows_no_bytes() -> None:
    assert repr(WrappedKey("kek-1", b"bytes")) == "WrappedKey(wrapper_id='kek-1')"


def test_memory_holds_few_keys_and_none_for_longer_than_a_minute() -> None:
    seconds = Seconds()
    cache = KeyCache(2, 60, seconds)
    for name in ("one", "two", "three"):
        cache.put(name, SecretKey.generate())
    assert (cache.get("one"), len(cache)) == (None, 2)
    cache.forget("two")
    assert cache.get("two") is None
    assert cache.get("three") is not None
    seconds.now += 60
    assert cache.get("three") is None
    assert len(cache) == 0
    with pytest.raises(ValueError, match="60 seconds"):
        KeyCache(2, 61, seconds)


def test_memory_can_be_told_to_keep_nothing() -> None:
    cache = KeyCache(2, 0, Seconds())
    cache.put("one", SecretKey.generate())
    assert len(cache) == 0
