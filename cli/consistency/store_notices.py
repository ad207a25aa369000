# SPDX-License-Identifier: Apache-2.0
"""Rows of recalls and notices, and the vault's changes that they follow from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import and_, exists, select

from cli.consistency.store_snapshot import Snapshot, plain
from services.disclosure.release import ReleaseState
from services.disclosure.tables import releases
from services.disclosure.tables_notices import notices, recalls
from services.vault.tables import vault_life
from services.vault.tables_changes import standing_changes

_LEFT = (ReleaseState.RELEASED, ReleaseState.RELEASED_UNCERTAIN)


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """A notice. `kind` is its recall's, empty for none; `left` whether its recipient was given
    the delivery's details at all."""

    site: str
    notice_id: str
    instruction: str
    state: str
    sent: bool
    acknowledged: bool
    kind: str
    left: bool


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A change of standing, with the vault or the broker."""

    change_id: str
    site: str
    subject: str
    kind: str


@dataclass(frozen=True, slots=True)
class HeardRow:
    """A change that the broker heard of; `forgivable` where the present vault may not know it,
    because a life of the vault before the present one told of it last."""

    change: ChangeRow
    forgivable: bool


def noticed(broker: Snapshot) -> Iterator[NoticeRow]:
    """Notices by id."""
    n, r = notices.c, recalls.c
    given = exists().where(
        releases.c.site_id == n.site_id,
        releases.c.subject_id == n.subject_id,
        releases.c.delivery_id == n.delivery_id,
        releases.c.recipient_id == n.recipient_id,
        releases.c.state.in_(_LEFT),
    )
    its_own = and_(r.change_id == n.change_id, r.site_id == n.site_id, r.subject_id == n.subject_id)
    statement = (
        select(notices, r.kind, given.label("left"))
        .outerjoin(recalls, its_own)
        .order_by(plain(n.notice_id))
    )
    for row in broker.stream(statement):
        yield NoticeRow(
            row.site_id,
            row.notice_id,
            row.instruction,
            row.state,
            row.send_time is not None,
            row.acknowledge_time is not None,
            row.kind or "",
            row.left,
        )


def untold(broker: Snapshot) -> Iterator[tuple[str, str, str]]:
    """(site, change, delivery) that left before a settled change, and nobody was told.

    That a block was lifted is told only to who could go on then, which is not on record.
    """
    c, r = recalls.c, releases.c
    told = exists().where(
        notices.c.change_id == c.change_id, notices.c.delivery_id == r.delivery_id
    )
    statement = (
        select(c.site_id, c.change_id, r.delivery_id)
        .join(releases, and_(r.site_id == c.site_id, r.subject_id == c.subject_id))
        .where(
            c.settled, c.kind != "LIFTED", r.state.in_(_LEFT), r.end_time <= c.change_time, ~told
        )
        .distinct()
    )
    for row in broker.stream(statement):
        yield row.site_id, row.change_id, row.delivery_id


def heard(broker: Snapshot, vault_incarnation: str) -> Iterator[HeardRow]:
    """What the broker has heard of, by id, while the vault is in this life."""
    c = recalls.c
    columns = c.change_id, c.site_id, c.subject_id, c.kind
    earlier = c.vault_incarnation != vault_incarnation
    for *change, forgivable in broker.stream(
        select(*columns, earlier).order_by(plain(c.change_id))
    ):
        yield HeardRow(ChangeRow(*change), forgivable)


def life(vault: Snapshot) -> str:
    """The vault's incarnation; empty before its first start."""
    row = vault.one(select(vault_life.c.vault_incarnation))
    return "" if row is None else str(row.vault_incarnation)


def changed(vault: Snapshot) -> Iterator[ChangeRow]:
    """What the vault has changed, by id."""
    c = standing_changes.c
    columns = c.change_id, c.site_id, c.subject_id, c.kind
    for row in vault.stream(select(*columns).order_by(plain(c.change_id))):
        yield ChangeRow(*row)
