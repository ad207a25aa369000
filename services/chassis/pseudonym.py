# SPDX-License-Identifier: Apache-2.0
"""The name of a subject in evidence: random, so that it means nothing once its row is gone."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence

from sqlalchemy import Column, MetaData, Table, Text, and_, delete, select, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.arrays import Texts
from services.chassis.prepared import Prepared, given

metadata = MetaData()

subject_pseudonyms = Table(
    "subject_pseudonyms",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("pseudonym", Text, nullable=False),
)

_asked = given("asked", site_id=Text, subject_id=Text)
_KNOWN = Prepared(
    select(*_asked.columns, subject_pseudonyms.c.pseudonym).join_from(
        _asked,
        subject_pseudonyms,
        and_(*(subject_pseudonyms.c[column.name] == column for column in _asked.columns)),
    ),
)
_new = given("new", site_id=Text, subject_id=Text, pseudonym=Text)
_MAKE = Prepared(
    upsert(subject_pseudonyms)
    .from_select(
        _new.columns.keys(), select(*_new.columns).order_by(_new.c.site_id, _new.c.subject_id)
    )
    .on_conflict_do_nothing()
)


def pseudonym_of(connection: Connection, site_id: str, subject_id: str) -> str:
    """The subject's pseudonym in this service's evidence, made on first use."""
    if not subject_id:
        return ""
    known = known_pseudonym(connection, site_id, subject_id)
    if known:
        return known
    made = connection.execute(
        upsert(subject_pseudonyms)
        .values(site_id=site_id, subject_id=subject_id, pseudonym=secrets.token_hex(16))
        .on_conflict_do_nothing()
        .returning(subject_pseudonyms.c.pseudonym)
    ).scalar_one_or_none()
    # Another transaction may have been faster.
    return str(made) if made else known_pseudonym(connection, site_id, subject_id)


def known_pseudonym(connection: Connection, site_id: str, subject_id: str) -> str:
    """The subject's pseudonym, or nothing for an id this service has never recorded an act of."""
    found = select(subject_pseudonyms.c.pseudonym).filter_by(site_id=site_id, subject_id=subject_id)
    return str(connection.execute(found).scalar_one_or_none() or "")


def pseudonyms_of(
    connection: Connection, wanted: Collection[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """The pseudonyms of many (site, subject), made on first use."""
    known = _known(connection, wanted)
    missing = sorted(set(wanted) - known.keys())
    if missing:
        names = Texts([secrets.token_hex(16) for _ in missing])
        _MAKE.run(connection, **_places(missing), pseudonym=names)
        # Read again: another transaction may have been faster.
        known |= _known(connection, missing)
    return known


def forget(connection: Connection, ended: Collection[tuple[str, str]]) -> None:
    """Whoever has ended has no pseudonym any more: what evidence says of it is about nobody."""
    t = subject_pseudonyms.c
    connection.execute(
        delete(subject_pseudonyms).where(tuple_(t.site_id, t.subject_id).in_(list(ended)))
    )


def _known(
    connection: Connection, wanted: Collection[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    rows = _KNOWN.rows(connection, **_places(sorted(wanted)))
    return {(site, subject): pseudonym for site, subject, pseudonym in rows}


def _places(wanted: Sequence[tuple[str, str]]) -> dict[str, Texts]:
    return {
        "site_id": Texts([site for site, _ in wanted]),
        "subject_id": Texts([subject for _, subject in wanted]),
    }
