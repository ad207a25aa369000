# SPDX-License-Identifier: Apache-2.0
"""Refusals: one typed hierarchy, named as facts, mapped once to a gRPC status.

    Refusal
    ├── one subclass per Reason of the contract, such as SubjectBlocked
    └── InvalidArgument carries the fields that are wrong

A refusal's text holds its reason and clause only, never a value of the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from google.rpc import error_details_pb2, status_pb2

from services.chassis.contract import reason_rule

DOMAIN = "qupia"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """A field by its JSON path, the rule it breaks and a fixed English text."""

    field: str
    rule: str
    description: str


@dataclass(frozen=True, slots=True)
class Holding:
    """Something that holds against the call: its kind, its id, and until when (RFC 3339)."""

    kind: str
    id: str
    until: str = ""


# More would not fit into the metadata of a gRPC answer (a batch may have thousands).
_MOST_FIELDS = 50


class Refusal(Exception):
    """A fact that stands against the call."""

    reason: ClassVar[str] = "INTERNAL"

    def __init__(
        self,
        clause: str = "",
        fields: Sequence[FieldViolation] = (),
        retry_after: float | None = None,
        holds: Sequence[Holding] = (),
    ) -> None:
        self.clause = clause or reason_rule(self.reason).clause
        self.fields = tuple(fields)
        self.holds = tuple(holds)
        self.retry_after = retry_after
        super().__init__(self.reason)

    def to_status(self, reference: str) -> status_pb2.Status:
        """The google.rpc.Status with ErrorInfo; BadRequest for fields, PreconditionFailure for
        what holds."""
        status = status_pb2.Status(
            code=reason_rule(self.reason).grpc_status,
            message=self.reason,
        )
        info = error_details_pb2.ErrorInfo(
            reason=self.reason,
            domain=DOMAIN,
            metadata={"clause": self.clause, "ref": reference},
        )
        if self.retry_after is not None:
            info.metadata["retry_after"] = f"{self.retry_after:g}"
        status.details.add().Pack(info)
        if self.fields:
            bad = error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(
                        field=f.field, reason=f.rule, description=f.description
                    )
                    for f in self.fields[:_MOST_FIELDS]
                ]
            )
            status.details.add().Pack(bad)
        if self.holds:
            held = error_details_pb2.PreconditionFailure(
                violations=[
                    error_details_pb2.PreconditionFailure.Violation(
                        type=h.kind, subject=h.id, description=h.until
                    )
                    for h in self.holds[:_MOST_FIELDS]
                ]
            )
            status.details.add().Pack(held)
        return status


class Unauthenticated(Refusal):
    """The caller has no valid credential."""

    reason = "UNAUTHENTICATED"


class PermissionDenied(Refusal):
    """The credential does not carry a role that may do this."""

    reason = "PERMISSION_DENIED"


class PeerNotAllowed(Refusal):
    """The calling process is not on the RPC's allow-list."""

    reason = "PEER_NOT_ALLOWED"


class InvalidArgument(Refusal):
    """A field holds what it may not hold."""

    reason = "INVALID_ARGUMENT"


class Malformed(Refusal):
    """The message cannot be read."""

    reason = "MALFORMED"


class TooLarge(Refusal):
    """The message is larger than the call allows."""

    reason = "TOO_LARGE"


class DeadlineRequired(Refusal):
    """The call has no deadline."""

    reason = "DEADLINE_REQUIRED"


class DeadlineExceeded(Refusal):
    """The call's time ran out."""

    reason = "DEADLINE_EXCEEDED"


class Overloaded(Refusal):
    """The process has more to do than it can take on."""

    reason = "OVERLOADED"


class BudgetExhausted(Refusal):
    """The credential used up what it may ask for."""

    reason = "BUDGET_EXHAUSTED"


class NotFound(Refusal):
    """No such thing on this site."""

    reason = "NOT_FOUND"


class NotAvailable(Refusal):
    """All a recipient learns of a delivery it cannot have."""

    reason = "NOT_AVAILABLE"


class Unavailable(Refusal):
    """A part of the suite cannot be reached."""

    reason = "UNAVAILABLE"


class Internal(Refusal):
    """A defect."""

    reason = "INTERNAL"


class Unimplemented(Refusal):
    """There is no such call."""

    reason = "UNIMPLEMENTED"


class IdempotencyKeyReused(Refusal):
    """The key came with another request."""

    reason = "IDEMPOTENCY_KEY_REUSED"


class IdempotencyInProgress(Refusal):
    """The first call with this key is still running."""

    reason = "IDEMPOTENCY_IN_PROGRESS"


class VersionMismatch(Refusal):
    """If-Match names another version than the current one."""

    reason = "VERSION_MISMATCH"


class AlreadyExists(Refusal):
    """What was to be made already stands."""

    reason = "ALREADY_EXISTS"


class StateConflict(Refusal):
    """The thing is not in a state that admits this act."""

    reason = "STATE_CONFLICT"


class VaultNotReady(Refusal):
    """The vault waits until every decider has pushed again."""

    reason = "VAULT_NOT_READY"


class KeyUnavailable(Refusal):
    """The key-encryption key is not at hand."""

    reason = "KEY_UNAVAILABLE"


class DataLoss(Refusal):
    """A stored value does not open where it stands."""

    reason = "DATA_LOSS"


class PolicyDisagreed(Refusal):
    """The person disagreed with the policy."""

    reason = "POLICY_DISAGREED"


class PolicyNotAccepted(Refusal):
    """The person accepted no version."""

    reason = "POLICY_NOT_ACCEPTED"


class NoPolicyInForce(Refusal):
    """No version is in force on this site."""

    reason = "NO_POLICY_IN_FORCE"


class PurposeUnknown(Refusal):
    """The purpose is none of the twelve."""

    reason = "PURPOSE_UNKNOWN"


class ConsentRequired(Refusal):
    """The express consent was never given."""

    reason = "CONSENT_REQUIRED"


class ConsentWithdrawn(Refusal):
    """The express consent has ended."""

    reason = "CONSENT_WITHDRAWN"


class FieldNotPermitted(Refusal):
    """The purpose does not reach that field."""

    reason = "FIELD_NOT_PERMITTED"


class SubjectBlocked(Refusal):
    """The data are blocked for verification."""

    reason = "SUBJECT_BLOCKED"


class SubjectRestricted(Refusal):
    """The data are restricted until destruction."""

    reason = "SUBJECT_RESTRICTED"


class SubjectDestroyed(Refusal):
    """The data were destroyed."""

    reason = "SUBJECT_DESTROYED"


class RecipientNotPermitted(Refusal):
    """Data are not given to this recipient."""

    reason = "RECIPIENT_NOT_PERMITTED"


class NoActiveOrder(Refusal):
    """There is no open order."""

    reason = "NO_ACTIVE_ORDER"


class OrderRecipientMismatch(Refusal):
    """The order is assigned to somebody else."""

    reason = "ORDER_RECIPIENT_MISMATCH"


class LegalGroundMissing(Refusal):
    """The state body's request is incomplete."""

    reason = "LEGAL_GROUND_MISSING"


class AuthorityNotVerified(Refusal):
    """The caller is not a verified state body."""

    reason = "AUTHORITY_NOT_VERIFIED"


class AwaitingSecondApproval(Refusal):
    """A second person has to approve."""

    reason = "AWAITING_SECOND_APPROVAL"


class DestructionHeld(Refusal):
    """Something holds the data against destruction."""

    reason = "DESTRUCTION_HELD"


class CourtBeforeClaim(Refusal):
    """Court comes after the claim."""

    reason = "COURT_BEFORE_CLAIM"


class NotEntitledToFile(Refusal):
    """Who files may not file for this person."""

    reason = "NOT_ENTITLED_TO_FILE"


class ReferenceRequired(Refusal):
    """The purpose needs a reference."""

    reason = "REFERENCE_REQUIRED"


class PurposeNotGranted(Refusal):
    """The credential was not given this purpose."""

    reason = "PURPOSE_NOT_GRANTED"


class SubjectLinked(Refusal):
    """The visitor is linked to an account."""

    reason = "SUBJECT_LINKED"


class FetchLimitReached(Refusal):
    """The recipient has fetched the details as often as it may."""

    reason = "FETCH_LIMIT_REACHED"


class ClaimLimitReached(Refusal):
    """The storefront has filed as many claims as it may: an officer takes further ones."""

    reason = "CLAIM_LIMIT_REACHED"


AWAY = (Unavailable, Overloaded, DeadlineExceeded, VaultNotReady)
"""Whoever was asked can say nothing at the moment. Any other refusal is an answer, or a fault."""

_BY_REASON: dict[str, type[Refusal]] = {c.reason: c for c in Refusal.__subclasses__()}


def refusal_of(reason: str, clause: str = "", holds: Sequence[Holding] = ()) -> Refusal:
    """The refusal with that reason. Raises KeyError for an unknown reason."""
    return _BY_REASON[reason](clause, holds=holds)
