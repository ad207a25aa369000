# SPDX-License-Identifier: Apache-2.0
"""Clause 8.3: where no agreement is reached, the dispute goes to court."""

import io
import zipfile

from tests.policy.person import Person
from tests.policy.test_clause_8_2 import answer


def _claim(person: Person) -> str:
    return str(person.claimed("OTHER")["claimId"])


def _post(person: Person, path: str, body: object) -> str:
    answered = person.site.good("claimsOfficer", "POST", path, body)
    return str(answered.json["claim"]["state"])


def test_what_a_court_needs_is_exported_and_held(person: Person) -> None:
    """T-8.3-a"""
    claim_id = _claim(person)
    path = f"/v1/claims/{claim_id}"
    _post(person, f"{path}:answer", answer())
    _post(person, f"{path}:referToCourt", {"case": "СМЭС г. Алматы"})
    exported = person.site.good("claimsOfficer", "GET", f"{path}/bundle")
    with zipfile.ZipFile(io.BytesIO(exported.content)) as archive:
        names = set(archive.namelist())
        page = archive.read("index.html").decode()
    assert {"index.html", "claim.json", "evidence.jsonl", "SHA256SUMS.sig"} <= names
    assert any(name.startswith("policy/") for name in names)
    assert any(name.endswith("answer-letter.pdf") for name in names)
    assert "Проверка ошибок не выявила." in page
    destroy = f"/v1/subjects/{person.subject_id}:destroy"
    body = {"ground": "DEMAND", "reference": "case-7", "dryRun": True}
    held = person.site.good("privacyOfficer", "POST", destroy, body).json
    assert [each["kind"] for each in held["holds"]] == ["LEGAL_HOLD"]
    assert _post(person, f"{path}:close", {"reason": "Дело окончено"}) == "CLOSED"
    free = person.site.good("privacyOfficer", "POST", destroy, body).json
    assert free["holds"] == []
