# SPDX-License-Identifier: Apache-2.0
"""Ends subjects across two databases so that no crash leaves one half ended (clause 5.1).

    1. data database: lock, decide, count                            (transaction open)
    2. key store: tombstone in, key and pseudonym out                (committed: no way back)
    3. data database: ciphertexts out, life DESTROYED, certificate, evidence   (committed)
    4. key store: the tombstone is finished

Killed before 2 the subject is as it was. Killed after it nothing opens the data any more, and the
rest is made up for at the next start or by the next round. No step needs a key: destruction goes
on without a KEK.

Either database may be set back to an earlier state. The tombstones of the key store destroy again
what an old data database brings back; the certificates of the data database bury again whose key
an old key store brings back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from services.chassis import evidence
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry
from services.vault import store, store_changes, store_destruction, store_links, store_tombstones
from services.vault.decide import RULES_VERSION
from services.vault.destruction import (
    End,
    Ending,
    KeySchedule,
    certificate,
    digest,
)
from services.vault.retention import Category
from services.vault.store import Subject
from services.vault.store_destruction import DONE, RESTRICTED, DestructionRow
from services.vault.store_keys import KeyStore
from services.vault.store_tombstones import Restriction, Tombstone

_PAGE: Final = 500
_FIRST: Final = ("", "")
_VERBS: Final = {End.DESTROYED: "DESTROY", End.DEPERSONALISED: "DEPERSONALISE"}


class Endings:
    """Ends subjects, and makes up for ends that were cut short or forgotten."""

    def __init__(
        self, database: Database, keys: KeyStore, schedule: KeySchedule, clock: Clock
    ) -> None:
        self._database = database
        self._keys = keys
        self._schedule = schedule
        self._clock = clock

    def bury(
        self, endings: Mapping[Subject, tuple[Ending, Mapping[Category, int]]], now: datetime
    ) -> list[Tombstone]:
        """Step 2 for all subjects that are one person, in one transaction.

        Returns the tombstones that stand: earlier ones where the end was cut short.
        """
        with self._keys.database.transaction() as connection:
            return [
                self._buried(connection, subject, ending, rows, now)
                for subject, (ending, rows) in sorted(endings.items())
            ]

    def _buried(
        self,
        connection: Connection,
        subject: Subject,
        ending: Ending,
        rows: Mapping[Category, int],
        now: datetime,
    ) -> Tombstone:
        stands = store_tombstones.read(connection, subject)
        epoch = store_tombstones.lock_key(connection, subject)
        gone_by = self._schedule.destroyed_by(epoch, now)
        document = certificate(subject, ending, rows, epoch, gone_by, RULES_VERSION, now)
        stone = stands or Tombstone(
            subject,
            ending,
            epoch.epoch if epoch else "",
            epoch.kek_id if epoch else "",
            document,
            now,
        )
        store_tombstones.bury(connection, stone)
        return stone

    def clear(self, connection: Connection, stone: Tombstone, now: datetime) -> None:
        """Step 3, in the caller's transaction, which holds the subject's exclusive lock."""
        store_destruction.clear(connection, stone.subject, now)
        store_changes.add(connection, stone.subject, store_changes.DESTROYED, now)
        entry = _entry(stone)
        evidence.append(connection, entry, now)
        known = store_destruction.read(connection, stone.subject)
        store_destruction.write(
            connection,
            DestructionRow(
                *stone.subject,
                stone.ending.destruction_id,
                DONE,
                stone.ending.ground,
                known.claim_id if known else "",
                known.due_time if known else stone.bury_time,
                stone.bury_time,
                stone.ending.principal,
                stone.ending.request_id,
                stone.document,
                entry.entry_id,
            ),
        )

    def restrict(self, connection: Connection, found: Sequence[Restriction], now: datetime) -> None:
        """A statutory term keeps a person from now on, in the caller's transaction.

        The key store hears of it first: killed before the commit, the next start restricts.
        """
        with self._keys.database.transaction() as key_store:
            for each in found:
                store_tombstones.restrict(key_store, each)
        for each in found:
            _restrict(connection, each, now)

    def finish(self, subject: Subject) -> None:
        """Step 4."""
        with self._keys.database.transaction() as connection:
            store_tombstones.finish(connection, subject, self._clock.now())

    def resume(self) -> int:
        """Go on with every end that was cut short after step 2; returns how many there were."""
        return self._make_up(unfinished=True)

    def reconcile(self) -> int:
        """Bring both databases to know of every end; returns how many one of them had forgotten.

        For the start: whichever of the two was restored from a backup forgot what came after it.
        """
        return self._make_up(unfinished=False) + self._bury_again() + self._restrict_again()

    def _make_up(self, *, unfinished: bool) -> int:
        made, after = 0, _FIRST
        while True:
            with self._keys.database.transaction() as connection:
                stones = store_tombstones.page(connection, after, _PAGE, unfinished=unfinished)
            if not stones:
                return made
            with self._database.transaction() as connection:
                done = store_destruction.done(connection, {s.subject for s in stones})
            for stone in stones:
                cleared = done.get(stone.subject) == stone.ending.destruction_id
                if not cleared:
                    self._clear_alone(stone)
                if not cleared or unfinished:
                    self.finish(stone.subject)
                    made += 1
            after = stones[-1].subject

    def _clear_alone(self, stone: Tombstone) -> None:
        with self._database.transaction() as connection:
            store_links.lock_persons(connection, stone.subject[0], [stone.subject[1]])
            done = store_destruction.done(connection, {stone.subject})
            if done.get(stone.subject) != stone.ending.destruction_id:
                self.clear(connection, stone, self._clock.now())

    def _restrict_again(self) -> int:
        made, after = 0, _FIRST
        while True:
            with self._keys.database.transaction() as connection:
                found = store_tombstones.restricted(connection, after, _PAGE)
            if not found:
                return made
            with self._database.transaction() as connection:
                known = store_destruction.restricted(connection, {f.subject for f in found})
            for each in found:
                if each.subject not in known:
                    with self._database.transaction() as connection:
                        store.lock_exclusive(connection, *each.subject)
                        _restrict(connection, each, self._clock.now())
                    made += 1
            after = found[-1].subject

    def _bury_again(self) -> int:
        made, after = 0, _FIRST
        while True:
            with self._database.transaction() as connection:
                rows = store_destruction.all_done(connection, after, _PAGE)
            if not rows:
                return made
            places = {(row.site, row.subject) for row in rows}
            with self._keys.database.transaction() as connection:
                buried = store_tombstones.standing(connection, places)
                for row in rows:
                    if (row.site, row.subject) not in buried:
                        store_tombstones.bury(connection, _stone_of(row), finished=True)
                        made += 1
            after = (rows[-1].site, rows[-1].subject)


def _restrict(connection: Connection, found: Restriction, now: datetime) -> None:
    store_destruction.restrict(connection, found.subject, now)
    known = store_destruction.read(connection, found.subject)
    if known is None or known.state != DONE:
        row = DestructionRow(
            *found.subject,
            found.destruction_id,
            RESTRICTED,
            found.ground,
            known.claim_id if known else "",
            found.due_time,
        )
        store_destruction.write(connection, row)


def _entry(stone: Tombstone) -> Entry:
    """The evidence of an end.

    It names neither the pseudonym nor the slices that were decided on: the certificate names the
    subject and this entry, so that either would give the dead pseudonym's whole trail its name.
    """
    ending = stone.ending
    refs = {
        "destruction_id": ending.destruction_id,
        "ground": ending.ground,
        "reference": ending.reference,
    }
    return Entry(
        event=str(ending.end),
        verb=_VERBS[ending.end],
        outcome=evidence.DONE,
        site_id=stone.subject[0],
        principal=ending.principal,
        role=ending.role,
        clause="5.1",
        refs={name: value for name, value in refs.items() if value},
        decided_on={"rulesVersion": RULES_VERSION},
        digests={"certificate": digest(stone.document)},
    )


def _stone_of(row: DestructionRow) -> Tombstone:
    """The tombstone that a key store has forgotten."""
    told = json.loads(row.document)
    ending = Ending(
        End[told["end"]],
        row.destruction_id,
        row.ground,
        told.get("reference", ""),
        row.executed_by,
        "",
        row.request_id,
    )
    ended = row.end_time or row.due_time
    return Tombstone(
        (row.site, row.subject), ending, told.get("epoch", ""), "", row.document, ended
    )
