# SPDX-License-Identifier: Apache-2.0
"""What follows, in the same transaction, when blocks come into force or end (clause 6.2.3).

Contacts of the blocked are watched, provisional blocks that the claims service now has as its own
are noted, and of a block that reaches back it is kept what was done before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.chassis import evidence
from services.chassis.database import Connection
from services.chassis.evidence import Entry
from services.vault import store_blocks, store_interims
from services.vault.same_contact import watched_of
from services.vault.standing import Block, ClaimsStanding, Standing
from services.vault.store import Subject
from services.vault.store_interims import InterimRow
from services.vault.store_keys import KeyStore


@dataclass(frozen=True, slots=True)
class Blocked:
    """A claims slice that stands: what stood before of its subject, as pushed, as held."""

    subject: Subject
    before: Standing
    pushed: ClaimsStanding
    standing: ClaimsStanding


class BlockKeeper:
    """Keeps what blocks reach."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def taken(self, connection: Connection, blocked: Sequence[Blocked], now: datetime) -> None:
        """These slices stand, of as many subjects; the caller holds their exclusive locks."""
        grounds = {each.subject: watched_of(each.standing) for each in blocked}
        store_blocks.watch(connection, grounds, now)
        claims = {each.subject: [b.claim_id for b in each.pushed.blocks] for each in blocked}
        store_blocks.note_known(connection, claims)
        for each in blocked:
            held = each.before.claims
            known = {b.claim_id: b.since for b in held.blocks} if held else {}
            for block in each.standing.blocks:
                first = block.claim_id not in known
                earlier = first or block.since < known[block.claim_id]
                if block.since < block.recorded_time and earlier:
                    self._reach_back(connection, each.subject, block, now)

    def _reach_back(
        self, connection: Connection, subject: Subject, block: Block, now: datetime
    ) -> None:
        site = subject[0]
        pseudonym = self._keys.pseudonym(*subject)
        kept = store_interims.read_interim(connection, subject, block.claim_id)
        until = kept.until if kept else now
        done = (
            store_interims.counted(connection, site, pseudonym, block.since, until)
            if pseudonym
            else {}
        )
        interim = InterimRow(block.since, until, sum(done.values()))
        store_interims.keep_interim(connection, subject, block.claim_id, interim)
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
