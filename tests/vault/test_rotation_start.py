# SPDX-License-Identifier: Apache-2.0
"""A vault whose key is away starts and still restricts; one with the wrong key does not start."""

import secrets
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from qupia.vault.v1 import vault_pb2
from tests.vault.person import settled
from tests.vault.soft_token import MODULE, SoftToken, whats_missing
from tests.vault.vault_process import House
from tests.vault.wire_client import Refused, Storefront

CONFIG, START = 78, 69
TOKEN_VAULT = "tests.vault.soft_token_vault:main"


def test_without_its_key_the_vault_starts_and_applies_blocks_and_withdrawals(
    own_house: House,
) -> None:
    first = own_house.start()
    own_house.open(first)
    person = settled(first, Storefront(first.as_process("gateway")))
    assert person.grants("NEWS") == "APPLIED"
    first.stop()
    kept = own_house.key_file.read_bytes()
    own_house.key_file.unlink()

    vault = own_house.start()
    assert "reads and writes are refused for now" in vault.output
    assert "restore it from its backup" in vault.output
    assert vault.metric("qupia_alarms_total", kind="key_unavailable") == 1
    assert not own_house.key_file.exists()
    shop = Storefront(vault.as_process("gateway"))
    person.vault = vault
    assert shop.why_not(person.subject_id) == "KEY_UNAVAILABLE"
    assert person.withdraws("NEWS").verdict == vault_pb2.SliceReceipt.APPLIED
    claim = person.is_blocked()
    assert shop.why_not(person.subject_id) == "SUBJECT_BLOCKED"

    own_house.key_file.write_bytes(kept)
    own_house.key_file.chmod(0o600)
    person.outcome(claim, "NOT_CONFIRMED")
    assert shop.why_not(person.subject_id) == "OK"
    assert shop.why_not(person.subject_id, "NEWS") == "CONSENT_WITHDRAWN"


def _another_key_under_the_same_id(file: Path) -> None:
    text = file.read_text()
    key = text.partition('"key": "')[2].partition('"')[0]
    file.write_text(text.replace(key, b64encode(secrets.token_bytes(32)).decode()))


def _the_file_of_another_house(file: Path) -> None:
    key_id = file.read_text().partition('"current": "')[2].partition('"')[0]
    file.write_text(file.read_text().replace(key_id, f"kek-{secrets.token_hex(8)}"))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (_another_key_under_the_same_id, "does not open"),
        (_the_file_of_another_house, "restore the right file"),
        (lambda file: file.chmod(0o640), "set it to 0600"),
        (lambda file: file.write_text("{}"), "is not a key file"),
    ],
)
def test_with_the_wrong_key_the_vault_does_not_start(
    own_house: House, fault: Callable[[Path], object], said: str
) -> None:
    own_house.start().stop()
    fault(own_house.key_file)
    process = own_house.spawn()
    assert process.exit_code() == START, process.output
    assert said in process.output


def test_a_vault_says_which_setting_of_its_key_is_missing(own_house: House) -> None:
    for settings, key in (
        ({"key_provider": "pkcs11"}, "pkcs11_module"),
        ({"key_provider": "pkcs11", "pkcs11_module": "/x.so"}, "pkcs11_token"),
        ({"key_provider": "paper"}, "key_provider"),
    ):
        process = own_house.spawn(**settings)
        assert process.exit_code() == CONFIG, process.output
        assert key in process.output


@pytest.mark.skipif(bool(whats_missing()), reason=whats_missing() or "-")
def test_a_vault_keeps_its_key_in_a_token(own_house: House, tmp_path: Path) -> None:
    token = SoftToken.create(tmp_path / "hsm")
    settings = {
        "key_provider": "pkcs11",
        "pkcs11_module": MODULE,
        "pkcs11_token": token.label,
        "pkcs11_pin_file": token.pin_file,
    }
    first = own_house.start(TOKEN_VAULT, **settings)
    own_house.open(first)
    person = settled(first, Storefront(first.as_process("gateway")))
    first.stop()
    assert not own_house.key_file.exists()
    vault = own_house.start(TOKEN_VAULT, **settings)
    shop = Storefront(vault.as_process("gateway"))
    assert shop.why_not(person.subject_id) == "OK"
    vault.stop()

    away = own_house.start(TOKEN_VAULT, **settings | {"pkcs11_token": "elsewhere"})
    assert "no token 'elsewhere'" in away.output
    assert Storefront(away.as_process("gateway")).why_not(person.subject_id) == "KEY_UNAVAILABLE"
    away.stop()

    token.pin_file.write_text("000000\n")
    refused = own_house.spawn(TOKEN_VAULT, **settings)
    assert refused.exit_code() == START, refused.output
    assert "is not tried again" in refused.output
    assert "000000" not in refused.output


def test_an_empty_key_store_without_a_token_is_no_vault_yet(own_house: House) -> None:
    if whats_missing():
        pytest.skip(whats_missing())
    process = own_house.spawn(
        key_provider="pkcs11",
        pkcs11_module=MODULE,
        pkcs11_token="nobody",
        pkcs11_pin_file=own_house.keys / "pin",
    )
    assert process.exit_code() == START, process.output
    assert "nobody" in process.output


def test_without_its_key_nobody_is_half_born(own_house: House) -> None:
    own_house.start().stop()
    own_house.key_file.unlink()
    vault = own_house.start()
    own_house.open(vault)
    with pytest.raises(Refused, match="KEY_UNAVAILABLE"):
        settled(vault, Storefront(vault.as_process("gateway")))
    assert own_house.rows("SELECT 1 FROM subjects") == []
