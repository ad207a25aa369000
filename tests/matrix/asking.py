# SPDX-License-Identifier: Apache-2.0
"""Asks for an RPC by its row, and makes answers comparable byte for byte."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx

from services.chassis.contract import Method
from tests.matrix.callers import Caller
from tests.matrix.rows import Row
from tests.matrix.things import Thing

_VARIABLE = re.compile(r"\{([a-z_]+)\}")
_OWN_HEADERS = ("x-request-id", "date")


@dataclass(frozen=True)
class Answer:
    """An answer over HTTP. `told` is its code: of the problem, or what the row finds within."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    row: Row

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The JSON of the answer; an empty one of a file."""
        if not self.headers.get("content-type", "").endswith("json"):
            return {}
        found: Mapping[str, Any] = json.loads(self.content)
        return found

    @property
    def told(self) -> str:
        """The code."""
        if self.status >= 400:
            return str(self.document["code"])
        return self.row.tells(self.document)

    @property
    def bytes_but_reference(self) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
        """All that the caller sees, without support references and the ids it named itself."""
        content = self.content
        for known in self._named():
            content = content.replace(known.encode(), b"")
        headers = sorted((k, v) for k, v in self.headers.items() if k not in _OWN_HEADERS)
        return self.status, tuple(headers), content

    def _named(self) -> Iterator[str]:
        if reference := self.document.get("reference"):
            yield str(reference)
        for outcome in self.document.get("outcomes", ()):
            yield str(outcome.get("deliveryId") or "no delivery")
            if reference := outcome.get("problem", {}).get("reference"):
                yield str(reference)

    def __str__(self) -> str:
        return f"{self.status} {self.told}"


def path_of(method: Method, thing: Thing) -> str:
    """The path of an RPC for a thing."""
    assert method.http is not None
    variables = {
        "subject_id": thing.subject_id,
        "order_id": thing.order_id,
        "delivery_id": thing.delivery_id,
        "disclosure_id": thing.disclosure_id,
        "notice_id": thing.delivery_id,
        "claim_id": thing.claim_id,
        # No incident and no document has a claim's id.
        "incident_id": thing.claim_id,
        "document_id": thing.claim_id,
        "recipient_id": thing.registered_id,
        "authority_id": thing.authority_id,
        "authority_request_id": thing.authority_request_id,
        "act_id": {
            "consent": thing.consent_act_id,
            "disclosure": thing.disclosure_act_id,
            "claims": thing.claims_act_id,
        }.get(method.process, ""),
        "version": str(thing.policy_version),
        "purpose": "NEWS",
    }
    return _VARIABLE.sub(lambda match: variables[match[1]], method.http.path)


def ask(
    client: httpx.Client,
    caller: Caller,
    method: Method,
    row: Row,
    thing: Thing,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request as `caller` for `thing`."""
    assert method.http is not None
    answer = client.request(
        method.http.verb,
        path_of(method, thing),
        json=row.body(thing) if row.body else None,
        headers={**caller.headers, **(headers or {})},
    )
    return Answer(answer.status_code, answer.headers, answer.content, row)
