# SPDX-License-Identifier: Apache-2.0
"""What other services of the suite learn of a state body's request: where it stands (5.3, 7.1)."""

from __future__ import annotations

from typing import cast

from qupia.disclosure.v1 import authority_reading_pb2, authority_requests_pb2
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.refusal import NotFound
from services.disclosure import store_authority_requests


class AuthorityReadingServicer:
    """Answers the suite's own processes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def read_authority_request_state(
        self, call: Call
    ) -> authority_reading_pb2.ReadAuthorityRequestStateResponse:
        """Where a request of the site stands, one under secrecy too. Raises NotFound."""
        asked = cast(authority_reading_pb2.ReadAuthorityRequestStateRequest, call.request)
        with self._database.transaction() as connection:
            request = store_authority_requests.find(
                connection, asked.site_id, asked.authority_request_id
            )
        if request is None:
            raise NotFound
        state = authority_requests_pb2.AuthorityRequest.State.Value(request.at(self._clock.now()))
        return authority_reading_pb2.ReadAuthorityRequestStateResponse(state=state)
