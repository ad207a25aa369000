# SPDX-License-Identifier: Apache-2.0
"""New claims, each written whole: number, facts, documents, slices and evidence (clause 8.1).

Claims that come in at the same moment are written in one transaction and in as many statements as
one of them; none is spoilt by one that cannot be taken. The locks come in one order everywhere:
subjects, what credentials have named today, numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy.engine import Connection

from services.chassis.decider import store as decider_store
from services.chassis.decider.store import Slice
from services.chassis.ids import new_uuid
from services.chassis.sealed import store as sealed_store
from services.claims import store_acts, store_answers, store_facts, store_register
from services.claims.claim import Claim, ClaimFact
from services.claims.flooding import TooManyFiled
from services.claims.intake import CLAIMS_PER_SUBJECT
from services.claims.store_acts import ClaimAct, Compose, Recorded
from services.claims.store_facts import Subject
from services.claims.store_steps import Step, TooManyClaims

_Value = TypeVar("_Value")
Refused = TooManyFiled | TooManyClaims


@dataclass(frozen=True, slots=True)
class NewClaim:
    """A claim that has no number yet, and what goes with it.

    `limited`: a storefront files it, within limits. `email_ids`: those of its documents that are
    an e-mail address to answer to.
    """

    claim: Claim
    step: Step
    limited: bool
    email_ids: Sequence[str]

    @property
    def subjects(self) -> list[Subject]:
        """(site, subject) of whom it names."""
        return [(self.claim.site_id, subject_id) for subject_id in self.claim.subject_ids]


@dataclass(frozen=True, slots=True)
class _Named:
    """A subject that a claim names."""

    claim: Claim
    subject_id: str
    position: int
    hold_id: str
    act: decider_store.Act


RequireRoom = Callable[[Sequence[tuple[Claim, str]]], Sequence[TooManyFiled | None]]
"""Says of each claim, with who files it, whether it goes beyond a limit; subjects are locked."""


def file_all(
    connection: Connection,
    wanted: Sequence[NewClaim],
    require_room: RequireRoom,
    compose: Compose,
    now: datetime,
) -> list[Claim | Refused]:
    """Write new claims, no two of which name the same subject; each with its number, or why not.

    Raises Unavailable.
    """
    counters = decider_store.next_counters(
        connection,
        [store_acts.key_of(*subject) for each in wanted for subject in each.subjects],
    )
    known = store_facts.facts_of_all(connection, [s for each in wanted for s in each.subjects])
    full = [_is_full(each, known) for each in wanted]
    roomy = [each for each, too_many in zip(wanted, full, strict=True) if not too_many]
    limited = [each for each in roomy if each.limited]
    rooms = require_room([(each.claim, each.step.by.principal) for each in limited])
    beyond = _by_id([each.claim for each in limited], rooms)
    taken = [each for each in roomy if beyond.get(each.claim.claim_id) is None]
    numbered = store_register.numbered(connection, [each.claim for each in taken])
    if taken:
        filed = [replace(e, claim=claim) for e, claim in zip(taken, numbered, strict=True)]
        _write(connection, filed, counters, known, compose, now)
    outcomes: dict[str, Claim | Refused | None] = {**beyond, **_by_id(numbered, numbered)}
    return [outcomes.get(each.claim.claim_id) or TooManyClaims() for each in wanted]


def _by_id(of: Sequence[Claim], values: Sequence[_Value]) -> dict[str, _Value]:
    return {claim.claim_id: value for claim, value in zip(of, values, strict=True)}


def _is_full(new: NewClaim, known: dict[Subject, list[ClaimFact]]) -> bool:
    """Whether a slice could not carry what is said of its subject with this claim too."""
    return any(
        sum(not fact.same_contact for fact in known[subject]) >= CLAIMS_PER_SUBJECT
        for subject in new.subjects
    )


def _write(
    connection: Connection,
    filed: Sequence[NewClaim],
    counters: dict[decider_store.Key, int],
    known: dict[Subject, list[ClaimFact]],
    compose: Compose,
    now: datetime,
) -> None:
    documents = [document for each in filed for document in each.step.documents]
    sealed_store.insert_documents(connection, documents, now)
    store_register.insert_claims(
        connection, [(each.claim, each.step.by.principal) for each in filed]
    )
    named_by = [_named(new, counters) for new in filed]
    named = [each for of_claim in named_by for each in of_claim]
    store_register.insert_subjects(
        connection, [(each.claim, each.subject_id, each.position, each.hold_id) for each in named]
    )
    acts = [each.act for each in named]
    decider_store.record_acts(connection, acts)
    store_acts.insert_acts(
        connection,
        [ClaimAct(each.claim, each.act.kind, each.position, each.act.act_id) for each in named],
    )
    slices = [Slice(each.act.key, each.act.counter, compose(_facts(each, known))) for each in named]
    decider_store.write_slices(connection, slices, now)
    recorded = [_recorded(new, of_claim) for new, of_claim in zip(filed, named_by, strict=True)]
    store_acts.append_all_evidence(connection, recorded, now)
    store_answers.keep_email_addresses(
        connection,
        [
            (each.claim.site_id, each.claim.claim_id, document_id)
            for each in filed
            for document_id in each.email_ids
        ],
    )


def _named(new: NewClaim, counters: dict[decider_store.Key, int]) -> list[_Named]:
    named = []
    for position, (site_id, subject_id) in enumerate(new.subjects):
        key = store_acts.key_of(site_id, subject_id)
        act = decider_store.new_act(
            key, counters[key], new.step.by.event, proposal=False, now=new.claim.record_time
        )
        named.append(_Named(new.claim, subject_id, position, new_uuid(), act))
    return named


def _facts(named: _Named, known: dict[Subject, list[ClaimFact]]) -> list[ClaimFact]:
    """All that is said of a subject, the oldest first."""
    fact = ClaimFact.of_new(named.claim, named.hold_id)
    facts = [*known[named.claim.site_id, named.subject_id], fact]
    return sorted(facts, key=lambda each: each.claim_id)


def _recorded(new: NewClaim, named: Sequence[_Named]) -> Recorded:
    claim = new.claim
    decided_on = {
        "kind": claim.kind,
        "claimant": claim.claimant,
        "blocks": claim.blocks,
        "receiptTime": claim.receipt_time.isoformat(),
        "dueDate": claim.deadline.due_date.isoformat(),
        "calendar": claim.deadline.calendar_version,
        "receiptAwaitsApproval": claim.receipt_awaits,
    }
    act_ids = {each.subject_id: each.act.act_id for each in named}
    return Recorded(claim, new.step.by, act_ids, decided_on, new.step.digests)
