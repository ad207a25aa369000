# SPDX-License-Identifier: Apache-2.0
"""State at a time, and its cost for a subject with one event and with very many (clause 4.1).

An embedded PostgreSQL of its own, the real store, no gRPC: what grows with the history would show
here undiluted.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from cli import postgres
from services.chassis import migration
from services.chassis.database import Database
from services.consent.history import Moment
from services.consent.purposes import CLAUSE_OF_CONSENT
from services.consent.store_states import consents_at, stance_at

MIGRATIONS = Path(__file__).parents[1] / "services" / "consent" / "migrations"
START = datetime(2026, 1, 1, tzinfo=UTC)
SITE = "bench"
ANSWERS = 2_000
_BATCH = 10_000
_STATES = """
INSERT INTO consent_states (site_id, subject_id, purpose, sequence, record_time, valid_time,
                            standing_act)
SELECT :site, :subject, 'NEWS', i, :start + i * interval '1 second',
       :start + i * interval '1 second', :subject || '-' || i
FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS i
"""
_EVENTS = """
INSERT INTO consent_events (site_id, subject_id, sequence, event_id, kind, time, principal, act_id,
                            policy_version, policy_sha256, language, purpose, wording_sha256)
SELECT :site, :subject, i, :subject || '-' || i, 'GRANTED', :start + i * interval '1 second',
       'key/b', :subject || '-' || i, 1, '', 'kk', 'NEWS', ''
FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS i
"""
_STANCES = """
INSERT INTO agreement_states (site_id, subject_id, sequence, record_time, valid_time, mode,
                              policy_version, policy_sha256, language, time, act_id)
SELECT :site, :subject, i, :start + i * interval '1 second', :start + i * interval '1 second',
       'IMPLIED', 1, '', 'kk', :start, ''
FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS i
"""


def state_seconds(events: int) -> tuple[float, float]:
    """Seconds of an answer for a subject with one event, and for one with `events`."""
    folder = Path(tempfile.mkdtemp(prefix="qupia-bench-"))
    folder.chmod(0o755)
    server = postgres.start(folder / "postgres", fsync=False)
    try:
        access = postgres.ensure_database(server, "consent", "owner", "consent", server.passwords)
        migration.upgrade(access.owner_url, MIGRATIONS, "consent")
        database = Database(access.runtime_url, pool_size=1, timeout_ms=60_000)
        for subject, count in (("one", 1), ("many", events)):
            _fill(database, subject, count)
        seconds = _medians(database, {"one": 1, "many": events})
        database.close()
    finally:
        server.stop()
        shutil.rmtree(folder)
    return seconds["one"], seconds["many"]


def _fill(database: Database, subject: str, count: int) -> None:
    for first in range(1, count + 1, _BATCH):
        last = min(count, first + _BATCH - 1)
        place = {"site": SITE, "subject": subject, "first": first, "last": last, "start": START}
        with database.transaction() as connection:
            for statement in (_EVENTS, _STATES, _STANCES):
                connection.execute(
                    text(statement.replace(":start", "CAST(:start AS timestamptz)")), place
                )


def _medians(database: Database, subjects: Mapping[str, int]) -> dict[str, float]:
    """The median seconds of an answer about times all over the history, by subject.

    Asked in turns, so that the machine's other work falls on all alike.
    """
    taken: dict[str, list[float]] = {subject: [] for subject in subjects}
    for turn in range(ANSWERS):
        for subject, count in subjects.items():
            at = START + timedelta(seconds=1 + turn * 7919 % count)
            known = at + timedelta(seconds=turn * 104_729 % count)
            begin = time.perf_counter()
            _ask(database, subject, Moment(at, known))
            taken[subject].append(time.perf_counter() - begin)
    return {subject: statistics.median(each) for subject, each in taken.items()}


def _ask(database: Database, subject: str, moment: Moment) -> None:
    with database.transaction() as connection:
        found = consents_at(connection, SITE, subject, sorted(CLAUSE_OF_CONSENT), moment)
        stance = stance_at(connection, SITE, subject, moment)
    if found["NEWS"].known.standing is None or stance is None:
        raise AssertionError("the state was not found")
