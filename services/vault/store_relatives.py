# SPDX-License-Identifier: Apache-2.0
"""SQL of the other ids of a person, for the case that the gate decides on (clause 1.1.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, TableValuedAlias, false, func, select, text, true
from sqlalchemy.engine import Connection, Row

from services.vault.tables_links import links

_RELATIVES = """
SELECT asked.site_id, asked.subject_id,
       kin.subject_id AS kin_id, kin.subject_id = root.id AS is_account,
       s.topic, s.incarnation, s.counter, s.digest, s.body
FROM unnest(CAST(:sites AS text[]), CAST(:subjects AS text[])) AS asked (site_id, subject_id)
LEFT JOIN links ON links.site_id = asked.site_id AND links.visitor_id = asked.subject_id
CROSS JOIN LATERAL (SELECT coalesce(links.account_id, asked.subject_id) AS id) AS root
CROSS JOIN LATERAL (
    SELECT root.id AS subject_id
    UNION SELECT l.visitor_id FROM links AS l
    WHERE l.site_id = asked.site_id AND l.account_id = root.id) AS kin
LEFT JOIN slices AS s ON s.site_id = asked.site_id AND s.subject_id = kin.subject_id
    AND s.topic IN ('consent', 'claims')
WHERE kin.subject_id <> asked.subject_id
ORDER BY asked.site_id, asked.subject_id, kin.subject_id
"""


def is_linked(asked: TableValuedAlias) -> ColumnElement[bool]:
    """Whether a subject points to an account, or visitors to it: two looks into an index."""
    # Scalar, not EXISTS: of two EXISTS in an OR PostgreSQL may make two readings of every link.
    one = select(true()).where(links.c.site_id == asked.c.site_id).limit(1)
    as_visitor = one.where(links.c.visitor_id == asked.c.subject_id).scalar_subquery()
    as_account = one.where(links.c.account_id == asked.c.subject_id).scalar_subquery()
    return func.coalesce(as_visitor, as_account, false())


def relatives_of(connection: Connection, wanted: Sequence[tuple[str, str]]) -> Sequence[Row[Any]]:
    """The slices of the other ids of each (site, subject), a row with topic None for no slice."""
    if not wanted:
        return ()
    parameters = {"sites": [s for s, _ in wanted], "subjects": [each for _, each in wanted]}
    return connection.execute(text(_RELATIVES), parameters).all()
