# SPDX-License-Identifier: Apache-2.0
"""The steps between a claim's receipt and its outcome, each written whole (clause 6.2.3).

Every function runs in the caller's transaction, after its idempotency key was taken, and returns
the acts that bring it into force, by subject.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.engine import Connection

from services.chassis.calendar import WorkingCalendar
from services.chassis.deadline import due, plus_working_days
from services.chassis.sealed import store as sealed_store
from services.claims import store, store_acts, store_same_contact, store_settling, store_term
from services.claims.authority import Authority, AuthorityState
from services.claims.claim import Claim
from services.claims.state import UNANSWERED, Claimant, Outcome, Verification
from services.claims.store_acts import Compose
from services.claims.store_same_contact import SameContactState
from services.claims.store_settling import EnteredReceipt
from services.claims.store_steps import Step
from services.claims.store_tasks import Task, TaskKind, done, give

Acts = Mapping[str, str]


class NotOpen(Exception):
    """The step is not open to the claim as it stands."""


class SameOfficer(Exception):
    """What one officer said a second one has to confirm."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What a step is written with: `compose` makes a slice's bytes."""

    compose: Compose
    calendar: WorkingCalendar
    now: datetime

    def task(self, claim: Claim, kind: TaskKind, subject_id: str = "") -> Task:
        """A task due by the end of the next working day (law.md 2.3)."""
        deadline = plus_working_days(self.now, 1, self.calendar)
        return Task(claim.site_id, claim.claim_id, subject_id, kind, deadline, self.now)


def filed(
    connection: Connection, claim: Claim, authority: Authority | None, by: str, desk: Desk
) -> None:
    """What a claim leaves to do that was just written: authority, and a receipt far back."""
    if claim.receipt_time != claim.record_time:
        store_settling.enter_receipt(
            connection,
            claim,
            claim.receipt_time,
            claim.deadline,
            by,
            desk.now,
            awaits=claim.receipt_awaits,
        )
    if claim.receipt_awaits:
        give(connection, desk.task(claim, TaskKind.CONFIRM_RECEIPT_TIME))
    if claim.authority is not None:
        store_settling.write_authority(connection, claim, claim.authority, authority, None, None)
        give(connection, desk.task(claim, TaskKind.SETTLE_AUTHORITY))


def to_destroy(
    connection: Connection, claim: Claim, subject_ids: Sequence[str], desk: Desk
) -> None:
    """Unlawful processing was confirmed: the data are to go by the next working day."""
    for subject_id in subject_ids:
        give(connection, desk.task(claim, TaskKind.DESTROY, subject_id))


def settle_same_contact(
    connection: Connection,
    claim: Claim,
    subject_id: str,
    decision: SameContactState,
    step: Step,
    desk: Desk,
) -> Acts:
    """Say whether it is the same person. Raises NotOpen."""
    claim, counters = store_acts.lock_claim(connection, claim, [subject_id])
    state = store_same_contact.state_of(connection, claim.site_id, claim.claim_id, subject_id)
    if state is not SameContactState.PROVISIONAL:
        raise NotOpen
    if decision is SameContactState.CONFIRMED:
        if claim.outcome is Outcome.INACCURATE_CONFIRMED:
            # What was corrected was somebody else's datum: nobody has verified this one.
            raise NotOpen
        store.add_subject(connection, claim, subject_id)
        if claim.outcome is Outcome.UNLAWFUL_CONFIRMED:
            to_destroy(connection, claim, [subject_id], desk)
    place = (claim.site_id, claim.claim_id, subject_id)
    store_same_contact.settle(connection, place, decision, step.by.principal, desk.now)
    done(
        connection,
        claim.site_id,
        claim.claim_id,
        TaskKind.SETTLE_SAME_CONTACT,
        desk.now,
        subject_id,
    )
    alone = replace(claim, subject_ids=(subject_id,))
    return _write(connection, alone, counters, step, desk, subject_id, {"decision": decision})


def settle_authority(
    connection: Connection,
    claim: Claim,
    decision: AuthorityState,
    authority: Authority | None,
    step: Step,
    desk: Desk,
) -> Acts:
    """Settle whether a representative may claim. Raises NotOpen."""
    claim, counters = store_acts.lock_claim(connection, claim)
    if claim.authority is not AuthorityState.UNSETTLED:
        raise NotOpen
    store.write_authority(connection, claim, decision)
    store_settling.write_authority(
        connection, claim, decision, authority, step.by.principal, desk.now
    )
    done(connection, claim.site_id, claim.claim_id, TaskKind.SETTLE_AUTHORITY, desk.now)
    decided_on: dict[str, object] = {"decision": decision}
    if authority is not None:
        decided_on["document"] = authority.document
    if decision is AuthorityState.REJECTED and claim.blocks:
        store.write_release(connection, claim, desk.now)
        return _write(connection, claim, counters, step, desk, "", decided_on)
    return _write(connection, claim, None, step, desk, "", decided_on)


def correct_receipt(
    connection: Connection,
    claim: Claim,
    receipt_time: datetime,
    step: Step,
    desk: Desk,
    is_far_back: Callable[[datetime, datetime], bool],
) -> Acts:
    """Enter another time of receipt; one that costs the other side waits. Raises NotOpen."""
    claim, counters = store_acts.lock_claim(connection, claim)
    if claim.state not in UNANSWERED or receipt_time == claim.receipt_time:
        raise NotOpen
    deadline = due(receipt_time, claim.term_days, desk.calendar)
    costs = _costs_the_other_side(claim, receipt_time)
    awaits = costs or is_far_back(receipt_time, claim.record_time)
    ordinal = store_settling.enter_receipt(
        connection, claim, receipt_time, deadline, step.by.principal, desk.now, awaits=awaits
    )
    store.write_receipt_awaits(connection, claim, awaits=awaits)
    if awaits:
        give(connection, desk.task(claim, TaskKind.CONFIRM_RECEIPT_TIME))
    else:
        done(connection, claim.site_id, claim.claim_id, TaskKind.CONFIRM_RECEIPT_TIME, desk.now)
    decided_on = {
        "receiptTime": receipt_time.isoformat(),
        "formerReceiptTime": claim.receipt_time.isoformat(),
        "dueDate": deadline.due_date.isoformat(),
        "formerDueDate": claim.deadline.due_date.isoformat(),
        "calendar": deadline.calendar_version,
        "awaitsApproval": awaits,
    }
    if costs:
        # The time that stands is the safer one: it runs until a second officer has confirmed.
        return _write(connection, claim, None, step, desk, "", decided_on)
    store_term.receive(connection, claim, receipt_time, deadline, desk.now)
    return _write(connection, claim, counters, step, desk, str(ordinal), decided_on)


def _costs_the_other_side(claim: Claim, receipt_time: datetime) -> bool:
    """A claimant waits longer where the receipt is later; the user whom the site claims of has less
    time where it is earlier."""
    later = receipt_time > claim.receipt_time
    return not later if claim.claimant is Claimant.SITE else later


def confirm_receipt(connection: Connection, claim: Claim, step: Step, desk: Desk) -> Acts:
    """Confirm the time of receipt that waits. Raises NotOpen, SameOfficer."""
    claim, counters = store_acts.lock_claim(connection, claim)
    waiting = store_settling.awaiting_receipt(connection, claim)
    if waiting is None:
        raise NotOpen
    if claim.state not in UNANSWERED and waiting.receipt_time != claim.receipt_time:
        raise NotOpen
    if waiting.entered_by == step.by.principal:
        raise SameOfficer
    store_settling.confirm_receipt(connection, claim, waiting.ordinal, step.by.principal, desk.now)
    store.write_receipt_awaits(connection, claim, awaits=False)
    done(connection, claim.site_id, claim.claim_id, TaskKind.CONFIRM_RECEIPT_TIME, desk.now)
    return _confirmed(connection, claim, waiting, counters, step, desk)


def _confirmed(
    connection: Connection,
    claim: Claim,
    waiting: EnteredReceipt,
    counters: Mapping[str, int],
    step: Step,
    desk: Desk,
) -> Acts:
    deadline = due(waiting.receipt_time, claim.term_days, desk.calendar)
    decided_on = {
        "receiptTime": waiting.receipt_time.isoformat(),
        "dueDate": deadline.due_date.isoformat(),
        "calendar": deadline.calendar_version,
        "enteredBy": waiting.entered_by,
    }
    if waiting.receipt_time == claim.receipt_time:
        return _write(connection, claim, None, step, desk, "", decided_on)
    store_term.receive(connection, claim, waiting.receipt_time, deadline, desk.now)
    return _write(connection, claim, counters, step, desk, str(waiting.ordinal), decided_on)


def propose_lift(connection: Connection, claim: Claim, step: Step, desk: Desk) -> Acts:
    """Propose to lift the block before its outcome. Raises NotOpen."""
    claim, _ = store_acts.lock_claim(connection, claim)
    if not _can_be_lifted(claim):
        raise NotOpen
    if not store_settling.propose_lift(connection, claim, step.by.principal, desk.now):
        raise NotOpen
    return _write(connection, claim, None, step, desk, "", {})


def approve_lift(connection: Connection, claim: Claim, step: Step, desk: Desk) -> Acts:
    """Lift the block before its outcome. Raises NotOpen, SameOfficer."""
    claim, counters = store_acts.lock_claim(connection, claim)
    lift = store_settling.read_lift(connection, claim)
    if not _can_be_lifted(claim) or lift is None or lift.approved_by is not None:
        raise NotOpen
    if lift.proposed_by == step.by.principal:
        raise SameOfficer
    store_settling.approve_lift(connection, claim, step.by.principal, desk.now)
    store.write_release(connection, claim, desk.now)
    decided_on = {"proposedBy": lift.proposed_by}
    return _write(connection, claim, counters, step, desk, "", decided_on)


def _can_be_lifted(claim: Claim) -> bool:
    return claim.blocks and not claim.released and claim.verification is Verification.OPEN


def _write(
    connection: Connection,
    claim: Claim,
    counters: Mapping[str, int] | None,
    step: Step,
    desk: Desk,
    part: str,
    decided_on: Mapping[str, object],
) -> Acts:
    """Documents, slices where `counters` are given, and evidence; `part` tells repeats apart."""
    sealed_store.insert_documents(connection, step.documents, desk.now)
    act_ids: Acts = {}
    if counters is not None:
        name = f"{step.by.event}/{part}" if part else step.by.event
        act_ids = store_acts.record(
            connection, claim, counters, step.by.event, desk.compose, desk.now, name
        )
    store_acts.append_evidence(
        connection, claim, step.by, act_ids, decided_on, step.digests, desk.now
    )
    return act_ids
