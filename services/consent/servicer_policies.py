# SPDX-License-Identifier: Apache-2.0
"""Policy versions (clauses 9.1, 9.2)."""

from __future__ import annotations

from typing import cast

from qupia.consent.v1 import consent_pb2, policy_reading_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.decider.store import read_act
from services.chassis.evidence import Entry
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.ids import new_uuid
from services.chassis.paging import PageTokens, page_size
from services.chassis.refusal import (
    FieldViolation,
    InvalidArgument,
    NoPolicyInForce,
    NotFound,
    StateConflict,
)
from services.consent.policy import Policy, text_faults
from services.consent.purposes import CLAUSE_OF_CONSENT
from services.consent.schedule import PastEffectiveTime, TooManyVersions, VersionScheduledLater
from services.consent.servicer_recording import Enforcer
from services.consent.store_policies import (
    has_version,
    list_policies,
    read_policy,
    read_policy_in_force,
    read_publication,
)
from services.consent.store_publication import Edition, Press
from services.consent.store_states import list_acceptances
from services.consent.wire import (
    enforcement,
    policy_message,
    purpose_name,
    stance_message,
    texts_of,
    time_of,
    timestamp,
)

_DEFAULT_PAGE, _LARGEST_PAGE = 50, 100
_ACCEPTANCES, _MOST_ACCEPTANCES = 100, 1000


class PolicyServicer:
    """Handles the policy versions of a site."""

    def __init__(
        self,
        database: Database,
        keys: IdempotencyKeys,
        press: Press,
        enforcer: Enforcer,
        tokens: PageTokens,
        clock: Clock,
    ) -> None:
        self._database = database
        self._keys = keys
        self._press = press
        self._enforcer = enforcer
        self._tokens = tokens
        self._clock = clock

    def publish_policy(self, call: Call) -> consent_pb2.PublishPolicyResponse:
        """Publish the next version; it never changes afterwards (T-9.1-a)."""
        edition = _edition(cast(consent_pb2.PublishPolicyRequest, call.request))
        site_id, publication_id = call.principal.site_id, new_uuid()
        with self._database.transaction() as connection:
            stood = self._keys.begin(connection, call, publication_id, self._clock.now())
            if stood == publication_id:
                try:
                    policy, act = self._press.publish(
                        connection, site_id, publication_id, call.method.evidence, edition
                    )
                except PastEffectiveTime:
                    raise _wrong_time(InvalidArgument, "not_past", "never in the past") from None
                except VersionScheduledLater:
                    raise _wrong_time(
                        StateConflict, "after_scheduled", "has to follow every published version's"
                    ) from None
                except TooManyVersions:
                    raise StateConflict from None
                evidence.append(connection, _entry(call, policy), policy.publish_time)
            else:
                found = read_publication(connection, site_id, stood)
                stood_act = read_act(connection, found.act_id) if found else None
                if found is None or stood_act is None:
                    raise NotFound
                policy, act = found, stood_act
        act = self._enforcer.enforce(call, act)
        return consent_pb2.PublishPolicyResponse(
            policy=policy_message(policy), act_id=act.act_id, enforcement=enforcement(act)
        )

    def get_policy(self, call: Call) -> consent_pb2.GetPolicyResponse:
        """One version, for ever the same. Raises NotFound."""
        version = cast(consent_pb2.GetPolicyRequest, call.request).version
        with self._database.transaction() as connection:
            policy = read_policy(connection, call.principal.site_id, version)
        if policy is None:
            raise NotFound
        return consent_pb2.GetPolicyResponse(policy=policy_message(policy))

    def list_policies(self, call: Call) -> consent_pb2.ListPoliciesResponse:
        """The versions of the site, newest first, without their texts."""
        request = cast(consent_pb2.ListPoliciesRequest, call.request)
        size = page_size(request.page_size, _DEFAULT_PAGE, _LARGEST_PAGE)
        site_id = call.principal.site_id
        scope = f"policies|{site_id}"
        place = self._tokens.open(scope, request.page_token)
        below = int(place[0]) if place else None
        with self._database.transaction() as connection:
            found = list_policies(connection, site_id, below, size + 1)
        shown = found[:size]
        more = len(found) > size
        return consent_pb2.ListPoliciesResponse(
            policies=[policy_message(policy) for policy in shown],
            next_page_token=self._tokens.make(scope, [shown[-1].version]) if more else "",
        )

    def list_acceptances(self, call: Call) -> consent_pb2.ListAcceptancesResponse:
        """Who accepted a version, by subject. Raises NotFound for a version that is none."""
        request = cast(consent_pb2.ListAcceptancesRequest, call.request)
        size = page_size(request.page_size, _ACCEPTANCES, _MOST_ACCEPTANCES)
        site_id, now = call.principal.site_id, self._clock.now()
        scope = f"acceptances|{site_id}|{request.version}"
        place = self._tokens.open(scope, request.page_token)
        after = str(place[0]) if place else ""
        with self._database.transaction() as connection:
            if not has_version(connection, site_id, request.version):
                raise NotFound
            found = list_acceptances(connection, site_id, request.version, after, size + 1)
            evidence.append(connection, _look(call, request.version), now)
        shown = found[:size]
        more = len(found) > size
        return consent_pb2.ListAcceptancesResponse(
            acceptances=[
                consent_pb2.SubjectAcceptance(
                    subject_id=each.subject_id,
                    acceptance=stance_message(each.stance),
                    in_force_time=timestamp(each.in_force_time),
                )
                for each in shown
            ],
            next_page_token=self._tokens.make(scope, [shown[-1].subject_id]) if more else "",
        )

    def get_policy_in_force(self, call: Call) -> consent_pb2.GetPolicyInForceResponse:
        """The version in force at a time (T-9.2-d). Raises NoPolicyInForce."""
        request = cast(consent_pb2.GetPolicyInForceRequest, call.request)
        at = time_of(request.at_time) if request.HasField("at_time") else self._clock.now()
        with self._database.transaction() as connection:
            policy = read_policy_in_force(connection, call.principal.site_id, at)
        if policy is None:
            raise NoPolicyInForce
        return consent_pb2.GetPolicyInForceResponse(policy=policy_message(policy))

    def read_policy_at(self, call: Call) -> policy_reading_pb2.ReadPolicyAtResponse:
        """The version of any site that was in force at a time, for the suite's own processes."""
        request = cast(policy_reading_pb2.ReadPolicyAtRequest, call.request)
        with self._database.transaction() as connection:
            policy = read_policy_in_force(connection, request.site_id, time_of(request.at_time))
        return policy_reading_pb2.ReadPolicyAtResponse(
            policy=policy_message(policy) if policy is not None else None
        )


def _edition(request: consent_pb2.PublishPolicyRequest) -> Edition:
    texts = texts_of(request)
    faults = [FieldViolation(*f) for f in text_faults(texts, request.prevailing_language)]
    material = [purpose_name(number) for number in request.material_purposes]
    faults += [
        FieldViolation(f"materialPurposes[{i}]", "express_consent", "needs no express consent")
        for i, name in enumerate(material)
        if name not in CLAUSE_OF_CONSENT
    ]
    if faults:
        raise InvalidArgument(fields=faults)
    return Edition(
        texts,
        time_of(request.effective_time) if request.HasField("effective_time") else None,
        frozenset(material),
        request.prevailing_language or texts[0].language,
    )


def _wrong_time(
    refusal: type[InvalidArgument | StateConflict], rule: str, description: str
) -> InvalidArgument | StateConflict:
    return refusal(fields=[FieldViolation("effectiveTime", rule, description)])


def _entry(call: Call, policy: Policy) -> Entry:
    return Entry(
        event=call.method.evidence,
        verb=call.method.verb,
        outcome=evidence.DONE,
        site_id=call.principal.site_id,
        principal=call.principal.name,
        role=call.role,
        clause="9.1",
        refs={"act_id": policy.act_id},
        decided_on={
            "policyVersion": policy.version,
            "policySha256": policy.sha256,
            "effectiveTime": policy.effective_time.isoformat(timespec="microseconds"),
        },
    )


def _look(call: Call, version: int) -> Entry:
    return Entry(
        event=call.method.evidence,
        verb=call.method.verb,
        outcome=evidence.PERMITTED,
        site_id=call.principal.site_id,
        principal=call.principal.name,
        role=call.role,
        clause=call.method.clauses[0],
        decided_on={"policyVersion": version},
    )
