# SPDX-License-Identifier: Apache-2.0
"""Clause 6.2.1: data are used for the purposes of section 4 and for nothing else."""

from tests.policy.person import DATA, Person, is_refused
from tests.policy.records import Records


def test_a_read_without_purpose_opens_nothing_and_is_recorded(
    person: Person, records: Records
) -> None:
    """T-6.2.1-a"""
    with records.damaged(person, DATA):
        # Whatever were decrypted here would be DATA_LOSS.
        asked = person.ask("POST", "/data:read", {})
        assert is_refused(asked, 400, "PURPOSE_UNKNOWN", "4.1")
    assert "data" not in asked.json
    [entry] = records.entries("vault", person, "data.read")
    assert (entry["outcome"], entry["reason"]) == ("REFUSED", "PURPOSE_UNKNOWN")
    assert "fields" not in entry["decidedOn"]


def test_a_read_for_a_purpose_of_ones_own_opens_nothing_and_is_recorded(
    person: Person, records: Records
) -> None:
    """T-6.2.1-a"""
    with records.damaged(person, DATA):
        for purpose in ("PROFILING", "SALE"):
            assert is_refused(person.read(purpose), 400, "PURPOSE_UNKNOWN", "4.1")
    # The same refusal of one principal is counted within its minute.
    assert set(records.refusals("vault", person, "data.read")) == {("PURPOSE_UNKNOWN", "4.1")}


def test_in_a_batch_the_member_without_purpose_gets_nothing(person: Person) -> None:
    """T-6.2.1-a"""
    other = person.site.person(DATA)
    items = [
        {"subjectId": other.subject_id, "purpose": "IDENTIFY_FOR_ORDER"},
        {"subjectId": person.subject_id},
    ]
    body = {"items": items}
    answer = person.site.good("storefront", "POST", "/v1/data:batchRead", body).json
    given, refused = answer["outcomes"]
    assert given["read"]["data"]["phone"] == other.own["phone"]
    assert refused == {"problem": {"code": "PURPOSE_UNKNOWN", "clause": "4.1"}}


def test_every_read_that_is_permitted_names_its_purpose_in_evidence(
    person: Person, records: Records
) -> None:
    """T-6.2.1-a"""
    person.grant("NEWS")
    for purpose in ("IDENTIFY_FOR_ORDER", "NEWS"):
        person.data(purpose)
    entries = records.entries("vault", person, "data.read")
    assert [e["refs"]["purpose"] for e in entries] == ["IDENTIFY_FOR_ORDER", "NEWS"]
