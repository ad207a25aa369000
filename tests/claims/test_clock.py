# SPDX-License-Identifier: Apache-2.0
"""The clock of claims: reminders, and terms that pass without an answer (clause 8.2)."""

from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from qupia.claims.v1 import claims_pb2, notices_pb2, verification_pb2
from services.chassis.clock import FixedClock
from services.chassis.deadline import days_before
from services.chassis.mail import LetterNotSent
from services.chassis.metrics import Metrics
from services.chassis.refusal import DataLoss, InvalidArgument, StateConflict
from services.claims import store, store_clock
from services.claims.overdue import Overdue
from services.claims.wire import instant, stamp
from tests.claims.suite import NOW, Claim, Suite, in_threads

Notice = notices_pb2.ClaimNotice
Task = verification_pb2.Task
ADDRESS = "nursultan@example.kz"


def _claim(suite: Suite, **members: Any) -> claims_pb2.Claim:
    return suite.file(suite.vault.subject(), **members).claim


def _at(suite: Suite, time: datetime) -> None:
    assert isinstance(suite.clock, FixedClock)
    suite.clock.instant = time


def _round(suite: Suite) -> None:
    suite.claim_clock.round()
    suite.notifier.round()


def _stands(suite: Suite, claim: claims_pb2.Claim) -> claims_pb2.Claim:
    request = claims_pb2.GetClaimRequest(claim_id=claim.claim_id)
    answer = suite.ask("GetClaim", request, suite.person())
    return cast(claims_pb2.GetClaimResponse, answer).claim


def _notices(suite: Suite, claim: claims_pb2.Claim) -> list[notices_pb2.ClaimNotice]:
    request = notices_pb2.GetNoticesRequest(claim_id=claim.claim_id)
    answer = suite.ask("GetNotices", request, suite.person())
    return list(cast(notices_pb2.GetNoticesResponse, answer).notices)


def _tasks(suite: Suite) -> list[Any]:
    answer = suite.ask("ListTasks", verification_pb2.ListTasksRequest(), suite.person())
    return [task.kind for task in cast(verification_pb2.ListTasksResponse, answer).tasks]


def _tell(suite: Suite, claim: claims_pb2.Claim, time: datetime) -> notices_pb2.ClaimNotice:
    dispatch = claims_pb2.Dispatch(
        channel=claims_pb2.Dispatch.POST, time=stamp(time), proof="RR123456789KZ"
    )
    request = notices_pb2.RecordNoAnswerNoticeRequest(claim_id=claim.claim_id, dispatch=dispatch)
    answer = suite.ask("RecordNoAnswerNotice", request, suite.person())
    return cast(notices_pb2.RecordNoAnswerNoticeResponse, answer).notice


def test_a_claim_lapses_with_the_end_of_its_last_day_and_not_before(suite: Suite) -> None:
    """T-8.2-e"""
    claim = _claim(suite, reply_address=ADDRESS)
    due = instant(claim.due_time)
    _at(suite, due - timedelta(microseconds=1))
    _round(suite)
    assert _stands(suite, claim).state == Claim.RECEIVED
    _at(suite, due)
    _round(suite)
    stands = _stands(suite, claim)
    assert stands.state == Claim.NO_ANSWER
    assert stands.outcome == Claim.OUTCOME_UNSPECIFIED


def _answer(suite: Suite, claim: claims_pb2.Claim) -> None:
    """Answer it by post."""
    dispatch = claims_pb2.Dispatch(
        channel=claims_pb2.Dispatch.POST, time=stamp(suite.clock.now()), proof="RR123456789KZ"
    )
    request = claims_pb2.AnswerClaimRequest(
        claim_id=claim.claim_id, decision=Claim.SATISFIED, text="Мақұлданды", dispatch=dispatch
    )
    suite.ask("AnswerClaim", request, suite.person())


def _overdue(suite: Suite) -> tuple[float | None, float | None]:
    """How many claims and tasks the figures call overdue."""
    metrics = Metrics()
    Overdue(suite.database, suite.clock, metrics).round()
    value = metrics.registry.get_sample_value
    return value("qupia_overdue", {"duty": "claims"}), value("qupia_overdue", {"duty": "tasks"})


def test_what_nobody_has_answered_or_done_is_overdue_until_it_is(suite: Suite) -> None:
    """T-8.2-e"""
    claim = _claim(suite)
    _at(suite, instant(claim.due_time))
    assert _overdue(suite) == (0, 0)
    _round(suite)
    assert _tasks(suite) == [Task.TELL_NO_ANSWER]
    assert _overdue(suite) == (1, 0)
    _at(suite, instant(claim.due_time) + timedelta(days=7))
    assert _overdue(suite) == (1, 1)
    _tell(suite, claim, instant(claim.due_time))
    assert _overdue(suite) == (1, 0)
    suite.conclude(claim.claim_id, Claim.NOT_CONFIRMED)
    _answer(suite, claim)
    assert _overdue(suite) == (0, 0)


def test_a_lapse_lifts_no_block(suite: Suite) -> None:
    """T-8.2-e"""
    claim = _claim(suite)
    before = suite.rows("SELECT count(*) FROM acts")
    _at(suite, instant(claim.due_time))
    _round(suite)
    assert _stands(suite, claim).state == Claim.NO_ANSWER
    assert suite.rows("SELECT count(*) FROM acts") == before, "nothing is pushed to the vault"
    concluded = suite.conclude(claim.claim_id, Claim.NOT_CONFIRMED).claim
    assert (concluded.state, concluded.outcome) == (Claim.NO_ANSWER, Claim.NOT_CONFIRMED)


def test_the_claimant_is_told_by_e_mail_in_the_language_of_the_claim(suite: Suite) -> None:
    """T-8.2-e"""
    claim = _claim(suite, reply_address=ADDRESS, language="ru")
    _at(suite, instant(claim.due_time))
    _round(suite)
    (letter,) = (each for each in suite.mailer.letters if each.to == ADDRESS)
    assert claim.number in letter.subject
    assert "8.3" in letter.text
    assert "Блокирование Ваших данных остаётся в силе" in letter.text
    (notice,) = _notices(suite, claim)
    assert (notice.kind, notice.sending) == (Notice.NO_ANSWER, Notice.SENT)
    assert Task.TELL_NO_ANSWER not in _tasks(suite)
    events = [row[0] for row in suite.rows("SELECT event FROM evidence_entries")]
    assert (events.count("claim.lapsed"), events.count("no_answer.told")) == (1, 1)


def test_a_claimant_without_e_mail_is_told_by_an_officer(suite: Suite) -> None:
    """T-8.2-e"""
    claim = _claim(suite, reply_address="050000, Алматы, Абай даңғылы, 10")
    with pytest.raises(StateConflict):
        _tell(suite, claim, NOW)
    due = instant(claim.due_time)
    _at(suite, due + timedelta(hours=9))
    _round(suite)
    assert _tasks(suite) == [Task.TELL_NO_ANSWER]
    with pytest.raises(InvalidArgument) as refused:
        _tell(suite, claim, due - timedelta(days=2))
    assert [fault.field for fault in refused.value.fields] == ["dispatch.time"]
    told = _tell(suite, claim, due + timedelta(hours=8))
    assert told.channel == claims_pb2.Dispatch.POST
    assert _tasks(suite) == []
    with pytest.raises(StateConflict):
        _tell(suite, claim, due + timedelta(hours=8))


def test_a_letter_that_nobody_takes_becomes_an_officers_task(suite: Suite) -> None:
    """T-8.2-e"""
    claim = _claim(suite, reply_address=ADDRESS)
    _at(suite, instant(claim.due_time))
    suite.mailer.failure = LetterNotSent("no such mailbox", for_good=True)
    _round(suite)
    assert [each.sending for each in _notices(suite, claim)] == [Notice.UNDELIVERABLE]
    assert _tasks(suite) == [Task.TELL_NO_ANSWER]


def test_a_letter_to_an_address_that_nothing_opens_becomes_an_officers_task(suite: Suite) -> None:
    """T-8.2-e"""
    claim = _claim(suite, reply_address=ADDRESS)
    _at(suite, instant(claim.due_time))
    suite.vault.refuses["GetDocument"] = DataLoss()
    _round(suite)
    assert [each.sending for each in _notices(suite, claim)] == [Notice.UNDELIVERABLE]
    assert _tasks(suite) == [Task.TELL_NO_ANSWER]


@pytest.mark.parametrize("failure", [None, LetterNotSent("no such mailbox", for_good=True)])
def test_what_an_officer_told_while_a_letter_was_tried_stands(
    suite: Suite, failure: LetterNotSent | None
) -> None:
    """T-8.2-e"""
    claim = _claim(suite, reply_address=ADDRESS)
    _at(suite, instant(claim.due_time))
    suite.mailer.failure = failure
    told = []
    suite.mailer.meanwhile = lambda: told.append(_tell(suite, claim, instant(claim.due_time)))
    _round(suite)
    assert _notices(suite, claim) == told
    assert _tasks(suite) == []


def test_a_mail_server_that_is_away_is_tried_again(suite: Suite) -> None:
    claim = _claim(suite, reply_address=ADDRESS)
    _at(suite, instant(claim.due_time))
    suite.mailer.failure = LetterNotSent("away", for_good=False)
    _round(suite)
    suite.mailer.failure = None
    suite.notifier.round()
    assert suite.mailer.letters == [], "a try is leased"
    _at(suite, instant(claim.due_time) + timedelta(minutes=2))
    suite.notifier.round()
    assert [letter.to for letter in suite.mailer.letters] == [ADDRESS]


@pytest.mark.parametrize("days", [10, 3])
def test_officers_are_reminded_ten_and_three_days_before(suite: Suite, days: int) -> None:
    claim = _claim(suite)
    with suite.database.transaction() as connection:
        stored = store.read_claim(connection, "demo", claim.claim_id)
    assert stored is not None
    mark = days_before(stored.deadline, days)
    _at(suite, mark - timedelta(microseconds=1))
    _round(suite)
    before = len(suite.mailer.letters)
    _at(suite, mark)
    _round(suite)
    _round(suite)
    letters = suite.mailer.letters[before:]
    assert [letter.to for letter in letters] == ["officers@example.kz"]
    assert claim.number in letters[0].text
    assert _tasks(suite) == [Task.ANSWER_CLAIM]
    assert _stands(suite, claim).state == Claim.RECEIVED


def test_several_processes_let_a_claim_lapse_once(suite: Suite) -> None:
    claims = [_claim(suite, reply_address=ADDRESS) for _ in range(6)]
    _at(suite, instant(claims[0].due_time))
    results = in_threads(4, lambda _: suite.claim_clock.round())
    assert not any(isinstance(each, Exception) for each in results)
    suite.claim_clock.round()
    assert {_stands(suite, claim).state for claim in claims} == {Claim.NO_ANSWER}
    lapsed = suite.rows("SELECT claim_id, count(*) FROM claim_entries GROUP BY claim_id")
    # Filed and lapsed; the reads above are the third.
    assert [count for _, count in lapsed] == [3] * 6


def test_an_answered_claim_has_no_alarm(suite: Suite) -> None:
    claim = _claim(suite, kind=Claim.CONSUMER)
    _answer(suite, claim)
    assert suite.rows("SELECT alarm_time FROM claims") == [(None,)]
    _at(suite, instant(claim.due_time))
    _round(suite)
    assert _stands(suite, claim).state == Claim.ANSWERED


def test_the_scan_reads_what_is_due(suite: Suite) -> None:
    _claim(suite)
    with suite.database.transaction() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        query = store_clock.due_alarms(NOW, 10).compile(
            connection, compile_kwargs={"literal_binds": True}
        )
        plan = connection.exec_driver_sql(f"EXPLAIN {query}").scalars().all()
    assert any("claims_by_alarm" in line for line in plan), plan
