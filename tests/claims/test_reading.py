# SPDX-License-Identifier: Apache-2.0
"""The due list, and that a site sees its own claims and acts only: clause 8.2."""

import json
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from cli.postgres import DatabaseAccess
from qupia.claims.v1 import claims_pb2
from services.chassis.clock import FixedClock
from services.chassis.ids import new_uuid
from services.chassis.refusal import InvalidArgument, NotFound
from services.claims import store
from services.claims.store import Filter
from tests.claims.suite import NOW, Claim, Suite


def _list(suite: Suite, **members: Any) -> claims_pb2.ListClaimsResponse:
    request = claims_pb2.ListClaimsRequest(**members)
    found = suite.ask("ListClaims", request, suite.person())
    assert isinstance(found, claims_pb2.ListClaimsResponse)
    return found


@pytest.fixture
def filed(suite: Suite) -> list[claims_pb2.Claim]:
    """Seven claims of three days, consumer claims among them, and one of another site."""
    assert isinstance(suite.clock, FixedClock)
    claims = []
    for day in (2, 0, 1):
        suite.clock.instant = NOW + timedelta(days=day)
        claims += [suite.file(kind=Claim.OTHER).claim, suite.file(kind=Claim.CONSUMER).claim]
    claims.append(suite.file(suite.vault.subject()).claim)
    suite.file(metadata=suite.storefront("other"))
    return sorted(claims, key=lambda claim: (claim.due_date, claim.claim_id))


def test_the_most_urgent_claim_comes_first(suite: Suite, filed: list[claims_pb2.Claim]) -> None:
    assert list(_list(suite).claims) == filed


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7])
def test_the_pages_make_the_whole_list(
    suite: Suite, filed: list[claims_pb2.Claim], size: int
) -> None:
    found: list[claims_pb2.Claim] = []
    token, pages = "", 0
    while pages == 0 or token:
        page = _list(suite, page_size=size, page_token=token)
        assert len(page.claims) <= size
        found += page.claims
        token, pages = page.next_page_token, pages + 1
    assert found == filed
    assert pages == -(-7 // size)


def test_the_list_is_filtered_by_state_and_due_date(
    suite: Suite, filed: list[claims_pb2.Claim]
) -> None:
    limit = filed[2].due_date
    due = [claim for claim in filed if claim.due_date <= limit]
    assert 0 < len(due) < 7
    assert list(_list(suite, due_before=limit).claims) == due
    blocking = next(claim for claim in filed if claim.blocks)
    suite.conclude(blocking.claim_id, Claim.NOT_CONFIRMED)
    assert [c.claim_id for c in _list(suite, state=Claim.VERIFIED).claims] == [blocking.claim_id]
    assert len(_list(suite, state=Claim.RECEIVED).claims) == 6
    assert list(_list(suite, state=Claim.NO_ANSWER).claims) == []


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"page_size": 1001}, "pageSize"),
        ({"page_size": -1}, "pageSize"),
        ({"due_before": "2026-02-30"}, "dueBefore"),
        ({"due_before": "heute"}, "dueBefore"),
        ({"page_token": "AAAA"}, "pageToken"),
        ({"state": 99}, "state"),
    ],
)
def test_a_wrong_wish_is_named(suite: Suite, members: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        _list(suite, **members)
    assert [f.field for f in refused.value.fields] == [field]


def test_a_page_token_serves_its_own_list_only(suite: Suite, filed: list[claims_pb2.Claim]) -> None:
    assert filed
    token = _list(suite, page_size=1).next_page_token
    with pytest.raises(InvalidArgument):
        _list(suite, page_size=1, page_token=token, state=Claim.RECEIVED)
    request = claims_pb2.ListClaimsRequest(page_token=token)
    with pytest.raises(InvalidArgument):
        suite.ask("ListClaims", request, suite.person(site_id="other"))


_MANY_CLAIMS = """
INSERT INTO claims SELECT 'demo', gen_random_uuid()::text, i::text, 'OTHER', 'SUBJECT',
    CASE WHEN i % 1000 = 0 THEN 'VERIFIED' ELSE 'ANSWERED' END, NULL, NULL, 'kk', now(), now(),
    DATE '2020-01-01' + i / 10, now(), 'c', NULL, 'key/demo-web' FROM generate_series(1, 20000) i
"""


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Filter(), "claims_by_due_date"),
        (Filter(due_before=NOW.date()), "claims_by_due_date"),
        (Filter(state="VERIFIED"), "claims_by_state"),
        (Filter(state="VERIFIED", due_before=NOW.date()), "claims_by_state"),
    ],
)
def test_an_index_serves_every_page_of_the_due_list(
    suite: Suite, empty: DatabaseAccess, wanted: Filter, index: str
) -> None:
    with psycopg.connect(empty.owner_url.replace("+psycopg", "", 1), autocommit=True) as owner:
        owner.execute(_MANY_CLAIMS)
        owner.execute("ANALYZE claims")
    for after in (None, (NOW.date(), "0")):
        statement = store.due_list("demo", wanted, after, 11).compile(
            suite.database.engine, compile_kwargs={"literal_binds": True}
        )
        (plan,) = suite.rows(f"EXPLAIN (FORMAT JSON) {statement}")
        assert f'"Index Name": "{index}"' in json.dumps(plan[0])
        assert "Sort" not in json.dumps(plan[0])


def test_the_storefront_sees_its_own_claims(suite: Suite) -> None:
    claim = suite.file(suite.vault.subject()).claim
    request = claims_pb2.GetClaimRequest(claim_id=claim.claim_id)
    for metadata in (suite.storefront(), suite.person()):
        assert suite.ask("GetClaim", request, metadata).claim == claim
    rows = suite.rows("SELECT body FROM evidence_entries WHERE event = 'claim.read'")
    entries = [json.loads(body) for (body,) in rows]
    assert [entry["role"] for entry in entries] == ["STOREFRONT", "CLAIMS_OFFICER"]
    assert {entry["outcome"] for entry in entries} == {"PERMITTED"}


@pytest.mark.parametrize("who", ["storefront", "person"])
def test_what_is_of_another_site_is_as_absent(suite: Suite, who: str) -> None:
    answer = suite.file(suite.vault.subject())
    other = getattr(suite, who)(site_id="other")
    statuses = set()
    for claim_id in (answer.claim.claim_id, new_uuid()):
        with pytest.raises(NotFound) as refused:
            suite.ask("GetClaim", claims_pb2.GetClaimRequest(claim_id=claim_id), other)
        statuses.add(refused.value.to_status("r").SerializeToString())
    for act_id in (answer.act_id, new_uuid()):
        with pytest.raises(NotFound) as refused:
            suite.ask("GetAct", claims_pb2.GetActRequest(act_id=act_id), other)
        statuses.add(refused.value.to_status("r").SerializeToString())
    assert len(statuses) == 1
    listed = suite.ask("ListClaims", claims_pb2.ListClaimsRequest(), other)
    assert list(listed.claims) == []


def test_a_claim_that_several_ask_for_together_names_each_subject_once(suite: Suite) -> None:
    claim = suite.file(suite.vault.subject(), suite.vault.subject()).claim
    place = ("demo", claim.claim_id)
    with suite.database.transaction() as connection:
        found = store.read_claims(connection, [place, place, place])
    assert list(found) == [place]
    assert list(found[place].subject_ids) == list(claim.subject_ids)
    assert len(set(claim.subject_ids)) == 2
