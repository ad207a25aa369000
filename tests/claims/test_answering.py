# SPDX-License-Identifier: Apache-2.0
"""Nothing closes a claim but text, author and proof of dispatch: clause 8.2."""

from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from qupia.claims.v1 import claims_pb2
from services.chassis.clock import FixedClock
from services.chassis.ids import new_uuid
from services.chassis.refusal import InvalidArgument, NotFound, PermissionDenied, StateConflict
from services.claims.wire import instant, stamp
from tests.claims.suite import NOW, Claim, Suite

Dispatch = claims_pb2.Dispatch


def _dispatch(**members: Any) -> claims_pb2.Dispatch:
    whole: dict[str, Any] = {
        "channel": Dispatch.EMAIL,
        "time": stamp(NOW),
        "proof": "smtp 250 қабылданды",
    }
    return Dispatch(**whole | members)


def _answer(
    suite: Suite,
    claim_id: str,
    metadata: dict[str, str | bytes] | None = None,
    **members: Any,
) -> claims_pb2.Claim:
    request = claims_pb2.AnswerClaimRequest(
        **{
            "claim_id": claim_id,
            "decision": Claim.SATISFIED,
            "text": "Нөмір түзетілді",
            "dispatch": _dispatch(),
            **members,
        }
    )
    answer = suite.ask("AnswerClaim", request, metadata or suite.person())
    return cast(claims_pb2.AnswerClaimResponse, answer).claim


def _verified(suite: Suite) -> str:
    claim_id = suite.file(suite.vault.subject()).claim.claim_id
    suite.conclude(claim_id, Claim.NOT_CONFIRMED)
    return claim_id


def test_a_whole_answer_closes_the_claim_and_keeps_its_hold(suite: Suite) -> None:
    subject = suite.vault.subject()
    claim_id = suite.file(subject).claim.claim_id
    suite.conclude(claim_id, Claim.NOT_CONFIRMED)
    claim = _answer(suite, claim_id)
    assert (claim.state, claim.decision) == (Claim.ANSWERED, Claim.SATISFIED)
    assert instant(claim.answer_time) == NOW
    texts = suite.vault.texts(claim_id)
    assert texts["ANSWER"] == "Нөмір түзетілді"
    assert texts["DISPATCH_PROOF"] == "smtp 250 қабылданды"
    assert suite.rows("SELECT author, channel FROM answers") == [
        ("person/https://issuer.test#aigerim", "EMAIL")
    ]
    (hold,) = suite.vault.slices["demo", subject].holds
    assert not hold.HasField("ended_time")


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        ({"decision": 0}, ["decision"]),
        ({"decision": 9}, ["decision"]),
        ({"text": ""}, ["text"]),
        ({"text": " \t"}, ["text"]),
        ({"dispatch": _dispatch(channel=0)}, ["dispatch.channel"]),
        ({"dispatch": _dispatch(time=None)}, ["dispatch.time"]),
        ({"dispatch": _dispatch(proof="")}, ["dispatch.proof"]),
        ({"dispatch": _dispatch(proof="\n")}, ["dispatch.proof"]),
        ({"text": " ", "dispatch": _dispatch(proof=" ")}, ["text"]),
        ({"text": "", "dispatch": Dispatch()}, ["text", "dispatch.channel", "dispatch.time"]),
    ],
)
def test_an_answer_that_lacks_a_part_closes_nothing(
    suite: Suite, members: dict[str, Any], fields: list[str]
) -> None:
    claim_id = _verified(suite)
    with pytest.raises(InvalidArgument) as refused:
        _answer(suite, claim_id, **members)
    assert [f.field for f in refused.value.fields][: len(fields)] == fields
    assert suite.rows("SELECT state FROM claims") == [("VERIFIED",)]


@pytest.mark.parametrize("moment", [NOW - timedelta(days=1), NOW + timedelta(hours=2, minutes=2)])
def test_an_answer_leaves_between_the_day_of_receipt_and_now(
    suite: Suite, moment: datetime
) -> None:
    claim_id = _verified(suite)
    assert isinstance(suite.clock, FixedClock)
    suite.clock.instant = NOW + timedelta(hours=2)
    with pytest.raises(InvalidArgument) as refused:
        _answer(suite, claim_id, dispatch=_dispatch(time=stamp(moment)))
    assert [f.field for f in refused.value.fields] == ["dispatch.time"]
    left = NOW + timedelta(hours=1)
    claim = _answer(suite, claim_id, dispatch=_dispatch(time=stamp(left)))
    assert instant(claim.answer_time) == left


def test_a_proof_of_dispatch_may_name_the_second_of_receipt(suite: Suite) -> None:
    claim_id = _verified(suite)
    second = (NOW - timedelta(microseconds=1)).replace(microsecond=0)
    claim = _answer(suite, claim_id, dispatch=_dispatch(time=stamp(second)))
    assert instant(claim.answer_time) == second


def test_a_blocking_claim_is_verified_before_it_is_answered(suite: Suite) -> None:
    blocking = suite.file(suite.vault.subject()).claim.claim_id
    with pytest.raises(StateConflict):
        _answer(suite, blocking)
    other = suite.file(suite.vault.subject(), kind=Claim.CONSUMER).claim.claim_id
    assert _answer(suite, other).state == Claim.ANSWERED


def test_a_claim_is_answered_once(suite: Suite) -> None:
    claim_id, key = _verified(suite), new_uuid()
    first = _answer(suite, claim_id, request_id=key)
    assert _answer(suite, claim_id, request_id=key) == first
    with pytest.raises(StateConflict):
        _answer(suite, claim_id)
    assert suite.rows("SELECT count(*) FROM answers") == [(1,)]


def test_nobody_of_the_site_answers_its_own_claim(suite: Suite) -> None:
    filed = suite.file(suite.vault.subject(), claimant=Claim.SITE, metadata=suite.person())
    with pytest.raises(StateConflict):
        _answer(suite, filed.claim.claim_id)


def test_only_an_officer_of_the_site_answers(suite: Suite) -> None:
    claim_id = _verified(suite)
    for metadata in (suite.storefront(), suite.person("AUDITOR")):
        with pytest.raises(PermissionDenied):
            _answer(suite, claim_id, metadata)
    for metadata, asked in (
        (suite.person(site_id="other"), claim_id),
        (suite.person(), new_uuid()),
    ):
        with pytest.raises(NotFound):
            _answer(suite, asked, metadata)


def test_an_answer_is_taken_while_the_vault_is_away(suite: Suite) -> None:
    claim_id = _verified(suite)
    suite.vault.up = False
    assert _answer(suite, claim_id).state == Claim.ANSWERED
    suite.vault.up = True
    assert isinstance(suite.clock, FixedClock)
    suite.clock.instant = NOW + timedelta(minutes=2)
    suite.courier.round()
    assert suite.vault.texts(claim_id)["ANSWER"] == "Нөмір түзетілді"
