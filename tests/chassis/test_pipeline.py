# SPDX-License-Identifier: Apache-2.0
"""The stages in their order, what they scrub, what they veil, what they record."""

import json
from collections.abc import Callable

import pytest
from google.protobuf.message import Message

from qupia.contract.v1 import contract_pb2
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.call import Call
from services.chassis.contract import load_contract, reasons
from services.chassis.metrics import Metrics
from services.chassis.pipeline import Pipeline, Stage, is_decision, scrub, stages
from services.chassis.refusal import Refusal, SubjectBlocked, Unavailable, refusal_of
from tests.chassis.desk import BLOCK, STORE, SUBJECT, VERIFY, Desk, shop
from tests.vault.wire_client import Refused

CANARY = "Нұрсұлтан 87011234567 nursultan@example.kz"
REQUEST = vault_pb2.ReadDataRequest(
    subject_id=SUBJECT, purpose=subject_pb2.Purpose.IDENTIFY_FOR_ORDER
)


def test_the_stages_stand_in_their_order() -> None:
    steps = stages(None, Metrics(), {}, None, lambda *_: None)  # type: ignore[arg-type]
    assert Pipeline(steps, {}).names == [
        "scrub",
        "peer",
        "size",
        "parse",
        "deadline",
        "record",
        "identity",
        "authorization",
        "validation",
    ]


@pytest.mark.parametrize(
    ("wrongs", "reason"),
    [
        ("peer size parse deadline identity role form", "PEER_NOT_ALLOWED"),
        ("size parse deadline identity role form", "TOO_LARGE"),
        ("parse deadline identity role form", "MALFORMED"),
        ("deadline identity role form", "DEADLINE_REQUIRED"),
        ("identity role form", "UNAUTHENTICATED"),
        ("role form", "PERMISSION_DENIED"),
        ("form", "INVALID_ARGUMENT"),
        ("", "OK"),
    ],
)
def test_of_several_faults_the_first_stage_names_its_own(
    desk: Desk, wrongs: str, reason: str
) -> None:
    request = vault_pb2.ReadDataRequest(subject_id="?" if "form" in wrongs else SUBJECT)
    payload = request.SerializeToString()
    payload = b"\xff" if "parse" in wrongs else payload
    payload = b"\xff" * 300_000 if "size" in wrongs else payload
    role = "RECIPIENT" if "role" in wrongs else "STOREFRONT"
    metadata = () if "identity" in wrongs else shop(role=contract_pb2.Caller.Role.Value(role))
    channel = desk.channel(desk.leaf("claims")) if "peer" in wrongs else desk.gateway
    seconds = None if "deadline" in wrongs else 5.0
    assert desk.why_not(payload, metadata, channel=channel, seconds=seconds) == reason


def _raises(error: BaseException) -> Callable[[Call], Message]:
    def answer(_call: Call) -> Message:
        raise error

    return answer


@pytest.mark.parametrize(
    "error", [ValueError(CANARY), KeyError(CANARY), RuntimeError(), OSError(5, CANARY)]
)
def test_an_unforeseen_exception_leaves_as_a_bare_defect_with_a_reference(
    desk: Desk, error: Exception
) -> None:
    desk.answer = _raises(error)
    with pytest.raises(Refused, match="INTERNAL") as caught:
        desk.ask(REQUEST, [*shop(), ("qupia-reference", "ref-1")])
    assert caught.value.reference == "ref-1"
    for part in CANARY.split():
        assert part.encode() not in caught.value.details
    [line] = [each for each in desk.lines() if each["event"] == "defect"]
    assert (line["reference"], line["error"], line["method"]) == (
        "ref-1",
        type(error).__name__,
        "ReadData",
    )
    text = json.dumps(desk.lines(), ensure_ascii=False)
    assert not any(part in text for part in CANARY.split())
    figures = desk.metrics.registry
    assert figures.get_sample_value("qupia_alarms_total", {"kind": "INTERNAL"}) == 1


def test_a_refusal_is_no_defect_and_raises_no_alarm(desk: Desk) -> None:
    desk.answer = _raises(SubjectBlocked())
    assert desk.why_not(REQUEST, shop()) == "SUBJECT_BLOCKED"
    assert desk.lines() == []
    figures = desk.metrics.registry
    assert figures.get_sample_value("qupia_alarms_total", {"kind": "INTERNAL"}) is None
    labels = {"method": "ReadData", "reason": "SUBJECT_BLOCKED"}
    assert figures.get_sample_value("qupia_calls_total", labels) == 1


@pytest.mark.parametrize("reason", sorted(reasons()))
def test_every_refusal_of_a_handler_reaches_its_caller_as_it_is(desk: Desk, reason: str) -> None:
    desk.answer = _raises(refusal_of(reason))
    with pytest.raises(Refused, match=reason) as caught:
        desk.ask(REQUEST, shop())
    rule = reasons()[reason]
    assert caught.value.code.value[0] == rule.grpc_status
    assert caught.value.clause == rule.clause


@pytest.mark.parametrize("reason", sorted(reasons()))
def test_a_recipient_learns_that_something_is_not_available_and_never_why(reason: str) -> None:
    veiled = next(m for m in load_contract().methods.values() if m.veil)
    call = Call(veiled, b"", None, {}, "ref")  # type: ignore[arg-type]
    pipeline = Pipeline([scrub(None, Metrics())], {veiled.path: _raises(refusal_of(reason))})
    with pytest.raises(Refusal) as caught:
        pipeline(call)
    person = {
        "NOT_FOUND", "POLICY_DISAGREED", "POLICY_NOT_ACCEPTED", "CONSENT_REQUIRED",
        "CONSENT_WITHDRAWN", "SUBJECT_BLOCKED", "SUBJECT_RESTRICTED", "SUBJECT_DESTROYED",
        "RECIPIENT_NOT_PERMITTED", "NO_ACTIVE_ORDER", "ORDER_RECIPIENT_MISMATCH",
        "STATE_CONFLICT", "SUBJECT_LINKED", "NOT_AVAILABLE", "DESTRUCTION_HELD",
    }  # fmt: skip
    if reason in person:
        assert caught.value.reason == veiled.veil
        assert caught.value.clause == reasons()[str(veiled.veil)].clause
    else:
        assert caught.value.reason in (reason, veiled.veil)


def test_a_decision_is_recorded_before_its_answer_leaves(desk: Desk) -> None:
    desk.answer = _raises(SubjectBlocked())
    desk.why_not(REQUEST, shop())
    desk.why_not(REQUEST, shop(role=contract_pb2.Caller.RECIPIENT))
    assert desk.recorded == [("ReadData", "SUBJECT_BLOCKED"), ("ReadData", "PERMISSION_DENIED")]


def test_what_only_concerns_the_requests_form_is_not_recorded(desk: Desk) -> None:
    desk.why_not(vault_pb2.ReadDataRequest(subject_id="?"), shop())
    desk.why_not(b"\xff", shop())
    desk.why_not(REQUEST, shop(), seconds=None)
    desk.answer = _raises(Unavailable())
    desk.why_not(REQUEST, shop())
    assert desk.recorded == []


def test_a_caller_whom_nobody_vouches_for_is_recorded(desk: Desk) -> None:
    assert desk.why_not(REQUEST) == "UNAUTHENTICATED"
    assert desk.recorded == [("ReadData", "UNAUTHENTICATED")]


def test_what_the_handler_recorded_is_not_recorded_twice(desk: Desk) -> None:
    def answer(call: Call) -> Message:
        call.recorded = True
        raise SubjectBlocked

    desk.answer = answer
    assert desk.why_not(REQUEST, shop()) == "SUBJECT_BLOCKED"
    assert desk.recorded == []


def test_a_refusal_that_cannot_be_recorded_is_not_told(desk: Desk) -> None:
    def record(_call: Call, _refusal: Refusal) -> None:
        raise Unavailable(retry_after=1)

    desk.record = record
    desk.answer = _raises(SubjectBlocked())
    assert desk.why_not(REQUEST, shop()) == "UNAVAILABLE"


def test_every_decision_about_a_person_is_a_decision() -> None:
    decided = {reason for reason in reasons() if is_decision(refusal_of(reason))}
    assert {
        "SUBJECT_BLOCKED", "SUBJECT_RESTRICTED", "SUBJECT_DESTROYED", "CONSENT_REQUIRED",
        "CONSENT_WITHDRAWN", "POLICY_DISAGREED", "POLICY_NOT_ACCEPTED", "PURPOSE_UNKNOWN",
        "PURPOSE_NOT_GRANTED", "FIELD_NOT_PERMITTED", "NOT_FOUND", "PERMISSION_DENIED",
        "RECIPIENT_NOT_PERMITTED", "NO_ACTIVE_ORDER", "ORDER_RECIPIENT_MISMATCH", "DATA_LOSS",
        "LEGAL_GROUND_MISSING", "AUTHORITY_NOT_VERIFIED",
    } <= decided  # fmt: skip
    assert not decided & {"INVALID_ARGUMENT", "MALFORMED", "INTERNAL", "OVERLOADED", "UNAVAILABLE"}


@pytest.mark.parametrize("path", [STORE, VERIFY])
def test_the_role_is_looked_at_in_every_call(desk: Desk, path: str) -> None:
    wrong = "CLAIMS_OFFICER" if path == STORE else "AUDITOR"
    token = desk.token(qupia_grants=[{"site": "demo", "role": wrong}])
    metadata = (("authorization", f"Bearer {token}"),)
    assert desk.why_not(b"", metadata, path=path) == "PERMISSION_DENIED"


def test_a_process_that_acts_for_itself_needs_no_credential_and_uses_none(desk: Desk) -> None:
    channel = desk.channel(desk.leaf("claims"))
    header = vault_pb2.SliceHeader(
        site_id="demo", subject_id=SUBJECT, version=vault_pb2.SliceVersion(incarnation=1, counter=1)
    )
    request = vault_pb2.ApplyClaimsSliceRequest(header=header, slice=vault_pb2.ClaimsSlice())
    request.slice.SetInParent()
    assert desk.why_not(request, shop(), path=BLOCK, channel=channel) == "OK"
    assert desk.calls[0].principal.name == "process/claims"
    assert desk.calls[0].principal.roles == frozenset()


def test_stages_run_outside_in() -> None:
    seen: list[str] = []

    def stage(name: str) -> Stage:
        def run(call: Call, proceed: Callable[[Call], Message]) -> Message:
            seen.append(name)
            return proceed(call)

        return Stage(name, run)

    method = load_contract().methods[STORE]
    call = Call(method, b"", None, {}, "ref", deadline=float("inf"))  # type: ignore[arg-type]
    Pipeline([stage("a"), stage("b")], {STORE: lambda c: c.method.output_class()})(call)
    assert seen == ["a", "b"]
