# SPDX-License-Identifier: Apache-2.0
"""Clause 3.3.1: without cookies the site may not work; agreement does not hang on them."""

from tests.policy.site import Site


def test_use_without_a_cookie_is_recorded_by_the_subjects_own_id(site: Site) -> None:
    """T-3.3.1-a"""
    person = site.person()
    assert person.consents()["acceptance"]["mode"] == "IMPLIED"
    assert person.use().json["acceptance"]["mode"] == "IMPLIED"


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
