# SPDX-License-Identifier: Apache-2.0
"""People in a vault's two databases and the keys they are under, without a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

import pytest

from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.chassis.ids import new_subject_id
from services.chassis.metrics import Metrics
from services.vault import rotation_index, rotation_rewrap, store, store_slices
from services.vault.address import Address
from services.vault.concealed import Concealed
from services.vault.fields import Field
from services.vault.index_version import find_subjects
from services.vault.key_status import KeyStatus, read_key_status
from services.vault.keyring import Keyring
from services.vault.personal_data import normalize_data
from services.vault.provider import KeyProvider
from services.vault.provider_file import FileKeyProvider
from services.vault.retirement import Retirement
from services.vault.rotation import Rotations
from services.vault.rotation_walk import Pace
from services.vault.store import Subject
from services.vault.store_keys import EpochRows, KeyStore
from services.vault.unsealing import open_private_key
from services.vault.writer import Provenance, Writer
from tests.vault.vault_process import House, Premises

_number = count()
SITES = ("demo", "other")
KEPT = 60.0
Values = Mapping[Field, str | Address]


@dataclass
class KeyScene:
    """One house and its keys; `keep_seconds` as an ordinary vault keeps unwrapped keys."""

    house: House
    provider: KeyProvider
    keep_seconds: float = KEPT
    people: dict[Subject, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.database = Database(self.house.vault.runtime_url, pool_size=12)
        self.key_store = Database(self.house.key_store.runtime_url, pool_size=12)
        self.metrics = Metrics()
        self.keys = self.other_process()
        self.keys.open_epoch()
        self.writer = Writer(self.keys)

    def other_process(self, provider: KeyProvider | None = None) -> KeyStore:
        """The key store as another process has it: with a memory of its own."""
        epochs = EpochRows(self.key_store)
        keyring = Keyring(provider or self.provider, epochs, keep_seconds=self.keep_seconds)
        return KeyStore(self.key_store, keyring, SystemClock())

    def rotations(self, pace: Pace | None = None, provider: KeyProvider | None = None) -> Rotations:
        """The engine, in a process of its own."""
        return Rotations(
            self.database,
            self.other_process(provider),
            provider or self.provider,
            SystemClock(),
            self.metrics,
            pace or Pace(),
        )

    def retirement(self, provider: KeyProvider | None = None) -> Retirement:
        """The same for retiring."""
        return Retirement(
            self.database, self.other_process(), provider or self.provider, SystemClock()
        )

    def status(self, provider: KeyProvider | None = None) -> KeyStatus:
        """What stands under which key."""
        return read_key_status(self.database, self.keys, provider or self.provider)

    def add(self, number: int = 1, site: str = "demo") -> list[Subject]:
        """So many new people with data."""
        added = []
        for _ in range(number):
            subject = (site, new_subject_id())
            turn = len(self.people)
            stated = {
                "givenName": "Әлия" + "а" * (turn % 9),
                "email": f"person{turn}@example.kz",
                "phone": f"+7701{turn:07d}",
            }
            self.keys.ensure_owner_key(*subject)
            with self.database.transaction() as connection:
                store_slices.create_subject(connection, *subject, datetime.now(UTC))
            self.people[subject] = {}
            self.write(subject, stated)
            added.append(subject)
        return added

    def write(self, subject: Subject, stated: dict[str, str]) -> None:
        """A merge patch, as the gate has it written."""
        with self.database.transaction() as connection:
            store.lock_exclusive(connection, *subject)
            version = store.cases(connection, [subject])[subject].data_version + 1
            change = normalize_data(stated)
            at = datetime.now(UTC)
            self.writer.write(connection, subject, version, change, Provenance("S", "f"), at)
        self.people[subject] |= stated

    def read(self, subject: Subject, keys: KeyStore | None = None) -> dict[str, str]:
        """All data of a person, with the keys of some process."""
        writer = Writer(keys or self.keys)
        with self.database.transaction() as connection:
            store.lock_shared(connection, *subject)
            values = writer.current(connection, subject, writer.key(subject), Concealed({}))
        return {str(name): str(value) for name, value in values.items()}

    def find(
        self, subject: Subject, indexed: Field = Field.EMAIL, keys: KeyStore | None = None
    ) -> list[str]:
        """Who is found by that person's e-mail or phone."""
        with self.database.transaction() as connection:
            value = self.people[subject][str(indexed)]
            return find_subjects(connection, keys or self.keys, subject[0], indexed, value)

    def all_is_well(self) -> None:
        """Everybody reads as they were written and is found; sealed documents open."""
        self.all_is_well_but_sealing()
        keys = self.other_process()
        pair = keys.sealing_pair()
        assert pair is not None
        assert open_private_key(keys.keyring, pair) is not None

    def all_is_well_but_sealing(self) -> None:
        """The same, in a process that knows no key yet, where nothing was ever sealed."""
        keys = self.other_process()
        for subject, stated in self.people.items():
            assert self.read(subject, keys) == stated
            for indexed in (Field.EMAIL, Field.PHONE):
                assert self.find(subject, indexed, keys) == [subject[1]]

    def under(self, epoch: str) -> int:
        """How many data keys an epoch wraps."""
        return next((e.rows for e in self.status().epochs if e.epoch == epoch), 0)

    def epoch(self) -> str:
        """The current epoch."""
        return next(e.epoch for e in self.status().epochs if e.current)

    def close(self) -> None:
        """Let go of the databases."""
        self.database.close()
        self.key_store.close()


def scene_in(premises: Premises, provider: KeyProvider | None = None) -> KeyScene:
    """A scene in a house of its own; the keys are in a key file where nothing else is given."""
    house = premises.house(f"keys{next(_number)}")
    return KeyScene(house, provider or FileKeyProvider.open(house.key_file, create=True))


def scene_of_ten(premises: Premises, monkeypatch: pytest.MonkeyPatch) -> KeyScene:
    """Eight people of one site and two of another; rotations go in batches of three."""
    monkeypatch.setattr(rotation_rewrap, "_DATA_KEYS", 3)
    monkeypatch.setattr(rotation_rewrap, "_SMALL_KEYS", 1)
    monkeypatch.setattr(rotation_index, "_SUBJECTS", 3)
    scene = scene_in(premises)
    scene.add(8)
    scene.add(2, "other")
    scene.keys.sealing_pair()
    return scene
