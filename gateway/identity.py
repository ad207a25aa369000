# SPDX-License-Identifier: Apache-2.0
"""Who is calling (architecture, section 4): what of an Authorization header goes to the services.

An API key becomes its holder; a person's token travels unchanged, for the services verify it
themselves, and so does the session of a person concerned, which the vault knows. With a key goes
the fingerprint of the client certificate that the connection presented, if any: from the handshake,
never from a header. Nothing else that a client sends reaches them.
"""

import asyncio
import re
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Protocol

from gateway.credential import Credential, Holder, is_key
from gateway.headers import Headers
from gateway.refused import Note, RefusedCredential, Rule, unheard
from qupia.contract.v1 import contract_pb2
from services.chassis.pipeline import AUTHORIZATION_KEY, PRINCIPAL_KEY, SITE_KEY
from services.chassis.refusal import PermissionDenied, Unauthenticated, Unavailable

Metadata = Sequence[tuple[str, str | bytes]]
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,8192}=*", re.ASCII)
_MAX_HEADER = 8192 + 64


class KeyHolders(Protocol):
    """Knows the holders of API keys."""

    def credential_of(self, key: str) -> Credential:
        """The credential of a live key. Raises Unauthenticated for any other. May block."""
        ...


class Identity:
    """Turns credentials into gRPC metadata; keys are looked up in threads of `executor`.

    `refused` hears of a key that is used for a site that is not its own.
    """

    def __init__(
        self,
        holders: KeyHolders,
        executor: Executor,
        refused: Note = unheard,
        timeout: float = 2.0,
    ) -> None:
        self._holders = holders
        self._refused = refused
        self._executor = executor
        self._timeout = timeout

    async def metadata(self, headers: Headers, certificate_sha256: str = "") -> Metadata:
        """What the services are told of the caller; the certificate is its connection's.

        Raises Unauthenticated without a valid credential, PermissionDenied where a key is used
        for a site that is not its own, InvalidArgument for a header of no known form, Unavailable
        where the keys cannot be looked up in time.
        """
        token = _bearer(headers.one("Authorization"))
        site = headers.site()
        if is_key(token):
            credential = await self._credential(token)
            if site is not None and site != credential.holder.site_id:
                self._refused(RefusedCredential(Rule.SITE_ANOTHER, credential))
                raise PermissionDenied
            return [(PRINCIPAL_KEY, _principal(credential.holder, certificate_sha256))]
        person: list[tuple[str, str | bytes]] = [(AUTHORIZATION_KEY, f"Bearer {token}")]
        if site is not None:
            person.append((SITE_KEY, site))
        return person

    async def _credential(self, key: str) -> Credential:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout):
                return await loop.run_in_executor(self._executor, self._holders.credential_of, key)
        except TimeoutError:
            raise Unavailable(retry_after=1) from None


def _bearer(authorization: str | None) -> str:
    if authorization is None or len(authorization) > _MAX_HEADER:
        raise Unauthenticated
    scheme, _, token = authorization.partition(" ")
    token = token.strip(" ")
    if scheme.lower() != "bearer" or not _TOKEN.fullmatch(token):
        raise Unauthenticated
    return token


def _principal(holder: Holder, certificate_sha256: str) -> bytes:
    return contract_pb2.Principal(
        principal_id=holder.principal_id,
        site_id=holder.site_id,
        role=contract_pb2.Caller.Role.Value(holder.role.value),
        purposes=holder.purposes,
        recipient_id=holder.recipient_id,
        certificate_sha256=certificate_sha256,
        daily_subjects=holder.daily_subjects,
    ).SerializeToString(deterministic=True)
