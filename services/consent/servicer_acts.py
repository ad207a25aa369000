# SPDX-License-Identifier: Apache-2.0
"""Recorded acts and how far they have come."""

from __future__ import annotations

from typing import cast

from qupia.consent.v1 import consent_pb2
from services.chassis.call import Call
from services.chassis.database import Database
from services.chassis.decider.store import read_act
from services.chassis.refusal import NotFound
from services.consent.wire import act_message


class ActServicer:
    """Handles questions about acts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get_act(self, call: Call) -> consent_pb2.GetActResponse:
        """An act of the caller's site. Raises NotFound."""
        act_id = cast(consent_pb2.GetActRequest, call.request).act_id
        with self._database.transaction() as connection:
            act = read_act(connection, act_id, call.principal.site_id)
        if act is None:
            raise NotFound
        return consent_pb2.GetActResponse(act=act_message(act))
