# SPDX-License-Identifier: Apache-2.0
"""What the claims service asks of the consent service."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from qupia.consent.v1 import consent_pb2, consent_reading_pb2, policy_reading_pb2
from qupia.subject.v1 import subject_pb2
from services.claims.wire import stamp
from services.claims.wire_vault import Caller

_CONSENT: Final = "/qupia.consent.v1.ConsentReadingService/ReadConsentAt"
_READ: Final = "/qupia.consent.v1.PolicyReadingService/ReadPolicyAt"


class Policies:
    """The book of policies as the claims service sees it."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def in_force_at(self, site_id: str, at: datetime, timeout: float) -> consent_pb2.Policy | None:
        """The policy of a site in force at a time, with its texts; None: none. Raises Refusal."""
        request = policy_reading_pb2.ReadPolicyAtRequest(site_id=site_id, at_time=stamp(at))
        answer = self._caller.call(_READ, request, policy_reading_pb2.ReadPolicyAtResponse, timeout)
        return answer.policy if answer.HasField("policy") else None


class Consents:
    """The book of consents as the claims service sees it."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def given_by(
        self,
        site_id: str,
        subject_id: str,
        purpose: subject_pb2.Purpose.Code.ValueType,
        at: datetime,
        timeout: float,
    ) -> str | None:
        """The act that gave the consent in force at a time; None where none was. Raises Refusal."""
        request = consent_reading_pb2.ReadConsentAtRequest(
            site_id=site_id,
            subject_id=subject_id,
            purpose=purpose,
            at_time=stamp(at),
        )
        response = consent_reading_pb2.ReadConsentAtResponse
        answer = self._caller.call(_CONSENT, request, response, timeout)
        return answer.act_id if answer.given else None
