# SPDX-License-Identifier: Apache-2.0
"""Clause 6.1.2: users keep their data up to date."""

from tests.harness.contacts import new_phone
from tests.policy.person import CONTACT, Person, is_refused
from tests.policy.records import Records

_CURRENT = "SELECT ciphertext, version FROM data WHERE subject_id=:p AND field='phone'"
_FORMER = "SELECT * FROM data_history WHERE subject_id=:p ORDER BY version"


def test_an_update_is_a_new_version_and_the_former_is_kept_as_it_was(
    person: Person, records: Records
) -> None:
    """T-6.1.2-a"""
    [first] = records.rows("vault", _CURRENT, p=person.subject_id)
    assert person.placed({"phone": new_phone()}) == 2
    [former] = records.rows("vault", _FORMER, p=person.subject_id)
    assert (former.field, former.version, former.end_version) == ("phone", 1, 2)
    assert former.ciphertext == first.ciphertext
    [current] = records.rows("vault", _CURRENT, p=person.subject_id)
    assert (current.version, current.ciphertext != first.ciphertext) == (2, True)
    assert person.placed({"email": "new@example.kz"}) == 3
    kept = records.rows("vault", _FORMER, p=person.subject_id)
    assert former in kept
    assert len(kept) == 2


def test_no_read_answers_the_former_version(person: Person) -> None:
    """T-6.1.2-a"""
    new = new_phone()
    person.placed({"phone": new})
    assert person.data() == {**{name: person.own[name] for name in CONTACT}, "phone": new}
    order_id = person.ordered()
    references = dict.fromkeys(("SUPPORT", "PAYMENT", "ORDER_STATUS"), order_id)
    references["FEEDBACK"] = person.site.template()
    for purpose, reference in references.items():
        assert person.data(purpose, reference=reference)["phone"] == new


def test_data_can_be_supplemented_and_taken_back(person: Person) -> None:
    """T-6.1.2-a"""
    new = new_phone()
    bare = person.site.person({"givenName": "Әсел"})
    assert bare.placed({"phone": new}) == 2
    assert bare.data() == {"givenName": "Әсел", "phone": new}
    assert bare.placed({"phone": None}) == 3
    assert bare.data() == {"givenName": "Әсел"}


def test_under_a_block_nothing_is_updated(person: Person, records: Records) -> None:
    """T-6.1.2-a"""
    person.claimed()
    assert is_refused(person.place({"phone": new_phone()}), 409, "SUBJECT_BLOCKED", "6.2.3")
    assert person.standing()["dataVersion"] == 1
    assert records.rows("vault", _FORMER, p=person.subject_id) == []


def test_the_proposed_correction_is_kept_sealed_in_the_claim(
    person: Person, records: Records
) -> None:
    """T-6.1.2-a"""
    new = new_phone()
    filed = person.claim(proposedCorrection={"phone": new})
    claim_id = filed.json["claim"]["claimId"]
    assert new not in filed.content.decode()
    sql = "SELECT * FROM documents WHERE bound_to=:c AND kind='PROPOSED_CORRECTION'"
    [document] = records.rows("vault", sql, c=claim_id)
    assert document.owner_id == person.subject_id
    assert new.encode() not in bytes(document.ciphertext)
    for service in ("claims", "vault"):
        for entry in records.entries(service, person):
            assert new not in str(entry)
    assert person.standing()["dataVersion"] == 1


def test_an_auditor_alone_reads_former_values_and_that_is_recorded(
    person: Person, records: Records
) -> None:
    """T-6.1.2-a"""
    new = new_phone()
    person.placed({"phone": new})
    found = person.versions(withValues="true", reference="AUDIT-1")
    phones = [
        (v["version"], v.get("endVersion"), v["data"]["phone"])
        for v in found
        if "phone" in v["field"]
    ]
    assert phones == [(2, None, new), (1, 2, person.own["phone"])]
    assert {v["field"] for v in found} == set(person.own)
    [entry] = records.entries("vault", person, "data_versions.listed")
    assert (entry["outcome"], entry["clause"]) == ("PERMITTED", "6.1.2")
    assert entry["refs"]["reference"] == "AUDIT-1"
    assert set(entry["decidedOn"]["fields"]) == set(person.own)
    assert new not in str(entry)


def test_former_values_are_for_nobody_else_and_for_no_reason_unnamed(person: Person) -> None:
    """T-6.1.2-a"""
    path = "/data-versions?withValues=true"
    for who in ("storefront", "privacyOfficer", "claimsOfficer"):
        asked = person.ask("GET", f"{path}&reference=AUDIT-1", who=who)
        assert is_refused(asked, 403, "PERMISSION_DENIED")
    unnamed = person.ask("GET", path, who="auditor")
    assert is_refused(unnamed, 400, "REFERENCE_REQUIRED", "6.1.2")


def test_under_a_block_no_audit_reads_values_and_where_they_came_from_is_told(
    person: Person, records: Records
) -> None:
    """T-6.1.2-a, T-6.2.3-a"""
    person.claimed()
    asked = person.ask("GET", "/data-versions?withValues=true&reference=AUDIT-1", who="auditor")
    assert is_refused(asked, 409, "SUBJECT_BLOCKED", "6.2.3")
    refused = records.refusals("vault", person, "data_versions.listed")
    assert refused == [("SUBJECT_BLOCKED", "6.2.3")]
    told = person.versions("claimsOfficer")
    assert {v["field"] for v in told} == set(person.own)
    assert not [v for v in told if "data" in v]


def test_versions_are_paged_newest_first(person: Person) -> None:
    """T-6.1.2-a"""
    person.placed({"phone": new_phone()})
    whole = [(v["version"], v["field"]) for v in person.versions()]
    paged: list[tuple[int, str]] = []
    token = ""
    while len(paged) < len(whole):
        page = person.ask("GET", f"/data-versions?pageSize=3&pageToken={token}", who="auditor").json
        paged += [(v["version"], v["field"]) for v in page["versions"]]
        token = page.get("nextPageToken", "")
    assert (paged, token) == (whole, "")
    assert [version for version, _ in whole] == sorted((v for v, _ in whole), reverse=True)


def test_an_update_that_builds_on_an_older_version_changes_nothing(person: Person) -> None:
    """T-6.1.2-a"""
    new = new_phone()
    read = person.read("IDENTIFY_FOR_ORDER")
    tag = read.headers["etag"]
    assert tag == '"1"'
    path, body = f"{person.path}/data", {"data": {"phone": new}}
    first = person.site.ask("storefront", "PATCH", path, body, {"If-Match": tag})
    assert (first.status, first.headers["etag"]) == (200, '"2"')
    late = {"data": {"phone": new_phone()}}
    second = person.site.ask("storefront", "PATCH", path, late, {"If-Match": tag})
    assert is_refused(second, 412, "VERSION_MISMATCH")
    assert person.data()["phone"] == new
