# SPDX-License-Identifier: Apache-2.0
"""Clause 9.2: a new edition is in force from its posting, unless it says otherwise."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import pytest

from cli.conversation import Answered
from tests.harness.suite import Suite
from tests.harness.waiting import LEADS, sleep_past
from tests.policy.person import DATA, is_refused
from tests.policy.records import Records
from tests.policy.site import Site, new_site

TICK = timedelta(microseconds=1)


def test_a_version_without_a_date_is_in_force_from_its_posting_on(own_site: Site) -> None:
    """T-9.2-a"""
    policy = own_site.publish().json["policy"]
    assert policy["effectiveTime"] == policy["publishTime"]
    at = datetime.fromisoformat(policy["effectiveTime"])
    assert _version(own_site, at) == 2
    assert _version(own_site, at - TICK) == 1
    assert own_site.good("storefront", "GET", "/v1/policies:inForce").json["policy"]["version"] == 2


def test_a_version_with_a_date_waits_for_it_and_the_former_stays_in_force(
    suite: Suite, records: Records
) -> None:
    """T-9.2-b"""
    for lead in LEADS:
        with new_site(suite) as own_site:
            if _waits_for_its_date(own_site, records, lead):
                return
    pytest.fail("the machine was too slow to look before the date")


def _waits_for_its_date(own_site: Site, records: Records, lead: timedelta) -> bool:
    """False where the date came before all was looked at."""
    person = own_site.person(DATA)
    at = datetime.now(UTC) + lead
    policy = own_site.publish(effective=at).json["policy"]
    seen = _version(own_site, datetime.now(UTC))
    early = own_site.person().consents()["acceptance"]["policyVersion"]
    person.data()
    if datetime.now(UTC) >= at:
        return False
    assert datetime.fromisoformat(policy["effectiveTime"]) == at
    assert (seen, early) == (1, 1)
    assert (_version(own_site, at - TICK), _version(own_site, at)) == (1, 2)
    sleep_past(at)
    assert own_site.good("storefront", "GET", "/v1/policies:inForce").json["policy"]["version"] == 2
    assert own_site.person().consents()["acceptance"]["policyVersion"] == 2
    person.data()
    reads = records.entries("vault", person, "data.read")
    assert [read["decidedOn"]["policyVersion"] for read in reads] == [1, 2]
    return True


@pytest.mark.parametrize("back", [timedelta(seconds=1), timedelta(days=1), timedelta(days=3650)])
def test_a_version_is_never_put_in_force_in_the_past(own_site: Site, back: timedelta) -> None:
    """T-9.2-c"""
    refused = own_site.publish(effective=datetime.now(UTC) - back)
    assert (refused.status, refused.code) == (400, "INVALID_ARGUMENT")
    assert refused.fields == ("effectiveTime",)
    listed = own_site.good("storefront", "GET", "/v1/policies").json["policies"]
    assert [policy["version"] for policy in listed] == [1]


def test_a_version_is_never_slipped_in_before_one_that_is_published(own_site: Site) -> None:
    """T-9.2-d"""
    later = datetime.now(UTC) + timedelta(days=2)
    assert own_site.publish(effective=later).status == 200
    for effective in (None, later - TICK, later):
        assert is_refused(own_site.publish(effective=effective), 409, "STATE_CONFLICT")


def test_at_every_past_instant_one_version_was_in_force_and_will_have_been(
    own_site: Site,
) -> None:
    """T-9.2-d"""
    policies = [own_site.good("storefront", "GET", "/v1/policies/1").json["policy"]]
    policies += [own_site.publish().json["policy"] for _ in range(3)]
    starts = [datetime.fromisoformat(policy["effectiveTime"]) for policy in policies]
    assert starts == sorted(set(starts))
    expected: dict[datetime, int] = {}
    for version, (start, end) in enumerate(pairwise([*starts, datetime.now(UTC)]), 1):
        instants = (start, start + TICK, start + (end - start) / 2, end - TICK)
        expected |= dict.fromkeys(instants, version)
    assert {at: _version(own_site, at) for at in expected} == expected
    own_site.publish()
    assert {at: _version(own_site, at) for at in expected} == expected


def test_before_the_first_version_none_was_in_force(own_site: Site) -> None:
    """T-9.2-d"""
    first = own_site.good("storefront", "GET", "/v1/policies/1").json["policy"]
    before = datetime.fromisoformat(first["effectiveTime"]) - TICK
    assert is_refused(_in_force(own_site, before), 409, "NO_POLICY_IN_FORCE", "9.2")


def _in_force(site: Site, at: datetime) -> Answered:
    return site.ask("storefront", "GET", f"/v1/policies:inForce?atTime={quote(at.isoformat())}")


def _version(site: Site, at: datetime) -> int:
    answered = _in_force(site, at)
    assert answered.status == 200, answered.content.decode()
    policy: dict[str, Any] = answered.json["policy"]
    return int(policy["version"])
