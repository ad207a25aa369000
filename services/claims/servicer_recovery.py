# SPDX-License-Identifier: Apache-2.0
"""DescribeRecoveredClaim: an officer has found out what a lost claim said (clauses 6.2.3, 8.2)."""

from __future__ import annotations

from typing import cast

from qupia.claims.v1 import claims_pb2, recovery_pb2
from services.chassis.call import Call
from services.chassis.database import Connection
from services.chassis.mail import is_address
from services.chassis.refusal import FieldViolation
from services.claims import store_answers, store_mending
from services.claims.claim import Claim
from services.claims.documents import DocumentKind, Text
from services.claims.servicer_common import Office, blank_texts, refuse
from services.claims.servicer_step import Steps
from services.claims.state import Claimant, ClaimKind, blocks
from services.claims.store_steps import Step
from services.claims.store_verification import Acts, Desk


class Describing:
    """Describes recovered claims."""

    def __init__(self, office: Office) -> None:
        self._steps = Steps(office)

    def describe_recovered_claim(self, call: Call) -> recovery_pb2.DescribeRecoveredClaimResponse:
        """Say what it was. Raises PermissionDenied, InvalidArgument, NotFound, StateConflict (it is
        no recovered claim, or was described before), Unavailable."""
        request = cast(recovery_pb2.DescribeRecoveredClaimRequest, call.request)
        refuse(blank_texts({"text": request.text, "replyAddress": request.reply_address}))
        texts = [Text(DocumentKind.REASON, request.text)]
        address = Text(DocumentKind.REPLY_ADDRESS, request.reply_address)
        if request.reply_address:
            texts.append(address)

        def act(connection: Connection, claim: Claim, step: Step, desk: Desk) -> Acts:
            kind, claimant = _told(request, claim)
            refuse(_faults(request, claim, kind, claimant))
            acts = store_mending.describe(
                connection, claim, (kind, claimant, request.language), step, desk
            )
            if is_address(request.reply_address):
                store_answers.keep_email_addresses(
                    connection, [(claim.site_id, claim.claim_id, address.document_id)]
                )
            return acts

        return self._steps.take(call, texts, act, recovery_pb2.DescribeRecoveredClaimResponse)


def _told(
    request: recovery_pb2.DescribeRecoveredClaimRequest, claim: Claim
) -> tuple[ClaimKind, Claimant]:
    """What the officer says of it, or what it is taken for."""
    kinds = claims_pb2.Claim
    return (
        ClaimKind(kinds.Kind.Name(request.kind)) if request.kind else claim.kind,
        Claimant(kinds.Claimant.Name(request.claimant)) if request.claimant else claim.claimant,
    )


def _faults(
    request: recovery_pb2.DescribeRecoveredClaimRequest,
    claim: Claim,
    kind: ClaimKind,
    claimant: Claimant,
) -> list[FieldViolation]:
    if claim.blocks:
        given = {"kind": request.kind, "claimant": request.claimant}
        text = "is known: it blocks"
        return [FieldViolation(name, "not_allowed", text) for name, told in given.items() if told]
    if blocks(kind, claimant):
        return [FieldViolation("kind", "not_allowed", "is of claims that block: this one did not")]
    return []
