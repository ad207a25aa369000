# SPDX-License-Identifier: Apache-2.0
"""The broker's rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from typing import Any

from sqlalchemy import Row, Table, func, select, text

from cli.consistency.matching import Reference, gathered, matched
from cli.consistency.store_claims import DocumentRow, sent_documents
from cli.consistency.store_snapshot import Snapshot, plain
from cli.consistency.store_standing import Place
from services.chassis.evidence import DONE, entries
from services.disclosure.order import Closing, Delivery, Order, OrderFacts, OrderState
from services.disclosure.recipient import Kind
from services.disclosure.release import ReleaseState
from services.disclosure.tables import (
    deliveries,
    disclosure_tallies,
    disclosures,
    orders,
    releases,
)
from services.disclosure.tables_authorities import authority_releases, authority_requests
from services.disclosure.tables_receipts import receipt_keys


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A release as the broker knows it; `line` is the outcome in the ledger, empty for none."""

    site: str
    release_id: str
    state: str
    entry_id: str
    line: str
    ended: bool


@dataclass(frozen=True, slots=True)
class AskedRow:
    """A state body's request; `given` are the states of what left for it or may have.

    `let_go` is how often evidence says that an officer let its package go.
    """

    site: str
    request_id: str
    state: str
    categories: frozenset[str]
    approved: frozenset[str]
    submitted_by: str
    decided_by: str
    code_sha256: str
    given: tuple[str, ...]
    let_go: int


_NONE = text("ARRAY[]::text[]")
_NAMED = '"authority_request_id":"([^"]*)"'
_ASKED = ("state", "categories", "approved", "submitted_by", "decided_by", "code_sha256")


def orders_of_subjects(source: Snapshot) -> Iterator[tuple[Place, list[OrderFacts] | None]]:
    """All orders that were not refused with their deliveries, by place.

    None where a row holds what no order can.
    """
    o, d = orders.c, deliveries.c
    order = plain(o.site_id), plain(o.subject_id), plain(o.registration_id)
    rows = source.stream(select(orders).where(o.state != OrderState.REFUSED).order_by(*order))
    place = plain(d.site_id), plain(d.subject_id), plain(d.registration_id)
    given = gathered(
        source.stream(select(deliveries).order_by(*place, plain(d.delivery_id))),
        lambda r: (r.site_id, r.subject_id, r.registration_id),
    )
    pairs = matched(
        rows, given, lambda r: (r.site_id, r.subject_id, r.registration_id), lambda g: g[0]
    )
    known = ((row, group[1] if group else []) for row, group in pairs if row is not None)
    for subject, members in gathered(known, lambda p: (p[0].site_id, p[0].subject_id)):
        try:
            facts = [_facts(row, assigned) for row, assigned in members]
        except ValueError:
            facts = None
        yield subject, facts


def stray_deliveries(source: Snapshot) -> Iterator[tuple[str, str]]:
    """(site, delivery) of deliveries whose order is missing or another subject's."""
    o, d = orders.c, deliveries.c
    statement = (
        select(d.site_id, d.delivery_id)
        .outerjoin(
            orders,
            (o.site_id == d.site_id)
            & (o.registration_id == d.registration_id)
            & (o.subject_id == d.subject_id)
            & (o.order_id == d.order_id),
        )
        .where(o.site_id.is_(None))
        .order_by(d.site_id, d.delivery_id)
    )
    for row in source.stream(statement):
        yield row.site_id, row.delivery_id


def released(source: Snapshot) -> Iterator[ReleaseRow]:
    """Releases by (site, release)."""
    r, line = releases.c, disclosures.c
    statement = (
        select(r.site_id, r.release_id, r.state, r.entry_id, r.end_time, line.outcome)
        .outerjoin(disclosures, (line.site_id == r.site_id) & (line.disclosure_id == r.release_id))
        .order_by(plain(r.site_id), plain(r.release_id))
    )
    orders_ = (_release(row) for row in source.stream(statement))
    r = authority_releases.c
    statement = (
        select(r.site_id, r.release_id, r.state, r.entry_id, r.end_time, line.outcome)
        .outerjoin(disclosures, (line.site_id == r.site_id) & (line.disclosure_id == r.release_id))
        .order_by(plain(r.site_id), plain(r.release_id))
    )
    by_law = (_release(row) for row in source.stream(statement))
    yield from merge(orders_, by_law, key=lambda each: (each.site, each.release_id))


def _release(row: Row[*tuple[Any, ...]]) -> ReleaseRow:
    return ReleaseRow(
        row.site_id,
        row.release_id,
        row.state,
        row.entry_id,
        row.outcome or "",
        row.end_time is not None,
    )


def left(source: Snapshot) -> Iterator[tuple[str, str, str]]:
    """(site, release, nothing) of releases that left or may have, by the first two."""
    both = [_left_of(source, table) for table in (releases, authority_releases)]
    yield from merge(*both)


def _left_of(source: Snapshot, table: Table) -> Iterator[tuple[str, str, str]]:
    r = table.c
    statement = select(r.site_id, r.release_id).where(
        r.state.in_((ReleaseState.RELEASED, ReleaseState.RELEASED_UNCERTAIN))
    )
    for row in source.stream(statement.order_by(plain(r.site_id), plain(r.release_id))):
        yield row.site_id, row.release_id, ""


def asked_by_law(source: Snapshot) -> Iterator[AskedRow]:
    """Requests of state bodies by (site, request), with what was given for them."""
    q, r = authority_requests.c, authority_releases.c
    given = (
        select(r.site_id, r.request_id, r.state)
        .where(r.state.in_((ReleaseState.RELEASED, ReleaseState.RELEASED_UNCERTAIN)))
        .subquery()
    )
    named = func.substring(entries.c.body, _NAMED)
    acts = (
        select(entries.c.site_id, named.label("request_id"), func.count().label("number"))
        .where(entries.c.event == "authority_request.released", entries.c.outcome == DONE)
        .group_by(entries.c.site_id, named)
        .subquery()
    )
    statement = (
        select(
            q.site_id,
            q.request_id,
            q.state,
            q.categories,
            q.approved,
            q.submitted_by,
            q.decided_by,
            q.code_sha256,
            func.coalesce(
                func.array_agg(given.c.state).filter(given.c.state.is_not(None)), _NONE
            ).label("given"),
            func.coalesce(func.max(acts.c.number), 0).label("let_go"),
        )
        .outerjoin(given, (given.c.site_id == q.site_id) & (given.c.request_id == q.request_id))
        .outerjoin(acts, (acts.c.site_id == q.site_id) & (acts.c.request_id == q.request_id))
        .group_by(q.site_id, q.request_id, *[q[name] for name in _ASKED])
        .order_by(plain(q.site_id), plain(q.request_id))
    )
    for row in source.stream(statement):
        yield AskedRow(
            row.site_id,
            row.request_id,
            row.state,
            frozenset(row.categories),
            frozenset(row.approved),
            row.submitted_by,
            row.decided_by,
            row.code_sha256,
            tuple(row.given),
            row.let_go,
        )


def sent_texts(source: Snapshot) -> Iterator[DocumentRow]:
    """Texts of requests on their way to the vault or there already, by (site, document)."""
    return sent_documents(source)


def answered(source: Snapshot) -> Iterator[tuple[str, str]]:
    """(site, release) of releases that were answered, and so have a receipt, by both."""
    r = releases.c
    statement = select(r.site_id, r.release_id).where(r.state == ReleaseState.RELEASED)
    for row in source.stream(statement.order_by(plain(r.site_id), plain(r.release_id))):
        yield row.site_id, row.release_id


def any_answered(source: Snapshot) -> bool:
    """Whether any release was answered."""
    r = releases.c
    return (
        source.one(select(r.site_id).where(r.state == ReleaseState.RELEASED).limit(1)) is not None
    )


def receipt_keys_kept(source: Snapshot) -> Iterator[tuple[str, bytes]]:
    """(key id, public key) that receipts were signed with."""
    for row in source.stream(select(receipt_keys).order_by(receipt_keys.c.key_id)):
        yield row.key_id, bytes(row.public_key)


def sealed_messages(source: Snapshot) -> Iterator[tuple[str, str, str, str]]:
    """(site, subject, order, document) of the open orders with a message, by the first three."""
    o = orders.c
    statement = select(o.site_id, o.subject_id, o.order_id, o.message_id).where(
        o.state == OrderState.OPEN, o.message_id != ""
    )
    order = plain(o.site_id), plain(o.subject_id), plain(o.order_id)
    for row in source.stream(statement.order_by(*order)):
        yield row.site_id, row.subject_id, row.order_id, row.message_id


def lines_that_left(source: Snapshot) -> Iterator[tuple[str, str]]:
    """(site, line) of the ledger's lines of data that left or may have, by both."""
    d = disclosures.c
    statement = select(d.site_id, d.disclosure_id).where(d.outcome != "REFUSED")
    for row in source.stream(statement.order_by(plain(d.site_id), plain(d.disclosure_id))):
        yield row.site_id, row.disclosure_id


def tallied(source: Snapshot) -> Iterator[Reference]:
    """Counts of repeated refusals by the ledger's line that they belong to."""
    t = disclosure_tallies.c
    for row in source.stream(select(disclosure_tallies).order_by(plain(t.disclosure_id))):
        key = (
            ("site_id", row.site_id),
            ("delivery_id", row.delivery_id),
            ("recipient_id", row.recipient_id),
            ("reason", row.reason),
            ("minute", row.minute.isoformat()),
        )
        yield Reference("disclosure_tallies", key, row.disclosure_id)


def line_ids(source: Snapshot) -> Iterator[str]:
    """The ledger's lines by id."""
    d = disclosures.c
    for row in source.stream(select(d.disclosure_id).order_by(plain(d.disclosure_id))):
        yield row.disclosure_id


def _facts(row: Row[*tuple[Any, ...]], assigned: list[Row[*tuple[Any, ...]]]) -> OrderFacts:
    order = Order(
        site_id=row.site_id,
        registration_id=row.registration_id,
        order_id=row.order_id,
        subject_id=row.subject_id,
        policy_version=row.policy_version,
        state=OrderState(row.state),
        register_time=row.register_time,
        act_id=row.act_id,
        closing=Closing(row.closing) if row.closing else None,
        close_time=row.close_time,
        close_act_id=row.close_act_id,
        snapshot=row.snapshot,
    )
    return OrderFacts(order, tuple(_delivery(each) for each in assigned))


def _delivery(row: Row[*tuple[Any, ...]]) -> Delivery:
    return Delivery(
        site_id=row.site_id,
        delivery_id=row.delivery_id,
        registration_id=row.registration_id,
        order_id=row.order_id,
        subject_id=row.subject_id,
        recipient_id=row.recipient_id,
        kind=Kind(row.kind),
        assign_time=row.assign_time,
        act_id=row.act_id,
        expire_time=row.expire_time,
        ended_time=row.ended_time,
    )


def request_ids(broker: Snapshot) -> Iterator[str]:
    """The requests of state bodies, by id."""
    r = authority_requests.c.request_id
    for row in broker.stream(select(r).order_by(plain(r))):
        yield row.request_id
