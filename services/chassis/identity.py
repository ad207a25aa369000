# SPDX-License-Identifier: Apache-2.0
"""Who stands behind a call (architecture, section 4; clause 1.1.1).

A process that acts for itself (its certificate), the holder of an API key
(believed from the gateway only), a person (a signed token that this process
verifies itself, so that the gateway cannot invent an officer), and the person
concerned (a session, which the vault opened and verifies itself).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from google.protobuf.message import DecodeError
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from qupia.contract.v1 import contract_pb2
from services.chassis.clock import Clock
from services.chassis.refusal import Unauthenticated

AUDIENCE = "qupia"
SESSION_PREFIX = "qs_"
_SESSION = re.compile(rf"{SESSION_PREFIX}[A-Za-z0-9_-]{{43}}", re.ASCII)
ALGORITHMS = ["Ed25519", "ES256", "RS256"]
_LEEWAY_SECONDS = 5
_MAX_TOKEN_LENGTH = 8192


@dataclass(frozen=True, slots=True)
class Grant:
    """A role on a site."""

    site_id: str
    role: str


@dataclass(frozen=True, slots=True)
class Principal:
    """Who stands behind a call.

    `name` is ``process/<name>``, ``key/<principal>`` or ``person/<issuer>#<subject>``.
    ``subject/<access code>`` is the person concerned, and ``anyone`` whoever calls
    what needs no credential. `purposes` is None where the credential is not
    limited. `site_id` is empty for a process, which names sites itself.
    `certificate_sha256` is of the client certificate that a key's holder
    presented, empty where none. `daily_subjects` is how many different people a
    key may reach on a day; 0 where that is not limited. `subject_id` is the one
    subject that a session is for, `linked_ids` the visitors who are linked to it.
    """

    name: str
    site_id: str
    roles: frozenset[str]
    purposes: frozenset[str] | None = None
    recipient_id: str = ""
    certificate_sha256: str = ""
    daily_subjects: int = 0
    subject_id: str = ""
    linked_ids: frozenset[str] = frozenset()

    @property
    def is_person(self) -> bool:
        """Whether a named person stands behind the call."""
        return self.name.startswith("person/")

    def concerns(self, subject_id: str) -> bool:
        """Whether a subject is within the caller's sight: for a person concerned only they are."""
        return not self.subject_id or subject_id == self.subject_id or subject_id in self.linked_ids


def process_principal(process: str) -> Principal:
    """The principal of a peer that acts for itself."""
    return Principal(f"process/{process}", "", frozenset())


def anyone() -> Principal:
    """Whoever calls what needs no credential."""
    return Principal("anyone", "", frozenset())


class Sessions(Protocol):
    """Knows the sessions of the persons concerned."""

    def verify(self, token: str, site: str | None, seconds: float) -> Principal:
        """Whose session a token is, on its site. Raises Unauthenticated, Unavailable."""
        ...


def person_concerned(code_id: str, site_id: str, subject_ids: Sequence[str]) -> Principal:
    """The person whom a code let in, named by that code; `subject_ids` has the session's first."""
    subject_id, *linked = subject_ids
    return Principal(
        f"subject/{code_id}",
        site_id,
        frozenset({"SUBJECT"}),
        subject_id=subject_id,
        linked_ids=frozenset(linked),
    )


def session_digest(token: str) -> bytes:
    """What is kept of a session's token; 256 random bits need no salt and no slowness.

    Raises Unauthenticated for a text that is no such token.
    """
    if not _SESSION.fullmatch(token):
        raise Unauthenticated
    return hashlib.sha256(token.encode()).digest()


def key_principal(serialized: bytes) -> Principal:
    """The principal that the gateway forwards for an API key. Raises Unauthenticated."""
    message = contract_pb2.Principal()
    try:
        message.ParseFromString(serialized)
    except DecodeError:
        raise Unauthenticated from None
    if not (message.principal_id and message.site_id) or message.role not in (
        contract_pb2.Caller.STOREFRONT,
        contract_pb2.Caller.RECIPIENT,
        contract_pb2.Caller.PARTNER,
    ):
        raise Unauthenticated
    return Principal(
        f"key/{message.principal_id}",
        message.site_id,
        frozenset({contract_pb2.Caller.Role.Name(message.role)}),
        frozenset(message.purposes) or None,
        message.recipient_id,
        message.certificate_sha256,
        max(0, message.daily_subjects),
    )


class Issuers:
    """The issuers whose tokens are believed, with their public keys."""

    def __init__(self, keys: Mapping[str, KeySet], clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    @classmethod
    def from_file(cls, path: Path, clock: Clock) -> Issuers:
        """Read ``{"issuers": [{"issuer": …, "jwks": {"keys": […]}}]}``.

        Raises OSError, ValueError or KeyError for a file that is not one.
        """
        document = json.loads(path.read_text())
        keys = {e["issuer"]: KeySet.import_key_set(e["jwks"]) for e in document["issuers"]}
        return cls(keys, clock)

    def verify(self, token: str, site: str | None) -> Principal:
        """The person behind a token, on the named site or on their only one.

        Raises Unauthenticated for a token that is malformed, expired, not yet
        valid, of another audience or of an issuer that is not believed, and
        for a person without a grant on the site.
        """
        claims = self._claims(token)
        grants = _grants(claims.get("qupia_grants"))
        sites = {g.site_id for g in grants}
        chosen = site if site is not None else (sites.pop() if len(sites) == 1 else None)
        roles = frozenset(g.role for g in grants if g.site_id == chosen)
        if not chosen or not roles:
            raise Unauthenticated
        return Principal(f"person/{claims['iss']}#{claims['sub']}", chosen, roles)

    def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > _MAX_TOKEN_LENGTH:
            raise Unauthenticated
        try:
            issuer = _unverified_issuer(token)
            decoded = jwt.decode(token, self._keys[issuer], algorithms=ALGORITHMS)
            claims = decoded.claims
            now = int(self._clock.now().timestamp())
            registry = jwt.JWTClaimsRegistry(
                now=now,
                leeway=_LEEWAY_SECONDS,
                iss={"essential": True, "value": issuer},
                sub={"essential": True},
                aud={"essential": True, "value": AUDIENCE},
                exp={"essential": True},
            )
            registry.validate(claims)
        except (JoseError, LookupError, ValueError, TypeError, AttributeError, RecursionError):
            raise Unauthenticated from None
        if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 128:
            raise Unauthenticated
        return dict(claims)


def _unverified_issuer(token: str) -> str:
    # Only to choose whose keys verify it; nothing else of the token is used
    # before the signature holds.
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return str(claims["iss"])


def _grants(claim: object) -> tuple[Grant, ...]:
    if not isinstance(claim, Iterable):
        raise Unauthenticated
    # A person concerned has a session, never an issuer's word.
    known = [role for role in contract_pb2.Caller.Role.keys() if role != "SUBJECT"]  # noqa: SIM118
    return tuple(
        Grant(str(g["site"]), str(g["role"]))
        for g in claim
        if isinstance(g, dict) and g.get("site") and g.get("role") in known
    )
