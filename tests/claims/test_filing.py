# SPDX-License-Identifier: Apache-2.0
"""A claim is received, numbered, dated and blocks from its receipt: clauses 6.2.3, 8.1, 8.2."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from qupia.claims.v1 import claims_pb2
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.clock import FixedClock
from services.chassis.ids import new_subject_id, new_uuid
from services.chassis.refusal import (
    IdempotencyKeyReused,
    InvalidArgument,
    NotEntitledToFile,
    NotFound,
    PermissionDenied,
    StateConflict,
    Unavailable,
)
from services.claims import store_acts, store_filing
from services.claims.wire import instant, stamp
from tests.claims.suite import NOW, Claim, Suite, in_threads, new_claim

State = subject_pb2.Enforcement
VECTORS = json.loads((Path(__file__).parents[1] / "chassis" / "deadline_vectors.json").read_text())[
    "vectors"
]


def _fields(refused: pytest.ExceptionInfo[InvalidArgument]) -> list[str]:
    return [field.field for field in refused.value.fields]


def test_a_claim_blocks_its_subject_from_its_receipt(suite: Suite) -> None:
    subject = suite.vault.subject()
    answer = suite.file(subject)
    claim = answer.claim
    assert (claim.number, claim.state, claim.blocks) == ("2026-000001", Claim.RECEIVED, True)
    assert instant(claim.receipt_time) == instant(claim.record_time) == NOW
    assert answer.enforcement == claim.enforcement == State.IN_FORCE
    (block,) = suite.vault.slices["demo", subject].blocks
    assert (block.claim_id, block.ground) == (claim.claim_id, vault_pb2.Block.INACCURATE_DATA)
    assert (block.origin, block.outcome) == (vault_pb2.Block.SUBJECT, 0)
    assert instant(block.since_time) == NOW
    (hold,) = suite.vault.slices["demo", subject].holds
    assert (hold.claim_id, hold.kind) == (claim.claim_id, vault_pb2.LegalHold.CLAIM)
    assert not hold.HasField("ended_time")
    act = suite.ask(
        "GetAct", claims_pb2.GetActRequest(act_id=answer.act_id), suite.storefront()
    ).act
    assert (act.kind, act.enforcement) == ("claim.filed", State.IN_FORCE)


@pytest.mark.parametrize(
    ("kind", "claimant"),
    [
        (Claim.CONSUMER, Claim.SUBJECT),
        (Claim.WITHDRAWAL, Claim.SUBJECT),
        (Claim.OTHER, Claim.REPRESENTATIVE),
        (Claim.INACCURATE_DATA, Claim.SITE),
    ],
)
def test_another_kind_or_the_site_as_claimant_holds_but_does_not_block(
    suite: Suite, kind: Any, claimant: Any
) -> None:
    subject = suite.vault.subject()
    answer = suite.file(subject, kind=kind, claimant=claimant, metadata=suite.person())
    assert not answer.claim.blocks
    assert answer.enforcement == State.IN_FORCE
    assert list(suite.vault.slices["demo", subject].blocks) == []
    assert len(suite.vault.slices["demo", subject].holds) == 1


def test_every_claim_of_a_subject_is_in_its_slice(suite: Suite) -> None:
    subject, other = suite.vault.subject(), suite.vault.subject()
    filed = [suite.file(subject), suite.file(other), suite.file(other, subject)]
    blocks = suite.vault.slices["demo", subject].blocks
    assert [b.claim_id for b in blocks] == [filed[0].claim.claim_id, filed[2].claim.claim_id]
    assert list(filed[2].claim.subject_ids) == [other, subject]


def test_a_claim_may_name_nobody_yet(suite: Suite) -> None:
    answer = suite.file()
    assert (answer.act_id, answer.enforcement) == ("", State.IN_FORCE)
    assert set(suite.vault.texts(answer.claim.claim_id)) == {"STATEMENT", "DEMAND"}
    (place, _text) = next(iter(suite.vault.documents.values()))
    assert place.owner_id == place.bound_to == answer.claim.claim_id


@pytest.mark.parametrize("claimant", [Claim.REPRESENTATIVE, Claim.AUTHORISED_BODY, Claim.SITE])
def test_a_storefront_files_for_the_person_only(suite: Suite, claimant: Any) -> None:
    subject = suite.vault.subject()
    with pytest.raises(NotEntitledToFile):
        suite.file(subject, claimant=claimant)
    assert suite.file(subject, claimant=claimant, metadata=suite.person()).claim.number
    assert suite.rows("SELECT count(*) FROM claims") == [(1,)]


def test_an_auditor_files_nothing(suite: Suite) -> None:
    with pytest.raises(PermissionDenied):
        suite.file(metadata=suite.person("AUDITOR"))


def test_a_claim_about_an_unknown_subject_leaves_nothing(suite: Suite) -> None:
    elsewhere = suite.vault.subject("other")
    for subject in (new_subject_id(), elsewhere):
        with pytest.raises(NotFound):
            suite.file(suite.vault.subject(), subject)
    for table in ("claims", "claim_subjects", "acts", "outbox", "slices", "sealed_documents"):
        assert suite.rows(f"SELECT count(*) FROM {table}") == [(0,)], table
    assert suite.rows("SELECT count(*) FROM idempotency_keys") == [(0,)]
    assert suite.rows("SELECT count(*) FROM claim_numbers") == [(0,)]


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"statement": " \n\t"}, "claim.statement"),
        ({"statement": ""}, "claim.statement"),
        ({"statement": "ә" * 20_001}, "claim.statement"),
        ({"demand": "\u00a0 "}, "claim.demand"),
        ({"reply_address": "  "}, "claim.replyAddress"),
        ({"proposed_correction": {}}, "claim.proposedCorrection"),
        ({"proposed_correction": {"address": {}}}, "claim.proposedCorrection"),
        ({"kind": 0}, "claim.kind"),
        ({"kind": 77}, "claim.kind"),
        ({"claimant": 0}, "claim.claimant"),
        ({"language": "de"}, "claim.language"),
        ({"subject_ids": ["A" * 32]}, "claim.subjectIds[0]"),
        ({"receipt_time": stamp(NOW)}, "claim.receiptTime"),
        ({"receipt_time": stamp(NOW - timedelta(days=1))}, "claim.receiptTime"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_stored(
    suite: Suite, members: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        suite.file(**members)
    assert _fields(refused) == [field]
    assert suite.rows("SELECT count(*) FROM claims") == [(0,)]
    assert suite.rows("SELECT count(*) FROM idempotency_keys") == [(0,)]


def test_a_subject_is_named_once(suite: Suite) -> None:
    subject = suite.vault.subject()
    with pytest.raises(InvalidArgument) as refused:
        suite.file(subject, suite.vault.subject(), subject)
    assert _fields(refused) == ["claim.subjectIds[2]"]


@pytest.mark.parametrize("back", [timedelta(0), timedelta(days=3), timedelta(days=30)])
def test_an_officer_enters_a_paper_claim_with_its_proven_receipt(
    suite: Suite, back: timedelta
) -> None:
    subject = suite.vault.subject()
    answer = suite.file(subject, receipt_time=stamp(NOW - back), metadata=suite.person())
    assert instant(answer.claim.receipt_time) == NOW - back
    assert instant(answer.claim.record_time) == NOW
    (block,) = suite.vault.slices["demo", subject].blocks
    assert instant(block.since_time) == NOW - back
    assert instant(block.recorded_time) == NOW


@pytest.mark.parametrize(
    "receipt", [NOW + timedelta(microseconds=1), datetime(2012, 12, 30, tzinfo=NOW.tzinfo)]
)
def test_a_receipt_in_the_future_or_before_the_calendar_is_refused(
    suite: Suite, receipt: datetime
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        suite.file(receipt_time=stamp(receipt), metadata=suite.person())
    assert [(f.field, f.rule) for f in refused.value.fields] == [("claim.receiptTime", "range")]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_the_due_date_follows_the_vectors(suite: Suite, vector: dict[str, str]) -> None:
    assert isinstance(suite.clock, FixedClock)
    suite.clock.instant = datetime.fromisoformat(vector["receiptTime"])
    claim = suite.file(suite.vault.subject()).claim
    assert claim.due_date == vector["dueDate30"]
    assert instant(claim.due_time) == datetime.fromisoformat(vector["dueTime30"])
    assert claim.calendar_version.startswith("holidays-")
    consumer = suite.file(suite.vault.subject(), kind=Claim.CONSUMER).claim
    assert consumer.due_date == vector["dueDate10"]


def test_the_year_of_a_number_is_that_of_almaty(suite: Suite) -> None:
    assert isinstance(suite.clock, FixedClock)
    numbers = []
    for hour in ("2026-12-31T18:59:59", "2026-12-31T19:00:00", "2027-01-01T00:00:00"):
        suite.clock.instant = datetime.fromisoformat(f"{hour}+00:00")
        numbers.append(suite.file().claim.number)
    assert numbers == ["2026-000001", "2027-000001", "2027-000002"]


def test_numbers_have_no_gaps_under_threads_and_rollbacks(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = store_acts.append_all_evidence, iter(range(10_000))

    def failing(*arguments: Any, **named: Any) -> None:
        # After the number was taken: every third act is rolled back.
        if next(failures) % 3 == 2:
            raise Unavailable
        real(*arguments, **named)

    monkeypatch.setattr(store_acts, "append_all_evidence", failing)
    subjects = [suite.vault.subject() for _ in range(3)]

    def one(_: int) -> list[str]:
        numbers = []
        for turn in range(6):
            try:
                numbers.append(suite.file(*subjects[turn % 3 : turn % 3 + 2][::-1]).claim.number)
            except Unavailable:
                continue
        return numbers

    results = in_threads(8, one)
    assert all(isinstance(result, list) for result in results), results
    numbers = sorted(number for result in results for number in result)
    assert 0 < len(numbers) < 48
    assert numbers == [f"2026-{n:06d}" for n in range(1, len(numbers) + 1)]
    stored = suite.rows("SELECT number FROM claims ORDER BY number")
    assert [number for (number,) in stored] == numbers


def test_claims_that_name_the_same_subjects_in_any_order_do_not_hold_each_other_up(
    suite: Suite,
) -> None:
    subjects = [suite.vault.subject() for _ in range(4)]

    def one(index: int) -> set[int]:
        order = subjects if index % 2 else subjects[::-1]
        return {suite.file(*order).enforcement for _ in range(5)}

    # A push that a newer one overtook answers PENDING; a deadlock would answer nothing.
    for result in in_threads(8, one):
        assert isinstance(result, set)
        assert result <= {State.IN_FORCE, State.PENDING}
    for subject in subjects:
        assert suite.pusher.push(store_acts.key_of("demo", subject), 1)
        assert len(suite.vault.slices["demo", subject].blocks) == 40


def test_each_site_counts_for_itself(suite: Suite) -> None:
    assert suite.file().claim.number == "2026-000001"
    assert suite.file(metadata=suite.storefront("other")).claim.number == "2026-000001"


def test_the_same_key_files_one_claim(suite: Suite) -> None:
    subject, key = suite.vault.subject(), new_uuid()
    answers = in_threads(4, lambda _: suite.file(subject, request_id=key))
    assert len({(a.claim.claim_id, a.act_id, a.claim.number) for a in answers}) == 1
    assert suite.rows("SELECT count(*) FROM claims") == [(1,)]
    suite.vault.subjects.clear()
    assert suite.file(subject, request_id=key).claim.claim_id == answers[0].claim.claim_id
    with pytest.raises(IdempotencyKeyReused):
        suite.file(subject, request_id=key, statement="Басқа мәтін")


def test_a_subject_has_no_more_claims_than_its_slice_can_carry(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_filing, "CLAIMS_PER_SUBJECT", 2)
    subject = suite.vault.subject()
    suite.file(subject)
    suite.file(subject)
    with pytest.raises(StateConflict):
        suite.file(subject)
    assert suite.rows("SELECT last FROM claim_numbers") == [(2,)]


def test_the_claim_stands_in_evidence_without_its_texts(suite: Suite) -> None:
    answer = suite.file(suite.vault.subject(), suite.vault.subject())
    rows = suite.rows("SELECT subject, body FROM evidence_entries WHERE event = 'claim.filed'")
    assert len({subject for subject, _ in rows}) == 2
    for subject, body in rows:
        entry = json.loads(body)
        assert subject not in answer.claim.subject_ids
        assert entry["refs"]["claim_id"] == answer.claim.claim_id
        assert entry["decidedOn"]["dueDate"] == answer.claim.due_date
        assert set(entry["digests"]) == {"statement", "demand"}
    assert new_claim().statement not in json.dumps(rows, ensure_ascii=False)
