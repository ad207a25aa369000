# SPDX-License-Identifier: Apache-2.0
"""What follows, in the same transaction, when blocks come into force or end (clause 6.2.3).

Contacts of the blocked are watched, provisional blocks that the claims service now has as its own
are noted, and of a block that reaches back it is kept what was done before it.
"""

from __future__ import annotations

from datetime import datetime

from services.chassis import evidence
from services.chassis.database import Connection
from services.chassis.evidence import Entry
from services.vault import store_blocks
from services.vault.same_contact import watched_of
from services.vault.standing import Block, ClaimsStanding
from services.vault.store import Case, Subject
from services.vault.store_blocks import InterimRow
from services.vault.store_keys import KeyStore
from services.vault.wire_case import own_standing_of


class BlockKeeper:
    """Keeps what blocks reach."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def taken(
        self,
        connection: Connection,
        subject: Subject,
        before: Case,
        pushed: ClaimsStanding,
        standing: ClaimsStanding,
        now: datetime,
    ) -> None:
        """`standing` stands in the place of `before`; the caller holds the exclusive lock."""
        store_blocks.watch(connection, subject, watched_of(standing), now)
        store_blocks.note_known(connection, subject, [b.claim_id for b in pushed.blocks])
        held = own_standing_of(before).claims
        known = {b.claim_id: b.since for b in held.blocks} if held else {}
        for block in standing.blocks:
            first = block.claim_id not in known
            if block.since < block.recorded_time and (first or block.since < known[block.claim_id]):
                self._reach_back(connection, subject, block, now)

    def _reach_back(
        self, connection: Connection, subject: Subject, block: Block, now: datetime
    ) -> None:
        site = subject[0]
        pseudonym = self._keys.pseudonym(*subject)
        kept = store_blocks.read_interim(connection, subject, block.claim_id)
        until = kept.until if kept else now
        done = (
            store_blocks.counted(connection, site, pseudonym, block.since, until)
            if pseudonym
            else {}
        )
        interim = InterimRow(block.since, until, sum(done.values()))
        store_blocks.keep_interim(connection, subject, block.claim_id, interim)
        entry = Entry(
            event="block.back_dated",
            verb="BLOCK",
            outcome=evidence.DONE,
            site_id=site,
            principal="process/vault",
            subject=pseudonym,
            clause="6.2.3",
            refs={"claim_id": block.claim_id},
            decided_on={
                "sinceTime": evidence.instant(block.since),
                "untilTime": evidence.instant(until),
                "done": done,
            },
        )
        evidence.append(connection, entry, now)
