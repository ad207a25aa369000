# SPDX-License-Identifier: Apache-2.0
"""A decider forgets whose pseudonym it was once the person has ended (clause 5.1).

A push learns of an end by its answer. A decider that has nothing to push learns of it here: it
reads the vault's list of the ended from the beginning to the end, again and again. There is no
cursor to keep, so nobody is missed by a restart, a restored book, or an end that was made up for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from qupia.vault.v1 import endings_pb2
from services.chassis.client import Client
from services.chassis.database import Database
from services.chassis.pseudonym import forget
from services.chassis.refusal import InvalidArgument, Refusal

_PATH: Final = "/qupia.vault.v1.VaultEndingService/ListEndedSubjects"
_VAULT_SECONDS: Final = 2.0
_NEXT_PAGE_SECONDS, _FROM_THE_START_SECONDS, _VAULT_AWAY_SECONDS = 0.5, 5.0, 5.0

ListEnded = Callable[[endings_pb2.ListEndedSubjectsRequest], endings_pb2.ListEndedSubjectsResponse]


def asking(client: Client) -> ListEnded:
    """The list as the vault gives it."""

    def ask(
        request: endings_pb2.ListEndedSubjectsRequest,
    ) -> endings_pb2.ListEndedSubjectsResponse:
        answer = endings_pb2.ListEndedSubjectsResponse
        return client.call(_PATH, request, answer, _VAULT_SECONDS)

    return ask


class Forgetting:
    """The rounds in which a decider learns who has ended."""

    def __init__(self, database: Database, list_ended: ListEnded) -> None:
        self._database = database
        self._list_ended = list_ended
        self._token = ""

    def round(self) -> float:
        """Forget the ended of one page; returns the seconds until the next."""
        try:
            page = self._list_ended(endings_pb2.ListEndedSubjectsRequest(page_token=self._token))
        except InvalidArgument:
            # The vault has another secret since: its tokens of before are nobody's.
            self._token = ""
            return _NEXT_PAGE_SECONDS
        except Refusal:
            return _VAULT_AWAY_SECONDS
        ended = [(each.site_id, each.subject_id) for each in page.subjects]
        if ended:
            with self._database.transaction() as connection:
                forget(connection, ended)
        self._token = page.next_page_token
        return _NEXT_PAGE_SECONDS if self._token else _FROM_THE_START_SECONDS
