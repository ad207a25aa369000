# SPDX-License-Identifier: Apache-2.0
"""The contract's messages from and to the domain."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from qupia.consent.v1 import consent_pb2
from qupia.contract.v1 import contract_pb2
from qupia.subject.v1 import subject_pb2
from services.chassis.decider.store import Act
from services.chassis.refusal import FieldViolation, InvalidArgument, PurposeUnknown
from services.consent.agreement import Agreement, Mode, Stance
from services.consent.consent import Fact, State
from services.consent.history import Moment
from services.consent.policy import Policy, PolicyText
from services.consent.purposes import CLAUSE_OF_CONSENT

_Code = subject_pb2.Purpose.Code


def timestamp(time: datetime | None) -> Timestamp | None:
    """A time as a message."""
    if time is None:
        return None
    message = Timestamp()
    message.FromDatetime(time)
    return message


def time_of(message: Timestamp) -> datetime:
    """A time from a message, down to the microsecond."""
    return message.ToDatetime(tzinfo=UTC)


def moment_of(
    request: consent_pb2.ListConsentsRequest | consent_pb2.ProveConsentRequest, now: datetime
) -> Moment:
    """The two times that a request asks for; now where it names none."""
    return Moment(
        time_of(request.at_time) if request.HasField("at_time") else now,
        time_of(request.known_time) if request.HasField("known_time") else now,
    )


def express_purpose(number: int) -> str:
    """The name of a purpose that needs an express consent.

    Raises PurposeUnknown for a number that is no purpose (clause 4.1),
    InvalidArgument for a purpose that no consent can be given to.
    """
    name = purpose_name(number)
    if not name:
        raise PurposeUnknown
    if name not in CLAUSE_OF_CONSENT:
        raise InvalidArgument(
            fields=[
                FieldViolation(
                    "purpose", "express_consent", "this purpose needs no express consent"
                )
            ]
        )
    return name


def purpose_name(number: int) -> str:
    """The name of a purpose; empty for none and for a number that is no purpose."""
    known = _Code.DESCRIPTOR.values_by_number.get(number)
    return str(known.name) if known is not None and number else ""


def purposes(names: tuple[str, ...]) -> list[subject_pb2.Purpose.Code.ValueType]:
    """Purposes by their names."""
    return [_Code.Value(name) for name in names]


def texts_of(request: consent_pb2.PublishPolicyRequest) -> tuple[PolicyText, ...]:
    """The texts to be published, as they were given."""
    return tuple(PolicyText(t.language, t.title, t.body) for t in request.texts)


def policy_message(policy: Policy) -> consent_pb2.Policy:
    """A policy version, with the texts that were read."""
    return consent_pb2.Policy(
        version=policy.version,
        sha256=policy.sha256,
        publish_time=timestamp(policy.publish_time),
        effective_time=timestamp(policy.effective_time),
        prevailing_language=policy.prevailing_language,
        material_purposes=purposes(policy.material_purposes),
        texts=[
            consent_pb2.PolicyText(language=t.language, title=t.title, body=t.body)
            for t in policy.texts
        ],
    )


def latest_acceptance(agreement: Agreement) -> consent_pb2.Acceptance | None:
    """What was recorded last of a person's agreement, in force or on its way."""
    stance = agreement.latest
    if stance is None:
        return None
    return stance_message(stance, agreement.disagreement if agreement.disagreed else None)


def stance_message(stance: Stance, disagreement: Stance | None = None) -> consent_pb2.Acceptance:
    """A stance, and the disagreement that holds beside an acceptance on its way."""
    accepted = stance.mode is not Mode.DISAGREED
    if not accepted:
        disagreement = stance
    message = consent_pb2.Acceptance(
        policy_version=stance.policy_version,
        policy_sha256=stance.policy_sha256,
        mode=consent_pb2.Acceptance.Mode.Value(stance.mode),
        language=stance.language,
        accept_time=timestamp(stance.time) if accepted else None,
        disagreed_time=timestamp(disagreement.time) if disagreement else None,
    )
    if stance.strength is not None:
        message.strength = consent_pb2.Acceptance.Strength.Value(stance.strength)
    return message


def consent_message(purpose: str, found: tuple[State, Fact]) -> consent_pb2.Consent:
    """The state of an express consent and the fact behind it."""
    state, fact = found
    return consent_pb2.Consent(
        purpose=_Code.Value(purpose),
        state=consent_pb2.Consent.State.Value(state),
        policy_version=fact.policy_version,
        grant_time=timestamp(fact.time) if fact.given else None,
        withdraw_time=timestamp(fact.withdraw_time) if fact.given else None,
        refuse_time=None if fact.given else timestamp(fact.time),
        expire_time=timestamp(fact.expire_time),
        wording_sha256=fact.wording_sha256,
        language=fact.language,
    )


def enforcement(act: Act) -> subject_pb2.Enforcement.State.ValueType:
    """How far an act has come."""
    return subject_pb2.Enforcement.State.Value(act.enforcement)


def act_message(act: Act) -> subject_pb2.Act:
    """A recorded act."""
    message = subject_pb2.Act(
        act_id=act.act_id,
        kind=act.kind,
        enforcement=enforcement(act),
        recorded_time=timestamp(act.record_time),
        in_force_time=timestamp(act.in_force_time),
    )
    if act.reason:
        message.reason = contract_pb2.Refusal.Reason.Value(act.reason)
    return message
