# SPDX-License-Identifier: Apache-2.0
"""What stands in the databases of a suite, read as their owner."""

import io
from collections.abc import Mapping
from typing import cast

from psycopg import sql
from rich.console import Console
from sqlalchemy import create_engine, text

from cli.fsck import fsck
from tests.harness.suite import Suite, suite_environment

# The broker names its recipients to the vault a moment after it has started.
_UNCOUNTED = ("refusal_tallies", "outbox", "named_recipients")


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
    connection = suite.owner_of(process)
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
    told = Console(width=500, file=io.StringIO())
    code = fsck(environ=suite_environment(suite.home), out=told, err=told)
    assert code == 0, cast("io.StringIO", told.file).getvalue()
