# SPDX-License-Identifier: Apache-2.0
"""A person's session at a service that does not keep it: the vault is asked, and only of those."""

from typing import Any, TypeVar, cast

import pytest
from google.protobuf.message import Message

from qupia.vault.v1 import sessions_pb2
from services.chassis.call import Call
from services.chassis.clock import SystemClock
from services.chassis.contract import load_contract
from services.chassis.identity import Issuers, session_digest
from services.chassis.peer_sessions import PeerSessions
from services.chassis.pipeline import identity
from services.chassis.refusal import (
    NotFound,
    PeerNotAllowed,
    Refusal,
    Unauthenticated,
    Unavailable,
    VaultNotReady,
)

M = TypeVar("M", bound=Message)
TOKEN = "qs_" + "a" * 43
SUBJECT, VISITOR, OTHER = ("0123456789abcdef" * 2, "1" * 32, "2" * 32)
TOLD = sessions_pb2.CheckSessionResponse(
    access_code_id="code", site_id="site", subject_ids=[SUBJECT, VISITOR]
)
LIST = "/qupia.disclosure.v1.DisclosureService/ListDisclosures"
FILE = "/qupia.claims.v1.ClaimsService/FileClaim"


class AskedVault:
    """Answers as told, or refuses; keeps what it was asked."""

    def __init__(self, refusal: Refusal | None = None) -> None:
        self.asked: list[sessions_pb2.CheckSessionRequest] = []
        self._refusal = refusal

    def call(
        self, path: str, request: Message, answer: type[M], timeout: float, reference: str = ""
    ) -> M:
        """One call."""
        assert (path.rpartition("/")[2], reference) == ("CheckSession", "")
        assert timeout > 0
        self.asked.append(cast(sessions_pb2.CheckSessionRequest, request))
        if self._refusal:
            raise self._refusal
        return answer.FromString(TOLD.SerializeToString())


def test_the_vault_learns_the_digest_of_a_token_and_not_the_token() -> None:
    vault = AskedVault()
    PeerSessions(vault).verify(TOKEN, None, 5.0)
    [asked] = vault.asked
    assert asked.token_sha256 == session_digest(TOKEN)
    assert TOKEN.encode() not in asked.SerializeToString()


def test_a_session_is_bound_to_its_site_and_its_person() -> None:
    sessions = PeerSessions(AskedVault())
    found = sessions.verify(TOKEN, "site", 5.0)
    assert (found.name, found.site_id, found.roles) == (
        "subject/code",
        "site",
        frozenset({"SUBJECT"}),
    )
    assert found.concerns(SUBJECT)
    assert found.concerns(VISITOR)
    assert not found.concerns(OTHER)
    with pytest.raises(Unauthenticated):
        sessions.verify(TOKEN, "other", 5.0)


@pytest.mark.parametrize(
    "token", ["qs_", TOKEN[:-1], TOKEN + "a", TOKEN[:-1] + "=", "qs_" + "ә" * 43]
)
def test_what_has_not_the_form_of_a_token_is_not_worth_a_call(token: str) -> None:
    vault = AskedVault()
    with pytest.raises(Unauthenticated):
        PeerSessions(vault).verify(token, None, 5.0)
    assert not vault.asked


@pytest.mark.parametrize(
    "refusal",
    [Unavailable(retry_after=1), VaultNotReady(retry_after=1), PeerNotAllowed(), NotFound()],
)
def test_who_cannot_be_verified_is_let_in_nowhere(refusal: Refusal) -> None:
    with pytest.raises(Unavailable):
        PeerSessions(AskedVault(refusal)).verify(TOKEN, None, 5.0)


def test_what_the_vault_does_not_know_opens_nothing() -> None:
    with pytest.raises(Unauthenticated):
        PeerSessions(AskedVault(Unauthenticated())).verify(TOKEN, None, 5.0)


@pytest.mark.parametrize(("path", "asks"), [(LIST, True), (FILE, False)])
def test_the_vault_is_asked_only_where_a_person_may_call(path: str, *, asks: bool) -> None:
    vault = AskedVault(Unauthenticated())
    stage = identity(Issuers({}, SystemClock()), PeerSessions(vault))
    metadata: Any = {"authorization": f"Bearer {TOKEN}"}
    call = Call(load_contract().methods[path], b"", cast(Any, None), metadata, "ref", "gateway")
    call.deadline = 1e12
    with pytest.raises(Unauthenticated):
        stage.run(call, lambda _: TOLD)
    assert bool(vault.asked) is asks
