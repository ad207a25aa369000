# SPDX-License-Identifier: Apache-2.0
"""Subject is not person: who has the contact of somebody blocked is blocked with them (6.2.3).

The vault blocks provisionally, in the subject's own claims slice, where the next push finds the
block and cannot lose it (`carry`); the claims service hears of it and its officer confirms or
releases it. A provisional block reaches nobody further.

Nobody is missed and nobody waits for two. Whoever places a contact holds that contact's lock,
shared, from before the blocks are looked at until the contact stands. Whoever blocks commits the
block first, then passes every contact's lock once, holding nothing else, and only then looks who
has it: a placing that began before has ended and is seen, one that begins after sees the block.
Each subject found is then blocked in a transaction of its own, under its own lock alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as member
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from services.chassis import evidence
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry
from services.chassis.metrics import Metrics
from services.chassis.refusal import Refusal
from services.vault import (
    store,
    store_blocks,
    store_contacts,
    store_data,
    store_links,
    store_slices,
    wire,
)
from services.vault.blind_index import INDEXED_FIELDS, blind_index
from services.vault.email_address import email_index_form
from services.vault.envelope import CiphertextMisplaced
from services.vault.fields import Field
from services.vault.gate import decrypt_rows
from services.vault.index_version import find_all, find_subjects
from services.vault.provider import KeyMoved, KeyProviderError
from services.vault.standing import Block, ClaimsStanding, Ground, Origin
from services.vault.store import SliceRow, Subject, lock_key
from services.vault.store_blocks import WatchedBlock
from services.vault.store_contacts import Digest
from services.vault.store_index import Contact
from services.vault.store_keys import KeyStore
from services.vault.wire_case import CLAIMS, claims_of

Contacts = Mapping[Field, str]

# A contact of more subjects than this is a shop's own or a placeholder, and names nobody.
MOST_SHARING: Final = 100
# Under what one slice may carry, the claims of the subject itself included.
_MOST_PROVISIONAL: Final = 400
_BATCH: Final = 50
_PAUSE_SECONDS, _LATER = 0.5, timedelta(seconds=5)
_NOT_NOW = (Refusal, KeyProviderError, CiphertextMisplaced, KeyMoved)


@dataclass(frozen=True, slots=True)
class _Search:
    """The open blocks of a subject, and who else has each of its person's contacts."""

    origin: Subject
    blocks: Sequence[WatchedBlock]
    found: Mapping[Contact, Sequence[str]] = member(repr=False)


class SameContact:
    """Looks for those who have the contact of somebody blocked."""

    def __init__(
        self, database: Database, keys: KeyStore, clock: Clock, metrics: Metrics, log: Any
    ) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._metrics = metrics
        self._log = log

    def search(self, subjects: Sequence[Subject]) -> None:
        """Block whoever has the contact of any of them, for each block not looked into yet.

        What cannot be done now (no key, a busy database) stays to be done by the rounds, for that
        subject alone.
        """
        try:
            searches = self._look(subjects)
        except _NOT_NOW as fault:
            if len(subjects) == 1:
                self._postpone(subjects[0], fault)
                return
            for subject in subjects:
                self.search([subject])
            return
        searched: list[WatchedBlock] = []
        for search in searches:
            try:
                self._block_others(search)
            except _NOT_NOW as fault:
                self._postpone(search.origin, fault)
            else:
                searched += search.blocks
        if searched:
            with self._database.transaction() as connection:
                store_blocks.mark_searched(connection, searched)

    def _postpone(self, subject: Subject, fault: Exception) -> None:
        with self._database.transaction() as connection:
            store_blocks.postpone_search(connection, subject, self._clock.now() + _LATER)
        self._metrics.alarms.labels("same_contact").inc()
        self._log.error("same contact not searched", error=type(fault).__name__)

    def round(self) -> float:
        """Do what is left to do; returns the seconds until the next round."""
        with self._database.transaction() as connection:
            due = store_blocks.subjects_to_search(connection, self._clock.now(), _BATCH)
        if due:
            self.search(due)
        return 0.0 if len(due) == _BATCH else _PAUSE_SECONDS

    def _look(self, subjects: Sequence[Subject]) -> list[_Search]:
        """Who has the contacts of these; nothing of those without a block to be looked into.

        The contacts are those of the whole person: the block reaches every id that is linked.
        Whoever waits for a block to be in force waits for this too. What only looks, and the
        passing of locks, is therefore no transaction: each statement is one by itself, and holds
        nothing when the next begins.
        """
        with self._database.look() as connection:
            blocks = store_blocks.to_search(connection, subjects)
            if not blocks:
                return []
            persons = dict(zip(blocks, store_links.reaches(connection, list(blocks)), strict=True))
            ids = {
                subject: [(subject[0], one) for one in person.subjects]
                for subject, person in persons.items()
            }
            contacts = self._contacts(connection, {one for them in ids.values() for one in them})
            placed = {contact for of_id in contacts.values() for contact in of_id}
            store_contacts.pass_contacts(connection, [lock_of(*contact) for contact in placed])
            holders = find_all(connection, self._keys, placed)
        searches = []
        for subject, them in ids.items():
            own = sorted({contact for one in them for contact in contacts[one]})
            found = {
                contact: [one for one in holders[contact] if (subject[0], one) not in them]
                for contact in own
            }
            searches.append(_Search(subject, blocks[subject], found))
        return searches

    def _contacts(
        self, connection: Connection, owners: Collection[Subject]
    ) -> dict[Subject, list[Contact]]:
        """The contacts of blocked ids; they stay as they are while the block is open."""
        stored = self._keys.owner_keys(owners)
        rows = store_data.current_data(connection, dict.fromkeys(owners, INDEXED_FIELDS))
        contacts: dict[Subject, list[Contact]] = {owner: [] for owner in owners}
        for owner, key in stored.items():
            if rows.get(owner):
                data = decrypt_rows(self._keys.open(*owner, key), owner, rows[owner])
                contacts[owner] = [
                    (owner[0], f, value)
                    for f in INDEXED_FIELDS
                    if isinstance(value := data.get(f), str)
                ]
        return contacts

    def _block_others(self, search: _Search) -> None:
        for (_, field, value), others in search.found.items():
            self._block_holders(search.origin, search.blocks, field, value, others)

    def _block_holders(
        self,
        origin: Subject,
        blocks: Sequence[WatchedBlock],
        field: Field,
        value: str,
        others: Sequence[str],
    ) -> None:
        """Block whoever else has the contact; nobody where they are too many to be one person."""
        site = origin[0]
        if len(others) > MOST_SHARING:
            with self._database.transaction() as connection:
                self._tell_of_many(connection, origin, blocks, field, len(others))
            return
        for other in others:
            with self._database.transaction() as connection:
                store.lock_exclusive(connection, site, other)
                if other in find_subjects(connection, self._keys, site, field, value):
                    standing = store_blocks.still_open(connection, blocks)
                    now = self._clock.now()
                    block_provisionally(connection, self._keys, (site, other), standing, now)

    def _tell_of_many(
        self,
        connection: Connection,
        origin: Subject,
        blocks: Sequence[WatchedBlock],
        field: Field,
        sharing: int,
    ) -> None:
        self._metrics.alarms.labels("contact_of_many").inc()
        now = self._clock.now()
        for block in blocks:
            entry = _entry(
                self._keys,
                origin,
                block.claim_id,
                "block.contact_of_many",
                {"field": str(field), "sharing": sharing},
            )
            evidence.append(connection, entry, now)


def join_blocks(
    connection: Connection,
    keys: KeyStore,
    site: str,
    placed: Mapping[str, Contacts],
    now: datetime,
) -> None:
    """Block those whose new contact is that of somebody blocked, in the placing's transaction.

    `placed`: new contacts by subject, whose exclusive locks the caller holds. Raises
    KeyUnavailable, KeyWrong.
    """
    contacts = {(f, value) for each in placed.values() for f, value in each.items()}
    if not contacts:
        return
    store_contacts.lock_contacts_shared(connection, [lock_of(site, f, v) for f, v in contacts])
    if not store_blocks.is_watching(connection, site):
        return
    found: dict[str, list[WatchedBlock]] = {}
    for owner, block in _watched_with(connection, keys, site, placed):
        found.setdefault(owner, []).append(block)
    for owner, blocks in sorted(found.items()):
        block_provisionally(connection, keys, (site, owner), blocks, now)


def block_provisionally(
    connection: Connection,
    keys: KeyStore,
    subject: Subject,
    blocks: Sequence[WatchedBlock],
    now: datetime,
) -> None:
    """Write the blocks that a subject's slice lacks; the caller holds its exclusive lock."""
    row = store_slices.read_slice(connection, *subject, CLAIMS)
    held = (claims_of(row.body) if row else None) or ClaimsStanding((), ())
    known = {block.claim_id for block in held.blocks}
    provisional = sum(block.origin is Origin.SAME_CONTACT for block in held.blocks)
    room = max(0, _MOST_PROVISIONAL - provisional)
    new = {block.claim_id: block for block in blocks if block.claim_id not in known}
    made = dict(list(new.items())[:room])
    if not made:
        return
    added = tuple(
        Block(claim_id, now, Ground(b.ground), Origin.SAME_CONTACT, None, None, now)
        for claim_id, b in made.items()
    )
    whole = ClaimsStanding((*held.blocks, *added), held.holds)
    body = wire.claims_to(whole).SerializeToString(deterministic=True)
    stands = row or SliceRow(0, 0, b"", b"")
    written = SliceRow(stands.incarnation, stands.counter, stands.digest, body)
    store_slices.write_slice(connection, *subject, CLAIMS, written, now)
    origins = {claim_id: b.subject for claim_id, b in made.items()}
    store_blocks.provisional(connection, subject, origins, now)
    entries = [_entry(keys, subject, claim_id, "block.provisional") for claim_id in made]
    evidence.append_all(connection, entries, now)


def lock_of(site: str, field: Field, value: str) -> int:
    """The advisory lock of a contact (normalized), which it shares with others of the site.

    Whoever reads the server's locks learns no more of a contact than one part in 65,536.
    """
    form = email_index_form(value) if field is Field.EMAIL else value
    digest = hashlib.sha256(f"{site}\0{field}\0{form}".encode()).digest()
    return lock_key(site, f"\0contact\0{int.from_bytes(digest[:2], 'big')}")


def watched_of(standing: ClaimsStanding) -> dict[str, str]:
    """The grounds, by claim, of the open blocks that reach others with the same contact."""
    return {
        block.claim_id: str(block.ground)
        for block in standing.blocks
        if block.outcome is None and block.origin is not Origin.SAME_CONTACT
    }


def _watched_with(
    connection: Connection, keys: KeyStore, site: str, placed: Mapping[str, Contacts]
) -> list[tuple[str, WatchedBlock]]:
    """Asks for the digests of every key version that stands, as a look-up does."""
    held = {f: keys.index_keys(site, f) for f in INDEXED_FIELDS}
    while True:
        digests = [
            Digest(owner, f, version, blind_index(opened, site, f, version, contacts[f]))
            for f, versions in held.items()
            for version, key in versions.items()
            for opened in [keys.open_index_key(site, f, version, key)]
            for owner, contacts in placed.items()
            if f in contacts
        ]
        found = store_contacts.watched_with(connection, site, digests) if digests else []
        # A rotation that began since may have moved a row to a version not asked for.
        known, held = held, {f: keys.index_keys(site, f) for f in INDEXED_FIELDS}
        if all(known[f].keys() == held[f].keys() for f in held):
            return found


def _entry(
    keys: KeyStore,
    subject: Subject,
    claim_id: str,
    event: str,
    decided_on: Mapping[str, object] = MappingProxyType({}),
) -> Entry:
    return Entry(
        event=event,
        verb="BLOCK",
        outcome=evidence.DONE,
        site_id=subject[0],
        principal="process/vault",
        subject=keys.pseudonym(*subject),
        clause="6.2.3",
        refs={"claim_id": claim_id},
        decided_on=decided_on,
    )
