# SPDX-License-Identifier: Apache-2.0
"""Which blind-index key is used, while it may be in rotation.

The newest version writes. Look-ups ask for the digests of every version that still stands, so that
a person is found wherever their row is just then.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from services.chassis.database import Connection
from services.vault import store_index
from services.vault.blind_index import blind_index
from services.vault.fields import Field
from services.vault.keyring import WrappedKey
from services.vault.provider import KeyUnavailable
from services.vault.secret_key import SecretKey
from services.vault.store_index import Contact
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
    contact = (site, indexed, value)
    return find_all(connection, keys, [contact])[contact]


def find_all(
    connection: Connection, keys: KeyStore, contacts: Collection[Contact]
) -> dict[Contact, list[str]]:
    """The same for each of several contacts."""
    if not contacts:
        return {}
    places = {(site, indexed) for site, indexed, _ in contacts}
    held = keys.all_index_keys(places)
    while True:
        found: dict[Contact, list[str]] = {}
        fault = None
        try:
            found = store_index.find_all(connection, _digests(keys, held, contacts))
        except KeyUnavailable as error:
            fault = error
        # A rotation that began since may have moved the row to a version not asked for.
        known, held = held, keys.all_index_keys(places)
        if all(held[place].keys() == known[place].keys() for place in places):
            if fault is not None:
                raise fault
            return {contact: found.get(contact, []) for contact in contacts}


def _digests(
    keys: KeyStore,
    held: Mapping[tuple[str, Field], Mapping[int, WrappedKey]],
    contacts: Collection[Contact],
) -> list[tuple[Contact, int, bytes]]:
    """(contact, version, digest) under every version that stands."""
    opened = {
        (site, indexed, version): keys.open_index_key(site, indexed, version, key)
        for (site, indexed), versions in held.items()
        for version, key in versions.items()
    }
    return [
        (
            contact,
            version,
            blind_index(opened[site, indexed, version], site, indexed, version, value),
        )
        for contact in contacts
        for site, indexed, value in [contact]
        for version in held[site, indexed]
    ]
