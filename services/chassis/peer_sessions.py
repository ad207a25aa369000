# SPDX-License-Identifier: Apache-2.0
"""The sessions of the persons concerned in a service that does not keep them (clause 6.1.3).

The vault is asked every time: nothing is remembered here, so that what the person ends has ended
everywhere.
"""

from __future__ import annotations

from typing import Final, Protocol, TypeVar

from google.protobuf.message import Message

from qupia.vault.v1 import sessions_pb2
from services.chassis.identity import Principal, person_concerned, session_digest
from services.chassis.refusal import Refusal, Unauthenticated, Unavailable

M = TypeVar("M", bound=Message)

_CHECK: Final = "/qupia.vault.v1.VaultSessionService/CheckSession"
# As long as anybody waits for the vault before it is called away.
_SECONDS: Final = 2.0


class Caller(Protocol):
    """Calls RPCs of the vault (`services.chassis.client.Client`)."""

    def call(
        self, path: str, request: Message, answer: type[M], timeout: float, reference: str = ""
    ) -> M:
        """Call within `timeout` seconds. Raises Refusal."""
        ...


class PeerSessions:
    """Knows a session by asking the vault, which learns the token's digest and never the token."""

    def __init__(self, vault: Caller) -> None:
        self._vault = vault

    def verify(self, token: str, site: str | None, seconds: float) -> Principal:
        """The person concerned behind a token, on its site.

        Raises Unauthenticated for a token that opens nothing (any more), Unavailable where the
        vault does not say within `seconds`: who cannot be verified is let in nowhere.
        """
        request = sessions_pb2.CheckSessionRequest(token_sha256=session_digest(token))
        timeout = min(_SECONDS, seconds)
        try:
            told = self._vault.call(_CHECK, request, sessions_pb2.CheckSessionResponse, timeout)
        except Unauthenticated:
            raise Unauthenticated from None
        except Refusal:
            raise Unavailable(retry_after=1) from None
        if site not in (None, told.site_id) or not told.subject_ids:
            raise Unauthenticated
        return person_concerned(told.access_code_id, told.site_id, told.subject_ids)
