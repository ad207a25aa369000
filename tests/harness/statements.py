# SPDX-License-Identifier: Apache-2.0
"""The statements that a service of this process gives to PostgreSQL, whichever way they go."""

from typing import Any

import psycopg
import pytest

from services.chassis.session import Session


def heard_statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list that grows by each statement, until the test ends; BEGIN and COMMIT are left out."""
    told: list[str] = []
    run, execute = Session.run, psycopg.Cursor.execute

    def heard_run(session: Session, sql: bytes, values: Any) -> Any:
        told.append(sql.decode())
        return run(session, sql, values)

    def heard_execute(cursor: Any, query: Any, *given: Any, **kinds: Any) -> Any:
        told.append(str(query))
        return execute(cursor, query, *given, **kinds)

    monkeypatch.setattr(Session, "run", heard_run)
    monkeypatch.setattr(psycopg.Cursor, "execute", heard_execute)
    return told
