# SPDX-License-Identifier: Apache-2.0
"""What the claims service asks of the disclosure broker."""

from __future__ import annotations

from typing import Final

from qupia.disclosure.v1 import authority_reading_pb2, authority_requests_pb2
from services.chassis.refusal import NotFound
from services.claims.wire_vault import Caller

_STATE: Final = "/qupia.disclosure.v1.AuthorityReadingService/ReadAuthorityRequestState"


class AuthorityRequests:
    """The book of state bodies' requests as the claims service sees it."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def gives_data(self, site_id: str, request_id: str, timeout: float) -> bool:
        """Whether data leave, or left, by this request: it is the site's, and nobody rejected it.

        Raises Refusal.
        """
        request = authority_reading_pb2.ReadAuthorityRequestStateRequest(
            site_id=site_id, authority_request_id=request_id
        )
        response = authority_reading_pb2.ReadAuthorityRequestStateResponse
        try:
            answer = self._caller.call(_STATE, request, response, timeout)
        except NotFound:
            return False
        return answer.state != authority_requests_pb2.AuthorityRequest.REJECTED
