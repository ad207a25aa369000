# SPDX-License-Identifier: Apache-2.0
"""Which blind-index key is used, while it may be in rotation.

The newest version writes. Look-ups ask for the digests of every version that still stands, so that
a person is found wherever their row is just then.
"""

from __future__ import annotations

from services.chassis.database import Connection
from services.vault import store_index
from services.vault.blind_index import blind_index
from services.vault.fields import Field
from services.vault.provider import KeyUnavailable
from services.vault.secret_key import SecretKey
from services.vault.store_keys import KeyStore


def index_key_for_writing(
    connection: Connection, keys: KeyStore, site: str, indexed: Field
) -> tuple[int, SecretKey]:
    """The version that writes, and its key; it is not retired before this transaction ends.

    Raises KeyUnavailable, KeyWrong.
    """
    held = keys.ensure_index_keys(site, indexed)
    while True:
        version = max(held)
        store_index.hold_version(connection, site, indexed, version)
        # Whoever retires it waits for the lock: what stands now stands until the end.
        held = keys.ensure_index_keys(site, indexed)
        if max(held) == version:
            return version, keys.open_index_key(site, indexed, version, held[version])


def find_subjects(
    connection: Connection, keys: KeyStore, site: str, indexed: Field, value: str
) -> list[str]:
    """The subjects of a site whose e-mail or phone (normalized) is `value`, in order of id.

    Raises KeyUnavailable, KeyWrong.
    """
    held = keys.index_keys(site, indexed)
    while True:
        found, fault = [], None
        try:
            digests = {
                version: blind_index(
                    keys.open_index_key(site, indexed, version, key), site, indexed, version, value
                )
                for version, key in held.items()
            }
            found = store_index.find(connection, site, indexed, digests)
        except KeyUnavailable as error:
            fault = error
        # A rotation that began since may have moved the row to a version not asked for.
        known, held = held, keys.index_keys(site, indexed)
        if held.keys() == known.keys():
            if fault is not None:
                raise fault
            return found
