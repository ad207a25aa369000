# SPDX-License-Identifier: Apache-2.0
"""Another time of receipt: a term that had not passed runs on; what is over stays (8.1, 8.2)."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from qupia.claims.v1 import claims_pb2, court_pb2, site_claims_pb2, verification_pb2
from services.chassis.clock import FixedClock
from services.chassis.refusal import CourtBeforeClaim, InvalidArgument, StateConflict
from services.claims.wire import stamp
from tests.claims.suite import NOW, Claim, Suite

LONG_AGO = NOW - timedelta(days=40)
LATELY = NOW - timedelta(days=1)
REASON = "Құжаттар салыстырылды"
WITHOUT_BLOCK: dict[str, Any] = {"kind": Claim.OTHER}


def _paper(suite: Suite, received: datetime, **members: Any) -> str:
    """A claim on paper whose entered time of receipt was not confirmed; its id."""
    claim = {"receipt_time": stamp(received), **members}
    filed = suite.file(suite.vault.subject(), metadata=suite.person(), **claim)
    return str(filed.claim.claim_id)


def _site_claim(suite: Suite) -> str:
    filed = suite.file(
        suite.vault.subject(), metadata=suite.person(), kind=Claim.OTHER, claimant=Claim.SITE
    )
    return str(filed.claim.claim_id)


def _proven(suite: Suite, claim_id: str) -> None:
    request = site_claims_pb2.RecordReceiptRequest(
        claim_id=claim_id, receipt_time=stamp(suite.clock.now()), proof="Хабарлама № 7"
    )
    suite.ask("RecordReceipt", request, suite.person())


def _correct(suite: Suite, claim_id: str, received: datetime) -> claims_pb2.Claim:
    request = verification_pb2.CorrectReceiptTimeRequest(
        claim_id=claim_id, receipt_time=stamp(received), reason=REASON
    )
    answer: verification_pb2.CorrectReceiptTimeResponse = suite.ask(
        "CorrectReceiptTime", request, suite.person()
    )
    return answer.claim


def _confirm(suite: Suite, claim_id: str) -> claims_pb2.Claim:
    request = verification_pb2.ConfirmReceiptTimeRequest(claim_id=claim_id, reason=REASON)
    answer: verification_pb2.ConfirmReceiptTimeResponse = suite.ask(
        "ConfirmReceiptTime", request, suite.person(name="dana")
    )
    return answer.claim


def _answer(suite: Suite, claim_id: str, **members: Any) -> None:
    request = claims_pb2.AnswerClaimRequest(
        claim_id=claim_id, decision=Claim.REJECTED, text="Негіз жоқ", **members
    )
    suite.ask("AnswerClaim", request, suite.person())


def _sue(suite: Suite, claim_id: str) -> None:
    request = court_pb2.ReferToCourtRequest(claim_id=claim_id, case="№ 7511-26")
    suite.ask("ReferToCourt", request, suite.person())


def _close(suite: Suite, claim_id: str) -> None:
    request = court_pb2.CloseClaimRequest(claim_id=claim_id, reason="Кері алынды")
    suite.ask("CloseClaim", request, suite.person())


def _stands(suite: Suite, claim_id: str) -> claims_pb2.Claim:
    answer: claims_pb2.GetClaimResponse = suite.ask(
        "GetClaim", claims_pb2.GetClaimRequest(claim_id=claim_id), suite.person()
    )
    return answer.claim


def _tasks(suite: Suite) -> list[str]:
    answer: verification_pb2.ListTasksResponse = suite.ask(
        "ListTasks", verification_pb2.ListTasksRequest(), suite.person()
    )
    return sorted(verification_pb2.Task.Kind.Name(task.kind) for task in answer.tasks)


def _at(suite: Suite, time: datetime) -> None:
    assert isinstance(suite.clock, FixedClock)
    suite.clock.instant = time


@pytest.mark.parametrize(
    ("kind", "concluded", "written", "goes_on_as"),
    [
        (Claim.INACCURATE_DATA, False, False, Claim.RECEIVED),
        (Claim.INACCURATE_DATA, True, False, Claim.VERIFIED),
        (Claim.INACCURATE_DATA, True, True, Claim.ANSWER_WRITTEN),
        (Claim.OTHER, False, False, Claim.RECEIVED),
        (Claim.OTHER, False, True, Claim.ANSWER_WRITTEN),
    ],
)
def test_a_claim_that_was_received_later_has_not_lapsed(
    suite: Suite,
    kind: claims_pb2.Claim.Kind.ValueType,
    concluded: bool,
    written: bool,
    goes_on_as: claims_pb2.Claim.State.ValueType,
) -> None:
    """T-8.1-b"""
    claim_id = _paper(suite, LONG_AGO, kind=kind)
    suite.claim_clock.round()
    assert _stands(suite, claim_id).state == Claim.NO_ANSWER
    assert "TELL_NO_ANSWER" in _tasks(suite)
    if concluded:
        suite.conclude(claim_id, Claim.NOT_CONFIRMED)
    if written:
        _answer(suite, claim_id)
    assert _correct(suite, claim_id, LATELY).state == Claim.NO_ANSWER
    assert _confirm(suite, claim_id).state == goes_on_as
    assert _tasks(suite) == []
    with pytest.raises(CourtBeforeClaim):
        _sue(suite, claim_id)
    # The clock looks at it again, and its term passes as any other.
    _at(suite, NOW + timedelta(days=32))
    suite.claim_clock.round()
    assert _stands(suite, claim_id).state == Claim.NO_ANSWER
    _sue(suite, claim_id)


def test_a_term_that_has_passed_all_the_same_stays_so(suite: Suite) -> None:
    claim_id = _paper(suite, LONG_AGO, **WITHOUT_BLOCK)
    suite.claim_clock.round()
    _correct(suite, claim_id, LONG_AGO + timedelta(days=2))
    assert _confirm(suite, claim_id).state == Claim.NO_ANSWER
    assert _tasks(suite) == ["TELL_NO_ANSWER"]


def test_a_claimant_is_not_told_of_a_lapse_that_was_none(suite: Suite) -> None:
    claim_id = _paper(suite, LONG_AGO, reply_address="dana@example.kz", **WITHOUT_BLOCK)
    suite.claim_clock.round()
    _correct(suite, claim_id, LATELY)
    _confirm(suite, claim_id)
    suite.notifier.round()
    assert suite.mailer.letters == []


@pytest.mark.parametrize("end", ["ANSWERED", "AGREED", "COURT", "CLOSED"])
def test_what_is_over_was_received_when_it_was(suite: Suite, end: str) -> None:
    claim_id = _paper(suite, NOW - timedelta(days=2), **WITHOUT_BLOCK)
    _correct(suite, claim_id, LATELY)
    dispatch = claims_pb2.Dispatch(channel=claims_pb2.Dispatch.POST, time=stamp(NOW), proof="RR1")
    _answer(suite, claim_id, dispatch=dispatch)
    if end == "AGREED":
        terms = court_pb2.RecordAgreementRequest(claim_id=claim_id, terms="Келісті")
        suite.ask("RecordAgreement", terms, suite.person())
    if end == "COURT":
        _sue(suite, claim_id)
    if end == "CLOSED":
        _close(suite, claim_id)
    before = _stands(suite, claim_id)
    assert Claim.State.Name(before.state) == end
    # What waited for a second officer waits no more.
    assert not before.receipt_awaits_approval
    assert _tasks(suite) == []
    with pytest.raises(StateConflict):
        _confirm(suite, claim_id)
    for other in (LATELY, LONG_AGO):
        with pytest.raises(StateConflict):
            _correct(suite, claim_id, other)
    assert _stands(suite, claim_id) == before


def test_a_time_far_back_may_be_confirmed_after_the_answer_too(suite: Suite) -> None:
    claim_id = _paper(suite, NOW - timedelta(days=20), **WITHOUT_BLOCK)
    dispatch = claims_pb2.Dispatch(channel=claims_pb2.Dispatch.POST, time=stamp(NOW), proof="RR1")
    _answer(suite, claim_id, dispatch=dispatch)
    assert _tasks(suite) == ["CONFIRM_RECEIPT_TIME"]
    before = _stands(suite, claim_id)
    assert _confirm(suite, claim_id).receipt_time == before.receipt_time
    assert _tasks(suite) == []


# -- the site claims ---------------------------------------------------------------------------


def test_no_officer_says_that_a_user_has_a_claim_without_its_proof(suite: Suite) -> None:
    """T-8.1-a"""
    claim_id = _site_claim(suite)
    for received in (LONG_AGO, NOW):
        with pytest.raises((StateConflict, InvalidArgument)):
            _correct(suite, claim_id, received)
    assert _stands(suite, claim_id).state == Claim.AWAITING_RECEIPT


def test_a_user_cannot_have_had_a_claim_before_it_was_made(suite: Suite) -> None:
    """T-8.1-b"""
    claim_id = _site_claim(suite)
    _at(suite, NOW + timedelta(days=3))
    _proven(suite, claim_id)
    for received in (LONG_AGO, NOW - timedelta(seconds=1), NOW + timedelta(days=3, seconds=1)):
        with pytest.raises(InvalidArgument) as refused:
            _correct(suite, claim_id, received)
        assert [(f.field, f.rule) for f in refused.value.fields] == [("receiptTime", "range")]


def test_a_user_loses_time_to_answer_only_where_two_officers_say_so(suite: Suite) -> None:
    claim_id = _site_claim(suite)
    _at(suite, NOW + timedelta(days=3))
    _proven(suite, claim_id)
    proven = _stands(suite, claim_id)
    earlier = _correct(suite, claim_id, NOW + timedelta(days=1))
    assert (earlier.due_date, earlier.receipt_awaits_approval) == (proven.due_date, True)
    assert _confirm(suite, claim_id).due_date < proven.due_date
    # A later time gives the user more: it runs at once, and a term that had passed runs on.
    _at(suite, NOW + timedelta(days=33))
    suite.claim_clock.round()
    assert _stands(suite, claim_id).state == Claim.NO_ANSWER
    later = _correct(suite, claim_id, NOW + timedelta(days=10))
    assert (later.state, later.receipt_awaits_approval) == (Claim.RECEIVED, False)
    assert later.due_date > proven.due_date


def test_no_officer_has_to_confirm_a_receipt_that_the_user_has_answered(suite: Suite) -> None:
    claim_id = _site_claim(suite)
    _at(suite, NOW + timedelta(days=3))
    _proven(suite, claim_id)
    _correct(suite, claim_id, NOW + timedelta(days=1))
    assert _tasks(suite) == ["CONFIRM_RECEIPT_TIME"]
    request = site_claims_pb2.RecordUserAnswerRequest(
        claim_id=claim_id, decision=Claim.REJECTED, text="Келіспеймін"
    )
    suite.ask("RecordUserAnswer", request, suite.storefront())
    assert not _stands(suite, claim_id).receipt_awaits_approval
    assert _tasks(suite) == []


def test_a_claim_that_never_reached_its_user_is_taken_back_and_holds_nothing(suite: Suite) -> None:
    claim_id = _site_claim(suite)
    [subject] = _stands(suite, claim_id).subject_ids
    [hold] = suite.vault.slices["demo", subject].holds
    assert not hold.HasField("ended_time")
    _close(suite, claim_id)
    [hold] = suite.vault.slices["demo", subject].holds
    assert hold.HasField("ended_time")
    with pytest.raises(StateConflict):
        _proven(suite, claim_id)


# -- the letter --------------------------------------------------------------------------------


def test_a_claim_that_lapsed_has_one_letter_too(suite: Suite) -> None:
    claim_id = _paper(suite, LONG_AGO, **WITHOUT_BLOCK)
    suite.claim_clock.round()
    _answer(suite, claim_id)
    with pytest.raises(StateConflict):
        _answer(suite, claim_id)
    assert suite.rows("SELECT count(*) FROM answer_letters") == [(1,)]
