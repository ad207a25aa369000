# SPDX-License-Identifier: Apache-2.0
"""What stands in the databases of a suite, read as their owner."""

import subprocess
import sys
from collections.abc import Mapping

import psycopg
from psycopg import sql
from sqlalchemy import create_engine, text

from tests.harness.suite import Suite, suite_environment

_FSCK_SECONDS = 120.0
_UNCOUNTED = ("refusal_tallies", "outbox")


def entries(suite: Suite, process: str, event: str) -> Mapping[str, int]:
    """How many evidence entries of a name a service has, by outcome."""
    statement = text(
        "SELECT outcome, count(*) FROM evidence_entries WHERE event = :event GROUP BY outcome"
    )
    engine = create_engine(suite.database_url(process, "owner"))
    try:
        with engine.connect() as connection:
            return {str(o): int(n) for o, n in connection.execute(statement, {"event": event})}
    finally:
        engine.dispose()


def duplicates(suite: Suite, process: str) -> list[str]:
    """The acts of a decider that are in evidence more than once, or not at all."""
    statement = text(
        "SELECT a.act_id FROM acts a LEFT JOIN evidence_entries e "
        "ON e.event = a.kind AND e.outcome = 'DONE' "
        "AND e.body::json -> 'refs' ->> 'act_id' = a.act_id "
        "GROUP BY a.act_id HAVING count(e.entry_id) <> 1"
    )
    engine = create_engine(suite.database_url(process, "owner"))
    try:
        with engine.connect() as connection:
            return [str(row.act_id) for row in connection.execute(statement)]
    finally:
        engine.dispose()


def sizes(suite: Suite, process: str) -> Mapping[str, int]:
    """How many rows each table of a database has, but for evidence of refusals."""
    names = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    url = suite.database_url(process, "owner").replace("+psycopg", "", 1)
    with psycopg.connect(url) as connection:
        tables = [name for (name,) in connection.execute(names) if name not in _UNCOUNTED]
        counts = [
            sql.SQL("SELECT {name}, count(*) FROM {table} WHERE {counted}").format(
                name=sql.Literal(name),
                table=sql.Identifier(name),
                counted=sql.SQL("outcome <> 'REFUSED'" if name == "evidence_entries" else "true"),
            )
            for name in tables
        ]
        return dict(connection.execute(sql.SQL(" UNION ALL ").join(counts)).fetchall())


def check_with_fsck(suite: Suite) -> None:
    """`qupia fsck` finds no fault in the running suite."""
    done = subprocess.run(
        [sys.executable, "-m", "cli", "fsck"],
        check=False,
        capture_output=True,
        text=True,
        cwd=suite.home.parent,
        env=suite_environment(suite.home),
        timeout=_FSCK_SECONDS,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
