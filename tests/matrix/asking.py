# SPDX-License-Identifier: Apache-2.0
"""Asks for an RPC by its row, and makes answers comparable byte for byte."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import httpx

from services.chassis.contract import Method
from tests.matrix.callers import Caller
from tests.matrix.rows import Row
from tests.matrix.things import PART_OF, Thing

_VARIABLE = re.compile(r"\{([a-z_]+)\}")
_MEMBERS = {
    "notice_id": "delivery_id",
    # No incident and no document has a claim's id.
    "incident_id": "claim_id",
    "document_id": "claim_id",
    "recipient_id": "registered_id",
    "version": "policy_version",
}
"""The member of a thing that a path's variable of another name stands for."""
_PARTS_OF_PROCESS = {
    "consent": frozenset[str](),
    "claims": frozenset({"data", "claim"}),
    "disclosure": frozenset({"data", "order", "claim"}),
    "vault": frozenset({"data", "order", "claim"}),
}
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

    def value_of(match: re.Match[str]) -> str:
        if match[1] == "purpose":
            return "NEWS"
        if match[1] == "act_id":
            return str(getattr(thing, f"{method.process}_act_id"))
        return str(getattr(thing, _MEMBERS.get(match[1], match[1])))

    return _VARIABLE.sub(value_of, method.http.path)


def parts_of(method: Method, row: Row) -> frozenset[str]:
    """The parts of a thing that an RPC looks at: those of its process, and those it names."""
    probe = _Probe()
    path_of(method, cast(Thing, probe))
    if row.body:
        row.body(cast(Thing, probe))
    return _PARTS_OF_PROCESS[method.process] | {PART_OF[m] for m in probe.named if m in PART_OF}


class _Probe:
    """Stands for a thing and notes which of its members are asked for."""

    def __init__(self) -> None:
        self.named: set[str] = set()

    def __getattr__(self, name: str) -> str:
        self.named.add(name)
        return ""


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
