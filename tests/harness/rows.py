# SPDX-License-Identifier: Apache-2.0
"""Many rows at once, straight into a service's tables, for tests of what large tables cost."""

from collections.abc import Mapping

import psycopg

from cli.postgres import DatabaseAccess


def grow(access: DatabaseAccess, rows: Mapping[str, str], first: int, last: int) -> None:
    """Add the rows of numbers `first` to `last`: by table, the values of the row number `n`."""
    with psycopg.connect(access.owner_url.replace("+psycopg", ""), autocommit=True) as owner:
        for table, row in rows.items():
            owner.execute(
                f"INSERT INTO {table} SELECT {row} FROM generate_series(%s::bigint, %s) n",
                (first, last),
            )


def count_rows(access: DatabaseAccess) -> None:
    """What autovacuum does within a minute: the planner knows the tables."""
    with psycopg.connect(access.owner_url.replace("+psycopg", ""), autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE")
