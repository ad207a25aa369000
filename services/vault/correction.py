# SPDX-License-Identifier: Apache-2.0
"""Corrections: staged sealed, written when the verification's outcome lifts the last block.

Clause 6.2.3, law.md 4.2 and 4.6: never an ordinary update; one transaction
writes the new version and lifts, and mends the addresses of open orders;
destruction beats correction.
"""

from __future__ import annotations

import json
from datetime import datetime

from services.chassis.database import Connection
from services.chassis.refusal import StateConflict
from services.vault import store_documents
from services.vault.envelope import Place, decrypt, encrypt
from services.vault.fields import Field
from services.vault.order_documents import OrderDocuments
from services.vault.personal_data import configured_of, merge_data, normalize_data
from services.vault.plaintext import SCHEMA
from services.vault.secret_key import SecretKey
from services.vault.site_fields import AsStaged, SiteLists
from services.vault.standing import ClaimsStanding, Outcome
from services.vault.store import Subject
from services.vault.store_documents import CorrectionRow
from services.vault.store_keys import KeyStore
from services.vault.writer import Provenance, Writer

_PROVENANCE = Provenance("VERIFICATION", "verification")


def corrections_held(standing: ClaimsStanding) -> bool:
    """Say whether what was confirmed waits: a block is open, or the data are to be destroyed."""
    return any(b.outcome in (None, Outcome.UNLAWFUL_CONFIRMED) for b in standing.blocks)


class Corrections:
    """Stages and writes corrections."""

    def __init__(
        self, keys: KeyStore, writer: Writer, lists: SiteLists, documents: OrderDocuments
    ) -> None:
        self._keys = keys
        self._documents = documents
        self._lists = lists
        self._writer = writer

    def stage(
        self,
        connection: Connection,
        subject: Subject,
        claim_id: str,
        correction_id: str,
        change: dict[str, object],
        now: datetime,
    ) -> None:
        """Check a correction against the data as they are, and keep it sealed.

        Raises DataInvalid naming every field that is wrong.
        """
        normalized = normalize_data(change, self._lists.of(subject[0]))
        key = self._writer.key(subject)
        merge_data(self._writer.current(connection, subject, key, normalized), normalized)
        staged = change | configured_of(normalized)
        plaintext = json.dumps(staged, ensure_ascii=False, sort_keys=True).encode()
        sealed = encrypt(key, _place(subject, correction_id), plaintext)
        row = CorrectionRow(subject[0], correction_id, subject[1], claim_id, None, sealed)
        store_documents.stage(connection, row, now)

    def write_due(
        self,
        connection: Connection,
        subject: Subject,
        standing: ClaimsStanding,
        version: int,
        now: datetime,
    ) -> dict[str, int]:
        """Write what the outcomes confirmed, unless a block is open or destruction is due.

        `version` is the present data version; returns the version that each
        confirmed correction stands as. Raises StateConflict for a correction
        that was never staged: the block then stands.
        """
        confirmed = sorted(
            (b for b in standing.blocks if b.outcome is Outcome.INACCURATE_CONFIRMED),
            key=lambda block: (block.recorded_time, block.claim_id),
        )
        ids = [block.correction_id for block in confirmed if block.correction_id]
        rows = [self._row(connection, subject, each) for each in ids]
        held = corrections_held(standing)
        written: dict[str, int] = {}
        for row in rows:
            if row.applied_version is not None:
                written[row.correction_id] = row.applied_version
            elif not held:
                version = self._write(connection, subject, row, version, now)
                written[row.correction_id] = version
        return written

    def _row(self, connection: Connection, subject: Subject, correction_id: str) -> CorrectionRow:
        row = store_documents.read_correction(connection, subject[0], correction_id)
        if row is None or row.subject != subject[1]:
            raise StateConflict
        return row

    def _write(
        self,
        connection: Connection,
        subject: Subject,
        row: CorrectionRow,
        version: int,
        now: datetime,
    ) -> int:
        key: SecretKey = self._writer.key(subject)
        plaintext = decrypt(key, _place(subject, row.correction_id), row.ciphertext)
        change = normalize_data(json.loads(plaintext), AsStaged())
        changed = self._writer.write(connection, subject, version + 1, change, _PROVENANCE, now)
        version = version + 1 if changed else version
        if Field.ADDRESS in changed:
            self._documents.mend(connection, subject, now)
        store_documents.mark_applied(connection, row.site, row.correction_id, version)
        return version


def _place(subject: Subject, correction_id: str) -> Place:
    return Place(SCHEMA, subject[0], subject[1], f"correction/{correction_id}", 1)
