# SPDX-License-Identifier: Apache-2.0
"""Puts into the book what it has lost and the vault still holds (clause 6.2.3, `docs/protocol.md`).

A claim that the book does not have is written anew, with a number of its own, and an officer has to
find out what it said. One that it has in an older state gets what the vault knows besides. Nothing
here ends a block or a hold: what is put into the book as ended has ended in the vault.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from services.chassis.calendar import WorkingCalendar
from services.chassis.clock import Clock
from services.chassis.database import Connection
from services.chassis.deadline import Deadline
from services.chassis.decider import store as decider_store
from services.chassis.decider.store import Key
from services.claims import (
    store,
    store_acts,
    store_facts,
    store_recovery,
    store_same_contact,
    store_settling,
    store_tasks,
    store_verification,
)
from services.claims.authority import AuthorityState
from services.claims.claim import Attribution, Claim
from services.claims.recovery import UNKNOWN_LANGUAGE, HeldBlock, HeldClaim, HeldHold, RecoveryState
from services.claims.state import (
    ClaimAct,
    Claimant,
    ClaimKind,
    ClaimState,
    EndKind,
    IllegalTransition,
    Outcome,
    transition,
)
from services.claims.store_acts import Compose
from services.claims.store_same_contact import SameContact, SameContactState
from services.claims.store_tasks import TaskKind
from services.claims.store_verification import Desk

RECOVERED: Final = "claim.recovered"
MENDED: Final = "claim.mended"


@dataclass
class _Case:
    """A claim under the hands of the mender, and what was put back so far."""

    claim: Claim
    subject_id: str
    recovered: bool
    put_back: dict[str, object]


class Mender:
    """Mends the book, subject by subject."""

    def __init__(self, compose: Compose, calendar: WorkingCalendar, clock: Clock) -> None:
        self._compose = compose
        self._calendar = calendar
        self._clock = clock

    def mend(self, connection: Connection, key: Key, held: Sequence[HeldClaim]) -> bool:
        """Put back what the vault holds of one subject; False where the book lacked nothing.

        The whole slice, its acts and their evidence are written with it. Locks the slice; the
        slices of others whom the claims name follow (`Recovering`). Raises Unavailable.
        """
        counter = decider_store.next_counter(connection, key)
        desk = Desk(self._compose, self._calendar, self._clock.now())
        cases = [self._case(connection, key, each, desk) for each in held]
        mended = [case for case in cases if case is not None and case.put_back]
        if not mended:
            return False
        for case in mended:
            record(connection, case.claim, key, counter, _event(case), case.put_back, desk.now)
            store_recovery.leave_to_do(connection, case.claim, desk.now)
        body = self._compose(store_facts.facts_of(connection, key.site_id, key.subject_id))
        decider_store.write_slice(connection, key, counter, body, desk.now)
        return True

    def _case(self, connection: Connection, key: Key, held: HeldClaim, desk: Desk) -> _Case | None:
        claim = store.read_claim(connection, key.site_id, held.claim_id, lock=True)
        recovered = False
        if claim is None:
            if not held.names_subject:
                # Whoever is blocked for somebody else's contact does not tell of the claim.
                return None
            store_recovery.lock_lost(connection, held.claim_id)
            claim = store.read_claim(connection, key.site_id, held.claim_id, lock=True)
        if claim is None:
            recovered = True
            claim = _recover(connection, key.site_id, held, desk)
        case = _Case(claim, key.subject_id, recovered, {})
        _mend_naming(connection, case, held, desk)
        if held.own_block is not None:
            _mend_block(connection, case, held.own_block, desk)
        if held.hold is not None:
            _mend_hold(connection, case, held.hold, desk)
        return case


def record(
    connection: Connection,
    claim: Claim,
    key: Key,
    counter: int,
    event: str,
    put_back: dict[str, object],
    now: datetime,
) -> None:
    """The act by which one subject's slice says what was put back, and its evidence."""
    act = decider_store.record_act(connection, key, counter, event, proposal=False, now=now)
    store_recovery.bind_act(connection, claim, act)
    by = Attribution(store_recovery.ITSELF, "", event, "BLOCK", "6.2.3")
    alone = replace(claim, subject_ids=(key.subject_id,))
    acts = {key.subject_id: act.act_id}
    store_acts.append_evidence(connection, alone, by, acts, put_back, {}, now)


def _event(case: _Case) -> str:
    return RECOVERED if case.recovered else MENDED


def _recover(connection: Connection, site_id: str, held: HeldClaim, desk: Desk) -> Claim:
    """Write a lost claim anew, as it was received; what became of it is put back afterwards."""
    block = held.own_block
    claimant = (block.claimant if block is not None else None) or Claimant.SUBJECT
    represented = claimant is Claimant.REPRESENTATIVE
    claim = Claim(
        site_id=site_id,
        claim_id=held.claim_id,
        number="",
        subject_ids=(),
        kind=block.kind if block is not None else ClaimKind.OTHER,
        claimant=claimant,
        state=ClaimState.RECEIVED,
        outcome=None,
        decision=None,
        language=UNKNOWN_LANGUAGE,
        receipt_time=held.receipt_time,
        record_time=held.record_time,
        deadline=Deadline(desk.now.date(), desk.now, ""),
        answer_time=None,
        enforcement="",
        authority=AuthorityState.UNSETTLED if represented else None,
        recovery=RecoveryState.FOUND,
    )
    claim = store_recovery.insert_recovered(connection, claim, desk)
    store_tasks.give(connection, desk.task(claim, TaskKind.RECOVERED_CLAIM))
    store_verification.filed(connection, claim, None, store_recovery.ITSELF, desk)
    return claim


def _mend_naming(connection: Connection, case: _Case, held: HeldClaim, desk: Desk) -> None:
    """Whom the claim names, or who was blocked with them for their contact."""
    claim, subject_id = case.claim, case.subject_id
    if subject_id in claim.subject_ids:
        return
    place = (claim.site_id, claim.claim_id, subject_id)
    shared = store_same_contact.state_of(connection, *place)
    block = held.block
    if held.names_subject:
        hold_id = held.hold.hold_id if held.hold is not None else None
        store.add_subject(connection, claim, subject_id, hold_id)
        case.claim = replace(claim, subject_ids=(*claim.subject_ids, subject_id))
        case.put_back["subject"] = "NAMED"
        if shared is not None:
            _settle_contact(connection, place, SameContactState.CONFIRMED, desk)
        if claim.outcome is Outcome.UNLAWFUL_CONFIRMED:
            store_verification.to_destroy(connection, claim, [subject_id], desk)
    elif shared is None and block is not None:
        state = SameContactState.RELEASED if _ended(block) else SameContactState.PROVISIONAL
        found = SameContact(subject_id, state, block.record_time)
        store_same_contact.add(connection, claim.site_id, claim.claim_id, found, block.receipt_time)
        if state is SameContactState.PROVISIONAL:
            task = desk.task(claim, TaskKind.SETTLE_SAME_CONTACT, subject_id)
            store_tasks.give(connection, task)
        case.put_back["sameContact"] = state
    elif shared is SameContactState.PROVISIONAL and block is not None and _ended(block):
        _settle_contact(connection, place, SameContactState.RELEASED, desk)
        case.put_back["sameContact"] = SameContactState.RELEASED


def _ended(block: HeldBlock) -> bool:
    return block.released or block.outcome is not None


def _settle_contact(
    connection: Connection, place: tuple[str, str, str], state: SameContactState, desk: Desk
) -> None:
    store_same_contact.settle(connection, place, state, store_recovery.ITSELF, desk.now)
    site_id, claim_id, subject_id = place
    kind = TaskKind.SETTLE_SAME_CONTACT
    store_tasks.done(connection, site_id, claim_id, kind, desk.now, subject_id)


def _mend_block(connection: Connection, case: _Case, block: HeldBlock, desk: Desk) -> None:
    """How its verification ended, or that its block was lifted without an outcome."""
    claim, outcome = case.claim, block.outcome
    if outcome is not None and _goes_beyond(outcome, claim.outcome):
        _confirm_authority(connection, claim, desk)
        state = _concluded(claim)
        store.write_outcome(connection, claim, state, outcome)
        store_recovery.write_outcome(connection, claim, outcome, desk.now)
        case.claim = replace(claim, state=state, outcome=outcome)
        case.put_back["outcome"] = outcome
        if outcome is Outcome.UNLAWFUL_CONFIRMED:
            store_verification.to_destroy(connection, case.claim, case.claim.subject_ids, desk)
    if block.correction_id and store_recovery.bind_correction(
        connection, claim, case.subject_id, block.correction_id
    ):
        case.put_back["correction"] = block.correction_id
    if block.released and not claim.released:
        store.write_release(connection, claim, desk.now)
        case.claim = replace(case.claim, released=True)
        case.put_back["released"] = True


def _goes_beyond(held: Outcome, known: Outcome | None) -> bool:
    """Confirmed unlawful acts beat any other outcome, as they do in the vault."""
    return known is None or (held is Outcome.UNLAWFUL_CONFIRMED and known is not held)


def _concluded(claim: Claim) -> ClaimState:
    """The state after a conclusion that is known to have been; an answer may have followed it."""
    try:
        return transition(claim.state, ClaimAct.CONCLUDE_VERIFICATION, claim.verification)
    except IllegalTransition:
        return claim.state


def _confirm_authority(connection: Connection, claim: Claim, desk: Desk) -> None:
    """Nothing is concluded for a representative before their authority is confirmed."""
    if claim.authority is AuthorityState.UNSETTLED:
        state = AuthorityState.CONFIRMED
        store.write_authority(connection, claim, state)
        by = store_recovery.ITSELF
        store_settling.write_authority(connection, claim, state, None, by, desk.now)
        kind = TaskKind.SETTLE_AUTHORITY
        store_tasks.done(connection, claim.site_id, claim.claim_id, kind, desk.now)


def _mend_hold(connection: Connection, case: _Case, hold: HeldHold, desk: Desk) -> None:
    """That the dispute is before a court, or has ended."""
    if hold.court:
        time = min(desk.now, hold.end_time or desk.now)
        if store_recovery.end(connection, case.claim, EndKind.COURT, time):
            case.put_back["court"] = True
            if case.claim.state not in (ClaimState.AGREED, ClaimState.CLOSED):
                _write_state(connection, case, ClaimState.COURT)
    if hold.end_time is not None and not store_recovery.has_ended(connection, case.claim):
        store_recovery.end(connection, case.claim, EndKind.CLOSED, hold.end_time)
        case.put_back["holdEndTime"] = hold.end_time.isoformat()
        _write_state(connection, case, ClaimState.CLOSED)
        for kind in (TaskKind.ANSWER_CLAIM, TaskKind.TELL_NO_ANSWER, TaskKind.SETTLE_AUTHORITY):
            store_tasks.done(connection, case.claim.site_id, case.claim.claim_id, kind, desk.now)


def _write_state(connection: Connection, case: _Case, state: ClaimState) -> None:
    store.write_state(connection, case.claim, state)
    case.claim = replace(case.claim, state=state)
