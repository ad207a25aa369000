# SPDX-License-Identifier: Apache-2.0
"""The HTTP client that officers' commands stand on: one gateway, one credential.

A mutating call carries an Idempotency-Key, so that a repeat after a lost answer changes nothing.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

from cli.office_place import Place
from services.chassis.ids import new_uuid
from services.chassis.start_error import StartError

_SECONDS = 30.0
_JSON = "application/json"
_PAGE = 100
_RECORDED = 202


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway answered to a call that was not refused; `document` is its JSON.

    `content` are the bytes as they came, for what is no JSON (a PDF, a proof).
    """

    status: int
    document: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def in_force(self) -> bool:
        """False for an act that is recorded and not yet in force; `location` is where to ask."""
        return self.status != _RECORDED

    @property
    def location(self) -> str:
        """Where the act can be polled."""
        return self.headers.get("location", "")


@dataclass(frozen=True, slots=True)
class FieldFault:
    """A field that a problem names, in the names of the HTTP contract."""

    field: str
    code: str
    detail: str


class Problem(Exception):
    """The gateway refused: an RFC 9457 problem. `document` is as it came; an empty one where the
    answer was no problem of Qupia's (a proxy's, say)."""

    def __init__(self, status: int, document: Mapping[str, Any], retry_after: str = "") -> None:
        self.status = status
        self.document = document
        self.retry_after = retry_after
        super().__init__(self.code or str(status))

    @property
    def code(self) -> str:
        """The reason of the contract, such as SUBJECT_BLOCKED."""
        return str(self.document.get("code", ""))

    @property
    def title(self) -> str:
        """The reason in the caller's language."""
        return str(self.document.get("title", f"HTTP status {self.status}"))

    @property
    def clause(self) -> str:
        """The clause that decides; empty where none does."""
        return str(self.document.get("clause", ""))

    @property
    def fields(self) -> tuple[FieldFault, ...]:
        """The fields that are wrong."""
        errors = self.document.get("errors", ())
        return tuple(
            FieldFault(str(e["field"]), str(e.get("code", "")), str(e.get("detail", "")))
            for e in errors
        )


class Unanswered(StartError):
    """No answer came. `request_id` is the Idempotency-Key of a mutating call, which may have been
    done: repeated with the same key it changes nothing."""

    def __init__(self, text: str, request_id: str = "") -> None:
        self.request_id = request_id
        super().__init__(text)


class Office:
    """Calls a gateway as one caller; to be used in a `with`.

    Every call raises Problem for a refusal and Unanswered where the gateway cannot be reached.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._client = httpx.Client(
            base_url=place.gateway,
            timeout=_SECONDS,
            # The proxy of an environment is not for calls to this machine.
            trust_env=not place.is_local,
            headers=_headers(place),
        )

    @property
    def gateway(self) -> str:
        """The gateway that it calls, as a URL."""
        return self._place.gateway

    def get(self, path: str, query: Mapping[str, object] | None = None) -> Mapping[str, Any]:
        """What stands at `path`; parameters that are None are left out."""
        return self._ask("GET", path, query=query).document

    def fetch(self, path: str, query: Mapping[str, object] | None = None) -> Answer:
        """The same with headers and bytes, for what is no JSON."""
        return self._ask("GET", path, query=query)

    def act(
        self,
        path: str,
        body: Mapping[str, object],
        *,
        verb: str = "POST",
        request_id: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """A call that changes something; `request_id` is its Idempotency-Key, a new one if empty.

        Personal data belong into the body, never into the path.
        """
        key = request_id or new_uuid()
        sent = {**(headers or {}), "Idempotency-Key": key}
        return self._ask(verb, path, body=body, headers=sent, request_id=key)

    def ask(self, path: str, body: Mapping[str, object]) -> Mapping[str, Any]:
        """A read whose question stands in a body (POST without effect)."""
        return self._ask("POST", path, body=body).document

    def pages(
        self,
        path: str,
        member: str,
        query: Mapping[str, object] | None = None,
        *,
        page_size: int = _PAGE,
    ) -> Iterator[Mapping[str, Any]]:
        """The items of a list, page after page; `member` names the repeated field."""
        token: str | None = None
        while token != "":
            page = self.get(path, {**(query or {}), "pageSize": page_size, "pageToken": token})
            yield from page.get(member, ())
            token = str(page.get("nextPageToken", ""))

    def _ask(
        self,
        verb: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        request_id: str = "",
    ) -> Answer:
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        sent = dict(headers or {})
        if content is not None:
            sent["Content-Type"] = _JSON
        params = {name: _text(value) for name, value in (query or {}).items() if value is not None}
        try:
            came = self._client.request(verb, path, params=params, content=content, headers=sent)
        except httpx.HTTPError as error:
            raise Unanswered(
                f"{self._place.gateway} does not answer ({type(error).__name__}): is the suite "
                "running there?",
                request_id,
            ) from None
        if not came.is_success:
            raise Problem(came.status_code, _document(came), came.headers.get("retry-after", ""))
        return Answer(came.status_code, _document(came), came.headers, came.content)

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


def _headers(place: Place) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {place.token}", "Accept-Language": place.language}
    if place.site:
        headers["Qupia-Site"] = place.site
    return headers


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _document(came: httpx.Response) -> Mapping[str, Any]:
    try:
        document = came.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
