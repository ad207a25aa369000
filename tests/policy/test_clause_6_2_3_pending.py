# SPDX-License-Identifier: Apache-2.0
"""Clause 6.2.3 while the vault is away: nothing is lost, and nothing is given out."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from typing import Any

from cli.conversation import Answered
from tests.harness.suite import Suite
from tests.harness.waiting import awaited
from tests.policy.own_view import opened
from tests.policy.person import DATA, FULL_NAME, is_refused, release
from tests.policy.records import Records
from tests.policy.site import Site, new_site

# Time enough to ask while the vault is not there.
LATE = {"QUPIA_RESTART_SECONDS": "5"}


def test_a_claim_filed_while_the_vault_is_down_is_kept_and_blocks_when_it_is_back() -> None:
    """T-6.2.3-b"""
    with Suite(LATE) as own, closing(Records(own)) as records, new_site(own) as site:
        person = site.person(DATA)
        delivery_id = person.assigned()
        who = opened(person)
        killed = own.kill("vault")
        filed = person.claim()
        assert (filed.status, filed.json["enforcement"]) == (202, "PENDING")
        for asked in _both(
            lambda: person.read("IDENTIFY_FOR_ORDER"),
            lambda: release(site, delivery_id),
            # Whose session it is nobody can say now; another caller is served meanwhile.
            lambda: person.ask("GET", "/disclosures", None, who),
        ):
            assert asked.status in (503, 504)
            assert FULL_NAME.encode() not in asked.content
            assert person.own["phone"].encode() not in asked.content
        assert person.ask("GET", "/disclosures").status == 200
        claim = filed.json["claim"]
        kept = site.good("claimsOfficer", "GET", f"/v1/claims/{claim['claimId']}").json["claim"]
        assert (kept["number"], kept["enforcement"]) == (claim["number"], "PENDING")
        own.await_back("vault", killed)
        act = _in_force(site, filed.headers["location"])
        standing = person.standing()
        assert (standing["state"], standing["blockedSince"]) == ("BLOCKED", claim["receiptTime"])
        assert is_refused(person.read("IDENTIFY_FOR_ORDER"), 409, "SUBJECT_BLOCKED", "6.2.3")
        assert act["recordedTime"] == claim["recordTime"]
        times = [datetime.fromisoformat(act[name]) for name in ("recordedTime", "inForceTime")]
        assert times[0] < times[1]
        entries = {entry["event"]: entry for entry in records.entries("claims", person)}
        assert datetime.fromisoformat(entries["claim.filed"]["recordTime"]) == times[0]
        applied = entries["claim.filed_in_force"]["decidedOn"]["appliedTime"]
        assert times[0] < datetime.fromisoformat(applied) <= times[1]


def _both(*requests: Callable[[], Answered]) -> list[Answered]:
    """The answers to requests that are made at once."""
    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(lambda request: request(), requests))


def _in_force(site: Site, location: str) -> dict[str, Any]:
    """The act of that place, once it is in force."""

    def in_force() -> dict[str, Any] | None:
        act: dict[str, Any] = site.good("storefront", "GET", location).json["act"]
        assert act["enforcement"] in ("PENDING", "IN_FORCE")
        return act if act["enforcement"] == "IN_FORCE" else None

    return awaited(in_force, "the claim did not come into force")
