# SPDX-License-Identifier: Apache-2.0
"""RecordAgreement, ReferToCourt, CloseClaim: how a dispute ends (clauses 8.1, 8.3)."""

from __future__ import annotations

from typing import TypeVar, cast

from google.protobuf.message import Message

from qupia.claims.v1 import court_pb2
from services.chassis.call import Call
from services.chassis.database import Connection
from services.chassis.refusal import CourtBeforeClaim
from services.claims import store_court
from services.claims.claim import Claim
from services.claims.documents import DocumentKind, Text
from services.claims.servicer_common import Office, blank_texts, refuse
from services.claims.servicer_step import Steps
from services.claims.state import EndKind, IllegalTransition
from services.claims.store_steps import Step
from services.claims.store_verification import Acts, Desk

M = TypeVar("M", bound=Message)


class Disputes:
    """Ends disputes; every method raises PermissionDenied, InvalidArgument, NotFound,
    StateConflict, Unavailable."""

    def __init__(self, office: Office) -> None:
        self._steps = Steps(office)

    def record_agreement(self, call: Call) -> court_pb2.RecordAgreementResponse:
        """The parties agreed."""
        request = cast(court_pb2.RecordAgreementRequest, call.request)
        text = Text(DocumentKind.AGREEMENT, request.terms)
        response = court_pb2.RecordAgreementResponse
        return self._end(call, EndKind.AGREED, text, "terms", response)

    def refer_to_court(self, call: Call) -> court_pb2.ReferToCourtResponse:
        """The dispute is before a court. Raises CourtBeforeClaim too."""
        request = cast(court_pb2.ReferToCourtRequest, call.request)
        text = Text(DocumentKind.COURT_CASE, request.case)
        return self._end(call, EndKind.COURT, text, "case", court_pb2.ReferToCourtResponse)

    def close_claim(self, call: Call) -> court_pb2.CloseClaimResponse:
        """Nothing more is to come of it."""
        request = cast(court_pb2.CloseClaimRequest, call.request)
        text = Text(DocumentKind.REASON, request.reason)
        return self._end(call, EndKind.CLOSED, text, "reason", court_pb2.CloseClaimResponse)

    def _end(self, call: Call, kind: EndKind, text: Text, field: str, response: type[M]) -> M:
        refuse(blank_texts({field: text.text}))

        def act(connection: Connection, claim: Claim, step: Step, desk: Desk) -> Acts:
            try:
                return store_court.end(connection, claim, kind, step, desk)
            except IllegalTransition:
                if kind is EndKind.COURT:
                    # First the claim and its answer, or the term without one (8.1).
                    raise CourtBeforeClaim from None
                raise

        return self._steps.take(call, [text], act, response)
