# SPDX-License-Identifier: Apache-2.0
"""Claims: intake with its block in force, the due list and the scan for overdue ones (clause 8.2).

The lists are measured on the real store in an embedded PostgreSQL of their own; the intake through
HTTP, from the request until the block is in force.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psycopg
from sqlalchemy import text

from benchmarks.suite import RunningSuite
from cli import postgres
from services.chassis import migration
from services.chassis.database import Database
from services.claims import store, store_clock
from services.claims.store import Filter

MIGRATIONS = Path(__file__).parents[1] / "services" / "claims" / "migrations"
SITE = "bench"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
DUE = 20
ANSWERS = 200
_PAGE = 100
# Claims fall due over the three years after NOW, a few of them are due already.
_CLAIMS = """
INSERT INTO claims (site_id, claim_id, number, kind, claimant, state, language, receipt_time,
                    record_time, due_date, due_time, calendar_version, filed_by, receipt_awaits,
                    alarm_time)
SELECT :site, 'claim-' || i, 'n-' || i, 'OTHER', 'SUBJECT', 'RECEIVED', 'kk', :now, :now,
       CAST(:now AS date) + CAST(i % 1000 AS int) + 30,
       :now + (i % 1000 + 31) * interval '1 day', 'bench', 'key/bench', false,
       CASE WHEN i <= :due THEN :now ELSE :now + (i % 1000 + 20) * interval '1 day' END
FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS i
"""


@dataclass(frozen=True, slots=True)
class ListTimes:
    """Median milliseconds: the first page of the due list, and the scan with `DUE` due."""

    page: float
    scan: float


def list_times(counts: Sequence[int]) -> list[ListTimes]:
    """The times among so many claims, one after the other in one growing database."""
    with _database() as (database, analyze):
        found, last = [], 0
        for count in counts:
            members = {"site": SITE, "now": NOW, "due": DUE, "first": last + 1, "last": count}
            with database.transaction() as connection:
                connection.execute(text(_CLAIMS), members)
            last = count
            analyze()
            found.append(ListTimes(_median(database, _page), _median(database, _scan)))
        return found


def intake(suite: RunningSuite, subjects: Sequence[str], concurrency: int) -> tuple[float, int]:
    """(claims per second, those whose block was not in force with the answer)."""
    return asyncio.run(_intake(suite, subjects, concurrency))


async def _intake(
    suite: RunningSuite, subjects: Sequence[str], concurrency: int
) -> tuple[float, int]:
    token = suite.credentials["storefront"]["token"]
    headers = {"Authorization": f"Bearer {token}"}
    waiting, pending = list(subjects), 0

    async def one(client: httpx.AsyncClient) -> None:
        nonlocal pending
        while waiting:
            answer = await client.post("/v1/claims", json={"claim": _claim(waiting.pop())})
            answer.raise_for_status()
            pending += answer.json()["enforcement"] != "IN_FORCE"

    limits = httpx.Limits(max_connections=concurrency)
    gateway = suite.run["gateway"]
    async with httpx.AsyncClient(
        base_url=gateway, headers=headers, limits=limits, timeout=30
    ) as client:
        begun = time.perf_counter()
        await asyncio.gather(*(one(client) for _ in range(concurrency)))
        return len(subjects) / (time.perf_counter() - begun), pending


def _claim(subject_id: str) -> dict[str, object]:
    return {
        "subjectIds": [subject_id],
        "kind": "INACCURATE_DATA",
        "claimant": "SUBJECT",
        "statement": "Телефон нөмірім қате көрсетілген",
        "demand": "Түзетуді талап етемін",
        "language": "kk",
    }


def _page(database: Database) -> None:
    with database.transaction() as connection:
        assert len(store.list_claims(connection, SITE, Filter(), None, _PAGE)) == _PAGE


def _scan(database: Database) -> None:
    with database.transaction() as connection:
        assert len(store_clock.list_due(connection, NOW, _PAGE)) == DUE


def _median(database: Database, run: Callable[[Database], None]) -> float:
    times = []
    for _ in range(ANSWERS):
        begun = time.perf_counter()
        run(database)
        times.append(1000 * (time.perf_counter() - begun))
    return statistics.median(times)


@contextmanager
def _database() -> Iterator[tuple[Database, Callable[[], None]]]:
    """A claims database of its own, and what autovacuum does within a minute."""
    folder = Path(tempfile.mkdtemp(prefix="qupia-bench-"))
    folder.chmod(0o755)
    server = postgres.start(folder / "postgres", fsync=False)
    try:
        access = postgres.ensure_database(server, "claims", "owner", "claims", server.passwords)
        migration.upgrade(access.owner_url, MIGRATIONS, "claims")
        database = Database(access.runtime_url, pool_size=1, timeout_ms=600_000)

        def analyze() -> None:
            url = access.owner_url.replace("+psycopg", "", 1)
            with psycopg.connect(url, autocommit=True) as owner:
                owner.execute("ANALYZE claims")

        yield database, analyze
        database.close()
    finally:
        server.stop()
        shutil.rmtree(folder)
