# SPDX-License-Identifier: Apache-2.0
"""Filing a claim reads as many blocks as there is to find, however many claims there are (8.1).

The plans are made while the tables are empty, or small, counted or not, and kept while they grow;
made anew of large tables that nobody has counted yet; and of tables that were counted.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

import pytest

from cli.postgres import Cluster, DatabaseAccess
from services.chassis.clock import FixedClock
from tests.claims import suite as claims_suite
from tests.claims.suite import NOW, Suite
from tests.harness.cluster import book_like, book_of, running_cluster
from tests.harness.rows import count_rows, grow
from tests.vault.plans import Observed, Plan

_FEW, _MANY = 60, 20_000
_MOST_BLOCKS: Final = 90
"""Three documents go into four indexes, each three or four blocks deep; the smallest of the tables
has over a hundred."""
_ROWS: Mapping[str, str] = {
    "claims (site_id, claim_id, number, kind, claimant, state, language, receipt_time, "
    "record_time, due_date, due_time, calendar_version, filed_by, receipt_awaits)": (
        "'demo', 'c' || n, 'n' || n, 'INACCURATE_DATA', 'SUBJECT', 'ANSWERED', 'kk', now(), now(), "
        "current_date + 30, now() + interval '30 days', 'c', 'key/demo-web', false"
    ),
    "claim_subjects (site_id, subject_id, claim_id, position, hold_id)": (
        "'demo', 's' || n, 'c' || n, 0, 'h' || n"
    ),
    "acts (act_id, topic, site_id, subject_id, counter, kind, proposal, enforcement, reason, "
    "record_time, in_force_time)": (
        "'a' || n, 'claims', 'demo', 's' || n, 1, 'claim.filed', false, 'IN_FORCE', '', now(), "
        "now()"
    ),
    "claim_acts (site_id, claim_id, kind, position, act_id)": (
        "'demo', 'c' || n, 'claim.filed', 0, 'a' || n"
    ),
    "slices (topic, site_id, subject_id, incarnation, counter, body)": (
        "'claims', 'demo', 's' || n, 1, 1, ''"
    ),
    "sealed_documents (site_id, bound_to, document_id, owner_id, kind, key_id, create_time, "
    "next_time, attempts, delivered_time)": (
        "'demo', 'c' || n, 'd' || n, 's' || n, 'STATEMENT', 'k', now(), now(), 0, now()"
    ),
    "subject_pseudonyms": "'demo', 's' || n, 'p' || n",
    "claim_entries": "'demo', 'c' || n, 'e' || n",
    "reply_channels": "'demo', 'c' || n, 'd' || n",
    "filed_subjects": "'demo', 'key/shop-' || n, current_date, 1",
    "idempotency_keys (principal, method, request_id, fingerprint, result_id, create_time)": (
        "'demo|key/demo-web', 'FileClaim', 'r' || n, '', 'c' || n, now()"
    ),
}
Plans = dict[str, list[Plan]]


@pytest.fixture(scope="module")
def plans() -> Iterator[Plans]:
    """Those of a claim's filing, by the circumstances in which they were made."""
    with running_cluster("qp-") as cluster, pytest.MonkeyPatch.context() as monkeypatch:
        yield _plans(cluster, monkeypatch)


def _plans(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Plans:
    access = book_of(cluster, "claims")
    empty, counted = (book_like(cluster, "claims", f"claims_{n}") for n in range(2))
    grow(access, _ROWS, 1, _FEW)
    small = _kept(cluster, access, monkeypatch)
    grow(access, _ROWS, _FEW + 1, _MANY)
    found = {"kept of small tables": _filed(*small)}
    fresh = Observed(cluster, access, generic=False)
    suite = _suite(fresh, NOW + timedelta(hours=1), monkeypatch)
    found["uncounted"] = _filed(fresh, suite)
    count_rows(access)
    found["counted"] = _filed(fresh, suite)
    small[0].close()
    fresh.close()
    found["kept of empty tables"] = _kept_and_filed(cluster, empty, monkeypatch)
    grow(counted, _ROWS, 1, _FEW)
    count_rows(counted)
    found["counted while small"] = _kept_and_filed(cluster, counted, monkeypatch)
    return found


def _kept_and_filed(
    cluster: Cluster, access: DatabaseAccess, monkeypatch: pytest.MonkeyPatch
) -> list[Plan]:
    """With plans of the tables as they are now, after they have grown."""
    small = _kept(cluster, access, monkeypatch)
    grow(access, _ROWS, _FEW + 1, _MANY)
    plans = _filed(*small)
    small[0].close()
    return plans


def _kept(
    cluster: Cluster, access: DatabaseAccess, monkeypatch: pytest.MonkeyPatch
) -> tuple[Observed, Suite]:
    """The claims service with plans made now and kept."""
    observed = Observed(cluster, access, generic=True)
    suite = _suite(observed, NOW, monkeypatch)
    # From the third time on PostgreSQL may keep a plan.
    for _ in range(4):
        _filed(observed, suite)
    return observed, suite


def _suite(observed: Observed, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """The claims service on that database; each has a vault of its own, whose key is the newer."""
    monkeypatch.setattr(claims_suite, "Database", lambda _: observed.database)
    suite = Suite("", FixedClock(now))
    suite.meet_the_vault()
    return suite


def _filed(observed: Observed, suite: Suite) -> list[Plan]:
    subject = suite.vault.subject()
    return observed.plans(lambda _: suite.file(subject, reply_address="a@example.kz"))


@pytest.mark.parametrize(
    "circumstances",
    [
        *("counted while small", "kept of empty tables", "kept of small tables"),
        *("uncounted", "counted"),
    ],
)
def test_no_claim_that_is_filed_reads_more_than_it_finds(plans: Plans, circumstances: str) -> None:
    assert len(plans[circumstances]) > 20, "no plans were heard"
    for plan in plans[circumstances]:
        told = f"{plan.blocks} blocks, {plan.read_whole}: {plan.statement}"
        assert plan.blocks <= _MOST_BLOCKS, told
