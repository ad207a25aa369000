# SPDX-License-Identifier: Apache-2.0
"""The name of a subject in evidence: random, so that it means nothing once its row is gone."""

from __future__ import annotations

import secrets
from collections.abc import Collection

from sqlalchemy import Column, MetaData, Table, Text, delete, select, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

metadata = MetaData()

subject_pseudonyms = Table(
    "subject_pseudonyms",
    metadata,
    Column("site_id", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("pseudonym", Text, nullable=False),
)


def pseudonym_of(connection: Connection, site_id: str, subject_id: str) -> str:
    """The subject's pseudonym in this service's evidence, made on first use."""
    if not subject_id:
        return ""
    known = known_pseudonym(connection, site_id, subject_id)
    if known:
        return known
    connection.execute(
        upsert(subject_pseudonyms)
        .values(site_id=site_id, subject_id=subject_id, pseudonym=secrets.token_hex(16))
        .on_conflict_do_nothing()
    )
    return known_pseudonym(connection, site_id, subject_id)


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
        connection.execute(
            upsert(subject_pseudonyms).on_conflict_do_nothing(),
            [
                {"site_id": site, "subject_id": subject, "pseudonym": secrets.token_hex(16)}
                for site, subject in missing
            ],
        )
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
    t = subject_pseudonyms.c
    rows = connection.execute(
        select(t.site_id, t.subject_id, t.pseudonym).where(
            tuple_(t.site_id, t.subject_id).in_(list(wanted))
        )
    )
    return {(site, subject): pseudonym for site, subject, pseudonym in rows}
