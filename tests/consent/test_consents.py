# SPDX-License-Identifier: Apache-2.0
"""Express consents through the service (clauses 4.1.6, 4.1.8, 4.1.10 to 4.1.12, 9.1)."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest

from qupia.consent.v1 import consent_pb2
from qupia.subject.v1 import subject_pb2
from services.chassis.refusal import (
    InvalidArgument,
    PolicyDisagreed,
    PurposeUnknown,
    SubjectBlocked,
)
from services.consent.store_subjects import read_wording
from tests.consent.suite import Suite

Purpose = subject_pb2.Purpose
State = consent_pb2.Consent
Enforcement = subject_pb2.Enforcement
EXPRESS: dict[int, str] = {
    Purpose.ACCOUNT: "4.1.6",
    Purpose.NEWS: "4.1.10",
    Purpose.ADVERTISING: "4.1.11",
    Purpose.PARTNER_SITES: "4.1.12",
    Purpose.AUTOMATED_DECISION: "4.1.8",
}
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def person(suite: Suite) -> str:
    """Somebody who accepted version 1."""
    suite.publish()
    return suite.register().subject_id


def states(suite: Suite, subject_id: str) -> dict[int, int]:
    return {c.purpose: c.state for c in suite.consents_of(subject_id).consents}


@pytest.mark.parametrize("purpose", EXPRESS)
def test_each_express_purpose_is_granted_and_withdrawn(
    suite: Suite, person: str, purpose: int
) -> None:
    granted = suite.grant(person, purpose)
    assert granted.enforcement == Enforcement.IN_FORCE
    assert granted.consent.state == State.GIVEN
    assert states(suite, person) == {purpose: State.GIVEN}
    withdrawn = suite.withdraw(person, purpose)
    assert withdrawn.enforcement == Enforcement.IN_FORCE
    assert withdrawn.consent.state == State.WITHDRAWN
    assert states(suite, person) == {purpose: State.WITHDRAWN}
    clauses = [
        entry["clause"]
        for entry in map(json.loads, suite.evidence())
        if entry["event"] in ("consent.granted", "consent.withdrawn")
    ]
    assert clauses == [EXPRESS[purpose]] * 2


@pytest.mark.parametrize("purpose", sorted(set(Purpose.Code.values()) - set(EXPRESS) - {0}))
def test_a_purpose_that_needs_no_consent_can_be_given_none(
    suite: Suite, person: str, purpose: int
) -> None:
    for ask in (suite.grant, suite.withdraw):
        with pytest.raises(InvalidArgument) as error:
            ask(person, purpose)
        assert [f.field for f in error.value.fields] == ["purpose"]


@pytest.mark.parametrize("purpose", [0, 14, 999, -1])
def test_a_purpose_that_is_none_of_the_policy_is_unknown_and_recorded(
    suite: Suite, person: str, purpose: int
) -> None:
    for ask in (suite.grant, suite.withdraw):
        with pytest.raises(PurposeUnknown):
            ask(person, purpose)
        entry = json.loads(suite.evidence()[-1])
        assert (entry["reason"], entry["clause"]) == ("PURPOSE_UNKNOWN", "4.1")


def test_the_exact_wording_and_its_digest_are_kept(suite: Suite, person: str) -> None:
    wording = "Жаңалықтар алуға келісемін\r\n  "
    consent = suite.grant(person, Purpose.NEWS, wording=wording).consent
    assert consent.wording_sha256 == hashlib.sha256(wording.encode()).hexdigest()
    assert (consent.language, consent.policy_version) == ("kk", 1)
    with suite.database.transaction() as connection:
        assert read_wording(connection, suite.site, consent.wording_sha256) == wording


def test_a_consent_ends_by_itself_at_its_term(suite: Suite) -> None:
    suite.clock.instant = NOON
    suite.publish()
    person = suite.register().subject_id
    term = NOON + timedelta(days=30)
    assert suite.grant(person, Purpose.NEWS, term).consent.expire_time.ToDatetime(UTC) == term
    fact = suite.vault.consents[-1][1].consents[0]
    assert fact.expires_time.ToDatetime(UTC) == term
    suite.clock.instant = term - timedelta(microseconds=1)
    assert states(suite, person) == {Purpose.NEWS: State.GIVEN}
    suite.clock.instant = term
    assert states(suite, person) == {Purpose.NEWS: State.EXPIRED}


def test_a_term_in_the_past_is_refused_and_named(suite: Suite, person: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        suite.grant(person, Purpose.NEWS, datetime.now(UTC) - timedelta(seconds=1))
    assert [f.field for f in error.value.fields] == ["expireTime"]
    assert states(suite, person) == {}


def test_a_material_change_ends_the_consents_it_concerns_at_its_time(suite: Suite) -> None:
    suite.clock.instant = NOON
    suite.publish()
    person = suite.register().subject_id
    suite.grant(person, Purpose.NEWS)
    suite.grant(person, Purpose.ADVERTISING)
    pushes = len(suite.vault.consents)
    suite.publish(NOON + timedelta(days=1), material=(Purpose.NEWS,))
    assert states(suite, person)[Purpose.NEWS] == State.GIVEN
    suite.clock.instant = NOON + timedelta(days=1)
    assert states(suite, person) == {
        Purpose.NEWS: State.OUTDATED,
        Purpose.ADVERTISING: State.GIVEN,
    }
    assert len(suite.vault.consents) == pushes
    assert suite.grant(person, Purpose.NEWS).consent.policy_version == 2
    assert states(suite, person)[Purpose.NEWS] == State.GIVEN


def test_a_withdrawal_of_what_was_never_given_is_a_recorded_no(suite: Suite, person: str) -> None:
    answer = suite.withdraw(person, Purpose.NEWS)
    assert answer.enforcement == Enforcement.IN_FORCE
    assert answer.consent.state == State.REFUSED_BY_PERSON
    assert not answer.consent.HasField("grant_time")
    assert not answer.consent.HasField("withdraw_time")
    assert answer.consent.HasField("refuse_time")
    fact = suite.vault.consents[-1][1].consents[0]
    assert fact.HasField("refused_time")
    assert not fact.HasField("withdrawn_time")
    assert suite.grant(person, Purpose.NEWS).consent.state == State.GIVEN


def test_the_first_withdrawal_is_the_one_that_counts(suite: Suite, person: str) -> None:
    suite.grant(person, Purpose.NEWS)
    first = suite.withdraw(person, Purpose.NEWS)
    second = suite.withdraw(person, Purpose.NEWS)
    assert second.consent.withdraw_time == first.consent.withdraw_time
    assert second.act_id != first.act_id


def test_after_disagreement_nothing_is_granted_and_everything_withdrawn(
    suite: Suite, person: str
) -> None:
    suite.grant(person, Purpose.NEWS)
    suite.reject(person)
    with pytest.raises(PolicyDisagreed):
        suite.grant(person, Purpose.ADVERTISING)
    entry = json.loads(suite.evidence()[-1])
    assert (entry["event"], entry["reason"], entry["clause"]) == (
        "consent.granted",
        "POLICY_DISAGREED",
        "2.2",
    )
    assert suite.withdraw(person, Purpose.NEWS).consent.state == State.WITHDRAWN


def test_a_grant_on_the_way_back_is_left_to_the_vault(suite: Suite, person: str) -> None:
    suite.reject(person)
    suite.vault.absent = True
    accepted = suite.accept(person)
    granted = suite.grant(person, Purpose.NEWS)
    suite.vault.absent = False
    suite.push_all()
    header, _ = suite.vault.consents[-1]
    assert sorted(header.open_proposals) == sorted([accepted.act_id, granted.act_id])
    assert suite.act(granted.act_id).enforcement == Enforcement.IN_FORCE


def test_a_grant_that_the_vault_refuses_was_never_in_force(suite: Suite, person: str) -> None:
    suite.vault.refusing = "SUBJECT_BLOCKED"
    with pytest.raises(SubjectBlocked):
        suite.grant(person, Purpose.NEWS)
    assert states(suite, person) == {Purpose.NEWS: State.REFUSED}
    suite.vault.refusing = ""
    suite.withdraw(person, Purpose.ADVERTISING)
    facts = suite.vault.consents[-1][1].consents
    assert [f.purpose for f in facts] == [Purpose.ADVERTISING]


def test_a_refused_renewal_leaves_the_consent_that_stands(suite: Suite, person: str) -> None:
    first = suite.grant(person, Purpose.NEWS, wording="Бірінші")
    suite.vault.refusing = "SUBJECT_BLOCKED"
    with pytest.raises(SubjectBlocked):
        suite.grant(person, Purpose.NEWS, wording="Екінші")
    (consent,) = suite.consents_of(person).consents
    assert consent == first.consent
    pushed = suite.vault.consents[-1][1].consents
    assert len(pushed) == 2


def test_a_renewal_takes_the_place_of_the_consent_that_stands(suite: Suite, person: str) -> None:
    suite.grant(person, Purpose.NEWS, wording="Бірінші")
    second = suite.grant(person, Purpose.NEWS, wording="Екінші")
    (consent,) = suite.consents_of(person).consents
    assert consent == second.consent
    suite.withdraw(person, Purpose.ADVERTISING)
    facts = suite.vault.consents[-1][1].consents
    assert [f.proposal_id for f in facts if f.purpose == Purpose.NEWS] == [second.act_id]


def test_a_withdrawal_takes_the_place_of_a_grant_on_its_way(suite: Suite, person: str) -> None:
    suite.vault.absent = True
    granted = suite.grant(person, Purpose.NEWS)
    assert (granted.enforcement, granted.consent.state) == (Enforcement.PENDING, State.PENDING)
    withdrawn = suite.withdraw(person, Purpose.NEWS)
    assert withdrawn.enforcement == Enforcement.PENDING
    assert withdrawn.consent.state == State.WITHDRAWN
    assert suite.act(granted.act_id).enforcement == Enforcement.SUPERSEDED
    suite.vault.absent = False
    suite.push_all()
    header, slice_ = suite.vault.consents[-1]
    assert list(header.open_proposals) == []
    assert slice_.consents[0].proposal_id == granted.act_id
    assert slice_.consents[0].HasField("withdrawn_time")
    assert suite.act(withdrawn.act_id).enforcement == Enforcement.IN_FORCE


def test_a_later_grant_takes_the_place_of_one_on_its_way(suite: Suite, person: str) -> None:
    suite.vault.absent = True
    first = suite.grant(person, Purpose.NEWS)
    second = suite.grant(person, Purpose.NEWS)
    assert suite.act(first.act_id).enforcement == Enforcement.SUPERSEDED
    suite.vault.absent = False
    suite.push_all()
    assert list(suite.vault.consents[-1][0].open_proposals) == [second.act_id]
    assert states(suite, person) == {Purpose.NEWS: State.GIVEN}


def test_an_answered_proposal_is_not_open_when_everything_is_pushed_again(
    suite: Suite, person: str
) -> None:
    granted = suite.grant(person, Purpose.NEWS)
    suite.vault.consents.clear()
    suite.meet_the_vault()
    suite.push_all()
    header, slice_ = suite.vault.consents[-1]
    assert list(header.open_proposals) == []
    assert slice_.accepted_version == 1
    assert [f.proposal_id for f in slice_.consents] == [granted.act_id]


def test_the_vaults_answer_alone_causes_no_further_push(suite: Suite, person: str) -> None:
    suite.grant(person, Purpose.NEWS)
    pushes = len(suite.vault.consents)
    suite.push_all()
    assert len(suite.vault.consents) == pushes


def test_the_same_key_grants_once_and_answers_what_stands_now(suite: Suite, person: str) -> None:
    request = consent_pb2.GrantConsentRequest(
        subject_id=person, purpose=Purpose.NEWS, language="ru", wording="Да", request_id="k-3"
    )
    first = suite.ask(request, consent_pb2.GrantConsentResponse)
    assert suite.ask(request, consent_pb2.GrantConsentResponse) == first
    suite.withdraw(person, Purpose.NEWS)
    again = suite.ask(request, consent_pb2.GrantConsentResponse)
    assert (again.act_id, again.consent.state) == (first.act_id, State.WITHDRAWN)


def test_listing_leaves_evidence_and_never_asked_is_not_listed(suite: Suite, person: str) -> None:
    assert states(suite, person) == {}
    entry = json.loads(suite.evidence()[-1])
    assert (entry["event"], entry["outcome"]) == ("consents.listed", "PERMITTED")
