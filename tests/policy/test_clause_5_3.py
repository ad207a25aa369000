# SPDX-License-Identifier: Apache-2.0
"""Clause 5.3: state bodies get data only on a complete ground, by two people, once."""

import hashlib
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pypdf import PdfReader

from services.chassis.ids import new_uuid
from tests.policy.person import DATA, Person, is_refused
from tests.policy.records import Records
from tests.policy.site import Site
from tests.policy.state_body import (
    OFFICIAL,
    PATH,
    Request,
    authority,
    data_in,
    form,
    opened,
    pick_up,
    submit,
    submitted,
    without,
)

PARTS = (
    "authorization.authorityId",
    "authorization.official",
    "authorization.official.name",
    "authorization.official.position",
    "authorization.ground",
    "authorization.ground.kind",
    "authorization.ground.act",
    "authorization.ground.article",
    "authorization.document",
    "authorization.document.kind",
    "authorization.document.number",
    "authorization.document.date",
    "authorization.document.sha256",
    "authorization.subjectId",
    "tasks",
)


@pytest.fixture(scope="module")
def body(site: Site) -> str:
    """A state body of the site that two officers let in."""
    return authority(site)


@pytest.mark.parametrize("part", PARTS)
def test_a_request_that_lacks_a_part_of_its_ground_is_refused_and_recorded(
    site: Site, body: str, person: Person, records: Records, part: str
) -> None:
    """T-5.3-a"""
    path = f"request.{part}"
    before = len(records.of_site("disclosure", site.site_id, "authority_request.submitted"))
    refused = submit(site, without(form(person, body), path))
    assert is_refused(refused, 422, "LEGAL_GROUND_MISSING", "5.3")
    assert refused.fields
    assert all(field == path or field.startswith(f"{path}.") for field in refused.fields)
    entries = records.of_site("disclosure", site.site_id, "authority_request.submitted")
    assert len(entries) == before + 1
    assert (entries[-1]["outcome"], entries[-1]["reason"]) == ("REFUSED", "LEGAL_GROUND_MISSING")
    assert entries[-1]["decidedOn"]["missing"] == list(refused.fields)


def test_a_complaint_that_is_verified_has_to_be_named(
    site: Site, body: str, person: Person
) -> None:
    """T-5.3-a"""
    asked = form(person, body)
    asked["request"]["authorization"]["ground"]["kind"] = "COMPLAINT_VERIFICATION"
    refused = submit(site, asked)
    assert is_refused(refused, 422, "LEGAL_GROUND_MISSING", "5.3")
    assert refused.fields == ("request.authorization.ground.claimId",)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("expireTime", "2020-01-01T00:00:00Z"),
        ("expireTime", "2031-01-01T00:00:00Z"),
        ("secretUntilTime", "2020-01-01T00:00:00Z"),
        ("dueDate", "2026-01-11"),
        ("dueDate", "2031-01-01"),
        ("dueDate", "soon"),
    ],
)
def test_a_time_that_cannot_be_is_named(
    site: Site, body: str, person: Person, member: str, value: str
) -> None:
    """T-5.3-a"""
    refused = submit(site, form(person, body, **{member: value}))
    assert (refused.status, refused.fields) == (400, (f"request.authorization.{member}",))


def test_a_complete_request_waits_for_a_second_person(body: str, person: Person) -> None:
    """T-5.3-b"""
    request = submitted(person, body)
    for verb, sent in (("approve", {"categories": ["PHONE"]}), ("release", {})):
        own = request.act(verb, sent, "privacyOfficer")
        assert is_refused(own, 409, "AWAITING_SECOND_APPROVAL", "5.3")
    assert request.shown()["state"] == "PENDING"
    early = request.act("release", {})
    assert is_refused(early, 409, "AWAITING_SECOND_APPROVAL", "5.3")
    request.approved("PHONE")
    again = request.act("approve", {"categories": ["NAME"]})
    assert is_refused(again, 409, "STATE_CONFLICT")
    assert {t["category"]: t["state"] for t in request.shown()["tasks"]} == {
        "NAME": "REFUSED",
        "PHONE": "APPROVED",
    }


def test_what_was_asked_and_approved_leaves_and_nothing_else(
    site: Site, body: str, person: Person, records: Records
) -> None:
    """T-5.3-b, T-6.2.2-a"""
    request = submitted(person, body, "NAME", "PHONE", "ADDRESS")
    beyond = request.act("approve", {"categories": ["EMAIL"]})
    assert (beyond.status, beyond.fields) == (400, ("categories",))
    code = request.approved("PHONE", "ADDRESS").released()
    answered = pick_up(site, code)
    files = opened(answered)
    given = data_in(files)["data"]
    assert given.keys() == {"phone", "address"}
    assert given["phone"] == person.own["phone"]
    [read] = records.entries("vault", person, "data.read_for_authority")
    assert (read["outcome"], read["clause"]) == ("PERMITTED", "5.3")
    assert read["decidedOn"]["fields"] == ["address", "phone"]
    [picked] = records.entries("disclosure", person, "authority_package.picked_up")
    assert picked["digests"]["package"] == hashlib.sha256(answered.content).hexdigest()
    [line] = person.disclosures()
    assert (line["outcome"], line["ground"], line["clause"]) == ("RELEASED", "LAW", "5.3")
    assert line["recipientKind"] == "STATE_BODY"
    assert line["recipientName"] == "Полиция департаменті"
    assert line["fields"] == ["address", "phone"]
    assert (line["legalArticle"], line["authorityRequestId"]) == ("122(1)", request.request_id)


def test_the_package_is_signed_and_has_a_letter_in_kazakh_and_in_russian(
    site: Site, body: str, person: Person
) -> None:
    """T-5.3-b"""
    files = opened(pick_up(site, submitted(person, body).approved("NAME", "PHONE").released()))
    sums = files["SHA256SUMS"].decode().splitlines()
    told = {name: digest for digest, name in (line.split("  ") for line in sums)}
    plain = {"data.json", "request.json", "letter-kk.pdf", "letter-ru.pdf"}
    assert told == {name: hashlib.sha256(files[name]).hexdigest() for name in plain}
    key = load_pem_public_key(files["public-key.pem"])
    assert isinstance(key, Ed25519PublicKey)
    key.verify(files["SHA256SUMS.sig"], files["SHA256SUMS"])
    published = site.good("auditor", "GET", "/v1/signing-keys/disclosure").json["keys"][0]["kid"]
    raw = key.public_bytes_raw()
    assert hashlib.sha256(raw).hexdigest().startswith(published)
    for name, heading in (("kk", "Ілеспе хат"), ("ru", "Сопроводительное письмо")):
        pages = PdfReader(io.BytesIO(files[f"letter-{name}.pdf"])).pages
        text = "".join(page.extract_text() for page in pages).replace("\n", " ")
        for needle in (heading, OFFICIAL["name"], "122(1)", "17-2026", person.own["phone"]):
            assert needle in text
    authorization = json.loads(files["request.json"])["authorization"]
    assert authorization["official"] == OFFICIAL


def test_the_letter_says_given_of_what_was_there(site: Site, body: str) -> None:
    """T-5.3-b, T-6.2.2-a"""
    person = site.person({"familyName": "Ахметова", "phone": "+77010000000"})
    asked = ("NAME", "EMAIL", "PURCHASES", "CONFIGURED", "TECHNICAL")
    code = submitted(person, body, *asked).approved(*asked[:4]).released()
    files = opened(pick_up(site, code))
    assert data_in(files) == {"data": {"familyName": "Ахметова"}}
    told = {each["category"]: each for each in json.loads(files["request.json"])["tasks"]}
    assert [name for name in asked if told[name]["given"]] == ["NAME"]
    assert [name for name in asked if told[name]["approved"]] == list(asked[:4])
    pages = PdfReader(io.BytesIO(files["letter-ru.pdf"])).pages
    text = " ".join("".join(page.extract_text() for page in pages).split())
    assert "Переданы данные: фамилия." in text
    absent = "электронная почта; покупки (сто последних строк); данные, добавленные сайтом."
    assert f"на сайте таких данных нет: {absent}" in text
    assert "Запрошены, но не переданы: технические данные" in text
    [line] = person.disclosures()
    assert line["fields"] == ["familyName"]


def test_a_package_is_picked_up_once(site: Site, body: str, person: Person) -> None:
    """T-5.3-b"""
    request = submitted(person, body).approved("PHONE")
    void, code = request.released(), request.released("privacyOfficer")
    assert is_refused(pick_up(site, void), 404, "NOT_AVAILABLE")
    assert is_refused(pick_up(site, code, "971240001315"), 404, "NOT_AVAILABLE")
    opened(pick_up(site, code.lower().replace("-", " ")))
    assert is_refused(pick_up(site, code), 404, "NOT_AVAILABLE")
    assert is_refused(request.act("release", {}), 409, "STATE_CONFLICT")
    assert request.shown()["state"] == "PICKED_UP"


def test_nothing_leaves_after_the_request_or_its_code_has_lapsed(
    site: Site, body: str, person: Person, records: Records
) -> None:
    """T-5.3-b"""
    request = submitted(person, body).approved("PHONE")
    change = "UPDATE authority_requests SET {} = :t WHERE request_id = :r"
    for column in ("code_expire_time", "expire_time"):
        code = request.released()
        past = datetime.now(UTC) - timedelta(seconds=1)
        records.change("disclosure", change.format(column), t=past, r=request.request_id)
        assert is_refused(pick_up(site, code), 404, "NOT_AVAILABLE")
    assert request.shown()["state"] == "EXPIRED"
    assert is_refused(request.act("release", {}), 409, "STATE_CONFLICT")
    assert {line["rule"] for line in person.disclosures()} == {
        "request-not-approved",
        "request-lapsed",
    }
    assert records.entries("vault", person, "data.read_for_authority") == []


@pytest.mark.parametrize("kind", ["courier", "post", "telecom"])
def test_a_commercial_recipient_is_no_state_body(site: Site, person: Person, kind: str) -> None:
    """T-5.3-c, T-6.2.2-a"""
    refused = submit(site, form(person, site.recipients[kind]))
    assert is_refused(refused, 403, "AUTHORITY_NOT_VERIFIED", "5.3")
    itself = submit(site, form(person, site.recipients[kind]), kind)
    assert is_refused(itself, 403, "PERMISSION_DENIED")


def test_a_state_body_is_let_in_by_two_people_and_receives_on_no_order(
    site: Site, person: Person
) -> None:
    """T-6.2.2-a"""
    waiting = authority(site, active=False)
    refused = submit(site, form(person, waiting))
    assert is_refused(refused, 403, "RECIPIENT_NOT_PERMITTED", "6.2.2")
    path = f"/v1/authorities/{waiting}"
    own = site.ask("privacyOfficer", "POST", f"{path}:activate", {})
    assert is_refused(own, 409, "AWAITING_SECOND_APPROVAL", "5.3")
    site.good("secondPrivacyOfficer", "POST", f"{path}:activate", {})
    order = person.ordered()
    assigned = site.ask(
        "storefront", "POST", f"/v1/orders/{order}:assign", {"recipientId": waiting}
    )
    assert is_refused(assigned, 404, "NOT_FOUND")
    request = submitted(person, waiting).approved("PHONE")
    code = request.released()
    site.good("privacyOfficer", "POST", f"{path}:suspend", {})
    assert is_refused(pick_up(site, code), 404, "NOT_AVAILABLE")
    # No officer hands out a code that opens nothing.
    assert is_refused(request.act("release", {}), 403, "RECIPIENT_NOT_PERMITTED", "6.2.2")


def test_a_repeat_is_answered_as_it_was_whatever_has_happened_since(
    site: Site, person: Person
) -> None:
    """T-5.3-b"""
    body = authority(site)
    key = {"Idempotency-Key": new_uuid()}
    asked = form(person, body, "PHONE")
    first = site.ask("privacyOfficer", "POST", PATH, asked, key)
    request = Request(site, first.json["request"]["requestId"]).approved("PHONE")
    path = f"{PATH}/{request.request_id}:release"
    released = site.ask("secondPrivacyOfficer", "POST", path, {}, key)
    opened(pick_up(site, released.json["code"]))
    site.good("privacyOfficer", "POST", f"/v1/authorities/{body}:suspend", {})
    entered = site.ask("privacyOfficer", "POST", PATH, asked, key)
    assert (entered.status, entered.json["request"]["requestId"]) == (200, request.request_id)
    again = site.ask("secondPrivacyOfficer", "POST", path, {}, key)
    assert (again.status, again.json["request"]["state"]) == (200, "PICKED_UP")
    assert "code" not in again.json
    fresh = site.ask("privacyOfficer", "POST", PATH, asked, {"Idempotency-Key": new_uuid()})
    assert is_refused(fresh, 403, "RECIPIENT_NOT_PERMITTED", "6.2.2")


def test_a_block_holds_until_a_second_person_relies_on_a_compulsory_act(
    site: Site, body: str, records: Records
) -> None:
    """T-5.3-b (law.md 4.1)"""
    person = site.person(DATA)
    request = submitted(person, body).approved("PHONE")
    early = request.released()
    person.claimed()
    assert is_refused(pick_up(site, early), 404, "NOT_AVAILABLE")
    assert request.shown()["state"] == "HELD"
    held = request.act("release", {})
    assert is_refused(held, 409, "SUBJECT_BLOCKED", "6.2.3")
    silent = request.act("release", {"compelled": True})
    assert (silent.status, silent.fields) == (400, ("reason",))
    why = {"compelled": True, "reason": "Санкция следственного судьи № 5."}
    own = request.act("release", why, "privacyOfficer")
    assert is_refused(own, 409, "AWAITING_SECOND_APPROVAL", "5.3")
    released = request.act("release", why)
    files = opened(pick_up(site, str(released.json["code"])))
    assert json.loads(files["request.json"])["disputedSince"]
    for name, words in (("kk", "деректер даулы"), ("ru", "данные оспариваются, заблокированы с")):
        pages = PdfReader(io.BytesIO(files[f"letter-{name}.pdf"])).pages
        assert words in "".join(page.extract_text() for page in pages).replace("\n", " ")
    assert request.shown()["releasedUnderBlock"] is True
    reads = records.entries("vault", person, "data.read_for_authority")
    assert [read["outcome"] for read in reads] == ["REFUSED", "PERMITTED"]
    assert "releasedUnderBlock" in reads[-1]["decidedOn"]
    picked = records.entries("disclosure", person, "authority_package.picked_up")
    assert picked[-1]["decidedOn"]["releasedUnderBlock"] is True


def test_an_act_that_is_not_compulsory_opens_nothing_that_is_blocked(site: Site, body: str) -> None:
    """T-5.3-b (law.md 4.1)"""
    person = site.person(DATA)
    ground = {"kind": "OTHER", "act": "Заң", "article": "9(1)"}
    request = submitted(person, body, ground=ground).approved("PHONE")
    person.claimed()
    refused = request.act("release", {"compelled": True, "reason": "Срочно."})
    assert is_refused(refused, 422, "LEGAL_GROUND_MISSING", "5.3")


def test_the_authority_that_verifies_this_complaint_gets_what_it_blocks(
    site: Site, body: str
) -> None:
    """T-5.3-b (law.md 4.1)"""
    person, other = site.person(DATA), site.person(DATA)
    claim_id, strange = (str(each.claimed()["claimId"]) for each in (person, other))
    why = {"compelled": True, "reason": "Проверка этой жалобы."}
    for named, opens in ((strange, False), (claim_id, True)):
        ground = {
            "kind": "COMPLAINT_VERIFICATION",
            "act": "Закон № 94-V",
            "article": "27-1",
            "claimId": named,
        }
        request = submitted(person, body, ground=ground).approved("PHONE")
        released = request.act("release", why)
        if opens:
            opened(pick_up(site, str(released.json["code"])))
        else:
            assert is_refused(released, 409, "SUBJECT_BLOCKED", "6.2.3")


def test_a_rejection_is_final_and_stands_in_the_ledger(body: str, person: Person) -> None:
    """T-6.2.2-b"""
    request = submitted(person, body)
    assert request.act("reject", {"reason": " "}).status == 400
    assert request.act("reject", {"reason": "Санкция не приложена."}).status == 200
    assert is_refused(request.act("approve", {"categories": ["PHONE"]}), 409, "STATE_CONFLICT")
    [line] = person.disclosures()
    assert (line["outcome"], line["reason"]) == ("REFUSED", "LEGAL_GROUND_MISSING")
    assert line["fields"] == []


def test_the_official_and_the_text_are_kept_by_the_vault_alone(
    site: Site, body: str, person: Person, records: Records
) -> None:
    """T-5.3-b"""
    said = "Прошу представить сведения о Нурсултане."
    document = {**form(person, body)["request"]["authorization"]["document"], "text": said}
    request = submitted(person, body, document=document)
    shown = request.shown()
    assert shown["authorization"]["official"] == OFFICIAL
    assert shown["authorization"]["document"]["text"] == said
    listed = site.good("privacyOfficer", "GET", PATH).json["requests"]
    [found] = [each for each in listed if each["requestId"] == request.request_id]
    assert "official" not in found["authorization"]
    for table in ("authority_requests", "sealed_documents"):
        rows = records.rows("disclosure", f"SELECT t::text AS row FROM {table} t")
        assert rows
        for told in (OFFICIAL["name"], said):
            assert not any(told in row.row or told.encode().hex() in row.row for row in rows)
    stored = records.entries("vault", person, "document.stored")
    assert stored == []


def test_the_year_is_counted_without_naming_anybody(own_site: Site) -> None:
    """T-5.3-b"""
    body, person = authority(own_site), own_site.person(DATA)
    opened(pick_up(own_site, submitted(person, body).approved("PHONE").released()))
    assert submitted(person, body).act("reject", {"reason": "Нет санкции."}).status == 200
    later = (datetime.now(UTC) + timedelta(days=9)).isoformat()
    submitted(person, body, secretUntilTime=later)
    answered = own_site.good("privacyOfficer", "GET", f"{PATH}:summarize").json
    assert (answered["total"], answered["secret"]) == (3, 1)
    assert [(c["ground"], c["outcome"], c["count"]) for c in answered["counts"]] == [
        ("CRIMINAL_PROCEDURE", "PICKED_UP", 1),
        ("CRIMINAL_PROCEDURE", "REJECTED", 1),
    ]
    assert person.subject_id not in json.dumps(answered)
    assert own_site.ask("storefront", "GET", f"{PATH}:summarize").status == 403
