# SPDX-License-Identifier: Apache-2.0
"""A word by the person, by a representative, or from paper (4.1; law.md 4.7; Civil Code 168)."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from qupia.consent.v1 import consent_pb2
from qupia.subject.v1 import subject_pb2
from services.chassis.refusal import InvalidArgument, NoPolicyInForce, StateConflict
from services.consent.declaration import (
    Authority,
    AuthorityKind,
    Declarant,
    Declaration,
    validity_faults,
)
from tests.consent.suite import Suite

NEWS = subject_pb2.Purpose.NEWS
State = consent_pb2.Consent
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DIGEST = "ab" * 32


def paper(at: datetime) -> consent_pb2.Declaration:
    declaration = consent_pb2.Declaration(
        paper=consent_pb2.Paper(reference="archive/2026/17", sha256=DIGEST)
    )
    declaration.declare_time.FromDatetime(at)
    return declaration


def attorney(**dates: str) -> consent_pb2.Declaration:
    authority = consent_pb2.Authority(
        kind=consent_pb2.Authority.POWER_OF_ATTORNEY, reference="poa-1", sha256=DIGEST, **dates
    )
    return consent_pb2.Declaration(
        declarant=consent_pb2.Declaration.REPRESENTATIVE, authority=authority
    )


def grant(suite: Suite, person: str, declaration: Any, role: str = "STOREFRONT") -> Any:
    request = consent_pb2.GrantConsentRequest(
        subject_id=person, purpose=NEWS, language="kk", wording="Иә", declaration=declaration
    )
    return suite.ask(request, consent_pb2.GrantConsentResponse, role=role)


def withdraw(suite: Suite, person: str, declaration: Any, role: str = "STOREFRONT") -> Any:
    request = consent_pb2.WithdrawConsentRequest(
        subject_id=person, purpose=NEWS, declaration=declaration
    )
    return suite.ask(request, consent_pb2.WithdrawConsentResponse, role=role)


def refuse(suite: Suite, person: str, **more: Any) -> Any:
    role = more.pop("role", "STOREFRONT")
    request = consent_pb2.RefuseConsentRequest(subject_id=person, purpose=NEWS, **more)
    return suite.ask(request, consent_pb2.RefuseConsentResponse, role=role)


def fields(error: pytest.ExceptionInfo[InvalidArgument]) -> list[str]:
    return [violation.field for violation in error.value.fields]


@pytest.fixture
def person(suite: Suite) -> str:
    """Somebody who accepted version 1 ten days before noon."""
    suite.clock.instant = NOON - timedelta(days=10)
    suite.publish()
    subject_id = suite.register().subject_id
    suite.clock.instant = NOON
    return subject_id


def test_a_no_is_told_from_never_asked_and_from_a_withdrawal(suite: Suite, person: str) -> None:
    assert list(suite.consents_of(person).consents) == []
    refused = refuse(suite, person, language="kk", wording="Жаңалықтар?")
    assert (refused.consent.state, refused.enforcement) == (
        State.REFUSED_BY_PERSON,
        subject_pb2.Enforcement.IN_FORCE,
    )
    (consent,) = suite.consents_of(person).consents
    assert consent.state == State.REFUSED_BY_PERSON
    assert consent.wording_sha256
    fact = suite.vault.consents[-1][1].consents[0]
    assert fact.HasField("refused_time")
    entry = next(e for e in map(json.loads, suite.evidence()) if e["event"] == "consent.refused")
    assert (entry["clause"], entry["refs"]["purpose"]) == ("4.1.10", "NEWS")


def test_a_no_ends_what_was_given(suite: Suite, person: str) -> None:
    suite.grant(person, NEWS)
    assert refuse(suite, person).consent.state == State.WITHDRAWN
    assert suite.vault.consents[-1][1].consents[0].HasField("withdrawn_time")


def test_a_no_after_the_end_of_a_consent_is_a_no(suite: Suite, person: str) -> None:
    suite.grant(person, NEWS)
    suite.withdraw(person, NEWS)
    assert refuse(suite, person).consent.state == State.REFUSED_BY_PERSON
    facts = suite.vault.consents[-1][1].consents
    assert [f.HasField("refused_time") for f in facts] == [True]


def test_a_no_is_recorded_under_a_key_once(suite: Suite, person: str) -> None:
    first = refuse(suite, person, request_id="no-1")
    assert refuse(suite, person, request_id="no-1") == first
    assert len([e for e in suite.evidence() if '"consent.refused"' in e]) == 1


def test_a_no_while_the_vault_is_away_is_pending_and_comes_into_force(
    suite: Suite, person: str
) -> None:
    suite.vault.absent = True
    answer = refuse(suite, person)
    assert answer.enforcement == subject_pb2.Enforcement.PENDING
    suite.vault.absent = False
    suite.push_all()
    assert suite.act(answer.act_id).enforcement == subject_pb2.Enforcement.IN_FORCE


def test_a_representative_needs_an_authority_and_it_is_in_evidence(
    suite: Suite, person: str
) -> None:
    bare = consent_pb2.Declaration(declarant=consent_pb2.Declaration.REPRESENTATIVE)
    with pytest.raises(InvalidArgument) as error:
        grant(suite, person, bare)
    assert fields(error) == ["declaration.authority"]
    assert grant(suite, person, attorney(issue_date="2026-01-01")).consent.state == State.GIVEN
    entry = next(e for e in map(json.loads, suite.evidence()) if e["event"] == "consent.granted")
    assert entry["decidedOn"]["declarant"] == "REPRESENTATIVE"
    assert (entry["refs"]["authority"], entry["digests"]["authority"]) == ("poa-1", DIGEST)


def test_an_authority_belongs_to_a_representative(suite: Suite, person: str) -> None:
    declaration = attorney(issue_date="2026-01-01")
    declaration.declarant = consent_pb2.Declaration.SUBJECT
    with pytest.raises(InvalidArgument) as error:
        grant(suite, person, declaration)
    assert fields(error) == ["declaration.authority"]


@pytest.mark.parametrize(
    ("dates", "field"),
    [
        ({}, "issueDate"),
        ({"issue_date": "2025-11-22"}, "endDate"),
        ({"issue_date": "2025-01-01", "end_date": "2026-11-22"}, "endDate"),
        ({"issue_date": "2026-01-01", "end_date": "2029-01-02"}, "endDate"),
        ({"issue_date": "2026-11-24"}, "issueDate"),
    ],
)
def test_a_void_power_of_attorney_consents_to_nothing_but_still_withdraws(
    suite: Suite, person: str, dates: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidArgument) as error:
        grant(suite, person, attorney(**dates))
    assert fields(error) == [f"declaration.authority.{field}"]
    suite.grant(person, NEWS)
    assert withdraw(suite, person, attorney(**dates)).consent.state == State.WITHDRAWN


def test_a_power_of_attorney_holds_through_its_last_day() -> None:
    kind, issued = AuthorityKind.POWER_OF_ATTORNEY, date(2024, 2, 29)
    silent = Authority(kind, "r", DIGEST, issued, None)
    word = Declaration(Declarant.REPRESENTATIVE, silent)
    assert validity_faults(word, date(2025, 3, 1)) == []
    assert validity_faults(word, date(2025, 3, 2)) != []


def test_a_storefront_attests_what_happens_now_and_no_paper(suite: Suite, person: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        grant(suite, person, paper(NOON - timedelta(days=1)))
    assert sorted(fields(error)) == ["declaration.declareTime", "declaration.paper"]


def test_an_officer_enters_paper_only_and_never_of_the_future(suite: Suite, person: str) -> None:
    for ask in (grant, withdraw):
        with pytest.raises(InvalidArgument) as error:
            ask(suite, person, None, role="PRIVACY_OFFICER")
        assert sorted(fields(error)) == ["declaration.declareTime", "declaration.paper"]
        with pytest.raises(InvalidArgument) as error:
            ask(suite, person, paper(NOON + timedelta(days=1)), role="PRIVACY_OFFICER")
        assert fields(error) == ["declaration.declareTime"]


def test_a_paper_counts_from_its_own_date_under_the_policy_of_that_date(
    suite: Suite, person: str
) -> None:
    suite.publish()
    signed = NOON - timedelta(days=5)
    given = grant(suite, person, paper(signed), role="PRIVACY_OFFICER").consent
    assert (given.state, given.policy_version) == (State.GIVEN, 1)
    assert given.grant_time.ToDatetime(UTC) == signed
    fact = suite.vault.consents[-1][1].consents[0]
    assert fact.granted_time.ToDatetime(UTC) == signed


def test_a_paper_from_before_any_policy_consents_to_nothing(suite: Suite, person: str) -> None:
    with pytest.raises(NoPolicyInForce):
        grant(suite, person, paper(NOON - timedelta(days=20)), role="PRIVACY_OFFICER")


@pytest.mark.parametrize("act", ["withdraw", "reject", "grant"])
def test_a_paper_revives_nothing_that_the_person_has_spoken_of_since(
    suite: Suite, person: str, act: str
) -> None:
    if act == "grant":
        suite.grant(person, NEWS)
    elif act == "withdraw":
        suite.withdraw(person, NEWS)
    else:
        suite.reject(person)
        suite.accept(person)
    before = list(suite.consents_of(person).consents)
    with pytest.raises(StateConflict) as error:
        grant(suite, person, paper(NOON - timedelta(days=1)), role="PRIVACY_OFFICER")
    assert [f.field for f in error.value.fields] == ["declaration.declareTime"]
    assert list(suite.consents_of(person).consents) == before


def test_a_paper_withdrawal_counts_from_its_date(suite: Suite, person: str) -> None:
    suite.clock.instant = NOON - timedelta(days=5)
    suite.grant(person, NEWS)
    suite.clock.instant = NOON
    written = NOON - timedelta(days=2)
    consent = withdraw(suite, person, paper(written), role="PRIVACY_OFFICER").consent
    assert consent.withdraw_time.ToDatetime(UTC) == written


def test_a_paper_withdrawal_older_than_the_grant_ends_it_all_the_same(
    suite: Suite, person: str
) -> None:
    suite.grant(person, NEWS)
    old = paper(NOON - timedelta(days=2))
    consent = withdraw(suite, person, old, role="PRIVACY_OFFICER").consent
    assert consent.state == State.WITHDRAWN
    assert consent.withdraw_time.ToDatetime(UTC) >= NOON
