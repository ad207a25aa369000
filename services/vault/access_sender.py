# SPDX-License-Identifier: Apache-2.0
"""Sends the letters with one-time codes, and removes codes and sessions that are long over."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any, Final

from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.mail import LetterNotSent, Mailer
from services.chassis.metrics import Metrics
from services.vault import store_access
from services.vault.access_letter import letter_of, open_sending
from services.vault.envelope import CiphertextMisplaced
from services.vault.provider import KeyMoved, KeyProviderError
from services.vault.store_access import CodeRow
from services.vault.store_keys import KeyStore

# Former letters are counted for a day; a session is over when it is over.
KEEP: Final = timedelta(days=1)
_MOST_REMOVED: Final = 1000
_LETTER_SECONDS: Final = 8.0
_RETRY: Final = timedelta(seconds=20)
_POLL_SECONDS: Final = 5.0
_PURGE_EVERY: Final = 60


class AccessSender:
    """A thread of the vault. A letter leaves at least once, unless its code ends before."""

    def __init__(
        self,
        database: Database,
        keys: KeyStore,
        mailer: Mailer | None,
        clock: Clock,
        metrics: Metrics,
        log: Any,
    ) -> None:
        self._database = database
        self._keys = keys
        self._mailer = mailer
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="access-sender", daemon=True)

    @property
    def can_send(self) -> bool:
        """Whether letters can leave at all."""
        return self._mailer is not None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; a letter that is being sent is waited for."""
        self._stop.set()
        self._wake.set()
        self._thread.join(_LETTER_SECONDS + 2)

    def wake(self) -> None:
        """A letter is due now."""
        self._wake.set()

    def _run(self) -> None:
        rounds = 0
        while not self._stop.is_set():
            self._wake.clear()
            try:
                while not self._stop.is_set() and self.send_due():
                    pass
                if rounds % _PURGE_EVERY == 0:
                    self.purge()
            except Exception as error:  # noqa: BLE001 - a thread that ends would send nothing more
                # Its text may quote an address.
                self._metrics.alarms.labels("access_letters").inc()
                self._log.warning("letters wait", error=type(error).__name__)
            rounds += 1
            self._wake.wait(_POLL_SECONDS)

    def send_due(self) -> bool:
        """Send one letter that is due; False where none is.

        No lock is held while it leaves: another sender has no claim to it before it is due again.
        """
        now = self._clock.now()
        with self._database.transaction() as connection:
            row = store_access.take_due_letter(connection, now, now + _RETRY)
        if row is None:
            return False
        due = self._send(row, now + _RETRY)
        with self._database.transaction() as connection:
            store_access.write_letter(connection, row, due)
        return True

    def _send(self, row: CodeRow, again: datetime) -> datetime | None:
        """When it is tried again; None: it has left, or never will."""
        if row.letter is None or self._mailer is None or row.expire_time <= self._clock.now():
            return None
        try:
            stored = self._keys.owner_key(row.site, row.subject)
            if stored is None:
                return None
            key = self._keys.open(row.site, row.subject, stored)
            sending = open_sending(key, row.site, row.subject, row.code_id, row.letter)
            self._mailer.send(
                letter_of(sending, row.site, row.language, row.code_id), _LETTER_SECONDS
            )
        except (CiphertextMisplaced, KeyMoved):
            self._metrics.alarms.labels("ciphertext_misplaced").inc()
        except KeyProviderError:
            return again
        except LetterNotSent as failure:
            self._log.warning("letter not sent", code_id=row.code_id, cause=str(failure))
            return None if failure.for_good else again
        return None

    def purge(self) -> int:
        """Remove codes and sessions that ended more than a day ago; how many."""
        with self._database.transaction() as connection:
            return store_access.purge(connection, self._clock.now(), KEEP, _MOST_REMOVED)
