# SPDX-License-Identifier: Apache-2.0
"""A vault that cannot start says why and what to do, in words, and ends with a code."""

import secrets
import socket
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import postgres
from tests.vault.person import settled
from tests.vault.vault_process import House, Premises
from tests.vault.wire_client import Storefront

CONFIG, START = 78, 69


@pytest.fixture(scope="module")
def house(premises: Premises) -> House:
    """A house whose key store is not empty."""
    house = premises.house("start")
    house.start().stop()
    return house


def _another_key_under_the_same_id(file: Path) -> None:
    text = file.read_text()
    key = text.partition('"key": "')[2].partition('"')[0]
    file.write_text(text.replace(key, b64encode(secrets.token_bytes(32)).decode()))


def _the_key_file_of_another_house(file: Path) -> None:
    key_id = file.read_text().partition('"current": "')[2].partition('"')[0]
    file.write_text(file.read_text().replace(key_id, f"kek-{secrets.token_hex(8)}"))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (_another_key_under_the_same_id, ["does not open", "restore the key file"]),
        (_the_key_file_of_another_house, ["holds no key-encryption key", "restore the right file"]),
        (lambda file: file.chmod(0o640), ["mode 0640", "set it to 0600"]),
        (lambda file: file.write_text("{}"), ["is not a key file", "restore it from its backup"]),
    ],
)
def test_a_wrong_key_stops_the_start(
    house: House, fault: Callable[[Path], object], said: list[str]
) -> None:
    kept = house.key_file.read_bytes()
    try:
        fault(house.key_file)
        _ends(house, START, [str(house.key_file), *said])
    finally:
        house.key_file.unlink(missing_ok=True)
        house.key_file.write_bytes(kept)
        house.key_file.chmod(0o600)


def test_where_the_key_was_lost_none_is_made_and_the_vault_only_restricts(
    premises: Premises,
) -> None:
    house = premises.house("lost")
    first = house.start()
    house.open(first)
    person = settled(first, Storefront(first.as_process("gateway")))
    first.stop()
    house.key_file.unlink()
    vault = house.start()
    assert "is missing: restore it from its backup" in vault.output
    assert not house.key_file.exists()
    shop = Storefront(vault.as_process("gateway"))
    assert shop.why_not(person.subject_id) == "KEY_UNAVAILABLE"
    person.vault = vault
    person.is_blocked()
    assert shop.why_not(person.subject_id) == "SUBJECT_BLOCKED"
    vault.stop()


@pytest.mark.parametrize(
    ("settings", "code", "said"),
    [
        ({"databse_url": "x"}, CONFIG, ["databse_url: no such key", "did you mean database_url"]),
        ({"workers": "many"}, CONFIG, ["workers"]),
        ({"database_url": "sqlite:///x"}, START, ["database_url", "PostgreSQL"]),
        ({"database_url": "nonsense"}, START, ["database_url", "URL"]),
        ({"key_store_url": "nonsense"}, START, ["key_store_url", "URL"]),
        ({"certificates": "/nowhere"}, START, ["/nowhere/ca.pem", "issue it"]),
        ({"secret": "/nowhere"}, START, ["secret file /nowhere"]),
        ({"issuers": "/nowhere"}, START, ["issuers file /nowhere"]),
    ],
)
def test_a_wrong_setting_stops_the_start(
    house: House, settings: dict[str, str], code: int, said: list[str]
) -> None:
    _ends(house, code, said, **settings)


@pytest.mark.parametrize("which", ["database_url", "key_store_url"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda url: url.partition("?")[0] + "?host=/nowhere", "cannot be reached"),
        (lambda url: url.replace(":", ":x", 2).replace(":x//", "://", 1), "cannot be reached"),
        (lambda url: url.replace("@/", "@/no_such_"), "cannot be reached"),
    ],
    ids=["nobody there", "wrong password", "no such database"],
)
def test_a_database_out_of_reach_stops_the_start(
    house: House, which: str, change: Callable[[str], str], said: str
) -> None:
    access = house.vault if which == "database_url" else house.key_store
    url = change(access.runtime_url)
    assert url != access.runtime_url
    said_too = f"QUPIA_VAULT_{which.upper()}"
    _ends(house, START, [said, said_too], **{which: url})


@pytest.mark.parametrize("which", ["database_url", "key_store_url"])
def test_a_database_that_was_not_migrated_stops_the_start(
    premises: Premises, house: House, which: str
) -> None:
    cluster = premises.cluster
    name = f"bare_{which}"
    bare = postgres.ensure_database(cluster, name, f"{name}_owner", name, cluster.passwords)
    _ends(house, START, ["qupia migrate"], **{which: bare.runtime_url})


def test_a_socket_in_use_stops_the_second_and_leaves_the_first_alone(house: House) -> None:
    first = house.start()
    _ends(house, START, [str(first.socket), "in use"], listen=f"unix:{first.socket}")
    first.wait_until_serving()
    first.as_process("gateway").channel.close()
    first._callers.clear()
    first.wait_until_serving()
    first.stop()


def test_a_port_in_use_stops_the_start(house: House) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        _ends(house, START, [address, "in use"], listen=address)
        _ends(house, START, [address, "in use"], metrics=address)


def test_the_database_of_another_part_stops_the_start(house: House) -> None:
    said = ["holds the schema of vault/key_store_migrations", "check its URL"]
    _ends(house, START, said, database_url=house.key_store.runtime_url)
    said = ["holds the schema of vault/migrations", "check its URL"]
    _ends(house, START, said, key_store_url=house.vault.runtime_url)


def _ends(house: House, code: int, said: list[str], **settings: str) -> None:
    process = house.spawn(**settings)
    assert process.exit_code() == code, process.output
    assert "Traceback" not in process.output
    for words in said:
        assert words in process.output
    assert len(process.output.splitlines()) <= 3, process.output
