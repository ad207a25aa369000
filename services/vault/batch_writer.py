# SPDX-License-Identifier: Apache-2.0
"""Writes new versions of many subjects in one transaction: the writer's work, set by set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.chassis.database import Connection
from services.vault import store_batches, store_data
from services.vault.blind_index import INDEXED_FIELDS, blind_index
from services.vault.concealed import Concealed
from services.vault.envelope import CiphertextMisplaced, Place, VersionLimitReached, encrypt
from services.vault.fields import AnyField
from services.vault.gate import Refused, decrypt_rows
from services.vault.index_version import index_key_for_writing
from services.vault.personal_data import DataChange, PersonalData, merge_data
from services.vault.plaintext import SCHEMA, serialize
from services.vault.provider import KeyMoved, KeyProviderError
from services.vault.same_contact import Contacts, join_blocks
from services.vault.secret_key import SecretKey
from services.vault.store import Case, Subject
from services.vault.store_batches import BatchDatum, BatchDigest
from services.vault.store_keys import KeyStore, OwnerKey
from services.vault.violation import DataInvalid
from services.vault.writer import Provenance, built_on


@dataclass(frozen=True, slots=True)
class Written:
    """What a write made of a subject; no field changed where the data were so already."""

    version: int
    changed: frozenset[AnyField]


class BatchWriter:
    """Writes merge patches of subjects whose exclusive locks are held and whose gate is open."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def write(
        self,
        connection: Connection,
        site: str,
        changes: Mapping[str, DataChange],
        cases: Mapping[Subject, Case],
        keys: Mapping[Subject, OwnerKey],
        provenance: Provenance,
        now: datetime,
    ) -> dict[str, Written | Refused]:
        """Apply the changes by subject; one that cannot be written leaves the others alone.

        Raises KeyUnavailable and KeyWrong of the provider for the index keys.
        """
        places = [(site, subject) for subject in changes]
        had = {e: built_on(changes[e[1]]) for e in places if cases[e].data_version}
        rows = store_data.current_data(connection, had)
        data: list[BatchDatum] = []
        plain: list[tuple[str, PersonalData, frozenset[AnyField]]] = []
        outcomes: dict[str, Written | Refused] = {}
        for place in places:
            subject, version = place[1], cases[place].data_version
            try:
                key = self._open(place, keys.get(place))
                current = decrypt_rows(key, place, rows.get(place, ()))
                merged = merge_data(current, changes[subject])
                changed = frozenset(f for f in merged if _plain(current, f) != _plain(merged, f))
                data += _sealed(key, place, version + 1, merged, current, changed)
            except DataInvalid:
                outcomes[subject] = Refused("INVALID_ARGUMENT", "6.1.1")
            except (CiphertextMisplaced, KeyMoved, VersionLimitReached):
                outcomes[subject] = Refused("DATA_LOSS", "")
            except KeyProviderError:
                outcomes[subject] = Refused("KEY_UNAVAILABLE", "")
            else:
                plain.append((subject, merged, changed))
                outcomes[subject] = Written(version + bool(changed), changed)
        if data:
            store_batches.write_data(
                connection, site, data, provenance.supplier, provenance.form, now
            )
            store_batches.write_digests(connection, site, self._digests(connection, site, plain))
            placed = {s: _contacts(merged, changed) for s, merged, changed in plain}
            join_blocks(connection, self._keys, site, placed, now)
        return outcomes

    def _open(self, place: Subject, stored: OwnerKey | None) -> SecretKey:
        if stored is None:
            raise CiphertextMisplaced
        return self._keys.open(*place, stored)

    def _digests(
        self,
        connection: Connection,
        site: str,
        written: Sequence[tuple[str, PersonalData, frozenset[AnyField]]],
    ) -> list[BatchDigest]:
        digests = []
        for field in sorted(INDEXED_FIELDS):
            values = [(s, merged[field]) for s, merged, changed in written if field in changed]
            if not values:
                continue
            version, key = index_key_for_writing(connection, self._keys, site, field)
            digests += [
                BatchDigest(subject, field, version, blind_index(key, site, field, version, value))
                for subject, value in values
                if isinstance(value, str)
            ]
        return digests


def _contacts(merged: PersonalData, changed: frozenset[AnyField]) -> Contacts:
    return {f: value for f in INDEXED_FIELDS & changed if isinstance(value := merged.get(f), str)}


def _sealed(
    key: SecretKey,
    place: Subject,
    version: int,
    merged: PersonalData,
    current: PersonalData,
    changed: frozenset[AnyField],
) -> list[BatchDatum]:
    return [
        BatchDatum(
            place[1],
            field,
            version,
            field in current,
            encrypt(
                key, Place(SCHEMA, *place, str(field), version), serialize(field, merged[field])
            ),
        )
        for field in sorted(changed)
    ]


def _plain(values: PersonalData, field: AnyField) -> object:
    value = values.get(field)
    return dict(value) if isinstance(value, Concealed) else value
