# SPDX-License-Identifier: Apache-2.0
"""What the claims service asks of the consent service."""

from datetime import datetime
from typing import Final

from qupia.consent.v1 import consent_pb2, policy_reading_pb2
from services.claims.wire import stamp
from services.claims.wire_vault import Caller

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
