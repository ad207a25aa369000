# SPDX-License-Identifier: Apache-2.0
"""The plans that PostgreSQL really took for the statements of an act, as auto_explain tells them.

They are those of the very statements, prepared as a service prepares them, with what was cached.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from sqlalchemy import event, make_url

from cli.postgres import Cluster, DatabaseAccess
from services.chassis.database import Connection, Database

_TOLD = "duration:"
_MOST_BLOCKS: Final = 60
"""A look into an index costs three or four; the smallest of the tables has over a hundred."""


@dataclass(frozen=True)
class Plan:
    """One statement with the plan it was run by."""

    statement: str
    root: dict[str, Any]

    @property
    def blocks(self) -> int:
        """How many blocks of tables and indexes were touched."""
        return int(self.root["Shared Hit Blocks"] + self.root["Shared Read Blocks"])

    @property
    def read_whole(self) -> list[str]:
        """The tables that were read from end to end."""
        return [n["Relation Name"] for n in _nodes(self.root) if n["Node Type"] == "Seq Scan"]


Plans = dict[str, dict[str, list[Plan]]]
"""By the circumstances in which they were made, by act."""


def require_few_blocks(plans: Plans, act: str) -> None:
    """No statement of the act reads more than there is to find, whatever the circumstances."""
    for circumstances, found in plans.items():
        assert found[act], f"{circumstances}: no plan was heard"
        for plan in found[act]:
            told = f"{circumstances}: {plan.blocks} blocks, {plan.read_whole}: {plan.statement}"
            assert plan.blocks <= _MOST_BLOCKS, told


def in_transaction(act: Callable[[Connection], object]) -> Callable[[Database], None]:
    """An act on a connection as one on the database."""

    def done(database: Database) -> None:
        with database.transaction() as connection:
            act(connection)

    return done


class _Undone(Exception):
    pass


class Observed:
    """A service's database with one connection, whose plans are heard.

    `generic`: every plan is made once, whatever is asked for afterwards.
    """

    def __init__(self, cluster: Cluster, access: DatabaseAccess, *, generic: bool) -> None:
        url = make_url(access.runtime_url)
        place = f"ALTER ROLE {url.username} IN DATABASE {url.database}"
        with psycopg.connect(
            cluster.superuser_url().replace("+psycopg", ""), autocommit=True
        ) as superuser:
            for name, value in _TELLING.items():
                superuser.execute(f"{place} SET {name} = '{value}'")
        self.database = Database(access.runtime_url, pool_size=1, timeout_ms=60_000)
        self._plans: list[Plan] = []
        mode = "force_generic_plan" if generic else "auto"

        @event.listens_for(self.database.engine, "connect")
        def _hear(connection: Any, _: object) -> None:
            driver = getattr(connection, "driver_connection", connection)
            driver.add_notice_handler(self._told)
            driver.execute(f"SET plan_cache_mode = {mode}")
            driver.commit()

    def _told(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        message = diagnostic.message_primary or ""
        if message.startswith(_TOLD):
            told = json.loads(message[message.index("{") :])
            self._plans.append(Plan(told["Query Text"], told["Plan"]))

    def plans(self, act: Callable[[Database], object]) -> list[Plan]:
        """Those of the statements of an act, told at the latest when it commits.

        What it does stays done: after a rollback the driver prepares everything anew.
        """
        self._plans.clear()
        act(self.database)
        return list(self._plans)

    def begin(self, acts: Iterable[Callable[[Connection], object]]) -> None:
        """Do acts where nothing is that they could find; nothing stays of them but the plans."""
        for act in acts:
            with suppress(_Undone, AssertionError, KeyError), self.database.transaction() as open_:
                act(open_)
                raise _Undone

    def close(self) -> None:
        """Let go of the connection."""
        self.database.close()


_TELLING = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_buffers": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_format": "json",
    "auto_explain.log_level": "notice",
    "auto_explain.log_parameter_max_length": "0",
}


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
