# SPDX-License-Identifier: Apache-2.0
"""Puts the vault together and runs it: `python -m services.vault`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from services.chassis import migration
from services.chassis.assembly import Parts, prepare, serve
from services.chassis.config import load_settings
from services.chassis.database import Database
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.pipeline import Handler
from services.chassis.process import ProcessSettings, StartError, run
from services.chassis.refusal import Unavailable
from services.vault.combiner import Combiner
from services.vault.correction import Corrections
from services.vault.gate import Gate
from services.vault.keyring import Keyring
from services.vault.lifetime import begin_life
from services.vault.provider import KeyProviderError
from services.vault.provider_file import FileKeyProvider
from services.vault.servicer import VaultServicer
from services.vault.servicer_deciders import DeciderServicer
from services.vault.servicer_documents import DocumentServicer
from services.vault.servicer_slices import SliceTaker
from services.vault.store_keys import EpochRows, KeyStore
from services.vault.writer import Writer

_HERE = Path(__file__).parent


class VaultSettings(ProcessSettings):
    """The vault's settings: `key_store_url` is a database of its own, `key_file` holds the KEK."""

    key_store_url: str
    key_file: Path


def main(ready: Callable[[], None] = lambda: None) -> int:
    """Run the vault until it is told to stop; returns its exit code."""
    return run("vault", lambda stop: _serve(stop, ready))


def _serve(stop: threading.Event, ready: Callable[[], None]) -> None:
    settings = load_settings(VaultSettings, "vault")
    parts = prepare("vault", settings, _HERE / "migrations")
    keys = _keys(settings, parts)
    begin_life(parts.database, keys)
    writer = Writer(keys)
    corrections = Corrections(keys, writer)
    gate = Gate(parts.database, keys, parts.refusals, parts.clock, parts.metrics)
    combiner = Combiner(gate)
    vault = VaultServicer(
        parts.database, gate, combiner, writer, keys, IdempotencyKeys(parts.secret), parts.clock
    )
    taker = SliceTaker(keys, corrections, parts.clock)
    deciders = DeciderServicer(parts.database, taker, gate, keys, parts.clock, parts.metrics)
    documents = DocumentServicer(parts.database, keys, corrections, parts.clock)
    by_name = vault.handlers() | deciders.handlers() | documents.handlers()
    serve(
        parts,
        _by_path(parts, by_name),
        lambda _connection, site, subject: keys.pseudonym(site, subject),
        [combiner],
        stop,
        ready,
    )


def _by_path(parts: Parts, by_name: dict[str, Handler]) -> dict[str, Handler]:
    return {
        m.path: by_name[m.name] for m in parts.contract.of_process("vault") if m.name in by_name
    }


def _keys(settings: VaultSettings, parts: Parts) -> KeyStore:
    try:
        database = Database(
            settings.key_store_url,
            pool_size=settings.workers + 8,
            timeout_ms=settings.database_timeout_ms,
        )
    except ValueError as error:
        raise StartError(f"key_store_url: {error}") from None
    try:
        with database.transaction() as connection:
            migration.check(connection, _HERE / "key_store_migrations")
    except Unavailable:
        raise StartError(
            "the key store cannot be reached: start it, or check QUPIA_VAULT_KEY_STORE_URL"
        ) from None
    epochs = EpochRows(database)
    try:
        provider = FileKeyProvider.open(settings.key_file, create=epochs.is_empty())
        keys = KeyStore(database, Keyring(provider, epochs), parts.clock)
        keys.open_epoch()
    except KeyProviderError as error:
        raise StartError(f"the key-encryption key: {error}") from None
    return keys


if __name__ == "__main__":
    raise SystemExit(main())
