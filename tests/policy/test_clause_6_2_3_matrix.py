# SPDX-License-Identifier: Apache-2.0
"""Clause 6.2.3 in all cells of docs/blocks.md: operation, origin, overlap, outcome.

The page is what a lawyer reads; here it is put to the gate's own function, whole. What the cells
say through real processes is in the other modules of the clause.
"""

from collections.abc import Mapping
from datetime import datetime
from itertools import product
from pathlib import Path

import pytest

from services.claims.state import Claimant, ClaimKind, blocks
from services.vault.correction import corrections_held
from services.vault.decide import Denial, Kinship, Life, Operation, Question, decide
from services.vault.policy_schedule import PolicySchedule
from services.vault.purposes import EXPRESS_CONSENTS, PURPOSES, SERVICE_TEMPLATE
from services.vault.standing import (
    Block,
    ClaimsStanding,
    ConsentStanding,
    Ground,
    OrderStanding,
    OrderState,
    Origin,
    Outcome,
    Standing,
)
from tests.vault import decision_world as world
from tests.vault.decision_document import Document

PAGE = Document((Path(__file__).parents[2] / "docs" / "blocks.md").read_text("utf-8"))
ORIGINS = {row["origin"]: row for row in PAGE.table("Who blocks")}
STATES = {row["outcome"]: row for row in PAGE.table("What stands then")}
ANSWERS = {row["operation"]: row for row in PAGE.table("What is answered")}
VERIFIED = {row["outcome"]: row["answer"] for row in PAGE.table("The verifier's read")}
CORRECTED = {
    row["overlap"]: row["correction"] for row in PAGE.table("When a correction is written")
}
OVERLAPS: Mapping[str, tuple[Outcome | None, ...]] = {
    "alone": (),
    "beside an open block": (None,),
    "beside unlawful acts": (Outcome.UNLAWFUL_CONFIRMED,),
}
OPEN, NO_BLOCK = "open", "no block"

_ORDERS = OrderStanding((world.order(world.OPEN, OrderState.OPEN, world.assignment()),))
_ACCOUNT = Kinship(Life.PRESENT, Standing(None, None, None))
_OTHERS = {
    "release to a recipient": Question(
        Operation.READ_FOR_RELEASE,
        reference=world.OPEN,
        delivery_id=world.DELIVERY,
        recipient_id=world.RECIPIENT,
    ),
    "release to a state body": Question(Operation.READ_FOR_AUTHORITY),
    "release on a compulsory act": Question(Operation.READ_FOR_AUTHORITY, compelled=True),
    "store data": Question(Operation.STORE),
    "record a visit": Question(Operation.RECORD_VISIT),
    "store a purchase": Question(Operation.STORE_PURCHASE),
    "count visits": Question(Operation.SUMMARIZE_VISITS),
    "give a consent": Question(Operation.GRANT, "NEWS"),
    "place an order": Question(Operation.PLACE_ORDER),
    "link a visitor": Question(Operation.LINK, kinship=_ACCOUNT),
    "accept the policy": Question(Operation.ACCEPT),
    "find for a case": Question(Operation.FIND_FOR_CASE, reference="case-7"),
    "the person's own view": Question(Operation.OWN_VIEW),
    "audit former values": Question(Operation.AUDIT_VERSIONS, reference="audit-7"),
    "depersonalise": Question(Operation.DEPERSONALISE),
    "destroy": Question(Operation.DESTROY),
}
QUESTIONS = {
    **{
        f"read {purpose}": Question(
            Operation.READ, purpose, reference=world.OPEN, template=SERVICE_TEMPLATE
        )
        for purpose in PURPOSES
    },
    **_OTHERS,
}
_ENDS = {"depersonalise", "destroy"}


def _block(claim: str, origin: Origin, outcome: Outcome | None) -> Block:
    then: datetime = world.PAST
    return Block(claim, then, Ground.UNLAWFUL_ACTS, origin, outcome, None, then)


def _cells() -> list[tuple[str, str, str]]:
    """(origin, outcome, overlap): every one that there is."""
    cells = []
    for origin, row in ORIGINS.items():
        ends = [end.strip() for end in row["ends by"].split(",")]
        outcomes = [OPEN, *ends] if row["blocks"] == "yes" else [NO_BLOCK]
        cells += list(product([origin], outcomes, OVERLAPS))
    return cells


def _claims(origin: str, outcome: str, overlap: str) -> ClaimsStanding:
    own = (
        ()
        if outcome == NO_BLOCK
        else (_block(world.CLAIM, Origin(origin), None if outcome == OPEN else Outcome(outcome)),)
    )
    others = tuple(
        _block(f"other-{n}", Origin.SUBJECT, each) for n, each in enumerate(OVERLAPS[overlap])
    )
    return ClaimsStanding((*others, *own), ())


def _consents() -> ConsentStanding:
    facts = tuple(world.fact(purpose) for purpose in EXPRESS_CONSENTS)
    return ConsentStanding(1, world.PAST, None, facts, None)


def _answer(question: Question, claims: ClaimsStanding, *, orders: bool = True) -> str:
    standing = Standing(_consents(), claims, _ORDERS if orders else None)
    decision = decide(question, Life.PRESENT, standing, PolicySchedule(), world.NOW)
    return decision.reason if isinstance(decision, Denial) else "PERMIT"


def test_the_page_names_every_origin_outcome_and_operation() -> None:
    """T-6.2.3-a"""
    assert set(ORIGINS) == {str(o) for o in Origin} | {str(c) for c in Claimant}
    assert set(STATES) == {OPEN, NO_BLOCK, *map(str, Outcome)} == set(VERIFIED)
    assert set(CORRECTED) == set(OVERLAPS)
    assert set(ANSWERS) == set(QUESTIONS)
    apart = {Operation.READ_FOR_VERIFICATION}
    assert {q.operation for q in QUESTIONS.values()} == set(Operation) - apart


@pytest.mark.parametrize("operation", QUESTIONS)
def test_every_cell_is_answered_as_the_page_says(operation: str) -> None:
    """T-6.2.3-a, T-6.2.3-c, T-6.2.3-e"""
    for origin, outcome, overlap in _cells():
        state = STATES[outcome][overlap]
        claims = _claims(origin, outcome, overlap)
        found = _answer(QUESTIONS[operation], claims, orders=operation not in _ENDS)
        assert found == ANSWERS[operation][state], (origin, outcome, overlap)


def test_the_verifier_reads_for_the_claim_that_blocks_and_for_no_other() -> None:
    """T-6.2.3-a"""
    for origin, outcome, overlap in _cells():
        question = Question(Operation.READ_FOR_VERIFICATION, reference=world.CLAIM)
        found = _answer(question, _claims(origin, outcome, overlap))
        assert found == VERIFIED[outcome], (origin, outcome, overlap)
        stranger = Question(Operation.READ_FOR_VERIFICATION, reference="claim-of-another")
        assert _answer(stranger, _claims(origin, outcome, overlap)) == "NOT_FOUND"


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_a_correction_is_written_staged_or_never_written_as_the_page_says(overlap: str) -> None:
    """T-6.2.3-e"""
    claims = _claims("SUBJECT", "INACCURATE_CONFIRMED", overlap)
    assert corrections_held(claims) is (CORRECTED[overlap] != "written")
    lifted = ClaimsStanding(
        tuple(
            _block(b.claim_id, b.origin, b.outcome or Outcome.NOT_CONFIRMED) for b in claims.blocks
        ),
        (),
    )
    assert corrections_held(lifted) is (CORRECTED[overlap] == "never")


@pytest.mark.parametrize("kind", ClaimKind)
@pytest.mark.parametrize("claimant", Claimant)
def test_a_claim_blocks_by_its_kind_and_who_makes_it(kind: ClaimKind, claimant: Claimant) -> None:
    """T-6.2.3-d"""
    of_kind = kind in (ClaimKind.INACCURATE_DATA, ClaimKind.UNLAWFUL_ACTS)
    assert blocks(kind, claimant) is (of_kind and ORIGINS[claimant]["blocks"] == "yes")
