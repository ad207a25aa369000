# SPDX-License-Identifier: Apache-2.0
"""Evidence, counts of refusals, and idempotency keys: what every service has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, tuple_

from cli.consistency.matching import Reference
from cli.consistency.store_snapshot import Snapshot, plain
from services.chassis.evidence import PERMITTED, entries, tallies
from services.chassis.idempotency import idempotency_keys
from services.claims.tables import claims
from services.claims.tables_incidents import incidents
from services.consent.tables import events, policies
from services.disclosure.tables import deliveries, orders, recipients
from services.disclosure.tables_authorities import authorities, authority_requests

_STORED = "data.stored"
_NOTICED = "notice.created"
_DETAILS = '"details":"[0-9a-f]{64}"'
# By database and RPC: the column that holds what a first call under a key made.
_RESULTS: dict[str, list[tuple[tuple[str, ...], ColumnElement[str]]]] = {
    "consent": [
        (
            (
                "RegisterSubject",
                "RecordUse",
                "AcceptPolicy",
                "RejectPolicy",
                "GrantConsent",
                "WithdrawConsent",
            ),
            events.c.event_id,
        ),
        (("PublishPolicy",), policies.c.publication_id),
    ],
    "claims": [
        (("FileClaim",), claims.c.claim_id),
        (("RegisterIncident",), incidents.c.incident_id),
    ],
    "disclosure": [
        (("RegisterOrder",), orders.c.registration_id),
        (("AssignOrder",), deliveries.c.delivery_id),
        (("RegisterRecipient",), recipients.c.recipient_id),
        (("RegisterAuthority",), authorities.c.authority_id),
        (("SubmitAuthorityRequest",), authority_requests.c.request_id),
    ],
}


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An evidence entry: its columns and its body."""

    entry_id: str
    site: str
    event: str
    outcome: str
    subject: str
    record_time: datetime
    secret_until: datetime | None
    body: str = field(repr=False)


def evidence(source: Snapshot) -> Iterator[EntryRow]:
    """Entries by id."""
    e = entries.c
    columns = e.entry_id, e.site_id, e.event, e.outcome, e.subject, e.record_time
    statement = select(*columns, e.secret_until, e.body)
    for row in source.stream(statement.order_by(plain(e.entry_id))):
        yield EntryRow(*row)


def bodies(source: Snapshot, ids: Sequence[str]) -> dict[str, str]:
    """The bodies of those entries that there are."""
    e = entries.c
    statement = select(e.entry_id, e.body).where(e.entry_id.in_(ids))
    return {row.entry_id: row.body for row in source.stream(statement)}


def entry_ids(source: Snapshot) -> Iterator[str]:
    """The ids of all entries, ascending."""
    e = entries.c
    for row in source.stream(select(e.entry_id).order_by(plain(e.entry_id))):
        yield row.entry_id


def permitted_releases(source: Snapshot) -> Iterator[tuple[str, str, str]]:
    """(site, release, entry) of the entries that permit a release, by the first two."""
    e = entries.c
    release = _ref("release_id")
    statement = select(e.site_id, release.label("release_id"), e.entry_id).where(
        release.is_not(None), e.outcome == PERMITTED
    )
    order = plain(e.site_id), plain(release), plain(e.entry_id)
    for row in source.stream(statement.order_by(*order)):
        yield row.site_id, row.release_id, row.entry_id


def told_notices(broker: Snapshot) -> Iterator[str]:
    """The notices that entries tell the creation of, by id."""
    notice = _ref("notice_id")
    statement = select(notice.label("notice_id")).where(
        entries.c.event == _NOTICED, notice.is_not(None)
    )
    for row in broker.stream(statement.order_by(plain(notice))):
        yield row.notice_id


def receipted(broker: Snapshot) -> Iterator[tuple[str, str]]:
    """(site, release) whose entry has the digest that its receipt has, by both."""
    e = entries.c
    release = _ref("release_id")
    statement = select(e.site_id, release.label("release_id")).where(
        release.is_not(None), e.outcome == PERMITTED, e.body.regexp_match(_DETAILS)
    )
    for row in broker.stream(statement.order_by(plain(e.site_id), plain(release))):
        yield row.site_id, row.release_id


def entries_of_acts(source: Snapshot) -> Iterator[tuple[str, str]]:
    """(act, event) of the entries that name an act, by act."""
    act = _ref("act_id")
    statement = select(act.label("act_id"), entries.c.event).where(act.is_not(None))
    for row in source.stream(statement.order_by(plain(act), entries.c.event)):
        yield row.act_id, row.event


def stored_data(
    vault: Snapshot, subjects: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], list[str]]:
    """The bodies of the entries of stored data by (site, pseudonym), for these."""
    e = entries.c
    statement = select(e.site_id, e.subject, e.body).where(
        tuple_(e.site_id, e.subject).in_(subjects), e.event == _STORED
    )
    found: dict[tuple[str, str], list[str]] = {}
    for row in vault.stream(statement.order_by(e.entry_id)):
        found.setdefault((row.site_id, row.subject), []).append(row.body)
    return found


def tallied(source: Snapshot) -> Iterator[Reference]:
    """Counts of repeated refusals by the entry they belong to."""
    t = tallies.c
    for row in source.stream(select(tallies).order_by(plain(t.entry_id))):
        key = (
            ("site_id", row.site_id),
            ("principal", row.principal),
            ("minute", row.minute.isoformat()),
            ("entry_id", row.entry_id),
        )
        yield Reference("refusal_tallies", key, row.entry_id)


def results_checked(source: Snapshot) -> Iterator[tuple[Iterator[Reference], Iterator[str]]]:
    """Results of idempotency keys with the ids that there are; both by id, pair after pair."""
    for methods, column in _RESULTS.get(source.name, ()):
        yield _results(source, methods), _ids(source, column)


def _results(source: Snapshot, methods: tuple[str, ...]) -> Iterator[Reference]:
    k = idempotency_keys.c
    statement = (
        select(k.principal, k.method, k.request_id, k.result_id)
        .where(k.method.in_(methods))
        .order_by(plain(k.result_id))
    )
    for row in source.stream(statement):
        key = ("principal", row.principal), ("method", row.method), ("request_id", row.request_id)
        yield Reference("idempotency_keys", key, row.result_id)


def _ids(source: Snapshot, column: ColumnElement[str]) -> Iterator[str]:
    for row in source.stream(select(column).order_by(plain(column))):
        yield row[0]


def _ref(name: str) -> ColumnElement[str]:
    # A body that is no JSON is another check's fault; here it must not end the statement.
    return func.substring(entries.c.body, f'"{name}":"([0-9a-f-]{{36}})"')
