# SPDX-License-Identifier: Apache-2.0
"""Histories of concurrent reads around an act that restricts, and what is wrong with them.

The checkers know nothing of the vault but its answers and its evidence. `tests/planted` shows that
they fail on vaults that are broken on purpose.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from tests.harness.waiting import wait_until
from tests.vault.vault_process import House, VaultProcess
from tests.vault.wire_client import Refused, Storefront

READERS = 16


@dataclass(frozen=True)
class Attempt:
    """One read; times in seconds of the monotonic clock."""

    started: float
    ended: float
    given: bool


@dataclass
class History:
    """What happened around one act, answered at `answered`."""

    answered: float = 0.0
    permitted_later: int = 0
    unrecorded: int = 0
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def served_later(self) -> int:
        """I1, I2: reads that began after the answer and were given data."""
        return sum(a.given for a in self.attempts if a.started > self.answered)

    def violations(self) -> dict[str, int]:
        """What must be empty."""
        found = {
            "served later": self.served_later,
            "permitted later": self.permitted_later,
            "unrecorded": self.unrecorded,
        }
        return {name: number for name, number in found.items() if number}


def watch(
    house: House,
    vaults: Sequence[VaultProcess],
    subject_id: str,
    purpose: str,
    act: Callable[[], object],
    restricted_id: str = "",
) -> History:
    """Read from all sides, restrict in the midst of it, go on reading for a while.

    `restricted_id`: whose slice the act pushes, where it is another id of the same person.
    """
    history, stop = History(), threading.Event()
    shops = [Storefront(v.as_process("gateway"), name=f"reader-{n}") for n, v in enumerate(vaults)]
    threads = [
        threading.Thread(
            target=_read, args=(history, stop, shops[n % len(shops)], subject_id, purpose)
        )
        for n in range(READERS)
    ]
    threads.append(
        threading.Thread(target=_audit, args=(history, stop, house, shops[0], subject_id, purpose))
    )
    for thread in threads:
        thread.start()
    try:
        _until(lambda: sum(a.given for a in history.attempts) > READERS)
        act()
        history.answered = time.monotonic()
        _until(lambda: sum(a.started > history.answered for a in history.attempts) > 2 * READERS)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    pushed_id = restricted_id or subject_id
    history.permitted_later = _permits_after_the_last_push(house, subject_id, pushed_id)
    return history


def _until(holds: Callable[[], bool]) -> None:
    wait_until(holds, "the readers do not get on")


def _attempt(shop: Storefront, subject_id: str, purpose: str) -> tuple[Attempt, str]:
    started, entry_id = time.monotonic(), ""
    try:
        entry_id = shop.read(subject_id, purpose).entry_id
    except Refused as refusal:
        if refusal.reason not in ("SUBJECT_BLOCKED", "CONSENT_WITHDRAWN", "UNAVAILABLE"):
            raise
    return Attempt(started, time.monotonic(), bool(entry_id)), entry_id


def _read(
    history: History, stop: threading.Event, shop: Storefront, subject_id: str, purpose: str
) -> None:
    while not stop.is_set():
        history.attempts.append(_attempt(shop, subject_id, purpose)[0])


def _audit(
    history: History,
    stop: threading.Event,
    house: House,
    shop: Storefront,
    subject_id: str,
    purpose: str,
) -> None:
    """I3: whoever holds data finds the entry that permits it, at once."""
    with closing(house.owner()) as owner:
        while not stop.is_set():
            attempt, entry_id = _attempt(shop, subject_id, purpose)
            history.attempts.append(attempt)
            query = "SELECT 1 FROM evidence_entries WHERE entry_id = %s"
            if entry_id and owner.execute(query, (entry_id,)).fetchone() is None:
                history.unrecorded += 1


def _permits_after_the_last_push(house: House, subject_id: str, pushed_id: str) -> int:
    """The clean cut: permits decided after the restriction was applied, whenever they began.

    Both times are the vault's, each taken under the subject's lock.
    """
    [(pseudonym,)] = house.rows(
        "SELECT pseudonym FROM data_keys WHERE owner_id = %s", subject_id, key_store=True
    )
    [(number,)] = house.rows(
        "SELECT count(*) FROM evidence_entries WHERE subject = %s AND outcome = 'PERMITTED'"
        " AND event = 'data.read' AND record_time >"
        " (SELECT max(apply_time) FROM slices WHERE subject_id = %s)",
        pseudonym,
        pushed_id,
    )
    return int(number)
