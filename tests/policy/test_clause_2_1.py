# SPDX-License-Identifier: Apache-2.0
"""Clause 2.1: using the site is agreement, and is proven as such."""

from typing import Any

from services.chassis.ids import new_subject_id
from tests.harness.waiting import awaited
from tests.policy.person import DATA, EXPRESS, USE, Person, is_refused, with_own_contact
from tests.policy.records import Records
from tests.policy.site import Site
from tests.policy.visiting import BROWSER

_ADD_SUBJECT = (
    "INSERT INTO subjects (site_id, subject_id, life, data_version, create_time) "
    "VALUES (:s, :p, 'PRESENT', 0, now())"
)


def test_the_first_use_is_one_implied_acceptance_with_all_its_evidence(
    site: Site, records: Records
) -> None:
    """T-2.1-a"""
    in_force = site.good("storefront", "GET", "/v1/policies:inForce").json["policy"]
    client_time = "2026-01-02T03:04:05Z"
    use = {**USE, "language": "kk", "clientTime": client_time}
    born = site.good("storefront", "POST", "/v1/subjects", {"use": use}).json
    acceptance = born["acceptance"]
    assert acceptance["mode"] == "IMPLIED"
    assert acceptance["policyVersion"] == in_force["version"]
    assert acceptance["policySha256"] == in_force["sha256"]
    assert acceptance["language"] == "kk"
    assert born["enforcement"] == "IN_FORCE"
    sql = "SELECT * FROM consent_events WHERE subject_id=:p ORDER BY sequence"
    first, *rest = records.rows("consent", sql, p=born["subjectId"])
    assert (first.use_kind, first.notice_shown) == ("FORM_SUBMIT", True)
    assert (first.policy_version, first.policy_sha256) == (in_force["version"], in_force["sha256"])
    assert first.client_time.isoformat() == "2026-01-02T03:04:05+00:00"
    assert first.time.isoformat()[:19] == acceptance["acceptTime"][:19]
    assert not [event for event in rest if event.use_kind]


def test_who_has_used_the_site_counts_as_accepted_from_that_instant(site: Site) -> None:
    """T-2.1-a"""
    person = site.person()
    acceptance = person.consents()["acceptance"]
    assert person.standing()["acceptedPolicyVersion"] == acceptance["policyVersion"]
    assert person.placed(with_own_contact(DATA)) == 1


def test_a_further_use_of_the_same_version_makes_no_second_acceptance(person: Person) -> None:
    """T-2.1-a"""
    acceptance = person.consents()["acceptance"]
    assert person.use().json["acceptance"] == acceptance
    assert person.use(kind="VIEW").json["acceptance"] == acceptance
    assert person.consents()["acceptance"] == acceptance


def test_use_under_a_new_version_is_acceptance_of_the_new_version(own_site: Site) -> None:
    """T-2.1-a"""
    person = own_site.person()
    second = own_site.publish().json["policy"]
    assert person.consents()["acceptance"]["policyVersion"] == 1
    used = person.use().json["acceptance"]
    assert (used["policyVersion"], used["policySha256"]) == (2, second["sha256"])
    assert used["mode"] == "IMPLIED"


def test_who_has_accepted_nothing_has_no_data(site: Site, records: Records) -> None:
    """T-2.1-b"""
    by_hand = Person(site, new_subject_id())
    names = {"s": site.site_id, "p": by_hand.subject_id}
    records.change("vault", _ADD_SUBJECT, **names)
    try:
        assert is_refused(by_hand.place(DATA), 403, "POLICY_NOT_ACCEPTED", "2.1")
        asked = by_hand.read("IDENTIFY_FOR_ORDER")
        assert is_refused(asked, 403, "POLICY_NOT_ACCEPTED", "2.1")
        sql = "SELECT field FROM data WHERE subject_id=:p"
        assert records.rows("vault", sql, p=by_hand.subject_id) == []
    finally:
        records.change("vault", "DELETE FROM subjects WHERE site_id=:s AND subject_id=:p", **names)


def test_nobody_is_made_by_placing_data(site: Site) -> None:
    """T-2.1-b"""
    nobody = Person(site, new_subject_id())
    assert is_refused(nobody.place(DATA), 404, "NOT_FOUND")


def test_use_stands_in_for_no_express_consent(person: Person) -> None:
    """T-2.1-c"""
    assert person.consents()["acceptance"]["mode"] == "IMPLIED"
    for purpose, clause in EXPRESS.items():
        assert is_refused(person.read(purpose), 403, "CONSENT_REQUIRED", clause)
    assert person.accept().json["acceptance"]["mode"] == "EXPRESS"
    for purpose, clause in EXPRESS.items():
        assert is_refused(person.read(purpose), 403, "CONSENT_REQUIRED", clause)


def test_the_technical_data_of_a_use_become_a_visit_at_the_vault(
    site: Site, records: Records
) -> None:
    """T-2.1-a"""
    told = {"ip": "203.0.113.9", "cookie": "sid-use", "userAgent": BROWSER, "referrer": "https://a"}
    born = site.good("storefront", "POST", "/v1/subjects", {"use": {**USE, **told}}).json
    person = Person(site, str(born["subjectId"]), {})
    [entry] = records.entries("consent", person, "subject.registered")
    assert set(entry["digests"]) == {"page", "technical"}
    assert not any(value in str(entry) for value in told.values())
    [visit] = _visits_once_there(person)
    assert {name: visit[name] for name in told} == told
    assert visit["page"] == USE["page"]
    [kept] = records.entries("vault", person, "use.stored")
    assert kept["clause"] == "3.3"


def _visits_once_there(person: Person) -> list[dict[str, Any]]:
    """The visits that the vault has, once the consent service has brought them."""

    def brought() -> list[dict[str, Any]] | None:
        return person.read("SECURITY_LOCATION").json.get("visits") or None

    return awaited(brought, "the use never reached the vault")
