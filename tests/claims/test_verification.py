# SPDX-License-Identifier: Apache-2.0
"""A verification ends in an outcome: lift, correct and lift, or restrict (clause 6.2.3)."""

import json
from typing import Any

import pytest

from qupia.claims.v1 import claims_pb2
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.ids import new_uuid
from services.chassis.refusal import (
    DeadlineRequired,
    FieldViolation,
    IdempotencyKeyReused,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Refusal,
    StateConflict,
    SubjectRestricted,
    Unavailable,
)
from tests.claims.suite import Claim, Suite, in_threads

State, Block = subject_pb2.Enforcement, vault_pb2.Block
CORRECTION = {"phone": "+77017654321", "address": {"flat": "7"}}


def _fields(refused: pytest.ExceptionInfo[InvalidArgument]) -> list[str]:
    return [field.field for field in refused.value.fields]


def _blocks(suite: Suite, subject: str) -> list[vault_pb2.Block]:
    return list(suite.vault.slices["demo", subject].blocks)


def test_a_confirmed_inaccuracy_writes_the_correction_and_lifts_in_one_push(suite: Suite) -> None:
    subject = suite.vault.subject()
    claim_id = suite.file(subject).claim.claim_id
    answer = suite.conclude(claim_id, Claim.INACCURATE_CONFIRMED, correction=CORRECTION)
    (staged,) = suite.vault.staged
    assert (staged.subject_id, staged.claim_id) == (subject, claim_id)
    assert list(staged.update_mask.paths) == ["phone", "address.flat"]
    (block,) = _blocks(suite, subject)
    assert block.outcome == Block.INACCURATE_CONFIRMED
    assert block.correction_id == staged.correction_id
    assert answer.version == 2
    assert (answer.claim.state, answer.claim.outcome) == (
        Claim.VERIFIED,
        Claim.INACCURATE_CONFIRMED,
    )
    assert answer.enforcement == State.IN_FORCE
    act = suite.ask("GetAct", claims_pb2.GetActRequest(act_id=answer.act_id), suite.person()).act
    assert act.kind == "verification.concluded"
    assert len(suite.vault.slices["demo", subject].holds) == 1


@pytest.mark.parametrize("outcome", [Claim.NOT_CONFIRMED, Claim.UNLAWFUL_CONFIRMED])
def test_another_outcome_reaches_every_subject_and_corrects_nothing(
    suite: Suite, outcome: Any
) -> None:
    first, second = suite.vault.subject(), suite.vault.subject()
    claim_id = suite.file(first, second, kind=Claim.UNLAWFUL_ACTS).claim.claim_id
    answer = suite.conclude(claim_id, outcome)
    assert not answer.HasField("version")
    for subject in (first, second):
        (block,) = _blocks(suite, subject)
        assert (block.outcome, block.correction_id) == (outcome, "")
    assert suite.vault.staged == []


def test_of_several_subjects_the_named_one_is_corrected(suite: Suite) -> None:
    first, second = suite.vault.subject(), suite.vault.subject()
    claim_id = suite.file(first, second).claim.claim_id
    members: dict[str, Any] = {"correction": CORRECTION}
    with pytest.raises(InvalidArgument) as refused:
        suite.conclude(claim_id, Claim.INACCURATE_CONFIRMED, **members)
    assert _fields(refused) == ["subjectId"]
    with pytest.raises(InvalidArgument) as refused:
        suite.conclude(
            claim_id,
            Claim.INACCURATE_CONFIRMED,
            subject_id=suite.vault.subject(),
            **members,
        )
    assert _fields(refused) == ["subjectId"]
    assert suite.vault.staged == []
    suite.conclude(claim_id, Claim.INACCURATE_CONFIRMED, subject_id=second, **members)
    (other,), (corrected,) = _blocks(suite, first), _blocks(suite, second)
    assert other.outcome == corrected.outcome == Block.INACCURATE_CONFIRMED
    assert (other.correction_id, corrected.correction_id) == (
        "",
        suite.vault.staged[0].correction_id,
    )


def test_an_outcome_ends_its_own_block_only(suite: Suite) -> None:
    subject = suite.vault.subject()
    first, second = suite.file(subject).claim, suite.file(subject).claim
    suite.conclude(first.claim_id, Claim.NOT_CONFIRMED)
    outcomes = {block.claim_id: block.outcome for block in _blocks(suite, subject)}
    assert outcomes == {first.claim_id: Block.NOT_CONFIRMED, second.claim_id: 0}


@pytest.mark.parametrize(
    ("outcome", "members", "field"),
    [
        (Claim.INACCURATE_CONFIRMED, {}, "correction"),
        (Claim.INACCURATE_CONFIRMED, {"correction": {}}, "correction"),
        (Claim.INACCURATE_CONFIRMED, {"correction": {"address": {}}}, "correction"),
        (Claim.NOT_CONFIRMED, {"correction": CORRECTION}, "correction"),
        (Claim.NOT_CONFIRMED, {"evidence": " "}, "evidence"),
        (Claim.NOT_CONFIRMED, {"evidence": ""}, "evidence"),
        (0, {}, "outcome"),
        (9, {}, "outcome"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_recorded(
    suite: Suite, outcome: Any, members: dict[str, Any], field: str
) -> None:
    claim_id = suite.file(suite.vault.subject()).claim.claim_id
    with pytest.raises(InvalidArgument) as refused:
        suite.conclude(claim_id, outcome, **members)
    assert _fields(refused) == [field]
    assert suite.rows("SELECT state FROM claims") == [("RECEIVED",)]


def test_what_the_vault_finds_wrong_in_a_correction_is_named_as_the_officer_wrote_it(
    suite: Suite,
) -> None:
    claim_id = suite.file(suite.vault.subject()).claim.claim_id
    suite.vault.refuses["StageCorrection"] = InvalidArgument(
        fields=[
            FieldViolation("data.phone", "phone", "is no phone number"),
            FieldViolation("data.address.flat", "text", "is too long"),
        ]
    )
    with pytest.raises(InvalidArgument) as refused:
        suite.conclude(claim_id, Claim.INACCURATE_CONFIRMED, correction=CORRECTION)
    assert _fields(refused) == ["correction.phone", "correction.address.flat"]
    assert refused.value.fields[0].rule == "phone"


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (Unavailable(), Unavailable),
        (SubjectRestricted(), SubjectRestricted),
        # Between the two processes, nothing of the officer's.
        (DeadlineRequired(), Unavailable),
        (PermissionDenied(), Unavailable),
    ],
)
def test_without_a_staged_correction_nothing_is_recorded(
    suite: Suite, said: Refusal, heard: type[Refusal]
) -> None:
    claim_id, key = suite.file(suite.vault.subject()).claim.claim_id, new_uuid()
    members: dict[str, Any] = {"correction": CORRECTION, "request_id": key}
    suite.vault.refuses["StageCorrection"] = said
    with pytest.raises(heard):
        suite.conclude(claim_id, Claim.INACCURATE_CONFIRMED, **members)
    assert suite.rows("SELECT state FROM claims") == [("RECEIVED",)]
    assert suite.rows("SELECT count(*) FROM verifications") == [(0,)]
    assert suite.rows("SELECT count(*) FROM corrections") == [(0,)]
    suite.vault.refuses.clear()
    # The key of a call that came to nothing may be used for the next attempt.
    members["correction"] = {"phone": "+77017654322"}
    assert suite.conclude(claim_id, Claim.INACCURATE_CONFIRMED, **members).version == 2


def test_an_outcome_without_correction_waits_for_the_vault(suite: Suite) -> None:
    claim_id = suite.file(suite.vault.subject()).claim.claim_id
    suite.vault.up = False
    answer = suite.conclude(claim_id, Claim.NOT_CONFIRMED)
    assert answer.enforcement == answer.claim.enforcement == State.PENDING
    assert answer.claim.state == Claim.VERIFIED


def test_a_claim_that_does_not_block_has_no_verification(suite: Suite) -> None:
    claim_id = suite.file(suite.vault.subject(), kind=Claim.OTHER).claim.claim_id
    with pytest.raises(StateConflict):
        suite.conclude(claim_id, Claim.NOT_CONFIRMED)


def test_a_confirmed_outcome_needs_somebody_it_is_about(suite: Suite) -> None:
    claim_id = suite.file().claim.claim_id
    for outcome, members in (
        (Claim.INACCURATE_CONFIRMED, {"correction": CORRECTION}),
        (Claim.UNLAWFUL_CONFIRMED, {}),
    ):
        with pytest.raises(StateConflict):
            suite.conclude(claim_id, outcome, **members)
    answer = suite.conclude(claim_id, Claim.NOT_CONFIRMED)
    assert (answer.act_id, answer.enforcement) == ("", State.IN_FORCE)


def test_a_verification_is_concluded_once(suite: Suite) -> None:
    claim_id = suite.file(suite.vault.subject()).claim.claim_id
    key = new_uuid()
    first = suite.conclude(
        claim_id, Claim.INACCURATE_CONFIRMED, correction=CORRECTION, request_id=key
    )
    with pytest.raises(StateConflict):
        suite.conclude(claim_id, Claim.NOT_CONFIRMED)
    again = suite.conclude(
        claim_id, Claim.INACCURATE_CONFIRMED, correction=CORRECTION, request_id=key
    )
    assert again == first
    assert len(suite.vault.staged) == 1
    with pytest.raises(IdempotencyKeyReused):
        suite.conclude(claim_id, Claim.NOT_CONFIRMED, request_id=key)


@pytest.mark.parametrize("same_key", [True, False])
def test_of_two_officers_at_once_one_concludes(suite: Suite, same_key: bool) -> None:
    claim_id = suite.file(suite.vault.subject(), suite.vault.subject()).claim.claim_id
    key = new_uuid()

    def one(_: int) -> Any:
        request_id = key if same_key else new_uuid()
        return suite.conclude(claim_id, Claim.NOT_CONFIRMED, request_id=request_id)

    results = in_threads(6, one)
    lost = [result for result in results if isinstance(result, StateConflict)]
    assert len(lost) == (0 if same_key else 5), results
    assert suite.rows("SELECT count(*) FROM verifications") == [(1,)]


def test_only_an_officer_of_the_site_concludes(suite: Suite) -> None:
    claim_id = suite.file(suite.vault.subject()).claim.claim_id

    def ask(metadata: dict[str, str | bytes], claim_id: str = claim_id) -> None:
        request = claims_pb2.ConcludeVerificationRequest(
            claim_id=claim_id, outcome=Claim.NOT_CONFIRMED, evidence="Құжат"
        )
        suite.ask("ConcludeVerification", request, metadata)

    for metadata in (suite.storefront(), suite.person("PRIVACY_OFFICER")):
        with pytest.raises(PermissionDenied):
            ask(metadata)
    with pytest.raises(NotFound) as other:
        ask(suite.person(site_id="other"))
    with pytest.raises(NotFound) as absent:
        ask(suite.person(), new_uuid())
    assert other.value.to_status("r") == absent.value.to_status("r")
    ask(suite.person())


def test_the_outcome_stands_in_evidence_with_its_author(suite: Suite) -> None:
    claim_id = suite.file(suite.vault.subject()).claim.claim_id
    suite.conclude(claim_id, Claim.INACCURATE_CONFIRMED, correction=CORRECTION)
    rows = suite.rows("SELECT body FROM evidence_entries WHERE event = 'verification.concluded'")
    (entry,) = [json.loads(body) for (body,) in rows]
    assert entry["principal"].endswith("#aigerim")
    assert entry["decidedOn"]["outcome"] == "INACCURATE_CONFIRMED"
    assert set(entry["digests"]) == {"verification_evidence", "correction"}
