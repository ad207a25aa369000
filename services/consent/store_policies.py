# SPDX-License-Identifier: Apache-2.0
"""SQL of the policy versions of a site."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, insert, select
from sqlalchemy.engine import Connection, Row

from services.consent.policy import Policy, PolicyText
from services.consent.schedule import Schedule, Term
from services.consent.tables import policies, policy_texts


def insert_policy(
    connection: Connection, site_id: str, publication_id: str, policy: Policy
) -> None:
    """Write a version with its texts; the caller holds the lock of the site's schedule."""
    connection.execute(
        insert(policies).values(
            site_id=site_id,
            version=policy.version,
            sha256=policy.sha256,
            publish_time=policy.publish_time,
            effective_time=policy.effective_time,
            prevailing_language=policy.prevailing_language,
            material_purposes=list(policy.material_purposes),
            act_id=policy.act_id,
            publication_id=publication_id,
        )
    )
    connection.execute(
        insert(policy_texts),
        [
            {
                "site_id": site_id,
                "version": policy.version,
                "language": text.language,
                "title": text.title,
                "body": text.body,
            }
            for text in policy.texts
        ],
    )


def read_schedule(connection: Connection, site_id: str) -> Schedule:
    """When each version of a site is in force."""
    rows = connection.execute(
        select(
            policies.c.version,
            policies.c.publish_time,
            policies.c.effective_time,
            policies.c.material_purposes,
        )
        .filter_by(site_id=site_id)
        .order_by(policies.c.version)
    )
    return Schedule(
        tuple(
            Term(r.version, r.publish_time, r.effective_time, frozenset(r.material_purposes))
            for r in rows
        )
    )


def has_version(connection: Connection, site_id: str, version: int) -> bool:
    """Whether the site has published a version."""
    found = select(policies.c.version).filter_by(site_id=site_id, version=version)
    return connection.execute(found).first() is not None


def read_policy(connection: Connection, site_id: str, version: int) -> Policy | None:
    """One version with its texts, or None."""
    return _one(connection, site_id, policies.c.version == version)


def read_publication(connection: Connection, site_id: str, publication_id: str) -> Policy | None:
    """The version that a request published, with its texts, or None."""
    return _one(connection, site_id, policies.c.publication_id == publication_id)


def read_policy_in_force(connection: Connection, site_id: str, at: datetime) -> Policy | None:
    """The version in force at a time, with its texts, or None before the first."""
    return _one(connection, site_id, policies.c.effective_time <= at)


def read_head_in_force(connection: Connection, site_id: str, at: datetime) -> Policy | None:
    """The version in force at a time, without its texts, or None before the first."""
    row = _newest(connection, site_id, policies.c.effective_time <= at)
    return None if row is None else _policy(row, ())


def list_policies(
    connection: Connection, site_id: str, below: int | None, limit: int
) -> Sequence[Policy]:
    """Versions without their texts, newest first, below a version where one is given."""
    statement = select(policies).filter_by(site_id=site_id)
    if below is not None:
        statement = statement.where(policies.c.version < below)
    rows = connection.execute(statement.order_by(policies.c.version.desc()).limit(limit))
    return [_policy(row, ()) for row in rows]


def _one(connection: Connection, site_id: str, condition: ColumnElement[bool]) -> Policy | None:
    row = _newest(connection, site_id, condition)
    if row is None:
        return None
    texts = connection.execute(
        select(policy_texts.c.language, policy_texts.c.title, policy_texts.c.body)
        .filter_by(site_id=site_id, version=row.version)
        .order_by(policy_texts.c.language)
    )
    return _policy(row, tuple(PolicyText(*text) for text in texts))


def _newest(
    connection: Connection, site_id: str, condition: ColumnElement[bool]
) -> Row[*tuple[object, ...]] | None:
    # Effective times grow with the version, so the newest that fits is the one.
    statement = select(policies).filter_by(site_id=site_id).where(condition)
    return connection.execute(
        statement.order_by(policies.c.effective_time.desc()).limit(1)
    ).one_or_none()


def _policy(row: Row[*tuple[object, ...]], texts: tuple[PolicyText, ...]) -> Policy:
    return Policy(
        row.version,
        row.sha256,
        row.publish_time,
        row.effective_time,
        row.prevailing_language,
        tuple(row.material_purposes),
        row.act_id,
        texts,
    )
