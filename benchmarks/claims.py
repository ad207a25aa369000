# SPDX-License-Identifier: Apache-2.0
"""Claims: intake with its block in force, the due list and the scan for overdue ones (clause 8.2).

The lists are measured on the real store in an embedded PostgreSQL of their own; the intake through
gRPC, from the request until the block is in force and the vault has what was said.
"""

from __future__ import annotations

import secrets
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
import psycopg
from sqlalchemy import text

from benchmarks.measure import Round, load_round
from benchmarks.suite import RunningSuite
from benchmarks.vault_calls import order
from cli import postgres
from qupia.claims.v1 import claims_pb2
from qupia.subject.v1 import subject_pb2
from services.chassis import migration
from services.chassis.database import Database
from services.claims import store, store_clock
from services.claims.store import Filter

MIGRATIONS = Path(__file__).parents[1] / "services" / "claims" / "migrations"
FILE = "/qupia.claims.v1.ClaimsService/FileClaim"
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


def intake(
    suite: RunningSuite,
    subjects: Sequence[str],
    concurrency: int,
    servers: Sequence[psutil.Process],
) -> Round:
    """A claim of each subject, once; one whose block was not in force with the answer failed."""
    payloads = [_claim(subject).SerializeToString() for subject in subjects]
    told = order(suite, FILE, payloads, server="claims", concurrency=concurrency)
    found = load_round(told, servers)
    pending = sum(
        claims_pb2.FileClaimResponse.FromString(answer).enforcement
        != subject_pb2.Enforcement.IN_FORCE
        for answer in found.answers
    )
    return replace(found, failures=found.failures + pending)


def _claim(subject_id: str) -> claims_pb2.FileClaimRequest:
    claim = claims_pb2.NewClaim(
        subject_ids=[subject_id],
        kind=claims_pb2.Claim.INACCURATE_DATA,
        claimant=claims_pb2.Claim.SUBJECT,
        statement="Телефон нөмірім қате көрсетілген",
        demand="Түзетуді талап етемін",
        language="kk",
        reply_address=f"{subject_id}@example.kz",
    )
    return claims_pb2.FileClaimRequest(claim=claim, request_id=secrets.token_hex(8))


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
