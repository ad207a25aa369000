# SPDX-License-Identifier: Apache-2.0
"""What comes back: answers, problems in three languages, and nothing that must not be told."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from google.api import httpbody_pb2
from google.rpc import error_details_pb2, status_pb2
from prometheus_client import generate_latest

from gateway.answer import Presenter, to_json
from gateway.backend import CallFailed
from gateway.plan import plan
from gateway.reading import Violations, Walk
from gateway.strict_json import Members
from qupia.claims.v1 import claims_pb2
from qupia.consent.v1 import consent_pb2
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.contract import ContractError, load_contract
from services.chassis.metrics import Metrics
from services.chassis.refusal import (
    FieldViolation,
    InvalidArgument,
    NotAvailable,
    NotFound,
    Overloaded,
    SubjectBlocked,
)

SUBJECT = "0123456789abcdef0123456789abcdef"
DATA = f"/v1/subjects/{SUBJECT}/data"
PHONE = "8 701 123 45 67"
Ask = Callable[..., httpx.Response]


def test_a_person_is_registered_by_their_first_use(ask: Ask, services: Any) -> None:
    services.answers["RegisterSubject"] = lambda _: consent_pb2.RegisterSubjectResponse(
        subject_id=SUBJECT,
        acceptance=consent_pb2.Acceptance(policy_version=1, mode=consent_pb2.Acceptance.IMPLIED),
        enforcement=subject_pb2.Enforcement.IN_FORCE,
    )
    use = {"kind": "FORM_SUBMIT", "page": "/checkout", "language": "ru", "noticeShown": True}
    answer = ask("POST", "/v1/subjects", json={"use": use})
    assert answer.status_code == 200
    assert answer.json() == {
        "subjectId": SUBJECT,
        "acceptance": {"policyVersion": 1, "mode": "IMPLIED"},
        "enforcement": "IN_FORCE",
    }
    assert services.request.use.kind == consent_pb2.Use.FORM_SUBMIT
    assert services.request.use.notice_shown
    assert len(services.request.request_id) == 32
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"


def test_an_act_that_is_not_in_force_yet_says_where_to_poll(ask: Ask, services: Any) -> None:
    act = "01890000-0000-7000-8000-000000000002"
    services.answers["FileClaim"] = lambda _: claims_pb2.FileClaimResponse(
        claim=claims_pb2.Claim(claim_id=act, state=claims_pb2.Claim.RECEIVED),
        act_id=act,
        enforcement=subject_pb2.Enforcement.PENDING,
    )
    claim = {"kind": "INACCURATE_DATA", "claimant": "SUBJECT", "statement": "s", "demand": "d"}
    answer = ask("POST", "/v1/claims", json={"claim": {**claim, "language": "kk"}})
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/acts/claims/{act}"
    assert answer.json()["enforcement"] == "PENDING"
    assert answer.json()["claim"]["blocks"] is False
    assert answer.json()["claim"]["subjectIds"] == []
    assert "outcome" not in answer.json()["claim"]


def test_a_refusal_is_a_problem_in_the_readers_language(ask: Ask, services: Any) -> None:
    services.answers["ReadData"] = SubjectBlocked()
    answer = ask(
        "POST", f"{DATA}:read", json={"purpose": "NEWS"}, headers={"Accept-Language": "kk-KZ, ru"}
    )
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-language"] == "kk"
    assert answer.headers["vary"] == "Accept-Language"
    assert answer.json() == {
        "type": "/problems/SUBJECT_BLOCKED",
        "title": "Деректер тексеру кезеңінде бұғатталған",
        "status": 409,
        "detail": "The data are blocked for the period of verification.",
        "code": "SUBJECT_BLOCKED",
        "clause": "6.2.3",
        "reference": answer.headers["x-request-id"],
    }
    assert services.metadata["qupia-reference"] == answer.headers["x-request-id"]


def test_a_service_names_the_fields_at_fault(ask: Ask, services: Any) -> None:
    services.answers["StoreData"] = InvalidArgument(
        fields=[FieldViolation("data.phone", "phone", "is no phone number")]
    )
    problem = ask("PATCH", DATA, json={"data": {"phone": PHONE}}).json()
    assert problem["errors"] == [
        {"field": "data.phone", "code": "phone", "detail": "is no phone number"}
    ]


@pytest.mark.parametrize("refusal", [NotFound, NotAvailable])
def test_what_may_not_be_known_is_answered_in_the_same_bytes(
    ask: Ask, services: Any, refusal: type[NotFound]
) -> None:
    seen = set()
    for each in (
        refusal(),
        refusal(clause="6.2.3"),
        refusal(fields=[FieldViolation("deliveryId", "blocked", "is blocked")], retry_after=3),
    ):
        services.answers["ReleaseDelivery"] = each
        answer = ask("POST", "/v1/deliveries/d-1:release", headers={"Accept-Language": "ru"})
        reference = answer.headers.pop("x-request-id")
        seen.add((answer.status_code, answer.text.replace(reference, "R"), str(answer.headers)))
    assert len(seen) == 1
    assert next(iter(seen))[0] == 404


def test_an_unknown_path_and_an_unknown_id_look_alike(ask: Ask, services: Any) -> None:
    services.answers["GetClaim"] = NotFound()
    answers = [ask("GET", "/v1/claims/none"), ask("GET", "/v1/nothing"), ask("GET", "/")]
    texts = {a.text.replace(a.headers["x-request-id"], "R") for a in answers}
    assert len(texts) == 1


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (CallFailed(14, None), 503, "UNAVAILABLE"),
        (CallFailed(4, None), 504, "DEADLINE_EXCEEDED"),
        (CallFailed(8, None), 429, "OVERLOADED"),
        (CallFailed(2, None), 500, "INTERNAL"),
        (CallFailed(13, b"\xff\xff"), 500, "INTERNAL"),
        (CallFailed(5, None), 500, "INTERNAL"),
        (b"\xff\xff\xff", 500, "INTERNAL"),
    ],
)
def test_what_no_service_said_is_a_transport_failure_or_a_defect(
    ask: Ask, services: Any, failure: CallFailed | bytes, status: int, code: str
) -> None:
    services.answers["ReadData"] = failure
    answer = ask("POST", f"{DATA}:read", json={"purpose": "NEWS"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert ("retry-after" in answer.headers) == (status in (429, 503))


def test_another_domains_reason_is_not_believed(ask: Ask, services: Any) -> None:
    info = error_details_pb2.ErrorInfo(reason="SUBJECT_BLOCKED", domain="elsewhere")
    status = status_pb2.Status(code=9)
    status.details.add().Pack(info)
    services.answers["ReadData"] = CallFailed(9, status.SerializeToString())
    answer = ask("POST", f"{DATA}:read", json={"purpose": "NEWS"})
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")


def test_the_service_says_when_to_come_back(ask: Ask, services: Any) -> None:
    services.answers["ReadData"] = Overloaded(retry_after=2.5)
    answer = ask("POST", f"{DATA}:read", json={"purpose": "NEWS"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")


def test_a_defect_tells_nobody_its_text(ask: Ask, services: Any, log_lines: io.StringIO) -> None:
    def defect(_request: object) -> Any:
        raise RuntimeError(f"secret {PHONE}")

    services.answers["ReadData"] = defect
    answer = ask("POST", f"{DATA}:read", json={"purpose": "NEWS"})
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    assert "secret" not in answer.text + log_lines.getvalue()
    assert "RuntimeError" in log_lines.getvalue()


def test_log_and_metrics_know_the_template_and_no_value(
    ask: Ask, metrics: Metrics, log_lines: io.StringIO
) -> None:
    ask("GET", f"/v1/subjects/{SUBJECT}/standing?phone=%2B77011234567")
    ask("POST", f"{DATA}:read", json={"purpose": "NEWS", "reference": "C-77"})
    ask("GET", f"/v1/nothing/{SUBJECT}", headers={"User-Agent": "canary-agent"})
    text = log_lines.getvalue() + generate_latest(metrics.registry).decode()
    assert "/v1/subjects/{subject_id}/data:read" in text
    for value in (SUBJECT, "77011234567", "C-77", "canary-agent", "127.0.0.1"):
        assert value not in text
    lines = [json.loads(line) for line in log_lines.getvalue().splitlines()]
    assert [line["status"] for line in lines] == [400, 200, 404]
    assert [line["route"] for line in lines][2] == "none"


def test_more_requests_than_the_gateway_holds_are_refused(
    gateway: Any, ask: Ask, services: Any
) -> None:
    gateway._running = 4
    answer = ask("POST", f"{DATA}:read", json={"purpose": "NEWS"})
    assert (answer.status_code, answer.json()["code"]) == (429, "OVERLOADED")
    assert services.asked == []
    consent = f"/v1/subjects/{SUBJECT}/consents/NEWS:withdraw"
    assert ask("POST", consent).status_code == 200, "what restricts still gets in"
    gateway._running = 8
    assert ask("POST", consent).status_code == 429


def test_methods_that_a_path_does_not_take_are_named(ask: Ask) -> None:
    answer = ask("DELETE", "/v1/subjects")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["code"] == "UNIMPLEMENTED"
    assert ask("POST", "/healthz").headers["allow"] == "GET, HEAD"
    assert ask("HEAD", "/v1/claims").status_code == 405
    assert ask("OPTIONS", "/v1/claims").headers["allow"] == "GET, POST"


def test_health_names_every_part(ask: Ask, services: Any) -> None:
    answer = ask("GET", "/healthz", key=None)
    assert answer.status_code == 200
    parts = ("consent", "vault", "disclosure", "claims", "gateway")
    assert answer.json() == {"status": "SERVING", "parts": dict.fromkeys(parts, "SERVING")}
    services.down = {"vault", "database"}
    answer = ask("GET", "/healthz", key=None)
    assert answer.status_code == 503
    assert answer.json()["status"] == "NOT_SERVING"
    assert answer.json()["parts"]["vault"] == answer.json()["parts"]["gateway"] == "NOT_SERVING"
    assert answer.json()["parts"]["claims"] == "SERVING"


def _file_presenter() -> Presenter:
    method = load_contract().methods["/qupia.claims.v1.ClaimsService/GetClaim"]
    return Presenter(
        replace(
            method,
            media_type="application/pdf",
            output=httpbody_pb2.HttpBody.DESCRIPTOR,
            output_class=httpbody_pb2.HttpBody,
        )
    )


def test_a_file_is_answered_as_it_is_and_never_shown_inline() -> None:
    file = httpbody_pb2.HttpBody(content_type="application/pdf", data=b"%PDF \x00\xff")
    answer = _file_presenter().answer(file)
    assert answer.body == b"%PDF \x00\xff"
    assert answer.headers == {
        "content-type": "application/pdf",
        "content-disposition": 'attachment; filename="claim.pdf"',
    }


def test_a_file_of_another_type_than_the_contracts_is_not_answered() -> None:
    with pytest.raises(ContractError):
        _file_presenter().answer(httpbody_pb2.HttpBody(content_type="text/html", data=b"<script>"))


def test_bytes_are_base64_in_json_both_ways() -> None:
    message = vault_pb2.PutDocumentRequest()
    violations = Violations()
    Walk(violations).fill(message, Members([("sealed", "AP8+/w==")]), "")
    assert violations.found == []
    assert message.sealed == b"\x00\xff>\xff"
    assert to_json(message)["sealed"] == "AP8+/w=="


@pytest.mark.parametrize(
    "text", ["AP8-_w==", "AP8+/w", "AP8+/w==\n", "A P8+/w==", "\u04d8", "===="]
)
def test_what_is_no_base64_is_named(text: str) -> None:
    violations = Violations()
    Walk(violations).fill(vault_pb2.PutDocumentRequest(), Members([("sealed", text)]), "")
    assert [(fault.field, fault.rule) for fault in violations.found] == [("sealed", "base64")]
    assert plan(vault_pb2.PutDocumentRequest.DESCRIPTOR)["sealed"].kind.name == "BYTES"
