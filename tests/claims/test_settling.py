# SPDX-License-Identifier: Apache-2.0
"""Between receipt and outcome: authority, receipt, early lift, same contact (clause 6.2.3)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from qupia.claims.v1 import claims_pb2, verification_pb2
from qupia.vault.v1 import blocking_pb2, vault_pb2
from services.chassis.ids import new_uuid
from services.chassis.refusal import (
    AwaitingSecondApproval,
    IdempotencyKeyReused,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    StateConflict,
)
from services.claims.wire import stamp
from tests.claims.suite import NOW, Suite, in_threads

Claim, Authority = claims_pb2.Claim, claims_pb2.Authority
Block = vault_pb2.Block
REPRESENTATIVE: dict[str, Any] = {"claimant": Claim.REPRESENTATIVE}
PAPER = Authority(
    document=Authority.POWER_OF_ATTORNEY,
    number="АА-17",
    issuer="Нотариус Сейтова",
    issue_date="2026-05-01",
)
_STEPS: dict[str, Any] = {
    "SettleSameContact": verification_pb2.SettleSameContactRequest,
    "SettleAuthority": verification_pb2.SettleAuthorityRequest,
    "CorrectReceiptTime": verification_pb2.CorrectReceiptTimeRequest,
    "ConfirmReceiptTime": verification_pb2.ConfirmReceiptTimeRequest,
    "ProposeLift": verification_pb2.ProposeLiftRequest,
    "ApproveLift": verification_pb2.ApproveLiftRequest,
}


def step(suite: Suite, rpc: str, claim_id: str, who: str = "aigerim", **members: Any) -> Any:
    """An officer's step. Raises Refusal."""
    members = {"reason": "Құжаттар салыстырылды", **members}
    return suite.ask(rpc, _STEPS[rpc](claim_id=claim_id, **members), suite.person(name=who))


def notice(**members: Any) -> verification_pb2.Notice:
    """A notice that left today."""
    dispatch = claims_pb2.Dispatch(channel=claims_pb2.Dispatch.POST, time=stamp(NOW), proof="RR1")
    return verification_pb2.Notice(
        **{"text": "Өкілеттік расталмады", "dispatch": dispatch, **members}
    )


def block_of(suite: Suite, subject: str, claim_id: str) -> vault_pb2.Block:
    """The block as the vault has it."""
    return next(b for b in suite.vault.slices["demo", subject].blocks if b.claim_id == claim_id)


def tasks(suite: Suite, kind: str = "", **members: Any) -> list[verification_pb2.Task]:
    """What there is to do."""
    request = verification_pb2.ListTasksRequest(
        kind=verification_pb2.Task.Kind.Value(kind or "KIND_UNSPECIFIED"), **members
    )
    return list(suite.ask("ListTasks", request, suite.person()).tasks)


def entries(suite: Suite, event: str) -> list[str]:
    """The bodies of the evidence of an event."""
    rows = suite.rows(
        f"SELECT body FROM evidence_entries WHERE event = '{event}' ORDER BY entry_id"
    )
    return [body for (body,) in rows]


# -- representatives ---------------------------------------------------------------------------


def test_an_unverified_representative_blocks_and_is_due_the_next_working_day(suite: Suite) -> None:
    subject = suite.vault.subject()
    claim = suite.file(subject, metadata=suite.person(), authority=PAPER, **REPRESENTATIVE).claim
    assert claim.authority_state == Authority.UNSETTLED
    assert block_of(suite, subject, claim.claim_id).outcome == Block.OUTCOME_UNSPECIFIED
    [task] = tasks(suite, "SETTLE_AUTHORITY")
    assert (task.claim_id, task.due_date) == (claim.claim_id, "2026-11-24")
    assert "Сейтова" in suite.vault.texts(claim.claim_id)["AUTHORITY"]
    assert suite.rows("SELECT document, issue_date::text FROM authorities") == [
        ("POWER_OF_ATTORNEY", "2026-05-01")
    ]


def test_a_verification_is_not_concluded_before_the_authority_is_settled(suite: Suite) -> None:
    claim = suite.file(suite.vault.subject(), metadata=suite.person(), **REPRESENTATIVE).claim
    with pytest.raises(StateConflict):
        suite.conclude(claim.claim_id, Claim.NOT_CONFIRMED)
    step(suite, "SettleAuthority", claim.claim_id, decision=Authority.CONFIRMED, authority=PAPER)
    assert tasks(suite, "SETTLE_AUTHORITY") == []
    suite.conclude(claim.claim_id, Claim.NOT_CONFIRMED)


def test_a_rejected_authority_lifts_that_block_and_only_with_a_written_notice(
    suite: Suite,
) -> None:
    subject = suite.vault.subject()
    other = suite.file(subject).claim
    claim = suite.file(subject, metadata=suite.person(), **REPRESENTATIVE).claim
    with pytest.raises(InvalidArgument) as refused:
        step(suite, "SettleAuthority", claim.claim_id, decision=Authority.REJECTED)
    assert [(f.field, f.rule) for f in refused.value.fields] == [("notice", "required")]
    answer = step(
        suite, "SettleAuthority", claim.claim_id, decision=Authority.REJECTED, notice=notice()
    )
    assert answer.claim.released
    assert answer.claim.authority_state == Authority.REJECTED
    assert block_of(suite, subject, claim.claim_id).outcome == Block.RELEASED
    assert block_of(suite, subject, other.claim_id).outcome == Block.OUTCOME_UNSPECIFIED
    texts = suite.vault.texts(claim.claim_id)
    assert (texts["NOTICE"], texts["DISPATCH_PROOF"]) == ("Өкілеттік расталмады", "RR1")
    with pytest.raises(StateConflict):
        suite.conclude(claim.claim_id, Claim.NOT_CONFIRMED)
    assert len(entries(suite, "authority.settled")) == 1


@pytest.mark.parametrize(
    ("paper", "field"),
    [
        ({"issue_date": ""}, "authority.issueDate"),
        ({"issue_date": "2025-11-22"}, "authority.expiryDate"),
        ({"issue_date": "2026-11-24"}, "authority.issueDate"),
        ({"number": ""}, "authority.number"),
        ({"issuer": ""}, "authority.issuer"),
        ({"document": Authority.DOCUMENT_UNSPECIFIED}, "authority.document"),
    ],
    ids=["undated", "silent and a year old", "later", "no number", "no issuer", "no kind"],
)
def test_a_paper_that_gives_no_authority_is_not_confirmed(
    suite: Suite, paper: dict[str, Any], field: str
) -> None:
    claim = suite.file(suite.vault.subject(), metadata=suite.person(), **REPRESENTATIVE).claim
    shown = Authority()
    shown.CopyFrom(PAPER)
    for name, value in paper.items():
        setattr(shown, name, value)
    with pytest.raises(InvalidArgument) as refused:
        step(
            suite, "SettleAuthority", claim.claim_id, decision=Authority.CONFIRMED, authority=shown
        )
    assert [f.field for f in refused.value.fields] == [field]
    assert tasks(suite, "SETTLE_AUTHORITY")


def test_only_a_representatives_authority_is_settled_and_only_once(suite: Suite) -> None:
    own = suite.file(suite.vault.subject()).claim
    theirs = suite.file(suite.vault.subject(), metadata=suite.person(), **REPRESENTATIVE).claim
    members: dict[str, Any] = {"decision": Authority.CONFIRMED, "authority": PAPER}
    with pytest.raises(StateConflict):
        step(suite, "SettleAuthority", own.claim_id, **members)
    step(suite, "SettleAuthority", theirs.claim_id, **members)
    with pytest.raises(StateConflict):
        step(
            suite, "SettleAuthority", theirs.claim_id, decision=Authority.REJECTED, notice=notice()
        )


# -- the time of receipt -----------------------------------------------------------------------


def paper_claim(suite: Suite, back: timedelta, **members: Any) -> Any:
    """A claim that an officer enters from paper."""
    subject = suite.vault.subject()
    return suite.file(
        subject, receipt_time=stamp(NOW - back), metadata=suite.person(), **members
    ).claim


def test_a_receipt_far_back_blocks_at_once_and_waits_for_a_second_officer(suite: Suite) -> None:
    near, far = paper_claim(suite, timedelta(days=5)), paper_claim(suite, timedelta(days=6))
    assert (near.receipt_awaits_approval, far.receipt_awaits_approval) == (False, True)
    assert block_of(suite, far.subject_ids[0], far.claim_id).since_time == far.receipt_time
    # The claimed time runs until then.
    assert far.due_date == "2026-12-17"
    [task] = tasks(suite, "CONFIRM_RECEIPT_TIME")
    assert (task.claim_id, task.due_date) == (far.claim_id, "2026-11-24")
    with pytest.raises(AwaitingSecondApproval):
        step(suite, "ConfirmReceiptTime", far.claim_id)
    confirmed = step(suite, "ConfirmReceiptTime", far.claim_id, who="dana").claim
    assert (confirmed.receipt_awaits_approval, confirmed.due_date) == (False, far.due_date)
    assert tasks(suite, "CONFIRM_RECEIPT_TIME") == []
    with pytest.raises(StateConflict):
        step(suite, "ConfirmReceiptTime", far.claim_id, who="dana")


def test_an_earlier_receipt_moves_block_and_due_date_at_once_and_visibly(suite: Suite) -> None:
    claim = paper_claim(suite, timedelta(days=1))
    earlier = stamp(NOW - timedelta(days=3))
    corrected = step(suite, "CorrectReceiptTime", claim.claim_id, receipt_time=earlier)
    assert corrected.claim.receipt_time == earlier
    assert corrected.claim.due_date == "2026-12-21"
    assert not corrected.claim.receipt_awaits_approval
    assert block_of(suite, claim.subject_ids[0], claim.claim_id).since_time == earlier
    [body] = entries(suite, "receipt.corrected")
    assert f'"formerDueDate":"{claim.due_date}"' in body
    assert suite.rows("SELECT ordinal, state FROM receipt_times ORDER BY ordinal") == [
        (1, "SETTLED"),
        (2, "SETTLED"),
    ]


def test_a_later_receipt_runs_only_when_a_second_officer_has_confirmed_it(suite: Suite) -> None:
    claim = paper_claim(suite, timedelta(days=4))
    later = stamp(NOW - timedelta(days=1))
    kept = step(suite, "CorrectReceiptTime", claim.claim_id, receipt_time=later).claim
    assert (kept.receipt_time, kept.due_date) == (claim.receipt_time, claim.due_date)
    assert kept.receipt_awaits_approval
    with pytest.raises(AwaitingSecondApproval):
        step(suite, "ConfirmReceiptTime", claim.claim_id)
    moved = step(suite, "ConfirmReceiptTime", claim.claim_id, who="dana").claim
    assert (moved.receipt_time, moved.due_date) == (later, "2026-12-22")
    assert block_of(suite, claim.subject_ids[0], claim.claim_id).since_time == later


def test_what_is_entered_again_waits_in_the_place_of_the_former(suite: Suite) -> None:
    claim = paper_claim(suite, timedelta(days=20))
    step(
        suite,
        "CorrectReceiptTime",
        claim.claim_id,
        who="dana",
        receipt_time=stamp(NOW - timedelta(days=19)),
    )
    # Who entered the first may confirm what the other one has entered since.
    moved = step(suite, "ConfirmReceiptTime", claim.claim_id).claim
    assert moved.receipt_time == stamp(NOW - timedelta(days=19))
    states = suite.rows("SELECT state FROM receipt_times ORDER BY ordinal")
    assert states == [("REPLACED",), ("SETTLED",)]


@pytest.mark.parametrize("receipt", [NOW + timedelta(seconds=1), datetime(2012, 1, 5, tzinfo=UTC)])
def test_no_receipt_lies_after_the_record_or_before_the_calendar(
    suite: Suite, receipt: datetime
) -> None:
    claim = paper_claim(suite, timedelta(days=1))
    with pytest.raises(InvalidArgument) as refused:
        step(suite, "CorrectReceiptTime", claim.claim_id, receipt_time=stamp(receipt))
    assert [(f.field, f.rule) for f in refused.value.fields] == [("receiptTime", "range")]


# -- the end of a block without outcome --------------------------------------------------------


def test_a_block_is_lifted_before_its_outcome_by_two_officers_only(suite: Suite) -> None:
    subject = suite.vault.subject()
    claim, other = suite.file(subject).claim, suite.file(subject).claim
    with pytest.raises(StateConflict):
        step(suite, "ApproveLift", claim.claim_id, who="dana")
    step(suite, "ProposeLift", claim.claim_id)
    assert block_of(suite, subject, claim.claim_id).outcome == Block.OUTCOME_UNSPECIFIED
    with pytest.raises(AwaitingSecondApproval):
        step(suite, "ApproveLift", claim.claim_id)
    lifted = step(suite, "ApproveLift", claim.claim_id, who="dana")
    assert lifted.claim.released
    assert block_of(suite, subject, claim.claim_id).outcome == Block.RELEASED
    assert block_of(suite, subject, other.claim_id).outcome == Block.OUTCOME_UNSPECIFIED
    # The verification goes on, and its outcome stands in the end.
    suite.conclude(claim.claim_id, Claim.UNLAWFUL_CONFIRMED)
    assert block_of(suite, subject, claim.claim_id).outcome == Block.UNLAWFUL_CONFIRMED


@pytest.mark.parametrize("rpc", ["ProposeLift", "ApproveLift"])
def test_what_blocks_nothing_or_is_verified_is_not_lifted(suite: Suite, rpc: str) -> None:
    other = suite.file(suite.vault.subject(), kind=Claim.OTHER).claim
    verified = suite.file(suite.vault.subject()).claim
    suite.conclude(verified.claim_id, Claim.NOT_CONFIRMED)
    for claim in (other, verified):
        with pytest.raises(StateConflict):
            step(suite, rpc, claim.claim_id)


def test_of_two_officers_who_approve_at_once_one_does_it(suite: Suite) -> None:
    claim = suite.file(suite.vault.subject()).claim
    step(suite, "ProposeLift", claim.claim_id)
    results = in_threads(
        2, lambda n: step(suite, "ApproveLift", claim.claim_id, who=("dana", "marat")[n])
    )
    assert sorted(type(r).__name__ for r in results) == ["ApproveLiftResponse", "StateConflict"]


def test_a_repeated_request_does_a_step_once_and_tells_the_same(suite: Suite) -> None:
    claim = suite.file(suite.vault.subject()).claim
    step(suite, "ProposeLift", claim.claim_id)
    key = new_uuid()
    first = step(suite, "ApproveLift", claim.claim_id, who="dana", request_id=key)
    again = step(suite, "ApproveLift", claim.claim_id, who="dana", request_id=key)
    assert first == again
    assert first.act_id
    with pytest.raises(IdempotencyKeyReused):
        step(suite, "ApproveLift", claim.claim_id, who="dana", reason="Басқа", request_id=key)


# -- what is due -------------------------------------------------------------------------------


def test_confirmed_unlawful_acts_are_destroyed_by_the_next_working_day(suite: Suite) -> None:
    subjects = [suite.vault.subject(), suite.vault.subject()]
    suite.clock.instant = datetime(2026, 11, 27, 6, tzinfo=UTC)  # type: ignore[attr-defined]
    claim = suite.file(*subjects, kind=Claim.UNLAWFUL_ACTS).claim
    assert tasks(suite, "DESTROY") == []
    suite.conclude(claim.claim_id, Claim.UNLAWFUL_CONFIRMED)
    due = {task.subject_id: task.due_date for task in tasks(suite, "DESTROY")}
    # A Friday: the next working day is Monday.
    assert due == dict.fromkeys(subjects, "2026-11-30")
    assert tasks(suite, "DESTROY", due_before="2026-11-29") == []
    suite.vault.destroyed.add(("demo", subjects[0]))
    suite.take_in_provisional_blocks()
    assert [task.subject_id for task in tasks(suite, "DESTROY")] == [subjects[1]]


def test_destructions_that_are_held_keep_no_other_task_open(suite: Suite) -> None:
    subjects = [suite.vault.subject() for _ in range(24)]
    for start in range(0, 24, 8):
        claim = suite.file(*subjects[start : start + 8], kind=Claim.UNLAWFUL_ACTS).claim
        suite.conclude(claim.claim_id, Claim.UNLAWFUL_CONFIRMED)
    last = [task.subject_id for task in tasks(suite, "DESTROY")][-1]
    suite.vault.destroyed.add(("demo", last))
    suite.take_in_provisional_blocks(rounds=2)
    assert {task.subject_id for task in tasks(suite, "DESTROY")} == {*subjects} - {last}
    # And again from the first.
    first = tasks(suite, "DESTROY")[0].subject_id
    suite.vault.destroyed.add(("demo", first))
    suite.take_in_provisional_blocks(rounds=3)
    assert {task.subject_id for task in tasks(suite, "DESTROY")} == {*subjects} - {last, first}


def test_tasks_come_in_pages_and_belong_to_their_site(suite: Suite) -> None:
    for _ in range(3):
        suite.file(suite.vault.subject(), metadata=suite.person(), **REPRESENTATIVE)
    seen, token = [], ""
    while True:
        request = verification_pb2.ListTasksRequest(page_size=2, page_token=token)
        page = suite.ask("ListTasks", request, suite.person())
        seen += [task.claim_id for task in page.tasks]
        token = page.next_page_token
        if not token:
            break
    assert len(seen) == len(set(seen)) == 3
    elsewhere = suite.person(site_id="other")
    assert not suite.ask("ListTasks", verification_pb2.ListTasksRequest(), elsewhere).tasks


# -- same contact ------------------------------------------------------------------------------


def found(suite: Suite, claim_id: str, **members: Any) -> str:
    """A subject that the vault has blocked with a claim's; its id."""
    subject = suite.vault.subject()
    block = vault_pb2.Block(
        claim_id=claim_id,
        since_time=stamp(NOW),
        recorded_time=stamp(NOW),
        ground=Block.INACCURATE_DATA,
        origin=Block.SAME_CONTACT,
        **members,
    )
    suite.vault.provisional.append(
        blocking_pb2.ProvisionalBlock(site_id="demo", subject_id=subject, block=block)
    )
    suite.take_in_provisional_blocks()
    return subject


def test_what_the_vault_blocked_is_in_the_book_once_and_pushed_as_its_own(suite: Suite) -> None:
    claim = suite.file(suite.vault.subject()).claim
    subject = found(suite, claim.claim_id)
    suite.take_in_provisional_blocks()
    pushed = suite.vault.slices["demo", subject]
    assert list(pushed.blocks) == [suite.vault.provisional[0].block]
    assert not pushed.holds
    assert len(entries(suite, "same_contact.blocked")) == 1


def test_a_block_of_a_claim_that_is_not_there_is_an_alarm_and_stays_with_the_vault(
    suite: Suite,
) -> None:
    subject = found(suite, new_uuid())
    assert ("demo", subject) not in suite.vault.slices


def test_a_book_that_was_set_back_takes_in_what_was_released_as_released(suite: Suite) -> None:
    claim = suite.file(suite.vault.subject()).claim
    subject = found(suite, claim.claim_id, outcome=Block.RELEASED)
    assert block_of(suite, subject, claim.claim_id).outcome == Block.RELEASED
    assert tasks(suite, "SETTLE_SAME_CONTACT") == []


def test_only_a_subject_that_is_provisionally_blocked_is_settled(suite: Suite) -> None:
    claim = suite.file(suite.vault.subject()).claim
    members: dict[str, Any] = {"decision": claims_pb2.SameContact.RELEASED}
    for subject in (claim.subject_ids[0], suite.vault.subject()):
        with pytest.raises(StateConflict):
            step(suite, "SettleSameContact", claim.claim_id, subject_id=subject, **members)
    with pytest.raises(NotFound):
        step(suite, "SettleSameContact", new_uuid(), subject_id=subject, **members)
    with pytest.raises(InvalidArgument) as refused:
        step(suite, "SettleSameContact", claim.claim_id, subject_id=subject, decision=1)
    assert [f.field for f in refused.value.fields] == ["decision"]


def test_of_two_officers_who_settle_at_once_one_does_it(suite: Suite) -> None:
    claim = suite.file(suite.vault.subject()).claim
    subject = found(suite, claim.claim_id)
    decisions = (claims_pb2.SameContact.RELEASED, claims_pb2.SameContact.CONFIRMED)
    results = in_threads(
        2,
        lambda n: step(
            suite, "SettleSameContact", claim.claim_id, subject_id=subject, decision=decisions[n]
        ),
    )
    assert sorted(type(r).__name__ for r in results) == [
        "SettleSameContactResponse",
        "StateConflict",
    ]


@pytest.mark.parametrize("rpc", sorted(_STEPS))
def test_only_a_claims_officer_takes_these_steps(suite: Suite, rpc: str) -> None:
    claim = suite.file(suite.vault.subject()).claim
    request = _STEPS[rpc](claim_id=claim.claim_id, reason="Себеп")
    for name, value in (
        ("subject_id", claim.subject_ids[0]),
        ("decision", 3),
    ):
        if name in request.DESCRIPTOR.fields_by_name:
            setattr(request, name, value)
    if rpc == "SettleAuthority":
        request.notice.CopyFrom(notice())
    if rpc == "CorrectReceiptTime":
        request.receipt_time.CopyFrom(stamp(NOW))
    for caller in (suite.storefront(), suite.person("PRIVACY_OFFICER")):
        with pytest.raises(PermissionDenied):
            suite.ask(rpc, request, caller)
