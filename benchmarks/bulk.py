# SPDX-License-Identifier: Apache-2.0
"""Many subjects at once, written straight into the vault's two databases by COPY.

Keys, ciphertexts, blind-index digests and slices are made by the vault's own code, so that every
subject reads and is found as one that came by the front door; only the pushes are spared. The
books of record know nothing of them: such a vault is for measuring, and `qupia fsck` says so.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Table, make_url, text

from benchmarks.suite import RunningSuite
from cli import postgres
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.chassis.ids import new_subject_id
from services.vault import wire
from services.vault.blind_index import INDEXED_FIELDS, blind_index
from services.vault.envelope import Place, encrypt
from services.vault.index_version import index_key_for_writing
from services.vault.keyring import Keyring
from services.vault.personal_data import normalize_data
from services.vault.plaintext import SCHEMA, serialize
from services.vault.provider_file import FileKeyProvider
from services.vault.servicer_slices import canonical_digest
from services.vault.standing import ConsentStanding
from services.vault.store_keys import EpochRows, KeyStore
from services.vault.tables import blind_index as index_table
from services.vault.tables import data, slices, subjects
from services.vault.tables_keys import data_keys
from services.vault.wire_case import CONSENT

SITE = "demo"
POLICY = {"language": "kk", "title": "Құпиялылық саясаты", "body": "Мәтін"}
_TOGETHER = 5_000


@dataclass(frozen=True)
class Stores:
    """The vault's two databases and its keys, opened beside the vault itself."""

    vault: Database
    keys: KeyStore
    provider: FileKeyProvider

    @classmethod
    def of(cls, suite: RunningSuite) -> Stores:
        """Those of a running suite."""
        urls = suite.run["databases"]
        key_store = Database(urls["keystore"], pool_size=4, timeout_ms=600_000)
        provider = FileKeyProvider(Path(suite.home) / "keys" / "vault.json")
        keyring = Keyring(provider, EpochRows(key_store))
        return cls(
            Database(urls["vault"], pool_size=4, timeout_ms=600_000),
            KeyStore(key_store, keyring, SystemClock()),
            provider,
        )

    def close(self) -> None:
        """Let go of the databases."""
        self.vault.close()
        self.keys.database.close()


def email_of(number: int) -> str:
    """The e-mail of the subject of that number."""
    return f"subject{number}@example.kz"


def analyze(suite: RunningSuite) -> None:
    """What autovacuum does within a minute: plans made for few rows are made anew for many."""
    passwords = json.loads((suite.home / "postgres-passwords.json").read_text())
    for name in ("vault", "keystore", "claims"):
        url = make_url(suite.run["databases"][name])
        with psycopg.connect(
            host=str(url.query["host"]),
            dbname=str(url.database),
            user=postgres.SUPERUSER,
            password=passwords[postgres.SUPERUSER],
            autocommit=True,
        ) as connection:
            connection.execute("ANALYZE")


def fsync_of(stores: Stores) -> str:
    """Whether PostgreSQL makes commits durable, as it says itself."""
    with stores.vault.look() as connection:
        return str(connection.execute(text("SHOW fsync")).scalar_one())


def load(
    stores: Stores,
    first: int,
    last: int,
    advance: Callable[[int], None],
    address: dict[str, str] | None = None,
) -> list[str]:
    """Write subjects `first` to `last - 1`, who accepted version 1; returns their ids.

    All live at `address`, where one is given.
    """
    made: list[str] = []
    for start in range(first, last, _TOGETHER):
        numbers = range(start, min(last, start + _TOGETHER))
        made += _load(stores, numbers, {"address": address} if address else {})
        advance(len(numbers))
    return made


def _load(stores: Stores, numbers: Sequence[int], also: dict[str, Any]) -> list[str]:
    now = datetime.now().astimezone()
    epoch = stores.keys.open_epoch()
    settled = wire.consent_to(ConsentStanding(1, now, None, ()))
    slice_ = (1, 1, canonical_digest(settled), settled.SerializeToString(), now)
    rows: dict[Table, list[tuple[Any, ...]]] = {
        each: [] for each in (data_keys, subjects, slices, data, index_table)
    }
    with stores.vault.transaction() as connection:
        indexes = {
            field: index_key_for_writing(connection, stores.keys, SITE, field)
            for field in INDEXED_FIELDS
        }
        for number in numbers:
            subject = new_subject_id()
            key, wrapped = stores.keys.keyring.create_data_key(SITE, subject, epoch)
            pseudonym = secrets.token_hex(16)
            rows[data_keys].append((SITE, subject, epoch, wrapped.wrapped, pseudonym, now))
            rows[subjects].append((SITE, subject, "PRESENT", 1, now))
            rows[slices].append((SITE, subject, CONSENT, *slice_))
            for field, value in _stated(number, also).items():
                sealed = encrypt(
                    key, Place(SCHEMA, SITE, subject, str(field), 1), serialize(field, value)
                )
                rows[data].append((SITE, subject, str(field), 1, sealed, "SUBJECT", "bench", now))
                if field in INDEXED_FIELDS:
                    version, index_key = indexes[field]
                    digest = blind_index(index_key, SITE, field, version, value)
                    rows[index_table].append((SITE, str(field), version, digest, subject))
        # The key first: a subject without one would be a subject whose data are lost.
        with stores.keys.database.transaction() as keys:
            copy(keys, data_keys, rows[data_keys])
        for table in (subjects, slices, data, index_table):
            copy(connection, table, rows[table])
    return [row[1] for row in rows[subjects]]


def _stated(number: int, also: dict[str, Any]) -> dict[Any, Any]:
    stated = {
        "familyName": "Әбілқайырұлы",
        "givenName": "Нұрсұлтан",
        "phone": f"+7701{number:07d}",
        "email": email_of(number),
        **also,
    }
    return dict(normalize_data(stated))


def copy(connection: Any, table: Table, rows: Iterable[tuple[Any, ...]]) -> None:
    """Write rows, with a value for every column in the order of the table."""
    driver: psycopg.Connection[Any] = connection.connection.driver_connection
    names = ", ".join(column.name for column in table.columns)
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as into:
        for row in rows:
            into.write_row(row)
