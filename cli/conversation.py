# SPDX-License-Identifier: Apache-2.0
"""Talking to a gateway as one of the callers that credentials.json names."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from cli.private_file import read_json
from services.chassis.start_error import StartError

_SECONDS = 15.0
_JSON = "application/json"


@dataclass(frozen=True)
class Answered:
    """What was asked and what came back. `body` is what was sent: a document, or raw bytes."""

    who: str
    verb: str
    path: str
    body: object
    status: int
    headers: Mapping[str, str]
    content: bytes

    @cached_property
    def json(self) -> dict[str, Any]:
        """The answer's document; an empty one where it is no JSON object."""
        try:
            document = json.loads(self.content)
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}

    @property
    def code(self) -> str:
        """Why it was refused; empty where it was not."""
        return str(self.json.get("code", ""))

    @property
    def clause(self) -> str:
        """The clause that a refusal names."""
        return str(self.json.get("clause", ""))

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that a refusal names."""
        return tuple(str(error["field"]) for error in self.json.get("errors", ()))

    @property
    def content_but_reference(self) -> bytes:
        """The bytes that came back, without the id of the request."""
        reference = str(self.json.get("reference", ""))
        return self.content.replace(reference.encode(), b"") if reference else self.content


@cache
def _trusted() -> ssl.SSLContext:
    """Made once: reading all certificates takes longer than many a call."""
    return httpx.create_ssl_context(trust_env=False)


class Conversation:
    """A client of one gateway with the tokens of many callers; to be used in a `with`."""

    def __init__(self, gateway: str, credentials: Mapping[str, Mapping[str, str]]) -> None:
        self.gateway = gateway
        self.credentials = credentials
        # The proxy of an environment is not for calls to this machine.
        self._client = httpx.Client(
            base_url=gateway, timeout=_SECONDS, trust_env=False, verify=_trusted()
        )

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """The suite whose credentials.json is given. Raises StartError where there is none."""
        try:
            document = read_json(path)
            return cls(document["gateway"], document["credentials"])
        except (OSError, ValueError, KeyError):
            raise StartError(
                f"{path} holds no credentials: start the suite by `make run`, or set QUPIA_HOME to "
                "its folder"
            ) from None

    def ask(
        self,
        who: str,
        verb: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        """One request as `who`, nobody where empty. `body` bytes are sent as they are.

        Raises StartError where the gateway cannot be reached.
        """
        sent = dict(headers or {})
        if who:
            sent["Authorization"] = f"Bearer {self.credentials[who]['token']}"
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if content is not None:
            sent.setdefault("Content-Type", _JSON)
        try:
            answer = self._client.request(verb, path, content=content, headers=sent)
        except httpx.HTTPError as error:
            raise StartError(
                f"{self.gateway} does not answer ({type(error).__name__}): start the suite by "
                "`make run`"
            ) from None
        return Answered(who, verb, path, body, answer.status_code, answer.headers, answer.content)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
