# SPDX-License-Identifier: Apache-2.0
"""Both halves of the push protocol: what a decider says it pushed, and what the vault holds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from google.protobuf.message import DecodeError
from sqlalchemy import and_, select

from cli.consistency.matching import gathered, matched
from cli.consistency.store_snapshot import Snapshot, plain
from qupia.vault.v1 import vault_pb2
from services.chassis.decider.tables import acts, outbox
from services.chassis.decider.tables import slices as pushed_slices
from services.vault.tables import proposal_verdicts, subjects
from services.vault.tables import slices as held_slices
from services.vault.tables_blocks import provisional_blocks, watched_blocks
from services.vault.tables_links import links
from services.vault.wire_case import CLAIMS

Place = tuple[str, str]
"""(site, subject)"""


@dataclass(frozen=True, slots=True)
class PushedSlice:
    """A slice in its decider's database; `waiting`: the vault has not confirmed it."""

    place: Place
    version: tuple[int, int]
    body: bytes = field(repr=False)
    waiting: bool


@dataclass(frozen=True, slots=True)
class HeldSlice:
    """A slice in the vault; `digest` is of the bytes pushed, `body` the settled slice."""

    place: Place
    version: tuple[int, int]
    digest: bytes
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """What the vault once decided of a proposal."""

    place: Place
    proposal: str
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True)
class ActRow:
    """A recorded act."""

    act_id: str
    place: Place
    counter: int
    kind: str
    proposal: bool
    enforcement: str
    reason: str
    in_force_time: datetime | None


def pushed(decider: Snapshot, topic: str) -> Iterator[PushedSlice]:
    """A decider's slices of a topic by place, without those that were never written."""
    t = pushed_slices.c
    statement = (
        select(pushed_slices, outbox.c.topic.label("waiting"))
        .outerjoin(
            outbox,
            and_(
                outbox.c.topic == t.topic,
                outbox.c.site_id == t.site_id,
                outbox.c.subject_id == t.subject_id,
            ),
        )
        .where(t.topic == topic, t.counter > 0)
        .order_by(plain(t.site_id), plain(t.subject_id))
    )
    for row in decider.stream(statement):
        yield PushedSlice(
            (row.site_id, row.subject_id),
            (row.incarnation, row.counter),
            row.body,
            row.waiting is not None,
        )


def held(vault: Snapshot, topic: str) -> Iterator[HeldSlice]:
    """The vault's slices of a topic by place."""
    t = held_slices.c
    statement = select(held_slices).where(t.topic == topic)
    for row in vault.stream(statement.order_by(plain(t.site_id), plain(t.subject_id))):
        yield HeldSlice(
            (row.site_id, row.subject_id),
            (row.incarnation, row.counter),
            row.digest,
            row.body,
        )


def links_in_force(vault: Snapshot) -> Iterator[tuple[Place, str]]:
    """The account of every visitor that the vault takes for linked, by place."""
    t = links.c
    statement = select(links).order_by(plain(t.site_id), plain(t.visitor_id))
    for row in vault.stream(statement):
        yield (row.site_id, row.visitor_id), row.account_id


def held_claims(vault: Snapshot) -> Iterator[HeldSlice]:
    """The vault's claims slices by place, as far as the claims service has to know of them.

    What the vault has blocked itself, and nobody has fetched yet, is left out.
    """
    p = provisional_blocks.c
    untold = vault.stream(
        select(p.site_id, p.subject_id, p.claim_id)
        .where(~p.known)
        .order_by(plain(p.site_id), plain(p.subject_id))
    )
    places = gathered(untold, lambda row: (row.site_id, row.subject_id))
    for slice_, found in matched(held(vault, CLAIMS), places, lambda s: s.place, lambda f: f[0]):
        if slice_ is None:
            continue
        if found is None:
            yield slice_
            continue
        left = _without(slice_.body, {row.claim_id for row in found[1]})
        if slice_.version != (0, 0):
            yield replace(slice_, body=left)


def _without(body: bytes, claim_ids: Collection[str]) -> bytes:
    try:
        message = vault_pb2.ClaimsSlice.FromString(body)
    except DecodeError:
        return body
    kept = [block for block in message.blocks if block.claim_id not in claim_ids]
    del message.blocks[:]
    message.blocks.extend(kept)
    return message.SerializeToString(deterministic=True)


def watched(vault: Snapshot) -> Iterator[tuple[Place, set[str]]]:
    """The claims for whose blocks a subject's contact is watched, by place."""
    w = watched_blocks.c
    statement = select(w.site_id, w.subject_id, w.claim_id)
    rows = vault.stream(statement.order_by(plain(w.site_id), plain(w.subject_id)))
    for place, found in gathered(rows, lambda row: (row.site_id, row.subject_id)):
        yield place, {row.claim_id for row in found}


def verdicts(vault: Snapshot, topic: str) -> Iterator[VerdictRow]:
    """The vault's verdicts on the proposals of a topic by place, then by proposal."""
    v = proposal_verdicts.c
    order = plain(v.site_id), plain(v.subject_id), plain(v.proposal_id)
    for row in vault.stream(select(proposal_verdicts).where(v.topic == topic).order_by(*order)):
        yield VerdictRow((row.site_id, row.subject_id), row.proposal_id, row.verdict, row.reason)


def strange_topics(vault: Snapshot, known: Sequence[str]) -> Iterator[tuple[Place, str]]:
    """Slices in the vault of a topic that nobody has."""
    t = held_slices.c
    for row in vault.stream(
        select(t.site_id, t.subject_id, t.topic).where(t.topic.not_in(known)).order_by(t.site_id)
    ):
        yield (row.site_id, row.subject_id), row.topic


def lives(vault: Snapshot) -> Iterator[tuple[Place, str]]:
    """Where each subject of the vault is in its life, by place."""
    t = subjects.c
    statement = select(t.site_id, t.subject_id, t.life)
    for row in vault.stream(statement.order_by(plain(t.site_id), plain(t.subject_id))):
        yield (row.site_id, row.subject_id), row.life


def acts_by_place(decider: Snapshot, topic: str) -> Iterator[ActRow]:
    """A decider's acts of a topic by place, then by id."""
    t = acts.c
    order = plain(t.site_id), plain(t.subject_id), plain(t.act_id)
    for row in decider.stream(select(acts).where(t.topic == topic).order_by(*order)):
        yield ActRow(
            row.act_id,
            (row.site_id, row.subject_id),
            row.counter,
            row.kind,
            row.proposal,
            row.enforcement,
            row.reason,
            row.in_force_time,
        )


def acts_by_id(decider: Snapshot) -> Iterator[tuple[str, str, str]]:
    """(act, kind, enforcement) of all acts by id."""
    t = acts.c
    statement = select(t.act_id, t.kind, t.enforcement).order_by(plain(t.act_id))
    for row in decider.stream(statement):
        yield row.act_id, row.kind, row.enforcement


def outbox_without_slice(decider: Snapshot) -> Iterator[tuple[str, Place]]:
    """(topic, place) of what waits to be pushed although there is nothing to push."""
    t = pushed_slices.c
    statement = (
        select(outbox.c.topic, outbox.c.site_id, outbox.c.subject_id)
        .outerjoin(
            pushed_slices,
            and_(
                outbox.c.topic == t.topic,
                outbox.c.site_id == t.site_id,
                outbox.c.subject_id == t.subject_id,
                t.counter > 0,
            ),
        )
        .where(t.topic.is_(None))
        .order_by(outbox.c.topic, outbox.c.site_id, outbox.c.subject_id)
    )
    for row in decider.stream(statement):
        yield row.topic, (row.site_id, row.subject_id)
