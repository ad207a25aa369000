# SPDX-License-Identifier: Apache-2.0
"""Clause 9.1: the site may change its policy, but never what it once was or what was agreed."""

import pytest

from services.chassis.refusal import Unavailable
from tests.harness.suite import POLICY
from tests.policy.person import DATA, is_refused
from tests.policy.records import Records
from tests.policy.site import Site

CHANGED = {
    "texts": [
        {"language": "ru", "title": "Политика", "body": "Новости шлют и партнёры."},
        {"language": "kk", "title": "Саясат", "body": "Жаңалықтарды серіктестер де жібереді."},
    ]
}


def test_a_version_is_published_without_any_act_of_anybodys(own_site: Site) -> None:
    """T-9.1-a"""
    person = own_site.person(DATA)
    published = own_site.publish(CHANGED).json
    assert (published["policy"]["version"], published["enforcement"]) == (2, "IN_FORCE")
    # Any accepted version suffices until the person disagrees.
    assert person.read("IDENTIFY_FOR_ORDER").status == 200
    assert person.consents()["acceptance"]["policyVersion"] == 1


def test_a_published_version_stays_what_it_was(own_site: Site) -> None:
    """T-9.1-a"""
    first = own_site.good("storefront", "GET", "/v1/policies/1").json
    second = own_site.publish(CHANGED).json["policy"]
    assert own_site.good("storefront", "GET", "/v1/policies/1").json == first
    texts = {text["language"]: text["body"] for text in first["policy"]["texts"]}
    assert texts == {text["language"]: text["body"] for text in POLICY["texts"]}
    assert second["sha256"] != first["policy"]["sha256"]


def test_the_same_text_has_the_same_digest_and_any_other_another(
    own_site: Site, bare_site: Site
) -> None:
    """T-9.1-a"""
    first = own_site.good("storefront", "GET", "/v1/policies/1").json["policy"]["sha256"]
    assert bare_site.publish().json["policy"]["sha256"] == first
    digests = {first}
    for index, part in ((0, "title"), (0, "body"), (1, "title"), (1, "body")):
        texts = [dict(text) for text in POLICY["texts"]]
        texts[index][part] += " "
        digests.add(bare_site.publish({"texts": texts}).json["policy"]["sha256"])
    assert len(digests) == 5


@pytest.mark.parametrize("verb", ["PUT", "PATCH", "DELETE", "POST"])
def test_no_request_changes_a_published_version(own_site: Site, verb: str) -> None:
    """T-9.1-a"""
    first = own_site.good("storefront", "GET", "/v1/policies/1").json
    assert own_site.ask("privacyOfficer", verb, "/v1/policies/1", POLICY).status == 405
    assert own_site.good("storefront", "GET", "/v1/policies/1").json == first


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE policies SET sha256 = '' WHERE site_id=:s",
        "UPDATE policies SET effective_time = now() WHERE site_id=:s",
        "UPDATE policy_texts SET body = '' WHERE site_id=:s",
        "DELETE FROM policies WHERE site_id=:s",
        "DELETE FROM policy_texts WHERE site_id=:s",
    ],
)
def test_the_service_itself_may_not_change_a_published_version(
    site: Site, records: Records, sql: str
) -> None:
    """T-9.1-a"""
    with pytest.raises(Unavailable):
        records.change("consent", sql, "runtime", s=site.site_id)


def test_a_consent_does_not_widen_with_the_policy(own_site: Site) -> None:
    """T-9.1-b"""
    person = own_site.person(DATA)
    for purpose in ("NEWS", "ADVERTISING"):
        assert person.grant(purpose).status == 200
    assert own_site.publish(CHANGED, material=["NEWS"]).json["enforcement"] == "IN_FORCE"
    assert is_refused(person.read("NEWS"), 403, "CONSENT_REQUIRED", "4.1.10")
    assert person.read("ADVERTISING").status == 200
    states = {c["purpose"]: c["state"] for c in person.consents()["consents"]}
    assert states == {"NEWS": "OUTDATED", "ADVERTISING": "GIVEN"}


def test_after_a_material_change_only_a_new_grant_opens_the_purpose(own_site: Site) -> None:
    """T-9.1-b"""
    person = own_site.person(DATA)
    assert person.grant("NEWS").json["consent"]["policyVersion"] == 1
    assert own_site.publish(CHANGED, material=["NEWS"]).status == 200
    assert person.use().json["acceptance"]["policyVersion"] == 2
    assert person.accept().status == 200
    assert is_refused(person.read("NEWS"), 403, "CONSENT_REQUIRED", "4.1.10")
    assert person.grant("NEWS").json["consent"]["policyVersion"] == 2
    assert person.read("NEWS").status == 200


def test_a_change_that_is_not_material_for_a_purpose_leaves_its_consents(own_site: Site) -> None:
    """T-9.1-b"""
    person = own_site.person(DATA)
    assert person.grant("NEWS").status == 200
    assert own_site.publish(CHANGED).status == 200
    assert own_site.publish(POLICY, material=["ADVERTISING"]).status == 200
    assert person.read("NEWS").status == 200
