# SPDX-License-Identifier: Apache-2.0
"""Clause 1.1.6: a cookie is technical data, and nothing else."""

import secrets

import pytest

from tests.harness.contacts import new_phone
from tests.policy.person import Person
from tests.policy.visiting import visit, visited, visits

PROCESSES = ("gateway", "consent", "vault", "disclosure", "claims")


@pytest.mark.parametrize("name", ["cookie", "technical.cookie"])
def test_a_cookie_cannot_be_placed_among_a_persons_data_and_is_repeated_nowhere(
    person: Person, name: str
) -> None:
    """T-1.1.6-a"""
    cookie = secrets.token_hex(16)
    refused = person.place({name: cookie, "phone": new_phone()})
    assert (refused.status, refused.code) == (400, "INVALID_ARGUMENT")
    assert cookie.encode() not in refused.content
    for process in PROCESSES:
        assert cookie not in person.site.suite.log(process)


def test_a_cookie_sent_along_stands_in_no_log_and_no_problem(person: Person) -> None:
    """T-1.1.6-a"""
    cookie = secrets.token_hex(16)
    path = f"{person.path}/data:read"
    for body in ({"purpose": "IDENTIFY_FOR_ORDER"}, {"purpose": "NEWS"}, {"purpose": cookie}):
        asked = person.site.ask("storefront", "POST", path, body, {"Cookie": f"sid={cookie}"})
        assert cookie.encode() not in asked.content
    for process in PROCESSES:
        assert cookie not in person.site.suite.log(process)


def test_a_cookie_is_taken_under_its_own_name_only_and_repeated_nowhere_else(
    person: Person,
) -> None:
    """T-1.1.6-a"""
    cookie = secrets.token_hex(16)
    assert "recorded" in visited(person, visit(cookie=cookie))[0]
    [found] = person.read("SECURITY_LOCATION").json["visits"]
    assert [name for name, value in found.items() if value == cookie] == ["cookie"]
    refused = visits(person, {**visit(cookie=cookie), "sessionId": cookie})
    assert (refused.status, refused.code) == (400, "INVALID_ARGUMENT")
    late = visits(person, visit(cookie=cookie, accessTime="2020-01-01T00:00:00Z"))
    assert (late.status, late.code) == (400, "INVALID_ARGUMENT")
    for answered in (refused, late):
        assert cookie.encode() not in answered.content
    for process in PROCESSES:
        assert cookie not in person.site.suite.log(process)
