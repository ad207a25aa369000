# SPDX-License-Identifier: Apache-2.0
"""A vault that is broken on purpose, one function per bug. For tests only.

Each bug is one that was made, here or elsewhere, by people who thought it harmless.
"""

import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import text

from services.chassis import evidence
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry
from services.vault import __main__ as vault_process
from services.vault import gate, store
from services.vault.gate import Gate
from services.vault.store import Case, SliceRow, Subject
from services.vault.wire_case import CLAIMS, CONSENT

_KEPT_SECONDS = 30.0
_LATE_SECONDS = 0.05


def lock_and_data_in_one_statement() -> int:
    """The snapshot is taken before the lock is waited for: what is read is what stood before."""
    query = text(
        "WITH wanted AS MATERIALIZED (SELECT * FROM"
        " unnest(CAST(:keys AS bigint[]), CAST(:sites AS text[]), CAST(:subjects AS text[]))"
        " AS w(key, site_id, subject_id)),"
        " locked AS MATERIALIZED (SELECT count(pg_advisory_xact_lock_shared(key)) FROM wanted)"
        " SELECT w.site_id, w.subject_id, s.life, s.data_version, sl.topic, sl.incarnation,"
        " sl.counter, sl.digest, sl.body FROM locked CROSS JOIN wanted w"
        " LEFT JOIN subjects s USING (site_id, subject_id)"
        " LEFT JOIN slices sl ON sl.site_id = w.site_id AND sl.subject_id IN (w.subject_id, '')"
    )

    def cases(connection: Connection, wanted: Collection[Subject]) -> dict[Subject, Case]:
        ordered = sorted(wanted)
        rows = connection.execute(
            query,
            {
                "keys": [store.lock_key(*each) for each in ordered],
                "sites": [site for site, _ in ordered],
                "subjects": [subject for _, subject in ordered],
            },
        ).all()
        found: dict[Subject, Case] = {}
        for site, subject, life, version, topic, *slice_ in rows:
            slices: dict[str, SliceRow] = (
                dict(found[site, subject].slices) if ((site, subject) in found) else {}
            )
            if topic:
                incarnation, counter, digest, body = slice_
                slices[topic] = SliceRow(incarnation, counter, bytes(digest), bytes(body))
            found[site, subject] = Case(life, version or 0, slices)
        return found

    _gates_own_store(
        lock_shared=lambda *_: None,
        try_lock_shared=lambda _, wanted: [True] * len(wanted),
        cases=cases,
    )
    return vault_process.main()


def _gates_own_store(**changed: Any) -> None:
    """The gate alone gets another store; decisions lock as they always did."""

    class Changed:
        def __getattr__(self, name: str) -> Any:
            return changed.get(name, getattr(store, name))

    setattr(gate, "store", Changed())  # noqa: B010 - a module's name is replaced


def _remembering(topic: str) -> int:
    """Each process remembers for a while what a subject's slice of a topic was."""
    known: dict[Subject, tuple[float, SliceRow | None]] = {}

    def remembered(subject: Subject, case: Case) -> Case:
        until, row = known.get(subject, (0.0, None))
        if time.monotonic() > until:
            row = case.slices.get(topic)
            known[subject] = (time.monotonic() + _KEPT_SECONDS, row)
        others = {each: row for each, row in case.slices.items() if each != topic}
        return replace(case, slices=others | ({topic: row} if row else {}))

    def cases(connection: Connection, wanted: Collection[Subject]) -> dict[Subject, Case]:
        found = store.cases(connection, wanted)
        return {subject: remembered(subject, case) for subject, case in found.items()}

    _gates_own_store(cases=cases)
    return vault_process.main()


def cached_block() -> int:
    """A block that another process applied is seen when the memory of its absence has faded."""
    return _remembering(CLAIMS)


def cached_consent() -> int:
    """A consent is believed longer than it stands."""
    return _remembering(CONSENT)


def evidence_after_the_answer() -> int:
    """The entry is written in the background, so as not to keep the caller waiting."""
    databases: list[Database] = []
    build = Gate.__init__

    def noting(self: Gate, database: Database, *others: Any) -> None:
        databases.append(database)
        build(self, database, *others)

    class Later:
        def __getattr__(self, name: str) -> Any:
            return getattr(evidence, name)

        def append_all(
            self, _connection: Connection, batch: Sequence[Entry], now: datetime
        ) -> None:
            def write() -> None:
                time.sleep(_LATE_SECONDS)
                with databases[0].transaction() as own:
                    evidence.append_all(own, batch, now)

            threading.Thread(target=write).start()

    setattr(Gate, "__init__", noting)  # noqa: B010 - a method is replaced
    setattr(gate, "evidence", Later())  # noqa: B010 - a module's name is replaced
    return vault_process.main()


def no_bug() -> int:
    """The vault as it is, through this same door."""
    return vault_process.main()
