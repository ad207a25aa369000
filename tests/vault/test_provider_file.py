# SPDX-License-Identifier: Apache-2.0
"""The local key file: made once, for its owner only, refused clearly when lost or wrong."""

import json
import os
import stat
import threading
from pathlib import Path

import pytest

from services.vault.provider import KeyProvider, KeyStillCurrent, KeyUnavailable, KeyWrong
from services.vault.provider_file import FileKeyProvider

KEY = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kek.json"


def keys_in(path: Path) -> list[str]:
    return [entry["key"] for entry in json.loads(path.read_text())["keks"]]


def test_the_file_provider_is_a_key_provider(path: Path) -> None:
    provider: KeyProvider = FileKeyProvider.open(path, create=True)
    kek = provider.kek_id()
    assert provider.unwrap(kek, provider.wrap(kek, KEY, b"context"), b"context") == KEY


def test_the_first_run_makes_one_fresh_key_for_its_owner_only(path: Path) -> None:
    previous = os.umask(0)
    try:
        provider = FileKeyProvider.open(path, create=True)
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(provider.kek_ids()) == [provider.kek_id()]
    assert [child.name for child in path.parent.iterdir()] == [path.name]


def test_two_first_runs_make_two_different_keys(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    FileKeyProvider.open(one, create=True)
    FileKeyProvider.open(other, create=True)
    assert keys_in(one) != keys_in(other)


def test_a_second_run_keeps_the_key(path: Path) -> None:
    FileKeyProvider.open(path, create=True)
    before = path.read_bytes()
    FileKeyProvider.open(path, create=True)
    assert path.read_bytes() == before


def test_a_lost_key_file_is_a_refusal_and_no_new_key(path: Path) -> None:
    with pytest.raises(KeyUnavailable, match="missing: restore it"):
        FileKeyProvider.open(path, create=False)
    assert not path.exists()


def test_a_key_file_lost_while_running_stops_its_use(path: Path) -> None:
    provider = FileKeyProvider.open(path, create=True)
    wrapped = provider.wrap(provider.kek_id(), KEY, b"")
    kek = provider.kek_id()
    path.unlink()
    with pytest.raises(KeyUnavailable, match="missing"):
        provider.unwrap(kek, wrapped, b"")
    with pytest.raises(KeyUnavailable, match="missing"):
        provider.create()
    assert not path.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610, 0o601, 0o777], ids=oct)
def test_a_key_file_that_others_may_use_is_refused(path: Path, mode: int) -> None:
    FileKeyProvider.open(path, create=True)
    path.chmod(mode)
    with pytest.raises(KeyUnavailable, match="0600"):
        FileKeyProvider.open(path, create=False)


@pytest.mark.parametrize("mode", [0o600, 0o400], ids=oct)
def test_a_key_file_of_its_owner_alone_is_accepted(path: Path, mode: int) -> None:
    FileKeyProvider.open(path, create=True)
    path.chmod(mode)
    assert FileKeyProvider.open(path, create=False).kek_id()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda _: "", id="empty"),
        pytest.param(lambda _: "[" * 100_000, id="deep"),
        pytest.param(lambda _: "null", id="null"),
        pytest.param(lambda d: json.dumps({**d, "format": "qupia-key-file/2"}), id="format"),
        pytest.param(lambda d: json.dumps({**d, "extra": 1}), id="unknown member"),
        pytest.param(lambda d: json.dumps({**d, "keks": {}}), id="keys no list"),
        pytest.param(lambda d: json.dumps({**d, "keks": []}), id="no key"),
        pytest.param(lambda d: json.dumps({**d, "keks": d["keks"] * 2}), id="one id twice"),
        pytest.param(lambda d: json.dumps({**d, "current": "kek-" + "0" * 16}), id="current"),
        pytest.param(lambda d: json.dumps({**d, "current": []}), id="current no text"),
        pytest.param(lambda d: json.dumps({**d, "keks": [1]}), id="entry no object"),
        pytest.param(lambda d: json.dumps({**d, "keks": [{"id": "a", "key": ""}]}), id="id"),
        pytest.param(
            lambda d: json.dumps({**d, "keks": [{**d["keks"][0], "key": "AAAA"}]}), id="short key"
        ),
        pytest.param(
            lambda d: json.dumps({**d, "keks": [{**d["keks"][0], "key": "?"}]}), id="no base64"
        ),
        pytest.param(
            lambda d: json.dumps({**d, "keks": [{**d["keks"][0], "key": 7}]}), id="key no text"
        ),
    ],
)
def test_a_damaged_key_file_is_refused_without_quoting_it(path: Path, damage: object) -> None:
    assert callable(damage)
    FileKeyProvider.open(path, create=True)
    secret = keys_in(path)[0]
    path.write_text(damage(json.loads(path.read_text())))
    with pytest.raises(KeyUnavailable, match="not a key file") as refusal:
        FileKeyProvider.open(path, create=True)
    assert secret not in str(refusal.value)


def test_a_folder_in_the_place_of_the_file_is_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(KeyUnavailable):
        FileKeyProvider.open(path, create=True)


def test_a_missing_folder_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable, match="make its folder exist"):
        FileKeyProvider.open(tmp_path / "absent" / "kek.json", create=True)


def test_another_key_under_the_same_id_is_noticed(path: Path, tmp_path: Path) -> None:
    provider = FileKeyProvider.open(path, create=True)
    kek = provider.kek_id()
    wrapped = provider.wrap(kek, KEY, b"context")
    FileKeyProvider.open(tmp_path / "other", create=True)
    forged = json.loads(path.read_text())
    forged["keks"][0]["key"] = keys_in(tmp_path / "other")[0]
    path.write_text(json.dumps(forged))
    with pytest.raises(KeyWrong, match="restore the key file") as refusal:
        provider.unwrap(kek, wrapped, b"context")
    assert not any(key in str(refusal.value) for key in keys_in(path))


def test_the_key_file_of_another_key_store_is_noticed(path: Path, tmp_path: Path) -> None:
    provider = FileKeyProvider.open(path, create=True)
    other = FileKeyProvider.open(tmp_path / "other", create=True)
    wrapped = provider.wrap(provider.kek_id(), KEY, b"")
    with pytest.raises(KeyUnavailable, match="another key store"):
        other.unwrap(provider.kek_id(), wrapped, b"")


@pytest.mark.parametrize("cut", [0, 1, 27])
def test_a_wrapped_key_cut_short_is_wrong(path: Path, cut: int) -> None:
    provider = FileKeyProvider.open(path, create=True)
    wrapped = provider.wrap(provider.kek_id(), KEY, b"")
    with pytest.raises(KeyWrong):
        provider.unwrap(provider.kek_id(), wrapped[:cut], b"")


def test_a_wrapped_key_opens_in_its_context_only(path: Path) -> None:
    provider = FileKeyProvider.open(path, create=True)
    wrapped = provider.wrap(provider.kek_id(), KEY, b"one use")
    with pytest.raises(KeyWrong):
        provider.unwrap(provider.kek_id(), wrapped, b"another use")


def test_a_new_key_becomes_current_and_the_old_one_still_opens(path: Path) -> None:
    provider = FileKeyProvider.open(path, create=True)
    old = provider.kek_id()
    wrapped = provider.wrap(old, KEY, b"")
    elsewhere = FileKeyProvider.open(path, create=False)
    new = provider.create()
    assert elsewhere.kek_id() == new != old
    assert list(elsewhere.kek_ids()) == [old, new]
    assert elsewhere.unwrap(old, wrapped, b"") == KEY
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_destroyed_key_opens_nothing_any_more(path: Path) -> None:
    provider = FileKeyProvider.open(path, create=True)
    old, secret = provider.kek_id(), keys_in(path)[0]
    wrapped = provider.wrap(old, KEY, b"")
    new = provider.create()
    provider.destroy(old)
    assert secret not in path.read_text()
    assert list(provider.kek_ids()) == [new]
    with pytest.raises(KeyUnavailable, match=old):
        provider.unwrap(old, wrapped, b"")


def test_the_current_key_is_never_destroyed(path: Path) -> None:
    provider = FileKeyProvider.open(path, create=True)
    with pytest.raises(KeyStillCurrent):
        provider.destroy(provider.kek_id())
    with pytest.raises(KeyUnavailable):
        provider.destroy("kek-" + "0" * 16)
    assert len(provider.kek_ids()) == 1


def test_a_disk_that_fails_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = FileKeyProvider.open(path, create=True)
    before = path.read_bytes()

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(KeyUnavailable, match="No space left"):
        provider.create()
    assert path.read_bytes() == before
    monkeypatch.undo()
    assert provider.create() in provider.kek_ids()


def test_a_key_is_on_the_disk_before_it_is_used(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = FileKeyProvider.open(path, create=True)
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def note_fsync(descriptor: int) -> None:
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        order.append("folder" if folder else "file")
        fsync(descriptor)

    def note_replace(source: Path, target: Path) -> Path:
        order.append("rename")
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "replace", note_replace)
    provider.create()
    assert order == ["file", "rename", "folder"]


def test_what_a_crash_left_behind_is_replaced(path: Path) -> None:
    provider = FileKeyProvider.open(path, create=True)
    left = path.with_name(".kek.json.new")
    left.write_text("half a file")
    left.chmod(0o644)
    provider.create()
    assert not left.exists()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_first_runs_at_once_agree_on_one_key_and_lose_none(path: Path) -> None:
    together = threading.Barrier(8)
    made: list[str] = []

    def run() -> None:
        together.wait()
        provider = FileKeyProvider.open(path, create=True)
        made.append(provider.create())

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = FileKeyProvider.open(path, create=False).kek_ids()
    assert len(made) == 8
    assert set(made) < set(held)
    assert len(held) == 9
