# SPDX-License-Identifier: Apache-2.0
"""A release reads as many blocks as there is to find, however many orders and releases there are.

The plans are made while the tables are empty or small, and kept while they grow; made anew of large
tables that nobody has counted yet; and of tables that were counted.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cli.postgres import Cluster
from services.chassis.database import Connection
from services.chassis.evidence import Entry, RefusalLog
from services.chassis.ids import new_uuid
from services.disclosure import (
    store_authority_releases,
    store_deliveries,
    store_fetches,
    store_ledger,
    store_notices,
    store_places,
    store_recipients,
    store_releases,
)
from services.disclosure.ledger import Outcome, left, refused
from services.disclosure.notice import Recall
from services.disclosure.permission import Denial
from services.disclosure.recipient import Kind
from services.disclosure.release import Release, ReleaseState
from tests.harness.cluster import book_of, running_cluster
from tests.harness.rows import count_rows, grow
from tests.vault.plans import Observed, Plan, Plans, in_transaction, require_few_blocks

_FEW, _MANY = 60, 20_000
NOW, _SECOND = datetime.now(UTC), timedelta(seconds=1)
_KEY = ("demo", "d30")
_ROWS = {
    "orders (site_id, registration_id, order_id, subject_id, policy_version, state, "
    "register_time, act_id, close_act_id)": (
        "'demo', 'r' || n, 'o' || n, 's' || n, 1, 'OPEN', now(), 'a' || n, ''"
    ),
    "deliveries (site_id, delivery_id, registration_id, order_id, subject_id, recipient_id, kind, "
    "assign_time, act_id)": (
        "'demo', 'd' || n, 'r' || n, 'o' || n, 's' || n, 'c' || mod(n, 50), 'COURIER', now(), "
        "'b' || n"
    ),
    "releases (site_id, release_id, subject_id, order_id, delivery_id, recipient_id, kind, state, "
    "prepare_time, end_time, entry_id, fields, first_release_id, reason, clause)": (
        "'demo', 'x' || n, 's' || n, 'o' || n, 'd' || n, 'c' || mod(n, 50), 'COURIER', 'RELEASED', "
        "now(), now(), 'e' || n, '{}', '', '', ''"
    ),
    "authority_releases (site_id, release_id, request_id, subject_id, authority_id, state, "
    "prepare_time, end_time, entry_id, fields, package_sha256, first_release_id, reason)": (
        "'demo', 'x' || n, 'q' || n, 's' || n, 'b' || mod(n, 50), 'RELEASED', now(), now(), "
        "'e' || n, '{}', '', '', ''"
    ),
    "subject_pseudonyms": "'demo', 's' || n, 'p' || n",
}


def _release() -> Release:
    return Release("demo", new_uuid(), "s30", "o30", "d30", "c30", Kind.COURIER, NOW, counted=False)


def _read(connection: Connection) -> None:
    store_places.lock(connection, [_KEY])
    place = store_places.read(connection, [_KEY])[_KEY]
    assert (place.first_release_id, place.fetches.count) == ("x30", 1)


def _released(connection: Connection) -> None:
    release = _release()
    store_releases.prepare(connection, [release], NOW)
    way = store_releases.Left(release, new_uuid(), ["phone"], "x30")
    assert store_releases.end_left(connection, [way], ReleaseState.RELEASED, NOW)
    proof = Entry("delivery.released", "TRANSFER", "PERMITTED", "demo", "key")
    line = left(release, Outcome.REPEAT, NOW, ["phone"], "x30")
    store_ledger.record_left(connection, [(line, proof)], NOW)


def _refused(connection: Connection) -> None:
    release = replace(_release(), subject_id="s31", delivery_id="d31", counted=True)
    repeat = replace(release, release_id=new_uuid(), prepare_time=NOW + _SECOND, counted=False)
    store_releases.prepare(connection, [release], release.prepare_time)
    store_releases.prepare(connection, [repeat], repeat.prepare_time)
    against = Denial("SUBJECT_BLOCKED", "6.2.3")
    way = store_releases.Unleft(release, ReleaseState.REFUSED, against)
    assert store_releases.end_unleft(connection, [way], NOW)
    store_fetches.hand_on(connection, [release])
    proof = Entry("delivery.released", "TRANSFER", "REFUSED", "demo", "key")
    log, line = RefusalLog(600), refused(release, against, NOW)
    [reference] = store_ledger.record_refusals(connection, log, [(line, proof)], NOW)
    assert reference


_ACTS: Mapping[str, Callable[[Connection], object]] = {
    "read": _read,
    "released": _released,
    "refused": _refused,
    "asker": lambda c: store_recipients.find_all(c, {("demo", "c30")}),
    "live": lambda c: store_deliveries.live_of(c, "demo", "c30", NOW, "", 10),
    "fetches": lambda c: store_releases.fetches(c, "demo", ["d30"]),
    "oldest": store_releases.oldest_prepared,
    "left prepared": lambda c: store_releases.left_prepared(c, NOW, 10),
    "oldest for a state body": store_authority_releases.oldest_prepared,
    "left prepared for a state body": lambda c: store_authority_releases.left_prepared(c, NOW, 10),
    "recall": lambda c: store_notices.notify(c, Recall("x", "demo", "s30", "BLOCKED", NOW), NOW),
}


@pytest.fixture(scope="module")
def plans() -> Iterator[Plans]:
    """By the circumstances in which they were made, by act."""
    with running_cluster("qd-") as cluster:
        yield _plans(cluster)


def _plans(cluster: Cluster) -> Plans:
    access = book_of(cluster, "disclosure")
    first, kept = (Observed(cluster, access, generic=True) for _ in range(2))
    # From the third time on the driver lets PostgreSQL keep a plan.
    for _ in range(4):
        first.begin(_ACTS.values())
    grow(access, _ROWS, 1, _FEW)
    for _ in range(4):
        _done(kept)
    grow(access, _ROWS, _FEW + 1, _MANY)
    fresh = Observed(cluster, access, generic=False)
    found = {
        "kept of empty tables": _done(first),
        "kept of small tables": _done(kept),
        "uncounted": _done(fresh),
    }
    count_rows(access)
    found["counted"] = _done(fresh)
    for each in (first, kept, fresh):
        each.close()
    return found


@pytest.mark.parametrize("act", _ACTS)
def test_no_act_of_a_release_reads_more_than_it_finds(plans: Plans, act: str) -> None:
    """Issue 4: a million open orders cost nothing per release."""
    require_few_blocks(plans, act)


def _done(observed: Observed) -> dict[str, list[Plan]]:
    return {name: observed.plans(in_transaction(act)) for name, act in _ACTS.items()}
