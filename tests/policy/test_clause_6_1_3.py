# SPDX-License-Identifier: Apache-2.0
"""Clause 6.1.3: the person sees what was done with their data, and ends the access to them."""

import secrets
from collections.abc import Callable
from email.message import EmailMessage

import pytest

from tests.harness.contacts import new_phone
from tests.harness.suite import Suite
from tests.policy.own_view import (
    IDENTIFIED,
    ask_code,
    await_letters,
    code_in,
    export,
    handed_code,
    letters,
    opened,
    processing,
    redeem,
)
from tests.policy.person import DATA, Person, is_refused, release
from tests.policy.records import Records
from tests.policy.site import Site


def test_a_storefront_triggers_the_code_and_never_reads_it(person: Person, suite: Suite) -> None:
    """T-6.1.3-a"""
    asked = ask_code(person, language="kk")
    assert (asked.status, asked.json) == (200, {"validSeconds": 900})
    (letter,) = await_letters(suite.home, person.own["email"], 1)
    who = opened(person, code_in(letter))
    assert [act["event"] for act in processing(person, who)][-1] != ""
    assert is_refused(redeem(person, code_in(letter)), 401, "UNAUTHENTICATED", "1.1.1")


def test_the_person_lists_what_was_done_with_their_data(person: Person) -> None:
    """T-6.1.3-a"""
    assert person.read("IDENTIFY_FOR_ORDER").status == 200
    assert person.read("NEWS").status == 403
    delivery_id = person.assigned("courier")
    assert release(person.site, delivery_id).status == 200
    claim_id = person.claimed()["claimId"]
    path = f"/v1/claims/{claim_id}/data:read"
    body = {"subjectId": person.subject_id}
    assert person.site.ask("claimsOfficer", "POST", path, body).status == 200
    who = opened(person)
    acts = processing(person, who)
    assert [a["time"] for a in acts] == sorted((a["time"] for a in acts), reverse=True)
    read = [a for a in acts if a["event"] == "data.read"]
    assert [(a["outcome"], a["purpose"], a.get("reason", "")) for a in read] == [
        ("REFUSED", "NEWS", "CONSENT_REQUIRED"),
        ("PERMITTED", "IDENTIFY_FOR_ORDER", ""),
    ]
    assert {a["verb"] for a in read} == {"USE"}
    assert set(read[1]["fields"]) == {"familyName", "givenName", "patronymic", "phone", "email"}
    (given,) = [a for a in acts if a["event"] == "data.read_for_release"]
    assert given["recipientId"] == person.site.recipients["courier"]
    (verified,) = [a for a in acts if a["event"] == "data.read_for_verification"]
    assert verified["claimId"] == claim_id
    assert verified["role"] == "CLAIMS_OFFICER"
    assert f"claimsOfficer-{person.site.site_id}" in verified["principal"]
    stored = next(a for a in acts if a["event"] == "data.stored")
    assert stored["role"] == "STOREFRONT"
    for value in person.own.values():
        assert str(value) not in str(acts)


def test_the_list_is_told_in_the_persons_language(person: Person) -> None:
    """T-6.1.3-a"""
    assert person.read("IDENTIFY_FOR_ORDER").status == 200
    who = opened(person)
    told = {
        language: next(
            act["words"]
            for act in processing(person, who, f"?language={language}")
            if act["event"] == "data.read"
        )
        for language in ("kk", "ru", "en")
    }
    assert told["kk"].startswith("деректер оқылды: рұқсат етілді; дүкен")
    assert told["ru"].startswith("данные прочитаны: разрешено; магазин")
    assert told["en"].startswith("data were read: permitted; storefront")
    assert "тапсырыс үшін сәйкестендіру" in told["kk"]


def test_the_list_goes_on_page_by_page_within_a_span(person: Person) -> None:
    """T-6.1.3-a"""
    for _ in range(5):
        assert person.read("IDENTIFY_FOR_ORDER").status == 200
    who = opened(person)
    everything = processing(person, who)
    end = everything[0]["time"]
    seen, token = [], ""
    while True:
        query = f"?pageSize=2&endTime={end}" + (f"&pageToken={token}" if token else "")
        page = person.ask("GET", f"/processing{query}", None, who).json
        seen += [act["entryId"] for act in page["acts"]]
        token = page.get("nextPageToken", "")
        if not token:
            break
    assert seen == [act["entryId"] for act in everything[1:]]
    wrong = person.ask("GET", f"/processing?pageSize=2&pageToken={'A' * 40}", None, who)
    assert is_refused(wrong, 400, "INVALID_ARGUMENT")


def test_the_person_ends_every_code_and_session_issued_to_them(person: Person) -> None:
    """T-6.1.3-a"""
    who = opened(person)
    waiting = handed_code(person)
    assert processing(person, who)
    assert person.ask("POST", "/access-codes:end", {}, who).status == 200
    assert is_refused(person.ask("GET", "/processing", None, who), 401, "UNAUTHENTICATED")
    assert is_refused(redeem(person, waiting), 401, "UNAUTHENTICATED")
    later = opened(person)
    events = [act["event"] for act in processing(person, later)]
    assert "access.ended" in events


@pytest.mark.parametrize("who", ["storefront", "claimsOfficer", "privacyOfficer"])
def test_those_who_serve_the_person_end_all_access_at_their_word(person: Person, who: str) -> None:
    """T-6.1.3-a"""
    session = opened(person)
    assert person.ask("POST", "/access-codes:end", {}, who).status == 200
    assert is_refused(person.ask("POST", ":export", {}, session), 401, "UNAUTHENTICATED")


def test_a_new_code_ends_the_one_before_and_a_new_session_too(person: Person) -> None:
    """T-6.1.3-a"""
    first = handed_code(person)
    second = handed_code(person)
    assert is_refused(redeem(person, first), 401, "UNAUTHENTICATED")
    who = opened(person, second)
    again = opened(person)
    assert is_refused(person.ask("GET", "/processing", None, who), 401, "UNAUTHENTICATED")
    assert processing(person, again)


def test_after_five_wrong_tries_the_right_code_is_none_any_more(
    person: Person, records: Records
) -> None:
    """T-6.1.3-a"""
    code = handed_code(person)
    for wrong in [letter for letter in "ABCDEF" if letter != code[-1]][:5]:
        assert is_refused(redeem(person, code[:-1] + wrong), 401, "UNAUTHENTICATED")
    assert is_refused(redeem(person, code), 401, "UNAUTHENTICATED")
    refused = records.refusals("vault", person, "access_code.redeemed")
    assert set(refused) == {("UNAUTHENTICATED", "6.1.3")}
    again = handed_code(person)
    who = opened(person, f" {again.lower().replace('-', ' ')} ")
    assert "REFUSED" in {a["outcome"] for a in processing(person, who)}


def test_a_lost_answer_costs_no_code_and_nobody_else_profits(person: Person) -> None:
    """T-6.1.3-a"""
    code, key = handed_code(person), {"Idempotency-Key": secrets.token_hex(8)}
    first = redeem(person, code, key)
    assert redeem(person, code, key).json == first.json
    assert is_refused(redeem(person, code, {"Idempotency-Key": "another"}), 401, "UNAUTHENTICATED")
    other = person.site.person(DATA)
    assert redeem(other, handed_code(other), key).json["subjectId"] == other.subject_id


def _absent(person: Person) -> Person:
    return Person(person.site, secrets.token_hex(16))


def _blocked(person: Person) -> Person:
    person.claimed("UNLAWFUL_ACTS")
    return person


def _without_contact(person: Person) -> Person:
    return person.site.person({"givenName": "Нұрсұлтан"})


def _flooded(person: Person) -> Person:
    for _ in range(4):
        ask_code(person)
    return person


@pytest.mark.parametrize("make", [_absent, _blocked, _without_contact, _flooded])
def test_the_storefront_learns_nothing_from_asking(
    person: Person, make: Callable[[Person], Person]
) -> None:
    """T-6.1.3-a"""
    usual, other = ask_code(person.site.person(DATA)), ask_code(make(person))
    assert (usual.status, usual.content) == (other.status, other.content) == (200, usual.content)


def test_nobody_floods_a_mailbox(site: Site, suite: Suite, records: Records) -> None:
    """T-6.1.3-a"""
    person = site.person(DATA)
    for _ in range(5):
        assert ask_code(person).status == 200
    refused = records.refusals("vault", person, "access_code.issued")
    assert refused == [("BUDGET_EXHAUSTED", "6.1.3")]
    another = site.person({"email": person.own["email"]})
    assert ask_code(another).status == 200
    assert records.refusals("vault", another, "access_code.issued") == refused
    # Two of five were refused, and a code that was replaced before its letter left needs none.
    assert 1 <= len(await_letters(suite.home, person.own["email"], 1)) <= 3


def test_a_session_opens_its_own_subject_and_nothing_else(person: Person, own_site: Site) -> None:
    """T-6.1.3-a"""
    who = opened(person)
    other = person.site.person(DATA)
    for verb, what in (("POST", ":export"), ("POST", ":print"), ("GET", "/processing")):
        body: dict[str, object] | None = {} if verb == "POST" else None
        refused = other.ask(verb, what, body, who)
        absent = _absent(person).ask(verb, what, body, who)
        assert is_refused(refused, 404, "NOT_FOUND")
        assert refused.content_but_reference == absent.content_but_reference
    assert is_refused(other.ask("POST", "/access-codes:end", {}, who), 404, "NOT_FOUND")
    for asked in (
        person.ask("PATCH", "/data", {"data": {"phone": new_phone()}}, who),
        person.ask("GET", "/standing", None, who),
        person.ask("POST", "/data:read", {"purpose": "IDENTIFY_FOR_ORDER"}, who),
    ):
        assert is_refused(asked, 403, "PERMISSION_DENIED")
    headers = {"Qupia-Site": own_site.site_id}
    elsewhere = person.site.ask(who, "GET", f"{person.path}/processing", None, headers)
    assert is_refused(elsewhere, 401, "UNAUTHENTICATED")


@pytest.mark.parametrize("who", ["storefront", "claimsOfficer", "privacyOfficer", "auditor"])
def test_nobody_but_the_person_opens_their_view(person: Person, who: str) -> None:
    """T-6.1.3-a"""
    for verb, what in (("POST", ":export"), ("POST", ":print"), ("GET", "/processing")):
        asked = person.ask(verb, what, {} if verb == "POST" else None, who)
        assert is_refused(asked, 403, "PERMISSION_DENIED")


def test_an_officer_hands_a_code_over_only_after_identification(
    person: Person, records: Records
) -> None:
    """T-6.1.3-a"""
    assert is_refused(ask_code(person, "claimsOfficer"), 400, "INVALID_ARGUMENT")
    half = {"method": "IDENTITY_DOCUMENT"}
    wrong = ask_code(person, "claimsOfficer", identification=half)
    assert wrong.fields == ("identification.reference",)
    by_storefront = ask_code(person, "storefront", identification=IDENTIFIED)
    assert by_storefront.fields == ("identification",)
    key = {"Idempotency-Key": secrets.token_hex(8)}
    path, body = f"{person.path}/access-codes", {"identification": IDENTIFIED}
    first = person.site.ask("privacyOfficer", "POST", path, body, key)
    again = person.site.ask("privacyOfficer", "POST", path, body, key)
    assert "code" not in again.json
    assert opened(person, first.json["code"])
    (entry,) = records.entries("vault", person, "access_code.issued")
    assert entry["refs"]["identified_by"] == "IDENTITY_DOCUMENT"
    assert entry["refs"]["reference"] == "register:17"
    assert "#privacyOfficer" in entry["principal"]
    assert is_refused(
        ask_code(_absent(person), "claimsOfficer", identification=IDENTIFIED), 404, "NOT_FOUND"
    )


def test_what_the_person_did_in_their_view_is_recorded_by_the_code_that_opened_it(
    person: Person, records: Records
) -> None:
    """T-6.1.3-a"""
    who = opened(person)
    export(person, who)
    (issued,) = records.entries("vault", person, "access_code.issued")
    (exported,) = records.entries("vault", person, "subject.exported")
    assert exported["principal"] == f"subject/{issued['refs']['access_code_id']}"
    assert (exported["role"], exported["verb"]) == ("SUBJECT", "RETRIEVE")
    assert exported["clause"] == "6.1.3"


def test_no_letter_goes_to_anybody_else(person: Person, suite: Suite) -> None:
    """T-6.1.3-a"""
    assert ask_code(person).status == 200
    (letter,) = await_letters(suite.home, person.own["email"], 1)
    assert letter["To"] == person.own["email"]
    assert letter["Cc"] is None
    assert person.own["phone"] not in letter.as_string()
    holders = [each["To"] for each in letters(suite.home) if code_in(letter) in _text(each)]
    assert holders == [person.own["email"]]


def _text(letter: EmailMessage) -> str:
    body = letter.get_body()
    return "" if body is None else str(body.get_content())
