# SPDX-License-Identifier: Apache-2.0
"""Clause 3.3.1: without cookies the site may not work; agreement does not hang on them."""

from tests.policy.person import USE, is_refused
from tests.policy.site import Site


def test_use_without_a_cookie_is_recorded_by_the_subjects_own_id(site: Site) -> None:
    """T-3.3.1-a"""
    person = site.person()
    for cookie in ({}, {"cookie": "sid=1"}, {"cookie": ""}):
        assert person.use(**cookie).json["acceptance"]["mode"] == "IMPLIED"
        body = {"use": {**USE, **cookie}}
        registered = site.good("storefront", "POST", "/v1/subjects", body).json
        assert registered["acceptance"]["mode"] == "IMPLIED"


def test_a_person_who_disagreed_accepts_nothing_by_leaving_cookies_away(site: Site) -> None:
    """T-3.3.1-a"""
    person = site.person()
    assert person.reject().status == 200
    for cookie in ({}, {"cookie": "sid=1"}):
        assert person.use(**cookie).json["acceptance"]["mode"] == "DISAGREED"
    assert person.standing()["disagreedTime"]
    assert is_refused(person.read("IDENTIFY_FOR_ORDER"), 403, "POLICY_DISAGREED", "2.2")


def test_nothing_but_a_use_is_taken_for_acceptance(own_site: Site) -> None:
    """T-3.3.1-a"""
    person = own_site.person({"phone": "+77011234567"})
    assert own_site.publish().json["policy"]["version"] == 2
    # Without a cookie, with one, and for whatever else is asked of the person.
    person.data()
    own_site.ask("storefront", "GET", f"{person.path}/standing", None, {"Cookie": "sid=1"})
    person.placed({"phone": "+77017654321"})
    person.grant("NEWS")
    assert person.consents()["acceptance"]["policyVersion"] == 1
    assert person.standing()["acceptedPolicyVersion"] == 1
