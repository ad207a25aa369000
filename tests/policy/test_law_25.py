# SPDX-License-Identifier: Apache-2.0
"""Law 25(2)(9): the person sees all that is held about them, free of charge, block or not."""

import io
import json
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pypdf import PdfReader

from cli.conversation import Answered
from services.chassis.ids import new_uuid
from tests.harness.suite import Suite
from tests.policy.own_view import (
    ask_code,
    await_letters,
    code_in,
    export,
    letters,
    opened,
    printed,
    processing,
    signature_of,
)
from tests.policy.person import DATA, EXPRESS, Person, is_refused, with_own_contact
from tests.policy.records import Records
from tests.policy.site import Site

NEW_EMAIL = "other-{}@example.kz"
KAZAKH = "ӘәҒғҚқҢңӨөҰұҮүҺһІі"
VISIT = {
    "ip": "2001:DB8::1",
    "cookie": "sid=1",
    "userAgent": "Mozilla/5.0 Firefox/140.0",
    "page": "/checkout",
    "referrer": "https://example.kz/",
}


@pytest.fixture
def known(person: Person) -> Person:
    """Somebody of whom the site knows something of every kind."""
    site = person.site
    person.placed({"phone": with_own_contact({"phone": DATA["phone"]})["phone"]}, form="profile")
    for purpose in EXPRESS:
        assert person.grant(purpose).status == 200
    assert person.withdraw("NEWS").status == 200
    visit = VISIT | {"accessTime": datetime.now(UTC).isoformat()}
    items = [{"subjectId": person.subject_id, "visit": visit}]
    site.good("storefront", "POST", "/v1/visits", {"items": items})
    order_id = person.ordered()
    line = {"title": "Қазақ әдебиеті", "quantity": 1, "amount": "4990", "currency": "KZT"}
    purchase = {"purchase": {"orderId": order_id, "lines": [line]}}
    assert person.ask("POST", "/purchases", purchase).status == 200
    person.assigned("courier", order_id)
    return person


def _lists(parts: list[dict[str, object]], subject: str) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = {}
    for part in parts:
        for each in part.get("subjects", ()):  # type: ignore[attr-defined]
            if each["subjectId"] == subject:
                for name, items in each.items():
                    if isinstance(items, list):
                        found.setdefault(name, []).extend(items)
    return found


def test_the_export_holds_all_there_is_with_its_provenance(known: Person) -> None:
    """T-6.2.3-a"""
    documents = [document for document, _ in export(known, opened(known))]
    (first,) = documents
    assert (first["format"], first["part"], first["last"]) == ("qupia-export/1", 1, True)
    assert first["site"] == known.site.site_id
    assert first["operator"]["bin"] == "150240010003"
    lists = _lists(documents, known.subject_id)
    data = {item["field"]: item for item in lists["data"]}
    phone = data["phone"]["value"]
    assert phone != known.own["phone"]
    assert {name: item["value"] for name, item in data.items()} == {**known.own, "phone": phone}
    assert (data["phone"]["version"], data["phone"]["form"]) == (2, "profile")
    assert data["phone"]["supplier"] == "SUBJECT"
    (former,) = lists["history"]
    assert (former["field"], former["value"]) == ("phone", known.own["phone"])
    assert (former["version"], former["endVersion"]) == (1, 2)
    (line,) = lists["purchases"]
    assert (line["title"], line["amount"]) == ("Қазақ әдебиеті", "4990")
    (visit,) = lists["visits"]
    assert (visit["ip"], visit["page"], visit["cookie"]) == ("2001:db8::1", "/checkout", "sid=1")
    standing = first["subjects"][0]["standing"]
    assert standing["state"] == "ACTIVE"
    consents = {fact["purpose"]: fact for fact in standing["consents"]}
    assert set(consents) == set(EXPRESS)
    assert "withdrawnTime" in consents["NEWS"]
    (order,) = standing["orders"]
    assert order["assignments"][0]["recipientKind"] == "COURIER"
    assert {act["event"] for act in first["processing"]} >= {"data.stored", "access_code.issued"}


def test_anybody_verifies_an_export_with_the_published_key(known: Person) -> None:
    """Law 25(2)(9)"""
    ((_, answer),) = export(known, opened(known))
    published = known.site.ask("", "GET", "/v1/signing-keys/vault").json["keys"]
    assert published[0]["kid"] == answer["keyId"]
    key = load_pem_public_key(published[0]["pem"].encode())
    assert isinstance(key, Ed25519PublicKey)
    document = answer["document"].encode()
    key.verify(signature_of(answer), document)
    with pytest.raises(InvalidSignature):
        key.verify(signature_of(answer), document.replace(b"KZT", b"USD"))
    told = json.loads(document)
    canonical = json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert canonical.encode() == document


def test_a_block_does_not_close_the_persons_own_view(known: Person, records: Records) -> None:
    """T-6.2.3-a"""
    claim = known.claimed("INACCURATE_DATA")
    who = opened(known)
    ((document, _),) = export(known, who)
    (subject,) = document["subjects"]
    assert subject["standing"]["state"] == "BLOCKED"
    assert subject["standing"]["blocks"][0]["claimId"] == claim["claimId"]
    texts = {item["kind"]: item["text"] for item in subject["documents"]}
    assert texts["STATEMENT"] == "Телефон указан неверно."
    assert len(subject["data"]) == len(known.own)
    assert printed(known, who, "kk").startswith(b"%PDF-")
    assert processing(known, who)
    assert is_refused(known.read("IDENTIFY_FOR_ORDER"), 409, "SUBJECT_BLOCKED", "6.2.3")
    for event in ("subject.exported", "subject.printed", "processing.listed"):
        (entry,) = records.entries("vault", known, event)
        assert (entry["verb"], entry["outcome"]) == ("RETRIEVE", "PERMITTED")


def test_an_officers_notes_of_the_verification_are_not_the_persons(known: Person) -> None:
    """T-6.2.3-a"""
    known.concluded(known.claimed()["claimId"], "NOT_CONFIRMED")
    ((document, _),) = export(known, opened(known))
    kinds = {item["kind"] for item in document["subjects"][0]["documents"]}
    assert kinds == {"STATEMENT", "DEMAND"}


@pytest.mark.parametrize("kind", ["INACCURATE_DATA", "UNLAWFUL_ACTS"])
def test_under_a_block_the_code_goes_to_the_contact_known_before_it(
    person: Person, suite: Suite, kind: str
) -> None:
    """T-6.2.3-a"""
    new = NEW_EMAIL.format(new_uuid()[-12:])
    person.placed({"email": new})
    person.claimed(kind)
    assert ask_code(person).status == 200
    (letter,) = await_letters(suite.home, person.own["email"], 1)
    ((document, _),) = export(person, opened(person, code_in(letter)))
    assert document["subjects"][0]["standing"]["state"] == "BLOCKED"
    assert letters(suite.home, new) == []


def test_without_a_block_the_code_goes_to_the_present_contact(person: Person, suite: Suite) -> None:
    """Law 25(2)(9)"""
    new = NEW_EMAIL.format(new_uuid()[-12:])
    person.placed({"email": new})
    assert ask_code(person, language="ru").status == 200
    (letter,) = await_letters(suite.home, new, 1)
    assert letter["Subject"] == "Код для просмотра ваших персональных данных"
    assert letters(suite.home, person.own["email"]) == []


def test_a_contact_that_came_after_the_complaint_gets_no_code(
    site: Site, suite: Suite, records: Records
) -> None:
    """T-6.2.3-a"""
    person = site.person({"givenName": "Нұрсұлтан"})
    before = datetime.now(UTC)
    email = NEW_EMAIL.format(new_uuid()[-12:])
    person.placed({"email": email})
    filed = person.claim(claimant="SUBJECT", who="claimsOfficer", receipt=before)
    assert filed.status == 200, filed.content.decode()
    assert ask_code(person).status == 200
    assert records.refusals("vault", person, "access_code.issued") == [("NOT_AVAILABLE", "6.1.3")]
    assert letters(suite.home, email) == []


@pytest.mark.parametrize("language", ["kk", "ru", "en"])
def test_the_pages_are_read_in_the_persons_language_with_every_letter(
    site: Site, language: str
) -> None:
    """Law 25(2)(9); T-3.2.1-a"""
    person = site.person({**DATA, "givenName": KAZAKH})
    person.claimed("INACCURATE_DATA")
    pdf = PdfReader(io.BytesIO(printed(person, opened(person), language)))
    text = "\n".join(page.extract_text() for page in pdf.pages)
    assert KAZAKH in text.replace("\n", "")
    for value in ("Әбілқайырұлы", person.own["phone"], "Абай даңғылы"):
        assert value in text.replace("\n", " ")
    headings = {
        "kk": ("Сіздің дербес деректеріңіз", "Деректеріңізбен не істелді", "бұғатталған"),
        "ru": ("Ваши персональные данные", "Что делалось с вашими данными", "заблокированы"),
        "en": ("Your personal data", "What was done with your data", "blocked"),
    }
    for heading in headings[language]:
        assert heading in text
    assert "\ufffd" not in text


def test_what_is_secret_is_told_in_no_surface_before_its_time(
    person: Person, records: Records
) -> None:
    """Law 25(2)(9); clause 5.3: a request under secrecy stays invisible until its date."""
    assert person.read("IDENTIFY_FOR_ORDER").status == 200
    (entry,) = records.entries("vault", person, "data.read")
    secret = "UPDATE evidence_entries SET secret_until = :t WHERE entry_id = :e"
    who = opened(person)
    records.change("vault", secret, e=entry["entryId"], t="2999-01-01T00:00:00Z")
    try:
        ((document, _),) = export(person, who)
        assert entry["entryId"] not in json.dumps(document)
        assert "data.read" not in {act["event"] for act in processing(person, who)}
        assert "data were read" not in _words(printed(person, who, "en"))
        records.change("vault", secret, e=entry["entryId"], t="2020-01-01T00:00:00Z")
        ((document, _),) = export(person, who)
        assert entry["entryId"] in json.dumps(document)
        assert entry["entryId"] in {act["entryId"] for act in processing(person, who)}
        assert "data were read" in _words(printed(person, who, "en"))
    finally:
        records.change("vault", secret, e=entry["entryId"], t=None)


def _words(pdf: bytes) -> str:
    """What a PDF says, however its lines are broken."""
    pages = PdfReader(io.BytesIO(pdf)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def _visits_long(person: Person, times: int) -> None:
    """Somebody visits long addresses: two thousand bytes of an export each."""
    visit = VISIT | {"page": "/" + "ә" * 1000, "accessTime": datetime.now(UTC).isoformat()}
    for _ in range(times // 200):
        items = [{"subjectId": person.subject_id, "visit": visit} for _ in range(200)]
        person.site.good("storefront", "POST", "/v1/visits", {"items": items})


def test_a_long_export_comes_in_parts_that_leave_nothing_out(own_site: Site) -> None:
    """Law 25(2)(9)"""
    person = own_site.person(DATA)
    _visits_long(person, 600)
    who = opened(person)
    parts = export(person, who)
    assert len(parts) > 1
    assert [document["part"] for document, _ in parts] == list(range(1, len(parts) + 1))
    assert [document["last"] for document, _ in parts] == [False] * (len(parts) - 1) + [True]
    assert len({document["exportId"] for document, _ in parts}) == 1
    visits = _lists([document for document, _ in parts], person.subject_id)["visits"]
    assert len({v["visitId"] for v in visits}) == len(visits) == 600
    token = parts[0][1]["nextPageToken"]
    other = own_site.person(DATA)
    misused: Answered = other.ask("POST", ":export", {"pageToken": token}, opened(other))
    assert is_refused(misused, 400, "INVALID_ARGUMENT")


def test_an_export_does_not_go_on_in_the_data_of_a_visitor_who_was_unlinked(own_site: Site) -> None:
    """Law 25(2)(9): they may be another person's."""
    person, visitor = own_site.person(DATA), own_site.person()
    _visits_long(visitor, 600)
    assert person.link(visitor).status == 200
    who = opened(person)
    part = person.ask("POST", ":export", {}, who).json
    token = part["nextPageToken"]
    assert json.loads(part["document"])["subjects"][-1]["subjectId"] == visitor.subject_id
    assert person.ask("POST", ":export", {"pageToken": token}, who).status == 200
    assert person.unlink(visitor).status == 200
    refused = person.ask("POST", ":export", {"pageToken": token}, who)
    assert is_refused(refused, 400, "INVALID_ARGUMENT")
    assert [each["field"] for each in refused.json["errors"]] == ["pageToken"]
    again = export(person, who)
    assert visitor.subject_id not in json.dumps([document for document, _ in again])
