# SPDX-License-Identifier: Apache-2.0
"""Which act is open to a claim when: clauses 6.2.3, 8.1, 8.2."""

from datetime import UTC, datetime
from itertools import product

import pytest

from services.claims.state import (
    Answer,
    AnswerIncomplete,
    ClaimAct,
    Claimant,
    ClaimKind,
    ClaimState,
    Decision,
    Dispatch,
    IllegalTransition,
    Outcome,
    Verification,
    blocks,
    term_days,
    transition,
    verification_of,
)

_DISPATCH_TIME = datetime(2026, 12, 1, 9, tzinfo=UTC)
_DISPATCH = Dispatch("EMAIL", _DISPATCH_TIME, "smtp 250")
_ANSWER = Answer(Decision.SATISFIED, "Жауап", "officer-1", "А. Тексеруші")

# One line per state and verification: where each act leads, "-" where the law has no such step.
_LAW = """
state            verification CONCLUDE_VERIFICATION WRITE_ANSWER   DISPATCH_ANSWER LET_LAPSE RESUME   AGREE  REFER_TO_COURT CLOSE  PROVE_RECEIPT RECORD_USER_ANSWER
RECEIVED         NOT_REQUIRED -                     ANSWER_WRITTEN -               NO_ANSWER -        -      -              -      -             ANSWERED
RECEIVED         OPEN         VERIFIED              -              -               NO_ANSWER -        -      -              -      -             -
RECEIVED         CONCLUDED    -                     -              -               -         -        -      -              -      -             -
VERIFIED         NOT_REQUIRED -                     -              -               -         -        -      -              -      -             -
VERIFIED         OPEN         -                     -              -               -         -        -      -              -      -             -
VERIFIED         CONCLUDED    -                     ANSWER_WRITTEN -               NO_ANSWER -        -      -              -      -             -
ANSWER_WRITTEN   NOT_REQUIRED -                     -              ANSWERED        NO_ANSWER -        -      -              -      -             -
ANSWER_WRITTEN   OPEN         -                     -              -               -         -        -      -              -      -             -
ANSWER_WRITTEN   CONCLUDED    -                     -              ANSWERED        NO_ANSWER -        -      -              -      -             -
ANSWERED         NOT_REQUIRED -                     -              -               -         -        AGREED COURT          CLOSED -             -
ANSWERED         OPEN         -                     -              -               -         -        -      -              -      -             -
ANSWERED         CONCLUDED    -                     -              -               -         -        AGREED COURT          CLOSED -             -
NO_ANSWER        NOT_REQUIRED -                     NO_ANSWER      ANSWERED        -         RECEIVED AGREED COURT          -      -             ANSWERED
NO_ANSWER        OPEN         NO_ANSWER             -              -               -         RECEIVED -      COURT          -      -             -
NO_ANSWER        CONCLUDED    -                     NO_ANSWER      ANSWERED        -         VERIFIED AGREED COURT          -      -             -
AGREED           NOT_REQUIRED -                     -              -               -         -        -      -              CLOSED -             -
AGREED           OPEN         -                     -              -               -         -        -      -              -      -             -
AGREED           CONCLUDED    -                     -              -               -         -        -      -              CLOSED -             -
COURT            NOT_REQUIRED -                     -              -               -         -        -      -              CLOSED -             -
COURT            OPEN         COURT                 -              -               -         -        -      -              -      -             -
COURT            CONCLUDED    -                     -              -               -         -        -      -              CLOSED -             -
CLOSED           NOT_REQUIRED -                     -              -               -         -        -      -              -      -             -
CLOSED           OPEN         -                     -              -               -         -        -      -              -      -             -
CLOSED           CONCLUDED    -                     -              -               -         -        -      -              -      -             -
AWAITING_RECEIPT NOT_REQUIRED -                     -              -               -         -        -      -              CLOSED RECEIVED      -
AWAITING_RECEIPT OPEN         -                     -              -               -         -        -      -              -      -             -
AWAITING_RECEIPT CONCLUDED    -                     -              -               -         -        -      -              -      -             -
"""  # noqa: E501 - a table

_BLOCKING = """
                SUBJECT  REPRESENTATIVE  AUTHORISED_BODY  SITE
INACCURATE_DATA yes      yes             yes              no
UNLAWFUL_ACTS   yes      yes             yes              no
CONSUMER        no       no              no               no
WITHDRAWAL      no       no              no               no
OTHER           no       no              no               no
"""


def _law() -> dict[tuple[ClaimState, Verification, ClaimAct], ClaimState | None]:
    header, *rows = [line.split() for line in _LAW.strip().splitlines()]
    return {
        (ClaimState(row[0]), Verification(row[1]), ClaimAct(act)): (
            None if following == "-" else ClaimState(following)
        )
        for row in rows
        for act, following in zip(header[2:], row[2:], strict=True)
    }


def test_the_table_of_the_law_is_complete() -> None:
    assert set(_law()) == set(product(ClaimState, Verification, ClaimAct))


@pytest.mark.parametrize(("state", "verification", "act"), list(_law()))
def test_every_act_in_every_state_is_as_the_law_has_it(
    state: ClaimState, verification: Verification, act: ClaimAct
) -> None:
    following = _law()[state, verification, act]
    if following is not None:
        assert transition(state, act, verification) is following
        return
    with pytest.raises(IllegalTransition) as refused:
        transition(state, act, verification)
    assert (refused.value.state, refused.value.act) == (state, act)
    assert refused.value.verification is verification


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_blocking_claim_is_verified_once_and_then_answered_once(outcome: Outcome) -> None:
    kind, claimant = ClaimKind.INACCURATE_DATA, Claimant.SUBJECT
    before = verification_of(kind, claimant, None)
    after = verification_of(kind, claimant, outcome)
    conclude, write = ClaimAct.CONCLUDE_VERIFICATION, ClaimAct.WRITE_ANSWER
    with pytest.raises(IllegalTransition):
        transition(ClaimState.RECEIVED, write, before)
    verified = transition(ClaimState.RECEIVED, conclude, before)
    with pytest.raises(IllegalTransition):
        transition(verified, conclude, after)
    written = transition(verified, write, after)
    with pytest.raises(IllegalTransition):
        transition(written, write, after)
    answered = transition(written, ClaimAct.DISPATCH_ANSWER, after)
    assert answered is ClaimState.ANSWERED


@pytest.mark.parametrize(("kind", "claimant"), list(product(ClaimKind, Claimant)))
def test_only_a_claim_that_blocks_has_a_verification(kind: ClaimKind, claimant: Claimant) -> None:
    expected = Verification.OPEN if blocks(kind, claimant) else Verification.NOT_REQUIRED
    assert verification_of(kind, claimant, None) is expected
    if not blocks(kind, claimant):
        written = transition(ClaimState.RECEIVED, ClaimAct.WRITE_ANSWER, expected)
        assert written is ClaimState.ANSWER_WRITTEN


def test_allegations_of_the_person_or_the_authority_block_and_nothing_else_does() -> None:
    claimants, *rows = [line.split() for line in _BLOCKING.strip("\n").splitlines()]
    table = {
        (ClaimKind(row[0]), Claimant(claimant)): cell == "yes"
        for row in rows
        for claimant, cell in zip(claimants, row[1:], strict=True)
    }
    assert table == {pair: blocks(*pair) for pair in product(ClaimKind, Claimant)}


def test_a_claim_is_answered_in_30_days_and_a_consumer_claim_in_10() -> None:
    assert {kind: term_days(kind) for kind in ClaimKind} == {
        ClaimKind.INACCURATE_DATA: 30,
        ClaimKind.UNLAWFUL_ACTS: 30,
        ClaimKind.CONSUMER: 10,
        ClaimKind.WITHDRAWAL: 30,
        ClaimKind.OTHER: 30,
    }


@pytest.mark.parametrize("blank", ["", " ", "\n\t"])
def test_an_answer_without_text_author_or_proof_of_dispatch_cannot_be_made(blank: str) -> None:
    with pytest.raises(AnswerIncomplete) as no_text:
        Answer(Decision.SATISFIED, blank, "officer-1")
    assert no_text.value.parts == ("text",)
    with pytest.raises(AnswerIncomplete) as no_author:
        Answer(Decision.SATISFIED, "Жауап", blank)
    assert no_author.value.parts == ("author",)
    with pytest.raises(AnswerIncomplete) as no_proof:
        Dispatch("POST", _DISPATCH_TIME, blank)
    assert no_proof.value.parts == ("dispatch.proof",)
    with pytest.raises(AnswerIncomplete) as no_dispatch:
        Dispatch(blank, None, blank)
    assert no_dispatch.value.parts == ("dispatch.channel", "dispatch.time", "dispatch.proof")


def test_a_naive_time_of_dispatch_is_refused() -> None:
    naive = _DISPATCH_TIME.replace(tzinfo=None)
    with pytest.raises(ValueError, match="without zone"):
        Dispatch("EMAIL", naive, "smtp 250")


def test_an_answer_never_shows_its_words_author_or_proof() -> None:
    shown = repr((_ANSWER, _DISPATCH)) + str(_ANSWER)
    for secret in ("Жауап", "officer-1", "А. Тексеруші", "smtp 250"):
        assert secret not in shown
