# SPDX-License-Identifier: Apache-2.0
"""Recalls what left: whoever holds data of a person who was blocked or destroyed is told.

The vault is asked for changes of standing after a cursor; a vault of another
life, such as a restored one, is asked from the beginning, and a change that was
heard before changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.chassis import evidence
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry
from services.chassis.pseudonym import pseudonym_of
from services.chassis.refusal import AWAY, InvalidArgument
from services.disclosure import store_notices
from services.disclosure.notice import Notice, Recall

_VAULT_SECONDS = 2.0
_PAUSE_SECONDS = 1.0
_MOST_ROUNDS, _BATCH = 20, 100


@dataclass(frozen=True, slots=True)
class Heard:
    """What the vault told after a cursor."""

    recalls: Sequence[Recall]
    cursor: str
    vault_incarnation: str


Listen = Callable[[str, float], Heard]
"""Asks the vault for changes after a cursor, within seconds. Raises Refusal."""


class Recaller:
    """Hears of changes and writes notices; `round` is what runs beside the server."""

    def __init__(self, database: Database, listen: Listen, clock: Clock) -> None:
        self._database = database
        self._listen = listen
        self._clock = clock

    def round(self) -> float:
        """Hear what is new and tell whom it concerns; returns the seconds until the next round.

        Raises the vault's Refusal where it is not for the moment: whoever is known to be
        concerned has been told all the same.
        """
        try:
            self._hear()
        finally:
            self._tell()
        return _PAUSE_SECONDS

    def _hear(self) -> None:
        for _ in range(_MOST_ROUNDS):
            with self._database.transaction() as connection:
                life, place = store_notices.cursor(connection)
            try:
                heard = self._listen_from(place)
                if place and heard.vault_incarnation != life:
                    heard = self._listen("", _VAULT_SECONDS)
            except AWAY:
                return
            if heard.cursor == place and heard.vault_incarnation == life:
                return
            with self._database.transaction() as connection:
                store_notices.keep(connection, heard.recalls, heard.vault_incarnation, heard.cursor)

    def _listen_from(self, place: str) -> Heard:
        try:
            return self._listen(place, _VAULT_SECONDS)
        except InvalidArgument:
            # No cursor of this vault's: what was heard before changes nothing.
            if not place:
                raise
            return self._listen("", _VAULT_SECONDS)

    def _tell(self) -> None:
        with self._database.transaction() as connection:
            due = store_notices.unsettled(connection, _BATCH)
        for recall in due:
            now = self._clock.now()
            with self._database.transaction("REPEATABLE READ") as connection:
                for notice in store_notices.notify(connection, recall, now):
                    evidence.append(connection, _proof(connection, notice), now)


def _proof(connection: Connection, notice: Notice) -> Entry:
    return Entry(
        event="notice.created",
        verb="BLOCK",
        outcome=evidence.DONE,
        site_id=notice.site_id,
        principal="process/disclosure",
        subject=pseudonym_of(connection, notice.site_id, notice.subject_id),
        clause="6.2.3",
        refs={
            "notice_id": notice.notice_id,
            "delivery_id": notice.delivery_id,
            "recipient_id": notice.recipient_id,
            "instruction": str(notice.instruction),
        },
    )
