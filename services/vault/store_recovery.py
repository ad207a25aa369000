# SPDX-License-Identifier: Apache-2.0
"""SQL of what a book that was set back has lost and the vault still holds (clause 6.2.3)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select, text, tuple_
from sqlalchemy.engine import Connection

from services.vault.tables import documents, slices
from services.vault.wire_case import CLAIMS

# In the words of the index, which holds no others.
_OF_CLAIMS = text(f"topic = '{CLAIMS}'")

Place = tuple[int, str, str]
"""(incarnation, site, subject): where a page goes on."""


@dataclass(frozen=True, slots=True)
class LostSlice:
    """A claims slice of an incarnation before the present one."""

    incarnation: int
    site: str
    subject: str
    body: bytes = field(repr=False)

    @property
    def place(self) -> Place:
        """Where a page that ends with it goes on."""
        return self.incarnation, self.site, self.subject


@dataclass(frozen=True, slots=True)
class KeptDocument:
    """A document, unopened."""

    site: str
    owner: str
    bound_to: str
    document_id: str
    kind: str
    store_time: datetime


def lost_claims(
    connection: Connection, before: int, after: Place | None, limit: int
) -> list[LostSlice]:
    """Claims slices of incarnations below `before`, behind the place `after`.

    What was never pushed, because the vault made it itself, is of incarnation 0 and left out.
    """
    s = slices.c
    order = (s.incarnation, s.site_id, s.subject_id)
    statement = select(slices).where(_OF_CLAIMS, s.incarnation > 0, s.incarnation < before)
    if after is not None:
        statement = statement.where(tuple_(*order) > after)
    return [
        LostSlice(row.incarnation, row.site_id, row.subject_id, bytes(row.body))
        for row in connection.execute(statement.order_by(*order).limit(limit))
    ]


def documents_of(
    connection: Connection, site: str, bound_to: str, owners: Collection[str]
) -> list[KeptDocument]:
    """What lies there for a claim under the keys of these owners, the oldest first."""
    d = documents.c
    rows = connection.execute(
        select(d.site_id, d.owner_id, d.bound_to, d.document_id, d.kind, d.store_time)
        .where(d.site_id == site, d.owner_id.in_(owners), d.bound_to == bound_to)
        .order_by(d.store_time, d.document_id)
    )
    return [KeptDocument(*row) for row in rows]
