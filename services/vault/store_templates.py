# SPDX-License-Identifier: Apache-2.0
"""SQL of the registered message templates."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.vault.tables_templates import templates

TemplateName = tuple[str, str]
"""(site, template)"""


@dataclass(frozen=True, slots=True)
class TemplateRow:
    """A registered template; `texts` are SHA-256 digests by language."""

    template_id: str
    kind: str
    texts: Mapping[str, str]
    register_time: datetime


def register(connection: Connection, site: str, row: TemplateRow) -> bool:
    """Write a template; False where its id is taken."""
    written = connection.execute(
        upsert(templates)
        .values(
            site_id=site,
            template_id=row.template_id,
            kind=row.kind,
            texts=dict(row.texts),
            register_time=row.register_time,
        )
        .on_conflict_do_nothing()
        .returning(templates.c.template_id)
    )
    return written.first() is not None


def find(connection: Connection, site: str, template_id: str) -> TemplateRow | None:
    """A template of a site."""
    row = connection.execute(
        select(templates).filter_by(site_id=site, template_id=template_id)
    ).one_or_none()
    return TemplateRow(row.template_id, row.kind, row.texts, row.register_time) if row else None


def listed(connection: Connection, site: str, after: str, limit: int) -> list[TemplateRow]:
    """Templates of a site by their ids, those after `after`."""
    t = templates.c
    rows = connection.execute(
        select(templates)
        .where(t.site_id == site, t.template_id > after)
        .order_by(t.template_id)
        .limit(limit)
    )
    return [TemplateRow(r.template_id, r.kind, r.texts, r.register_time) for r in rows]


def kinds(connection: Connection, names: Collection[TemplateName]) -> dict[TemplateName, str]:
    """The kinds of those templates that are registered, in one query."""
    if not names:
        return {}
    t = templates.c
    rows = connection.execute(
        select(t.site_id, t.template_id, t.kind).where(
            tuple_(t.site_id, t.template_id).in_(sorted(names))
        )
    )
    return {(r.site_id, r.template_id): r.kind for r in rows}
