# SPDX-License-Identifier: Apache-2.0
"""Clause 5.3: a request under secrecy is in no surface of the person's or the storefront's."""

import io
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pypdf import PdfReader

from tests.policy.own_view import export, opened, printed
from tests.policy.person import DATA, Person, is_refused
from tests.policy.records import Records
from tests.policy.site import Site
from tests.policy.state_body import Request, authority, pick_up, submitted
from tests.policy.state_body import opened as unpacked

LATER = (datetime.now(UTC) + timedelta(days=90)).isoformat()
# Looking leaves entries of its own: they are no trace of anybody else.
LOOKS = (
    "access_code.",
    "access.",
    "subject.exported",
    "subject.printed",
    "processing.listed",
    "standing.read",
    "data_versions.listed",
)
TABLES = {
    "vault": ("evidence_entries",),
    "disclosure": ("evidence_entries", "disclosures", "authority_requests"),
}


def _acts(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [act for act in found if not act["event"].startswith(LOOKS)]


def _paged(person: Person, who: str, what: str, member: str) -> Iterator[dict[str, Any]]:
    """A list in pages of one, so that cursors are walked too."""
    token = ""
    while True:
        query = f"?pageSize=1{f'&pageToken={token}' if token else ''}"
        answered = person.ask("GET", f"{what}{query}", None, who)
        assert answered.status == 200, answered.content.decode()
        yield from answered.json[member]
        token = answered.json.get("nextPageToken", "")
        if not token:
            return


def surfaces(person: Person) -> Mapping[str, bytes]:
    """All that the person, the storefront and other officers can look at, as bytes."""
    who = opened(person)
    seen: dict[str, object] = {}
    for asker in ("storefront", "auditor", "claimsOfficer"):
        seen[f"disclosures {asker}"] = list(_paged(person, asker, "/disclosures", "disclosures"))
    seen["standing"] = person.ask("GET", "/standing").content.decode()
    seen["standing officer"] = person.ask("GET", "/standing", None, "claimsOfficer").json
    consents = person.consents()
    seen["consents"] = {k: v for k, v in consents.items() if not k.endswith("Time")}
    seen["versions"] = person.versions("claimsOfficer")
    seen["processing"] = _acts(list(_paged(person, who, "/processing", "acts")))
    parts = [document for document, _ in export(person, who)]
    for document in parts:
        document.pop("exportId")
        document.pop("exportTime", None)
    held = json.dumps(parts, ensure_ascii=False)
    seen["export"] = [word for word in ("authority", "Полиция", "TRANSFER") if word in held]
    seen["print"] = _tells(printed(person, who, "en"))
    tasks = person.site.good("claimsOfficer", "GET", "/v1/tasks").json
    seen["tasks"] = tasks
    seen["notices"] = person.site.good("privacyOfficer", "GET", "/v1/notices").json
    return {name: json.dumps(each, sort_keys=True).encode() for name, each in seen.items()}


def _tells(pdf: bytes) -> bool:
    """Whether printed pages tell of a state body."""
    pages = PdfReader(io.BytesIO(pdf)).pages
    return "state body" in " ".join(" ".join(p.extract_text() for p in pages).split())


def _end_secrecy(records: Records, request: Request) -> None:
    """The date comes: what says so is moved into the past, as if the time had gone by."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    for database, tables in TABLES.items():
        for table in tables:
            sql = (
                f"UPDATE {table} SET secret_until = :t "
                "WHERE secret_until IS NOT NULL AND site_id = :s"
            )
            records.change(database, sql, t=past, s=request.site.site_id)


def test_a_secret_release_leaves_no_trace_in_any_surface_before_its_date(
    own_site: Site, records: Records
) -> None:
    """T-5.3-b; clause 5.3: invisible until its date, and in the ledger from then on"""
    person = own_site.person(DATA)
    assert person.read("IDENTIFY_FOR_ORDER").status == 200
    body = authority(own_site)
    before = surfaces(person)
    request = submitted(person, body, secretUntilTime=LATER)
    assert is_refused(request.act("approve", {"categories": ["EMAIL"]}), 400, "INVALID_ARGUMENT")
    request.approved("NAME", "PHONE")
    assert surfaces(person) == before
    code = request.released()
    assert is_refused(pick_up(own_site, code, "971240001315"), 404, "NOT_AVAILABLE")
    assert surfaces(person) == before
    unpacked(pick_up(own_site, code))
    assert surfaces(person) == before
    unpacked(pick_up(own_site, request.released(repeated=True, reason="Не дошло.")))
    assert surfaces(person) == before
    assert records.entries("vault", person, "data.read_for_authority")
    lines = records.rows(
        "disclosure", "SELECT disclosure_id FROM disclosures WHERE site_id = :s", s=own_site.site_id
    )
    assert len(lines) == 3
    for line in lines:
        found = own_site.ask("auditor", "GET", f"/v1/disclosures/{line.disclosure_id}")
        assert is_refused(found, 404, "NOT_FOUND")
    _end_secrecy(records, request)
    after = surfaces(person)
    changed = {name for name in before if after[name] != before[name]}
    # The printed list is cut after the newest acts: all that was looked at here came later.
    assert changed - {"print"} == {
        "disclosures storefront",
        "disclosures auditor",
        "disclosures claimsOfficer",
        "processing",
        "export",
    }
    told = [line["outcome"] for line in person.disclosures()]
    assert told == ["REPEAT", "RELEASED", "REFUSED"]


def test_a_secret_release_is_printed_from_its_date_on(own_site: Site, records: Records) -> None:
    """T-5.3-b: printed before anything else is looked at, which would push it off the page."""
    person = own_site.person(DATA)
    request = submitted(person, authority(own_site), secretUntilTime=LATER).approved("PHONE")
    unpacked(pick_up(own_site, request.released()))
    who = opened(person)
    assert not _tells(printed(person, who, "en"))
    _end_secrecy(records, request)
    assert _tells(printed(person, who, "en"))


def test_what_is_held_or_rejected_in_secret_is_secret_too(own_site: Site, records: Records) -> None:
    """T-5.3-b"""
    person, body = own_site.person(DATA), authority(own_site)
    held = submitted(person, body, secretUntilTime=LATER).approved("PHONE")
    rejected = submitted(person, body, secretUntilTime=LATER)
    person.claimed()
    before = surfaces(person)
    assert is_refused(held.act("release", {}), 409, "SUBJECT_BLOCKED")
    assert rejected.act("reject", {"reason": "Нет санкции."}).status == 200
    wrong = submitted(person, body, secretUntilTime=LATER)
    assert wrong.act("release", {}, "secondPrivacyOfficer").status == 409
    assert surfaces(person) == before
    _end_secrecy(records, held)
    assert [line["reason"] for line in person.disclosures()] == [
        "LEGAL_GROUND_MISSING",
        "SUBJECT_BLOCKED",
    ]
