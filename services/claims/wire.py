# SPDX-License-Identifier: Apache-2.0
"""Messages of the contract from and to what the claims service knows."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from qupia.claims.v1 import claims_pb2, verification_pb2
from qupia.contract.v1 import contract_pb2
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.decider.store import Act
from services.claims.authority import Authority, AuthorityDocument
from services.claims.claim import Claim, ClaimFact
from services.claims.state import Claimant, ClaimState, blocks
from services.claims.store_same_contact import SameContact
from services.claims.store_tasks import Task


def instant(stamp: Timestamp) -> datetime:
    """The aware UTC datetime of a timestamp, to the microsecond."""
    return stamp.ToDatetime(tzinfo=UTC)


def stamp(time: datetime) -> Timestamp:
    """The timestamp of an aware datetime."""
    message = Timestamp()
    message.FromDatetime(time)
    return message


def claim_message(claim: Claim) -> claims_pb2.Claim:
    """A claim as callers see it."""
    kinds = claims_pb2.Claim
    message = claims_pb2.Claim(
        claim_id=claim.claim_id,
        number=claim.number,
        subject_ids=claim.subject_ids,
        kind=kinds.Kind.Value(claim.kind),
        claimant=kinds.Claimant.Value(claim.claimant),
        state=kinds.State.Value(claim.state),
        language=claim.language,
        receipt_time=stamp(claim.receipt_time),
        record_time=stamp(claim.record_time),
        enforcement=enforcement(claim.enforcement),
        recipient=kinds.USER if claim.claimant is Claimant.SITE else kinds.SITE_ADMINISTRATION,
        blocks=claim.blocks,
        released=claim.released,
        receipt_awaits_approval=claim.receipt_awaits,
        recovered=claim.recovery is not None,
    )
    if claim.state is not ClaimState.AWAITING_RECEIPT:
        message.due_date = claim.deadline.due_date.isoformat()
        message.due_time.CopyFrom(stamp(claim.deadline.due_time))
        message.calendar_version = claim.deadline.calendar_version
    if claim.authority is not None:
        message.authority_state = claims_pb2.Authority.State.Value(claim.authority)
    if claim.outcome is not None:
        message.outcome = kinds.Outcome.Value(claim.outcome)
    if claim.decision is not None:
        message.decision = kinds.Decision.Value(claim.decision)
    if claim.answer_time is not None:
        message.answer_time.CopyFrom(stamp(claim.answer_time))
    return message


def enforcement(name: str) -> subject_pb2.Enforcement.State.ValueType:
    """The enforcement of that name."""
    return subject_pb2.Enforcement.State.Value(name)


def act_message(act: Act) -> subject_pb2.Act:
    """An act as callers see it."""
    message = subject_pb2.Act(
        act_id=act.act_id,
        kind=act.kind,
        enforcement=enforcement(act.enforcement),
        recorded_time=stamp(act.record_time),
    )
    if act.reason:
        message.reason = contract_pb2.Refusal.Reason.Value(act.reason)
    if act.in_force_time is not None:
        message.in_force_time.CopyFrom(stamp(act.in_force_time))
    return message


def slice_bytes(facts: Sequence[ClaimFact]) -> bytes:
    """The canonical bytes of a subject's whole slice."""
    message = vault_pb2.ClaimsSlice(
        blocks=[_block(fact) for fact in facts if blocks(fact.kind, fact.claimant)],
        holds=[_hold(fact) for fact in facts if not fact.same_contact],
    )
    return message.SerializeToString(deterministic=True)


def _block(fact: ClaimFact) -> vault_pb2.Block:
    block = vault_pb2.Block(
        claim_id=fact.claim_id,
        since_time=stamp(fact.receipt_time),
        recorded_time=stamp(fact.record_time),
        ground=vault_pb2.Block.Ground.Value(fact.kind),
        origin=vault_pb2.Block.Origin.Value("SAME_CONTACT" if fact.same_contact else fact.claimant),
        correction_id=fact.correction_id,
    )
    if fact.outcome is not None:
        block.outcome = vault_pb2.Block.Outcome.Value(fact.outcome)
    elif fact.released:
        block.outcome = vault_pb2.Block.RELEASED
    return block


def _hold(fact: ClaimFact) -> vault_pb2.LegalHold:
    in_court = fact.court_time is not None
    hold = vault_pb2.LegalHold(
        hold_id=fact.hold_id,
        claim_id=fact.claim_id,
        kind=vault_pb2.LegalHold.COURT if in_court else vault_pb2.LegalHold.CLAIM,
        since_time=stamp(fact.hold_time),
    )
    if fact.hold_end_time is not None:
        hold.ended_time.CopyFrom(stamp(fact.hold_end_time))
    return hold


def authority(given: claims_pb2.Authority) -> Authority:
    """A representative's paper, without its number and issuer."""
    return Authority(
        AuthorityDocument(claims_pb2.Authority.Document.Name(given.document)),
        date.fromisoformat(given.issue_date) if given.issue_date else None,
        date.fromisoformat(given.expiry_date) if given.expiry_date else None,
    )


def same_contact_message(shared: SameContact) -> claims_pb2.SameContact:
    """A subject that is blocked with a claim's, as officers see it."""
    return claims_pb2.SameContact(
        subject_id=shared.subject_id,
        state=claims_pb2.SameContact.State.Value(shared.state),
        block_time=stamp(shared.block_time),
    )


def task_message(task: Task) -> verification_pb2.Task:
    """A task as officers see it."""
    return verification_pb2.Task(
        claim_id=task.claim_id,
        subject_id=task.subject_id,
        kind=verification_pb2.Task.Kind.Value(task.kind),
        due_date=task.deadline.due_date.isoformat(),
        due_time=stamp(task.deadline.due_time),
        calendar_version=task.deadline.calendar_version,
        create_time=stamp(task.create_time),
        done_time=stamp(task.done_time) if task.done_time is not None else None,
    )


def canonical_json(data: Message) -> str:
    """The data that are given, by their JSON names: keys sorted, no white space."""
    return json.dumps(
        MessageToDict(data), ensure_ascii=False, sort_keys=True, separators=(",", ":")
    )


def given_names(data: Message) -> list[str]:
    """The JSON names of the data that are given, such as phone and address.flat."""
    names: list[str] = []
    for field, value in data.ListFields():
        if isinstance(value, Message):
            names += [f"{field.json_name}.{name}" for name in given_names(value)]
        else:
            names.append(field.json_name)
    return names
