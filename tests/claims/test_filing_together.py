# SPDX-License-Identifier: Apache-2.0
"""Claims that come in at the same moment are filed together as if one after the other (8.1)."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ClassVar

import pytest

from cli.postgres import DatabaseAccess
from qupia.claims.v1 import claims_pb2
from qupia.subject.v1 import subject_pb2
from services.chassis.ids import new_subject_id, new_uuid
from services.chassis.refusal import (
    ClaimLimitReached,
    IdempotencyKeyReused,
    InvalidArgument,
    NotFound,
    StateConflict,
    Unavailable,
)
from services.chassis.together import Together
from services.claims import servicer_filing, store_acts, store_filing
from services.claims.flooding import Limits
from tests.claims.suite import Suite
from tests.harness.statements import heard_statements
from tests.harness.waiting import PATIENCE_SECONDS, wait_until

State = subject_pb2.Enforcement
Answer = claims_pb2.FileClaimResponse


class Crowd:
    """Callers who all wait while the vault has not answered the first of them."""

    def __init__(self, url: str, limits: Limits) -> None:
        self._door = threading.Event()
        self._waits = threading.Event()
        self.suite = Suite(url, limits=limits)
        self.suite.meet_the_vault()

    def _hold(self, rpc: str) -> None:
        if rpc == "LookUpSubject" and not self._waits.is_set():
            self._waits.set()
            assert self._door.wait(PATIENCE_SECONDS)

    def come(self, *calls: Callable[[], Answer]) -> list[Answer | Exception]:
        """What came of the calls, all of which were waiting when their turn came."""
        vault, together = self.suite.vault, _Seen.made[-1]
        first = vault.subject()
        self._door.clear()
        self._waits.clear()
        vault.meanwhile = self._hold
        with ThreadPoolExecutor(len(calls) + 1) as pool:
            pool.submit(self.suite.file, first)
            assert self._waits.wait(PATIENCE_SECONDS)
            asked: list[Future[Answer]] = []
            for call in calls:
                asked.append(pool.submit(call))
                wait_until(lambda: len(together._queue) == len(asked), "a caller does not wait")
            vault.asked.clear()
            self._door.set()
            return [_outcome(each) for each in asked]


class _Seen(Together[Any, Any]):
    """One at a time, and the test sees who waits."""

    made: ClassVar[list[Together[Any, Any]]] = []

    def __init__(self, work: Any, *, leaders: int) -> None:
        assert leaders >= 1
        super().__init__(work, leaders=1)
        self.made.append(self)


def _outcome(asked: Future[Answer]) -> Answer | Exception:
    try:
        return asked.result()
    except Exception as error:  # noqa: BLE001 - handed to the test
        return error


@pytest.fixture
def limits() -> Limits:
    """No limit; a test may say otherwise."""
    return Limits()


@pytest.fixture
def crowd(
    empty: DatabaseAccess, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Crowd]:
    """A claims service before which a crowd can wait."""
    monkeypatch.setattr(servicer_filing, "Together", _Seen)
    crowd = Crowd(empty.runtime_url, limits)
    yield crowd
    crowd.suite.database.close()


def _filing(suite: Suite, *subjects: str, **members: Any) -> Callable[[], Answer]:
    return lambda: suite.file(*subjects, **members)


def _numbers(answers: Sequence[Answer | Exception]) -> list[str]:
    return [each.claim.number for each in answers if isinstance(each, Answer)]


def test_a_crowd_is_pushed_in_one_call_and_each_claim_is_in_force(crowd: Crowd) -> None:
    suite = crowd.suite
    subjects = [suite.vault.subject() for _ in range(5)]
    answers = crowd.come(*(_filing(suite, each, reply_address="a@b.kz") for each in subjects))
    assert _numbers(answers) == [f"2026-{n:06d}" for n in range(2, 7)]
    for subject, answer in zip(subjects, answers, strict=True):
        assert isinstance(answer, Answer)
        assert list(answer.claim.subject_ids) == [subject]
        assert answer.enforcement == answer.claim.enforcement == State.IN_FORCE
        (block,) = suite.vault.slices["demo", subject].blocks
        assert block.claim_id == answer.claim.claim_id
        assert suite.vault.texts(answer.claim.claim_id)["REPLY_ADDRESS"] == "a@b.kz"
        acts = suite.rows(f"SELECT subject_id FROM acts WHERE act_id = '{answer.act_id}'")
        assert acts == [(subject,)]
    assert suite.vault.asked.count("ApplyClaimsSlices") == 1
    assert suite.vault.asked.count("LookUpSubject") == 1
    assert suite.rows("SELECT count(*) FROM outbox") == [(0,)]
    entries = suite.rows("SELECT count(*) FROM evidence_entries WHERE event = 'claim.filed'")
    assert entries == [(6,)]


def test_a_crowd_takes_as_many_statements_as_one_claim(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = crowd.suite
    suite.file(suite.vault.subject(), reply_address="a@b.kz")
    heard = heard_statements(monkeypatch)
    suite.file(suite.vault.subject(), reply_address="a@b.kz")
    alone = list(heard)
    subjects = [suite.vault.subject() for _ in range(8)]
    crowd.come(*(_filing(suite, each, reply_address="a@b.kz") for each in subjects))
    assert sorted(set(heard)) == sorted(set(alone))
    # The first caller's, which names no e-mail address, and one turn of all the others.
    assert len(heard) == 3 * len(alone) - 1


def test_two_claims_of_one_subject_in_a_crowd_are_filed_one_after_the_other(crowd: Crowd) -> None:
    suite = crowd.suite
    shared, other = suite.vault.subject(), suite.vault.subject()
    answers = crowd.come(
        _filing(suite, shared), _filing(suite, other, shared), _filing(suite, shared)
    )
    assert _numbers(answers) == ["2026-000002", "2026-000003", "2026-000004"]
    blocks = [block.claim_id for block in suite.vault.slices["demo", shared].blocks]
    assert blocks == sorted(each.claim.claim_id for each in answers if isinstance(each, Answer))
    # The slice of the first caller, and those of all the others.
    pushes = [rpc for rpc in suite.vault.asked if rpc.startswith("ApplyClaimsSlice")]
    assert pushes == ["ApplyClaimsSlice", "ApplyClaimsSlices"]
    assert suite.rows("SELECT DISTINCT enforcement FROM acts") == [("IN_FORCE",)]


def test_a_crowd_of_more_subjects_than_one_call_takes_is_pushed_in_several(crowd: Crowd) -> None:
    suite = crowd.suite
    families = [[suite.vault.subject() for _ in range(20)] for _ in range(4)]
    answers = crowd.come(*(_filing(suite, *each) for each in families))
    assert [each.enforcement for each in answers if isinstance(each, Answer)] == (
        [State.IN_FORCE] * 4
    )
    assert suite.vault.asked.count("ApplyClaimsSlices") == 2


def test_one_call_twice_in_a_crowd_files_one_claim(crowd: Crowd) -> None:
    suite = crowd.suite
    subject, key = suite.vault.subject(), new_uuid()
    first, again, other = crowd.come(
        _filing(suite, subject, request_id=key),
        _filing(suite, subject, request_id=key),
        _filing(suite, subject, request_id=key, language="ru"),
    )
    assert isinstance(first, Answer)
    assert first == again
    assert suite.vault.asked.count("PutDocument") == 0
    assert isinstance(other, IdempotencyKeyReused)
    assert suite.rows("SELECT count(*) FROM claims") == [(2,)]


def test_a_claim_that_is_refused_spoils_no_other_and_its_key_is_free(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite, key = crowd.suite, new_uuid()
    monkeypatch.setattr(store_filing, "CLAIMS_PER_SUBJECT", 1)
    full, unknown, good = suite.vault.subject(), new_subject_id(), suite.vault.subject()
    suite.file(full)
    refused, beyond, filed = crowd.come(
        _filing(suite, unknown, request_id=key), _filing(suite, full), _filing(suite, good)
    )
    assert isinstance(refused, NotFound)
    assert isinstance(beyond, StateConflict)
    assert _numbers([filed]) == ["2026-000003"]
    suite.vault.subjects.add(("demo", unknown))
    assert suite.file(unknown, request_id=key).claim.number == "2026-000004"


@pytest.mark.parametrize("limits", [Limits(daily_subjects_per_credential=4)])
def test_a_crowd_of_one_credential_stays_within_its_day(crowd: Crowd) -> None:
    suite = crowd.suite
    subjects = [suite.vault.subject() for _ in range(5)]
    one, two, three, last = crowd.come(
        _filing(suite, subjects[0]),
        _filing(suite, *subjects[1:4]),
        _filing(suite, subjects[4]),
        _filing(suite),
    )
    assert _numbers([one, three, last]) == ["2026-000002", "2026-000003", "2026-000004"]
    assert isinstance(two, ClaimLimitReached)
    assert suite.rows("SELECT count FROM filed_subjects") == [(4,)]
    refused = suite.rows("SELECT count(*) FROM evidence_entries WHERE outcome = 'REFUSED'")
    assert refused == [(3,)]


@pytest.mark.parametrize("limits", [Limits(open_per_subject=2)])
def test_claims_of_one_subject_in_a_crowd_count_each_other(crowd: Crowd) -> None:
    suite, subject = crowd.suite, crowd.suite.vault.subject()
    answers = crowd.come(*[_filing(suite, subject)] * 3)
    assert _numbers(answers) == ["2026-000002", "2026-000003"]
    assert isinstance(answers[2], ClaimLimitReached)


def test_a_crowd_is_filed_while_the_vault_is_away(crowd: Crowd) -> None:
    suite = crowd.suite
    subjects = [suite.vault.subject() for _ in range(3)]
    suite.vault.refuses |= {"ApplyClaimsSlices": Unavailable(), "ApplyClaimsSlice": Unavailable()}
    answers = crowd.come(*(_filing(suite, each) for each in subjects))
    assert all(isinstance(each, Answer) for each in answers)
    assert {each.enforcement for each in answers if isinstance(each, Answer)} == {State.PENDING}
    assert suite.rows("SELECT count(*) FROM outbox") == [(4,)]


def test_a_slice_that_the_vault_refuses_spoils_no_other_of_its_crowd(crowd: Crowd) -> None:
    suite = crowd.suite
    suite.vault.refuses["ApplyClaimsSlices"] = InvalidArgument()
    answers = crowd.come(*(_filing(suite, suite.vault.subject()) for _ in range(3)))
    assert {each.enforcement for each in answers if isinstance(each, Answer)} == {State.IN_FORCE}
    assert len(_numbers(answers)) == 3


def test_a_claim_that_cannot_be_written_spoils_no_other(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = crowd.suite
    bad, real = suite.vault.subject(), store_acts.append_all_evidence

    def failing(*arguments: Any, **named: Any) -> None:
        if any(bad in step.claim.subject_ids for step in arguments[1]):
            raise RuntimeError
        real(*arguments, **named)

    monkeypatch.setattr(store_acts, "append_all_evidence", failing)
    spoilt, *filed = crowd.come(
        _filing(suite, bad), *(_filing(suite, suite.vault.subject()) for _ in range(3))
    )
    assert isinstance(spoilt, Exception)
    assert _numbers(filed) == ["2026-000002", "2026-000003", "2026-000004"]
    shared = suite.vault.subject()
    answers = crowd.come(_filing(suite, shared), _filing(suite, shared, bad))
    # The first was recorded when the second failed, and is not recorded again.
    assert _numbers(answers) == ["2026-000006"]
    assert len(suite.vault.slices["demo", shared].blocks) == 1


def test_whoever_cannot_wait_hears_what_stands_of_their_claim(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite, subject = crowd.suite, crowd.suite.vault.subject()
    real = Together.do

    def impatient(self: Any, item: Any, timeout: float) -> Any:
        real(self, item, timeout)
        raise Unavailable(retry_after=1)

    monkeypatch.setattr(Together, "do", impatient)
    answer = suite.file(subject)
    assert answer.enforcement == State.IN_FORCE
    assert list(answer.claim.subject_ids) == [subject]
    monkeypatch.setattr(Together, "do", lambda *_: (_ for _ in ()).throw(Unavailable()))
    with pytest.raises(Unavailable):
        suite.file(subject)
    monkeypatch.setattr(Together, "do", real)


def test_a_claim_filed_again_stands_as_it_is_by_then(crowd: Crowd) -> None:
    suite, subject, key = crowd.suite, crowd.suite.vault.subject(), new_uuid()
    suite.vault.up = False
    first = suite.file(subject, request_id=key)
    suite.vault.up = True
    [again] = crowd.come(_filing(suite, subject, request_id=key))
    assert isinstance(again, Answer)
    assert (first.enforcement, again.enforcement) == (State.PENDING, State.IN_FORCE)
    assert _with_enforcement(first, again) == again


def _with_enforcement(first: Answer, by: Answer) -> Answer:
    """The first answer with the enforcement of another."""
    copy = Answer()
    copy.CopyFrom(first)
    copy.enforcement = copy.claim.enforcement = by.enforcement
    return copy
