# SPDX-License-Identifier: Apache-2.0
"""Writes a new version of a subject's data: merge, encrypt, index, keep the old one.

The caller holds the subject's exclusive lock and has had the gate's permit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.chassis.database import Connection
from services.vault import store_data, store_index
from services.vault.address import Address
from services.vault.blind_index import INDEXED_FIELDS, blind_index
from services.vault.concealed import Concealed
from services.vault.envelope import CiphertextMisplaced, Place, decrypt, encrypt
from services.vault.fields import STATED_FIELDS, AnyField, ConfiguredField, Field
from services.vault.index_version import index_key_for_writing
from services.vault.personal_data import DataChange, merge_data
from services.vault.plaintext import SCHEMA, parse, serialize
from services.vault.same_contact import Contacts, join_blocks
from services.vault.secret_key import SecretKey
from services.vault.store import Subject
from services.vault.store_data import NewDatum
from services.vault.store_keys import KeyStore

UNNAMED_FORM: Final = "unspecified"
"""Kept where a storefront names no form, so that no datum is without one."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who supplied data and through which form (clause 7.3, T-3.2-b)."""

    supplier: str
    form: str


class Writer:
    """Writes versions."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def write(
        self,
        connection: Connection,
        subject: Subject,
        version: int,
        change: DataChange,
        provenance: Provenance,
        now: datetime,
    ) -> frozenset[AnyField]:
        """Apply a merge patch as `version`; returns the fields that changed, none where none did.

        Raises DataInvalid for what only the whole can tell, KeyUnavailable,
        KeyWrong, CiphertextMisplaced.
        """
        key = self.key(subject)
        current = self.current(connection, subject, key, change)
        merged = merge_data(current, change)
        changed = frozenset(
            f for f in current.keys() | merged.keys() if _plain(current, f) != _plain(merged, f)
        )
        if changed:
            rows = [self._datum(subject, key, version, f, merged.get(f)) for f in sorted(changed)]
            store_data.write_data(
                connection, subject, version, rows, provenance.supplier, provenance.form, now
            )
            placed = self._index(connection, subject, INDEXED_FIELDS & changed, merged)
            join_blocks(connection, self._keys, subject[0], {subject[1]: placed}, now)
        return changed

    def key(self, subject: Subject) -> SecretKey:
        """The subject's data key. Raises KeyUnavailable, KeyWrong, CiphertextMisplaced."""
        stored = self._keys.owner_key(*subject)
        if stored is None:
            raise CiphertextMisplaced
        return self._keys.open(*subject, stored)

    def current(
        self, connection: Connection, subject: Subject, key: SecretKey, change: DataChange
    ) -> Concealed[AnyField, str | Address]:
        """The current data on which a change builds, in the clear. Raises CiphertextMisplaced."""
        site, owner = subject
        rows = store_data.current_data(connection, {subject: built_on(change)})
        return Concealed(
            {
                row.field: parse(
                    row.field,
                    decrypt(
                        key, Place(SCHEMA, site, owner, str(row.field), row.version), row.ciphertext
                    ),
                )
                for row in rows.get(subject, [])
            }
        )

    def _datum(
        self,
        subject: Subject,
        key: SecretKey,
        version: int,
        field: AnyField,
        value: str | Address | None,
    ) -> NewDatum:
        if value is None:
            return NewDatum(field, None)
        place = Place(SCHEMA, subject[0], subject[1], str(field), version)
        return NewDatum(field, encrypt(key, place, serialize(field, value)))

    def _index(
        self,
        connection: Connection,
        subject: Subject,
        changed: frozenset[Field],
        merged: Concealed[AnyField, str | Address],
    ) -> Contacts:
        """Index the contacts that changed; returns those that there are now."""
        placed: dict[Field, str] = {}
        for field in sorted(changed):
            value = merged.get(field)
            version, digest = 0, None
            if isinstance(value, str):
                version, key = index_key_for_writing(connection, self._keys, subject[0], field)
                digest = blind_index(key, subject[0], field, version, value)
                placed[field] = value
            store_index.write_index(connection, subject, field, version, digest)
        return placed


def built_on(change: DataChange) -> frozenset[AnyField]:
    """The fields that a merge patch looks at: those of every site, and the configured it names."""
    return STATED_FIELDS | frozenset(f for f in change if isinstance(f, ConfiguredField))


def _plain(values: Concealed[AnyField, str | Address], field: AnyField) -> object:
    value = values.get(field)
    return dict(value) if value is not None and not isinstance(value, str) else value
