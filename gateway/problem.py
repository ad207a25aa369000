# SPDX-License-Identifier: Apache-2.0
"""Refusals as RFC 9457 problems, in Kazakh, Russian or English.

A problem says what the contract says of its reason, and which fields are wrong; no text of an
exception, and of NOT_FOUND and NOT_AVAILABLE nothing that could tell one case from another.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from gateway.answer import Answer, encode
from services.chassis.contract import reasons
from services.chassis.refusal import DOMAIN, FieldViolation, Holding, Refusal

PROBLEM_TYPE = "application/problem+json"
PROBLEM_PAGES = "/problems/"
# What grpc itself says, without a word of the service: canonical codes.
_TRANSPORT: Mapping[int, str] = {
    1: "UNAVAILABLE",  # CANCELLED: the process is going down
    4: "DEADLINE_EXCEEDED",
    8: "OVERLOADED",  # RESOURCE_EXHAUSTED: beyond what grpc admits
    14: "UNAVAILABLE",
}
_ALIKE = frozenset({"NOT_FOUND", "NOT_AVAILABLE"})
_RETRIED = frozenset({429, 503})
_SECONDS = re.compile(r"\d{1,5}(?:\.\d{1,3})?", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_MAX_ERRORS = 50


@dataclass(frozen=True, slots=True)
class Problem:
    """A refusal on its way to an HTTP client. `status` overrides the reason's own.

    `reference` is what the service has it on record under; empty for that of the request.
    """

    reason: str
    clause: str = ""
    fields: tuple[FieldViolation, ...] = ()
    retry_after: float | None = None
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    holds: tuple[Holding, ...] = ()
    reference: str = ""

    @property
    def http_status(self) -> int:
        """The status that is sent."""
        return self.status or reasons()[self.reason].http_status


def of_refusal(refusal: Refusal) -> Problem:
    """The problem that states a refusal of the gateway's own."""
    return Problem(
        refusal.reason, refusal.clause, refusal.fields, refusal.retry_after, holds=refusal.holds
    )


def of_status(code: int, details: bytes | None) -> Problem:
    """The problem behind a gRPC status: its number, and the google.rpc.Status that came with it.

    A status that no service of ours gave its reason is one of the transport, or a defect.
    """
    info, bad, held = _details(details)
    if info.domain != DOMAIN or info.reason not in reasons():
        return Problem(_TRANSPORT.get(code, "INTERNAL"))
    pause, reference = info.metadata.get("retry_after", ""), info.metadata.get("ref", "")
    return Problem(
        info.reason,
        info.metadata.get("clause", ""),
        tuple(
            FieldViolation(v.field, v.reason, v.description)
            for v in bad.field_violations[:_MAX_ERRORS]
        ),
        float(pause) if _SECONDS.fullmatch(pause) else None,
        reference=reference if _UUID.fullmatch(reference) else "",
        holds=tuple(
            Holding(v.type, v.subject, v.description) for v in held.violations[:_MAX_ERRORS]
        ),
    )


_Details = tuple[
    error_details_pb2.ErrorInfo,
    error_details_pb2.BadRequest,
    error_details_pb2.PreconditionFailure,
]


def _no_details() -> _Details:
    return (
        error_details_pb2.ErrorInfo(),
        error_details_pb2.BadRequest(),
        error_details_pb2.PreconditionFailure(),
    )


def _details(details: bytes | None) -> _Details:
    found = _no_details()
    try:
        for detail in status_pb2.Status.FromString(details or b"").details:
            for part in found:
                detail.Unpack(part)
    except DecodeError:
        return _no_details()
    return found


class ProblemWriter:
    """Writes problems; `explanations` says for every reason, in English, what it means."""

    def __init__(self, explanations: Mapping[str, str]) -> None:
        self._explanations = explanations

    def answer(self, problem: Problem, language: str, reference: str) -> Answer:
        """The HTTP answer, its title in `language`.

        `reference` finds the request in the log; it stands for a problem that has none of its own.
        """
        status = problem.http_status
        headers = {
            "content-type": PROBLEM_TYPE,
            "content-language": language,
            "vary": "Accept-Language",
            **dict(problem.headers),
        }
        if status == 401:
            headers["www-authenticate"] = 'Bearer realm="qupia"'
        if status in _RETRIED:
            headers["retry-after"] = str(max(1, math.ceil(problem.retry_after or 1)))
        return Answer(status, headers, encode(self._document(problem, language, reference)))

    def _document(self, problem: Problem, language: str, reference: str) -> dict[str, object]:
        document: dict[str, object] = {
            "type": PROBLEM_PAGES + problem.reason,
            "title": reasons()[problem.reason].titles[language],
            "status": problem.http_status,
            "detail": self._explanations[problem.reason],
            "code": problem.reason,
        }
        if problem.reason not in _ALIKE:
            if problem.clause:
                document["clause"] = problem.clause
            if problem.fields:
                document["errors"] = [
                    {"field": f.field, "code": f.rule, "detail": f.description}
                    for f in problem.fields
                ]
            if problem.holds:
                document["holds"] = [
                    {"kind": h.kind, "id": h.id} | ({"until": h.until} if h.until else {})
                    for h in problem.holds
                ]
        document["reference"] = problem.reference or reference
        return document
