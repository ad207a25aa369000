# SPDX-License-Identifier: Apache-2.0
"""SQL of what deciders push: subjects, slices, verdicts; in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import DateTime, Integer, LargeBinary, Text, and_, bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.arrays import Blobs, Integers, Texts
from services.chassis.prepared import Prepared, given, matching
from services.vault.store import SliceRow, Subject
from services.vault.tables import proposal_verdicts, slices, subjects

_now = bindparam("now", type_=DateTime(timezone=True))
_topic = bindparam("topic", type_=Text)

_ids = given("ids", site_id=Text, subject_id=Text)
_LIVES = Prepared(
    select(subjects.c.site_id, subjects.c.subject_id, subjects.c.life)
    .join_from(
        _ids,
        subjects,
        and_(*(subjects.c[column.name] == column for column in _ids.columns)),
    )
    .order_by(subjects.c.site_id, subjects.c.subject_id)
)
_READ = Prepared(
    select(slices.c.incarnation, slices.c.counter, slices.c.digest, slices.c.body).where(
        matching(slices.c.site_id, slices.c.subject_id, slices.c.topic)
    )
)
_new = given(
    "new",
    site_id=Text,
    subject_id=Text,
    incarnation=Integer,
    counter=Integer,
    digest=LargeBinary,
    body=LargeBinary,
)
_writing = upsert(slices).from_select(
    [*_new.columns.keys(), "topic", "apply_time"], select(*_new.columns, _topic, _now)
)
_WRITE = Prepared(
    _writing.on_conflict_do_update(
        index_elements=["site_id", "subject_id", "topic"],
        set_={
            name: _writing.excluded[name]
            for name in ("incarnation", "counter", "digest", "body", "apply_time")
        },
    )
)

_asked = given("asked", site_id=Text, subject_id=Text, proposal_id=Text)
_READ_VERDICTS = Prepared(
    select(*_asked.columns, proposal_verdicts.c.verdict, proposal_verdicts.c.reason).join_from(
        _asked,
        proposal_verdicts,
        and_(
            proposal_verdicts.c.topic == _topic,
            *(proposal_verdicts.c[column.name] == column for column in _asked.columns),
        ),
    )
)
_decided = given(
    "decided", site_id=Text, subject_id=Text, proposal_id=Text, verdict=Text, reason=Text
)
_WRITE_VERDICTS = Prepared(
    upsert(proposal_verdicts)
    .from_select(
        [*_decided.columns.keys(), "topic", "decide_time"], select(*_decided.columns, _topic, _now)
    )
    .on_conflict_do_nothing()
)

Decided = Mapping[str, tuple[str, str]]
"""(verdict, reason) by proposal."""


def create_subject(connection: Connection, site: str, subject: str, now: datetime) -> None:
    """A subject's row, unless it stands already."""
    connection.execute(
        upsert(subjects)
        .values(site_id=site, subject_id=subject, life="PRESENT", data_version=0, create_time=now)
        .on_conflict_do_nothing()
    )


def known_subjects(connection: Connection, wanted: Collection[Subject]) -> dict[Subject, str]:
    """Those of the subjects that there are, in order, and where each is in its life."""
    rows = _LIVES.rows(
        connection,
        site_id=Texts([site for site, _ in wanted]),
        subject_id=Texts([subject for _, subject in wanted]),
    )
    return {(site, subject): life for site, subject, life in rows}


def read_slice(connection: Connection, site: str, subject: str, topic: str) -> SliceRow | None:
    """One slice; None where it was never pushed."""
    row = _READ.first(connection, site_id=site, subject_id=subject, topic=topic)
    return SliceRow(*row) if row else None


def write_slice(
    connection: Connection, site: str, subject: str, topic: str, row: SliceRow, now: datetime
) -> None:
    """Replace a slice."""
    write_slices(connection, topic, {(site, subject): row}, now)


def write_slices(
    connection: Connection, topic: str, rows: Mapping[Subject, SliceRow], now: datetime
) -> None:
    """Replace the slices of subjects."""
    written = rows.values()
    _WRITE.run(
        connection,
        site_id=Texts([site for site, _ in rows]),
        subject_id=Texts([subject for _, subject in rows]),
        incarnation=Integers([row.incarnation for row in written]),
        counter=Integers([row.counter for row in written]),
        digest=Blobs([row.digest for row in written]),
        body=Blobs([row.body for row in written]),
        topic=topic,
        now=now,
    )


def read_verdicts(
    connection: Connection, topic: str, wanted: Mapping[Subject, Collection[str]]
) -> dict[Subject, dict[str, tuple[str, str]]]:
    """(verdict, reason) of those proposals of each subject that were once decided."""
    found: dict[Subject, dict[str, tuple[str, str]]] = {subject: {} for subject in wanted}
    asked = [(*subject, one) for subject, proposals in wanted.items() for one in proposals]
    if not asked:
        return found
    rows = _READ_VERDICTS.rows(
        connection,
        site_id=Texts([site for site, _, _ in asked]),
        subject_id=Texts([subject for _, subject, _ in asked]),
        proposal_id=Texts([proposal for _, _, proposal in asked]),
        topic=topic,
    )
    for site, subject, proposal, verdict, reason in rows:
        found[site, subject][proposal] = (verdict, reason)
    return found


def write_verdicts(
    connection: Connection, topic: str, verdicts: Mapping[Subject, Decided], now: datetime
) -> None:
    """Keep verdicts for ever."""
    rows = [
        (*subject, proposal, verdict, reason)
        for subject, decided in verdicts.items()
        for proposal, (verdict, reason) in decided.items()
    ]
    if rows:
        columns = zip(_decided.columns.keys(), zip(*rows, strict=True), strict=True)
        values = {name: Texts(column) for name, column in columns}
        _WRITE_VERDICTS.run(connection, topic=topic, now=now, **values)
