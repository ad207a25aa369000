# SPDX-License-Identifier: Apache-2.0
"""Keys in a PKCS#11 token (SoftHSM2): never read out, refused clearly when lost or wrong."""

import importlib.util
import os
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.vault.provider import (
    KeyAbsent,
    KeyProvider,
    KeyStillCurrent,
    KeyUnavailable,
    KeyWrong,
)
from tests.vault.soft_token import MODULE, PIN, SoftToken, forget_tokens, whats_missing

pytestmark = pytest.mark.skipif(bool(whats_missing()), reason=whats_missing() or "-")
if importlib.util.find_spec("pkcs11"):
    import pkcs11

    from services.vault.pkcs11_token import Token, TokenPlace
    from services.vault.provider_pkcs11 import Pkcs11KeyProvider

KEY = bytes(range(32))
CONTEXT = b"context"


@dataclass
class Seconds:
    """Time that runs when told."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoftToken]:
    """A fresh token of one's own."""
    token = SoftToken.create(tmp_path / "hsm")
    monkeypatch.setenv("SOFTHSM2_CONF", str(token.configuration))
    yield token
    forget_tokens()


def opened(token: SoftToken, *, create: bool = True) -> "Pkcs11KeyProvider":
    return Pkcs11KeyProvider.open(token.place(), create=create)


def raw(token: SoftToken) -> "pkcs11.Session":
    """The token as its owner's own tools see it."""
    return pkcs11.lib(MODULE).get_token(token_label=token.label).open(rw=True)


def test_the_token_is_a_key_provider(token: SoftToken) -> None:
    provider: KeyProvider = opened(token)
    kek = provider.kek_id()
    wrapped = provider.wrap(kek, KEY, CONTEXT)
    assert KEY not in wrapped
    assert len(wrapped) == len(KEY) + 28
    assert provider.unwrap(kek, wrapped, CONTEXT) == KEY
    assert provider.wrap(kek, KEY, CONTEXT) != wrapped


def test_a_kek_can_never_be_read_out(token: SoftToken) -> None:
    kek = opened(token).kek_id()
    (key,) = raw(token).get_objects({pkcs11.Attribute.ID: uuid.UUID(kek).bytes})
    with pytest.raises(pkcs11.AttributeSensitive):
        key[pkcs11.Attribute.VALUE]
    assert key[pkcs11.Attribute.NEVER_EXTRACTABLE]
    assert key[pkcs11.Attribute.ALWAYS_SENSITIVE]
    assert key[pkcs11.Attribute.VALUE_LEN] == 32


def test_a_key_that_can_be_read_out_is_no_kek(token: SoftToken) -> None:
    provider = opened(token)
    own = provider.kek_ids()
    raw(token).create_object(
        {
            pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY,
            pkcs11.Attribute.KEY_TYPE: pkcs11.KeyType.AES,
            pkcs11.Attribute.LABEL: "qupia-kek",
            pkcs11.Attribute.ID: b"\xff" * 16,
            pkcs11.Attribute.VALUE: KEY,
            pkcs11.Attribute.TOKEN: True,
            pkcs11.Attribute.SENSITIVE: False,
            pkcs11.Attribute.EXTRACTABLE: True,
            pkcs11.Attribute.ENCRYPT: True,
        }
    )
    assert provider.kek_ids() == own


def test_the_newest_kek_is_current_even_where_the_clock_was_set_back(
    token: SoftToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = opened(token)
    first = provider.kek_id()
    monkeypatch.setattr("time.time_ns", lambda: 1_000_000_000_000_000_000)
    second = provider.create()
    assert provider.kek_id() == second
    assert provider.kek_ids() == [first, second]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda w: w[:-1] + bytes([w[-1] ^ 1]), id="flipped"),
        pytest.param(lambda w: w[:-1], id="cut"),
        pytest.param(lambda w: w[:20], id="too short for a tag"),
        pytest.param(lambda _: b"", id="empty"),
    ],
)
def test_what_was_altered_opens_nothing(token: SoftToken, spoil: Callable[[bytes], bytes]) -> None:
    provider = opened(token)
    kek = provider.kek_id()
    wrapped = provider.wrap(kek, KEY, CONTEXT)
    with pytest.raises(KeyWrong, match="belongs to this key store"):
        provider.unwrap(kek, spoil(wrapped), CONTEXT)
    assert provider.unwrap(kek, wrapped, CONTEXT) == KEY


def test_a_wrapped_key_opens_in_its_context_and_under_its_kek_only(token: SoftToken) -> None:
    provider = opened(token)
    old = provider.kek_id()
    wrapped = provider.wrap(old, KEY, CONTEXT)
    new = provider.create()
    with pytest.raises(KeyWrong):
        provider.unwrap(old, wrapped, b"contexu")
    with pytest.raises(KeyWrong):
        provider.unwrap(new, wrapped, CONTEXT)
    assert provider.unwrap(old, wrapped, CONTEXT) == KEY


def test_a_destroyed_kek_opens_nothing_and_the_current_one_is_never_destroyed(
    token: SoftToken,
) -> None:
    provider = opened(token)
    old = provider.kek_id()
    wrapped = provider.wrap(old, KEY, CONTEXT)
    with pytest.raises(KeyStillCurrent):
        provider.destroy(old)
    provider.create()
    provider.destroy(old)
    assert old not in provider.kek_ids()
    with pytest.raises(KeyUnavailable, match="was destroyed"):
        provider.unwrap(old, wrapped, CONTEXT)
    with pytest.raises(KeyUnavailable, match="was destroyed"):
        provider.destroy(old)


def test_a_second_run_keeps_the_key_and_a_lost_one_is_not_made_anew(token: SoftToken) -> None:
    kek = opened(token).kek_id()
    assert opened(token).kek_ids() == [kek]
    (key,) = raw(token).get_objects({pkcs11.Attribute.ID: uuid.UUID(kek).bytes})
    key.destroy()
    with pytest.raises(KeyUnavailable, match="holds no key-encryption key"):
        opened(token, create=False)


def test_a_token_that_is_not_there_is_told_from_one_that_is_wrong(token: SoftToken) -> None:
    opened(token)
    other = TokenPlace(Path(MODULE), "nobody", token.pin_file)
    with pytest.raises(KeyAbsent, match="no token 'nobody'"):
        Pkcs11KeyProvider.open(other, create=True)
    nowhere = TokenPlace(Path("/nowhere/hsm.so"), token.label, token.pin_file)
    with pytest.raises(KeyUnavailable, match="set pkcs11_module") as refusal:
        Pkcs11KeyProvider.open(nowhere, create=True)
    assert not isinstance(refusal.value, KeyAbsent)


def test_a_wrong_pin_is_tried_once_and_again_when_the_file_changes(
    token: SoftToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []
    log_in = Token._log_in

    class Counted(Token):
        def _log_in(self, found: "pkcs11.Token") -> "pkcs11.Session":
            tries.append(self._refused_pin)
            return log_in(self, found)

    token.pin_file.write_text("9999\n")
    seconds = Seconds()
    counted = Counted(token.place(), monotonic=seconds)
    with pytest.raises(KeyUnavailable, match="is not tried again"):
        counted.use(lambda _: None)
    assert tries == [None]
    seconds.now += 2
    monkeypatch.setattr(pkcs11.Token, "open", pytest.fail, raising=False)
    with pytest.raises(KeyUnavailable, match="is not tried again") as refusal:
        counted.use(lambda _: None)
    assert "9999" not in str(refusal.value)
    monkeypatch.undo()
    monkeypatch.setenv("SOFTHSM2_CONF", str(token.configuration))
    token.pin_file.write_text(PIN)
    seconds.now += 2
    counted.use(lambda _: None)


def test_a_pin_file_that_others_may_read_is_refused(token: SoftToken) -> None:
    token.pin_file.chmod(0o640)
    with pytest.raises(KeyUnavailable, match="0600"):
        opened(token)
    token.pin_file.unlink()
    with pytest.raises(KeyAbsent, match="missing"):
        opened(token)


def test_a_token_taken_away_stops_its_use_and_comes_back_by_itself(token: SoftToken) -> None:
    provider = opened(token)
    seconds = Seconds()
    provider._token._monotonic = seconds
    kek = provider.kek_id()
    wrapped = provider.wrap(kek, KEY, CONTEXT)
    away = token.folder.with_name("away")
    shutil.move(token.folder / "tokens", away)
    (token.folder / "tokens").mkdir()
    pkcs11.lib(MODULE).reinitialize()
    with pytest.raises(KeyAbsent, match="no token"):
        provider.unwrap(kek, wrapped, CONTEXT)
    (token.folder / "tokens").rmdir()
    shutil.move(away, token.folder / "tokens")
    with pytest.raises(KeyAbsent, match="no token"):
        provider.unwrap(kek, wrapped, CONTEXT)
    seconds.now += 2
    assert provider.unwrap(kek, wrapped, CONTEXT) == KEY


def test_a_lost_session_is_opened_again(token: SoftToken) -> None:
    provider = opened(token)
    kek = provider.kek_id()
    wrapped = provider.wrap(kek, KEY, CONTEXT)
    assert provider._token._session is not None
    provider._token._session.close()
    assert provider.unwrap(kek, wrapped, CONTEXT) == KEY
    pkcs11.lib(MODULE).reinitialize()
    assert provider.unwrap(kek, wrapped, CONTEXT) == KEY


_IN_ANOTHER_PROCESS = """
import sys
from tests.vault.soft_token import SoftToken
from services.vault.provider_pkcs11 import Pkcs11KeyProvider
from pathlib import Path
token = SoftToken(Path(sys.argv[1]))
provider = Pkcs11KeyProvider.open(token.place(), create=False)
kek = provider.create()
print(kek, provider.wrap(kek, bytes(range(32)), b"context").hex())
"""


def test_a_kek_made_by_another_process_is_seen_at_once(token: SoftToken) -> None:
    provider = opened(token)
    first = provider.kek_id()
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root}:{root / 'protos'}"}
    out = subprocess.run(
        [sys.executable, "-c", _IN_ANOTHER_PROCESS, str(token.folder)],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    kek, wrapped = out.split()
    assert provider.kek_ids() == [first, kek]
    assert provider.kek_id() == kek
    assert provider.unwrap(kek, bytes.fromhex(wrapped), CONTEXT) == KEY


def test_a_forked_child_opens_a_session_of_its_own(token: SoftToken) -> None:
    provider = opened(token)
    kek = provider.kek_id()
    wrapped = provider.wrap(kek, KEY, CONTEXT)
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if provider.unwrap(kek, wrapped, CONTEXT) == KEY else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert provider.unwrap(kek, wrapped, CONTEXT) == KEY


def test_nothing_is_loaded_before_the_first_use(token: SoftToken) -> None:
    provider = Pkcs11KeyProvider(token.place())
    assert provider._token._library is None
    assert token.label in repr(provider._token)


def test_many_threads_share_one_session(token: SoftToken) -> None:
    provider = opened(token)
    kek = provider.kek_id()
    wrong: list[BaseException] = []

    def run(number: int) -> None:
        try:
            for turn in range(20):
                key = bytes([number, turn]) * 16
                assert provider.unwrap(kek, provider.wrap(kek, key, CONTEXT), CONTEXT) == key
                if turn % 5 == 0:
                    with pytest.raises(KeyWrong):
                        provider.unwrap(kek, provider.wrap(kek, key, CONTEXT), b"")
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            wrong.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
