# SPDX-License-Identifier: Apache-2.0
"""What proves a consent (Law 8(4), 25(2)(5); ISO/IEC TS 27560; clauses 1.1.1, 2.1, 7.2.4)."""

import hashlib
import html
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gateway.answer import to_json
from qupia.consent.v1 import consent_pb2
from qupia.subject.v1 import subject_pb2
from services.chassis.config import ConfigError
from services.chassis.refusal import NotFound
from services.chassis.sites import load_sites
from services.consent import store_evidence
from tests.consent.suite import OPERATOR, Suite
from tests.consent.test_declarations import paper

NEWS = subject_pb2.Purpose.NEWS
State = consent_pb2.Consent
WORDING = "Жаңалықтар <b>алуға</b> келісемін"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def person(suite: Suite) -> str:
    """Somebody who accepted version 1."""
    suite.publish()
    return suite.register().subject_id


def prove(suite: Suite, person: str, role: str = "CLAIMS_OFFICER", **more: Any) -> Any:
    request = consent_pb2.ProveConsentRequest(subject_id=person, purpose=NEWS)
    for name, time in more.items():
        getattr(request, name).FromDatetime(time)
    return suite.ask(request, consent_pb2.ProveConsentResponse, role=role)


def test_the_record_has_what_the_law_and_the_standard_ask_for(suite: Suite, person: str) -> None:
    granted = suite.grant(person, NEWS, wording=WORDING)
    record = to_json(prove(suite, person).record)
    assert record["@context"]["@vocab"] == "https://w3id.org/dpv#"
    assert (record["@id"], record["@type"]) == (f"urn:uuid:{granted.act_id}", "dpv:ConsentRecord")
    assert record["dct:conformsTo"] == "ISO/IEC TS 27560:2023"
    assert record["hasDataSubject"] == {"@id": f"urn:qupia:subject:{person}"}
    assert record["hasNotice"]["dct:hasVersion"] == 1
    assert record["dct:language"] == "kk"
    assert record["hasPurpose"] == [{"@id": "dpv:DirectMarketing"}]
    assert (record["purposeCode"], record["clause"]) == ("NEWS", "4.1.10")
    assert record["hasLegalBasis"] == {"@id": "dpv:ExplicitlyExpressedConsent"}
    names = ["familyName", "givenName", "patronymic", "phone", "email"]
    assert record["hasPersonalData"] == names
    controller = record["hasDataController"]
    assert (controller["hasName"], controller["hasIdentifier"]) == (OPERATOR.name, OPERATOR.bin)
    assert controller["hasResponsibleEntity"] == OPERATOR.responsible
    assert record["hasDuration"] == {"@type": "dpv:UntilEventDuration"}
    assert record["thirdPartyTransfer"] is True
    assert record["hasRecipient"] == ["COURIER", "POSTAL", "TELECOM"]
    assert record["crossBorderTransfer"] is False
    assert record["publicDissemination"] is False
    assert (record["hasJurisdiction"], record["hasStorageCondition"]) == ("KZ", "Kazakhstan")
    assert record["hasConsentStatus"] == {"@id": "dpv:ConsentGiven"}
    assert [e["@type"] for e in record["hasConsentEvent"]] == ["dpv:ConsentGiven"]


def test_the_exact_wording_the_texts_and_the_entries_are_shown(suite: Suite, person: str) -> None:
    granted = suite.grant(person, NEWS, wording=WORDING)
    proof = prove(suite, person)
    assert proof.wording == WORDING
    assert proof.consent.wording_sha256 == hashlib.sha256(WORDING.encode()).hexdigest()
    digests = {t.language: t.sha256 for t in proof.policy.texts}
    assert digests["kk"] == hashlib.sha256("Мәтін".encode()).hexdigest()
    bodies = [json.loads(e.body) for e in proof.evidence]
    events = [body["event"] for body in bodies]
    assert events == ["consent.granted", "consent.granted_in_force"]
    assert {body["refs"]["act_id"] for body in bodies} == {granted.act_id}
    assert [body["entryId"] for body in bodies] == [e.entry_id for e in proof.evidence]
    assert proof.HasField("decision_time")
    assert proof.in_force_time.ToDatetime(UTC) >= proof.decision_time.ToDatetime(UTC)


def test_a_withdrawal_stands_beside_the_grant_that_it_ended(suite: Suite, person: str) -> None:
    suite.grant(person, NEWS)
    suite.withdraw(person, NEWS)
    proof = prove(suite, person)
    assert proof.consent.state == State.WITHDRAWN
    types = [event.type for event in proof.record.has_consent_event]
    assert types == ["dpv:ConsentGiven", "dpv:ConsentWithdrawn"]
    assert proof.decision_time == proof.consent.withdraw_time
    events = {json.loads(e.body)["event"] for e in proof.evidence}
    assert {"consent.granted", "consent.withdrawn"} <= events


def test_disagreement_that_ended_a_grant_on_its_way_is_shown(suite: Suite, person: str) -> None:
    suite.vault.absent = True
    suite.grant(person, NEWS)
    suite.reject(person)
    proof = prove(suite, person)
    assert proof.consent.state == State.WITHDRAWN
    assert "policy.rejected" in {json.loads(e.body)["event"] for e in proof.evidence}


def test_a_past_is_proven_as_it_was_known(suite: Suite) -> None:
    suite.clock.instant = NOON
    suite.publish()
    person = suite.register().subject_id
    suite.clock.instant = NOON + timedelta(days=1)
    suite.grant(person, NEWS)
    suite.clock.instant = NOON + timedelta(days=3)
    suite.withdraw(person, NEWS)
    then = NOON + timedelta(days=2)
    proof = prove(suite, person, at_time=then, known_time=then)
    assert proof.consent.state == State.GIVEN
    assert "consent.withdrawn" not in {json.loads(e.body)["event"] for e in proof.evidence}
    assert prove(suite, person, at_time=then).consent.state == State.GIVEN
    assert not prove(suite, person, at_time=NOON, known_time=then).HasField("consent")


def test_a_declaration_on_paper_is_shown_with_its_reference(suite: Suite) -> None:
    suite.clock.instant = NOON
    suite.publish()
    person = suite.register().subject_id
    suite.clock.instant = NOON + timedelta(days=3)
    signed = NOON + timedelta(days=1)
    request = consent_pb2.GrantConsentRequest(
        subject_id=person, purpose=NEWS, language="ru", wording="Да", declaration=paper(signed)
    )
    suite.ask(request, consent_pb2.GrantConsentResponse, role="PRIVACY_OFFICER")
    proof = prove(suite, person)
    assert proof.declaration.paper.reference == "archive/2026/17"
    (event,) = proof.record.has_consent_event
    assert event.event_time.ToDatetime(UTC) == signed
    assert event.record_time.ToDatetime(UTC) >= suite.clock.instant
    assert event.in_force_time.ToDatetime(UTC) >= suite.clock.instant


def test_never_asked_is_proven_too(suite: Suite, person: str) -> None:
    proof = prove(suite, person)
    assert not proof.HasField("consent")
    assert proof.record.has_consent_status.id == "dpv:ConsentUnknown"
    assert list(proof.evidence) == []
    assert "ешқашан сұралмаған" in proof.pages[0].html


def test_a_person_can_read_it_in_three_languages(suite: Suite, person: str) -> None:
    suite.grant(person, NEWS, wording=WORDING)
    pages = {p.language: p.html for p in prove(suite, person).pages}
    assert set(pages) == {"kk", "ru", "en"}
    for language, state in {"kk": "берілген", "ru": "дано", "en": "given"}.items():
        assert f'<html lang="{language}">' in pages[language]
        assert state in pages[language]
        assert html.escape(WORDING) in pages[language]
        assert "<b>" not in pages[language]
        assert OPERATOR.bin in pages[language]


def test_a_subject_of_another_site_is_none(suite: Suite, person: str) -> None:
    request = consent_pb2.ProveConsentRequest(subject_id=person, purpose=NEWS)
    with pytest.raises(NotFound):
        suite.ask(request, consent_pb2.ProveConsentResponse, role="AUDITOR", site="s-elsewhere")


def test_the_entries_are_found_by_an_index(suite: Suite, person: str) -> None:
    granted = suite.grant(person, NEWS)
    with suite.database.transaction() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        parameters = {
            "act_ids": [granted.act_id],
            "site_id": suite.site,
            "known": datetime.now(UTC),
        }
        statement = f"EXPLAIN {store_evidence._OF_ACTS}"
        plan = "\n".join(r[0] for r in connection.execute(text(statement), parameters))
    assert "evidence_of_consents" in plan


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("", "names no operator"),
        ('[operator]\nname = "A"\n', "operator.bin"),
        ("operator = ", "not TOML"),
        (
            '[operator]\nname="A"\nbin="1"\naddress="a"\ncontact="c"\nresponsible="r"\nwithdrawal="w"',
            "no BIN",
        ),
    ],
)
def test_a_wrong_sites_file_is_named(tmp_path: Path, content: str, word: str) -> None:
    path = tmp_path / "sites.toml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=word):
        load_sites(path)
