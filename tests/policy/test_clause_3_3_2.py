# SPDX-License-Identifier: Apache-2.0
"""Clause 3.3.2: statistics of addresses tell of nobody."""

from tests.policy.records import Records
from tests.policy.site import Site
from tests.policy.visiting import visit, visited


def test_only_counts_leave_the_vault(own_site: Site, records: Records) -> None:
    """T-3.3.2-a"""
    people = [own_site.person() for _ in range(7)]
    for number, person in enumerate(people):
        visited(person, visit(ip=f"203.0.113.{number}", cookie=f"sid-{number}"))
    answered = own_site.good("storefront", "GET", "/v1/visits:summarize")
    [day] = answered.json["days"]
    assert day["visits"] == 7
    assert day["browsers"] == [{"group": "Firefox", "visits": 7}]
    assert day["networks"] == [{"group": "203.0.113.0/24", "visits": 7}]
    for number, person in enumerate(people):
        for hidden in (f"203.0.113.{number}", f"sid-{number}", person.subject_id):
            assert f'"{hidden}"'.encode() not in answered.content
    [entry] = records.of_site("vault", own_site.site_id, "visits.summarized")
    assert "subject" not in entry


def test_few_visitors_are_told_of_not_at_all(own_site: Site) -> None:
    """T-3.3.2-a"""
    for number in range(4):
        visited(own_site.person(), visit(ip=f"203.0.113.{number}"), visit(), visit())
    assert not own_site.good("storefront", "GET", "/v1/visits:summarize").json.get("days")
