# SPDX-License-Identifier: Apache-2.0
"""What the site has counted of people stays counted when they are depersonalised (clause 3.3.2).

The groups of their visits are read before their keys are gone, and added to the counts in a
transaction of its own after the end's: no row of the counts shares one with a certificate. Killed
in between, the counts are lost, and the end is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from services.chassis.database import Connection, Database
from services.chassis.refusal import Unavailable
from services.vault import store_statistics
from services.vault.decide import Operation, Permit, Question
from services.vault.envelope import CiphertextMisplaced
from services.vault.gate import decide_case
from services.vault.provider import KeyProviderError
from services.vault.statistics import LONGEST_AGO, Count, Group, counts_of
from services.vault.store import Case, Subject
from services.vault.store_keys import KeyStore
from services.vault.visits import open_groups

_QUESTION: Final = Question(Operation.SUMMARIZE_VISITS)
_MOST: Final = 10_000
"""Visits of one person that are counted, the newest: their lock is held meanwhile."""


class Counting:
    """Reads what was counted of people, and keeps it without them."""

    def __init__(self, database: Database, keys: KeyStore) -> None:
        self._database = database
        self._keys = keys

    def read(
        self, connection: Connection, cases: Mapping[Subject, Case], now: datetime
    ) -> dict[Group, Count]:
        """The counts of people whose exclusive locks are held, those that may be counted.

        Without a key, nothing: an end waits for none.
        """
        counted = [
            place
            for place, case in cases.items()
            if isinstance(decide_case(_QUESTION, case, now), Permit)
        ]
        oldest = (now.astimezone(UTC).date() - LONGEST_AGO).isoformat()
        return counts_of(
            [
                [group for group in self._groups(connection, place) if group[0] >= oldest]
                for place in counted
            ]
        )

    def _groups(self, connection: Connection, place: Subject) -> Sequence[tuple[str, str, str]]:
        owner = self._keys.owner_key(*place)
        if owner is None:
            return ()
        rows = store_statistics.groups_of(connection, *place, _MOST)
        try:
            key = self._keys.open(*place, owner)
            return [open_groups(key, *place, row.visit_id, row.ciphertext) for row in rows]
        except (KeyProviderError, CiphertextMisplaced):
            return ()

    def keep(self, site: str, counts: Mapping[Group, Count], now: datetime) -> None:
        """Add them to the site's, and forget days that no statistics tell of any more.

        Where the database cannot serve, they are lost: the end has been told already.
        """
        if not counts:
            return
        with suppress(Unavailable), self._database.transaction() as connection:
            store_statistics.add_counts(connection, site, counts)
            today = now.astimezone(UTC).date()
            store_statistics.forget_counts(connection, site, today - LONGEST_AGO)
