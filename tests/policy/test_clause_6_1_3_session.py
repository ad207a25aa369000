# SPDX-License-Identifier: Apache-2.0
"""Clause 6.1.3: the person's session opens their own at every service, and nobody else's."""

import io
import secrets

import pytest
from pypdf import PdfReader

from tests.policy.own_view import handed_code, opened, redeem
from tests.policy.person import DATA, Person, is_refused, release
from tests.policy.records import Records
from tests.policy.site import Site
from tests.policy.test_clause_8_2 import answer

# What each service answers a person about themselves, below their subject.
OWN = ("/disclosures", "/consents", "/consents/NEWS:prove")


def _absent(person: Person) -> Person:
    return Person(person.site, secrets.token_hex(16))


def _answered(person: Person) -> str:
    """A claim of the person's that is answered; its id."""
    claim_id = str(person.claimed("CONSUMER")["claimId"])
    person.site.good("claimsOfficer", "POST", f"/v1/claims/{claim_id}:answer", answer())
    return claim_id


def test_the_person_reads_who_was_given_their_data(person: Person, records: Records) -> None:
    """T-6.1.3-a"""
    assert release(person.site, person.assigned("courier")).status == 200
    who = opened(person)
    told = person.ask("GET", "/disclosures", None, who)
    assert told.status == 200
    assert told.json["disclosures"] == person.disclosures()
    (line,) = told.json["disclosures"]
    assert line["recipientId"] == person.site.recipients["courier"]
    (issued,) = records.entries("vault", person, "access_code.issued")
    listed = records.entries("disclosure", person, "disclosures.listed")
    by_person = f"subject/{issued['refs']['access_code_id']}"
    assert [e["principal"] for e in listed].count(by_person) == 1


def test_the_person_reads_what_they_said_of_consents_and_its_proof(person: Person) -> None:
    """T-6.1.3-a"""
    assert person.grant("NEWS").status == 200
    who = opened(person)
    (consent,) = person.ask("GET", "/consents", None, who).json["consents"]
    assert consent["purpose"] == "NEWS"
    assert person.ask("GET", "/consents/NEWS:prove", None, who).status == 200


def test_the_person_reads_their_own_claim_and_the_letter_of_its_answer(person: Person) -> None:
    """T-6.1.3-a"""
    claim_id = _answered(person)
    who = opened(person)
    claim = person.site.good(who, "GET", f"/v1/claims/{claim_id}").json["claim"]
    assert (claim["claimId"], claim["state"]) == (claim_id, "ANSWERED")
    letter = person.site.ask(who, "GET", f"/v1/claims/{claim_id}/answer")
    assert letter.status == 200
    assert claim["number"] in PdfReader(io.BytesIO(letter.content)).pages[0].extract_text()
    status = person.site.good(who, "GET", f"/v1/claims/{claim_id}/answer:status").json
    assert status["letter"]["signature"]


def test_a_session_opens_nobody_elses_at_any_service(person: Person, own_site: Site) -> None:
    """T-6.1.3-a"""
    other = person.site.person(DATA)
    assert release(person.site, other.assigned("courier")).status == 200
    assert other.grant("NEWS").status == 200
    claim_id = _answered(other)
    who = opened(person)
    for what in OWN:
        theirs = other.ask("GET", what, None, who)
        absent = _absent(person).ask("GET", what, None, who)
        assert theirs.content_but_reference == absent.content_but_reference
        assert theirs.status == absent.status
        assert not theirs.json.get("disclosures")
    no_claim = "00000000-0000-7000-8000-000000000000"
    for path in ("", "/answer", "/answer:status"):
        theirs = person.site.ask(who, "GET", f"/v1/claims/{claim_id}{path}")
        absent = person.site.ask(who, "GET", f"/v1/claims/{no_claim}{path}")
        assert is_refused(theirs, 404, "NOT_FOUND")
        assert theirs.content_but_reference == absent.content_but_reference
    headers = {"Qupia-Site": own_site.site_id}
    for what in OWN:
        elsewhere = person.site.ask(who, "GET", f"{person.path}{what}", None, headers)
        assert is_refused(elsewhere, 401, "UNAUTHENTICATED")


def test_a_claim_of_several_tells_each_of_themselves_alone(person: Person) -> None:
    """T-6.1.3-a"""
    other = person.site.person(DATA)
    both = [person.subject_id, other.subject_id]
    filed = person.claim("CONSUMER", subjectIds=both)
    claim_id = filed.json["claim"]["claimId"]
    path = f"/v1/claims/{claim_id}"
    person.site.good("claimsOfficer", "POST", f"{path}:answer", answer())
    who = opened(person)
    claim = person.site.good(who, "GET", path).json["claim"]
    assert claim["subjectIds"] == [person.subject_id]
    assert is_refused(person.site.ask(who, "GET", f"{path}/answer"), 404, "NOT_FOUND")


@pytest.mark.parametrize("claimant", ["AUTHORISED_BODY", "SITE"])
def test_what_others_claim_about_the_person_is_not_theirs(person: Person, claimant: str) -> None:
    """T-6.1.3-a"""
    claim_id = person.claimed("OTHER", claimant, "claimsOfficer")["claimId"]
    who = opened(person)
    assert is_refused(person.site.ask(who, "GET", f"/v1/claims/{claim_id}"), 404, "NOT_FOUND")


def test_a_linked_visitor_is_the_same_person_and_opens_no_account(site: Site) -> None:
    """T-6.1.3-a"""
    person, visitor = site.person(DATA), site.person()
    assert person.link(visitor).status == 200
    who = opened(person)
    for what in ("/consents", "/disclosures"):
        assert visitor.ask("GET", what, None, who).status == 200
    by_visitor = opened(visitor)
    assert visitor.ask("GET", "/consents", None, by_visitor).status == 200
    assert is_refused(person.ask("GET", "/consents", None, by_visitor), 404, "NOT_FOUND")
    assert person.unlink(visitor).status == 200
    assert is_refused(visitor.ask("GET", "/consents", None, who), 404, "NOT_FOUND")


def test_what_the_person_ends_has_ended_at_every_service(person: Person) -> None:
    """T-6.1.3-a"""
    claim_id = _answered(person)
    who = opened(person)
    assert person.ask("GET", "/disclosures", None, who).status == 200
    assert person.ask("POST", "/access-codes:end", {}, who).status == 200
    for what in OWN:
        assert is_refused(person.ask("GET", what, None, who), 401, "UNAUTHENTICATED")
    for path in ("", "/answer"):
        asked = person.site.ask(who, "GET", f"/v1/claims/{claim_id}{path}")
        assert is_refused(asked, 401, "UNAUTHENTICATED")


def test_a_session_does_nothing_in_the_persons_name(person: Person) -> None:
    """T-6.1.3-a"""
    who = opened(person)
    for asked in (
        person.ask("POST", "/policy:reject", {}, who),
        person.ask("POST", "/consents/NEWS:withdraw", {}, who),
        person.claim(who=who),
    ):
        assert is_refused(asked, 401, "UNAUTHENTICATED")


def test_a_block_closes_none_of_it(person: Person) -> None:
    """T-6.2.3-a"""
    claim_id = person.claimed("UNLAWFUL_ACTS")["claimId"]
    who = opened(person)
    for what in ("/disclosures", "/consents"):
        assert person.ask("GET", what, None, who).status == 200
    assert person.site.ask(who, "GET", f"/v1/claims/{claim_id}").status == 200


@pytest.mark.parametrize(
    ("table", "column"), [("access_codes", "code_id"), ("access_sessions", "code_id")]
)
def test_a_code_and_a_session_that_have_run_out_open_nothing(
    person: Person, records: Records, table: str, column: str
) -> None:
    """T-6.1.3-a"""
    code = handed_code(person)
    who = opened(person, code) if table == "access_sessions" else ""
    (issued,) = records.entries("vault", person, "access_code.issued")
    # Its time is the one thing that a test cannot wait for.
    sql = f"UPDATE {table} SET expire_time = now() WHERE site_id = :s AND {column} = :c"
    records.change("vault", sql, s=person.site.site_id, c=issued["refs"]["access_code_id"])
    if not who:
        assert is_refused(redeem(person, code), 401, "UNAUTHENTICATED")
        return
    for what in ("/processing", "/disclosures", "/consents"):
        assert is_refused(person.ask("GET", what, None, who), 401, "UNAUTHENTICATED")
