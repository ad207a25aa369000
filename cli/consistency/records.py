# SPDX-License-Identifier: Apache-2.0
"""What is inspected: the six databases of a suite and the keys that open them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.consistency.store_keys import EpochRows
from cli.consistency.store_snapshot import Snapshot
from cli.databases import BOOKS
from services.vault.keyring import Keyring
from services.vault.provider_file import FileKeyProvider

DECIDERS = ("consent", "claims", "disclosure")


@dataclass(frozen=True, slots=True)
class Records:
    """The databases as snapshots, each as it was when it was first asked."""

    consent: Snapshot
    vault: Snapshot
    keystore: Snapshot
    disclosure: Snapshot
    claims: Snapshot
    gateway: Snapshot
    keyring: Keyring

    def named(self, name: str) -> Snapshot:
        """The snapshot of a database by its name."""
        snapshot: Snapshot = getattr(self, name)
        return snapshot

    def renew(self) -> None:
        """Forget what was seen: the next rows are of new snapshots."""
        for book in BOOKS:
            self.named(book.name).renew()


@contextmanager
def open_records(
    urls: Mapping[str, str], key_file: Path, counted: Callable[[int], None]
) -> Iterator[Records]:
    """The records behind URLs by database; `counted` hears of rows as they are read.

    Raises KeyProviderError for a key file that is missing or none, CannotRead.
    """
    snapshots: dict[str, Snapshot] = {}
    try:
        for book in BOOKS:
            url = urls[book.name]
            snapshots[book.name] = Snapshot(book.name, url, book.migrations, counted)
        provider = FileKeyProvider.open(key_file, create=False)
        keyring = Keyring(provider, EpochRows(snapshots["keystore"]))
        yield Records(**snapshots, keyring=keyring)
    finally:
        for snapshot in snapshots.values():
            snapshot.close()
