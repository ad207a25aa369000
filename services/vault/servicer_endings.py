# SPDX-License-Identifier: Apache-2.0
"""Tells the deciders who has ended, so that they forget whose pseudonym it was (clause 5.1)."""

from __future__ import annotations

from typing import Final

from qupia.vault.v1 import endings_pb2
from services.chassis.call import Call
from services.chassis.database import Database
from services.chassis.paging import PageTokens
from services.chassis.pipeline import Handler
from services.vault import store_destruction

_SCOPE: Final = "ended"
_PAGE: Final = 1000


class EndingServicer:
    """VaultEndingService of the contract."""

    def __init__(self, database: Database, pages: PageTokens) -> None:
        self._database = database
        self._pages = pages

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {"ListEndedSubjects": self.list_ended_subjects}

    def list_ended_subjects(self, call: Call) -> endings_pb2.ListEndedSubjectsResponse:
        """A page of them. Raises InvalidArgument for a token that is not this list's."""
        request = call.request
        assert isinstance(request, endings_pb2.ListEndedSubjectsRequest)
        place = self._pages.open(_SCOPE, request.page_token) or ["", ""]
        with self._database.transaction() as connection:
            ended = store_destruction.ended(connection, (str(place[0]), str(place[1])), _PAGE + 1)
        return endings_pb2.ListEndedSubjectsResponse(
            subjects=[
                endings_pb2.EndedSubject(site_id=site, subject_id=subject)
                for site, subject in ended[:_PAGE]
            ],
            next_page_token=self._pages.make(_SCOPE, ended[_PAGE - 1]) if ended[_PAGE:] else "",
        )
