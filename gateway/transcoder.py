# SPDX-License-Identifier: Apache-2.0
"""From an HTTP request to the request message of one RPC.

Body first, then query, then path: what the path says can be overridden by nothing, and a body or
query that so much as names a field of the path is refused.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from google.protobuf.message import Message

from gateway.plan import (
    IF_VERSION,
    REQUEST_ID,
    UPDATE_MASK,
    FieldPlan,
    Kind,
    check_message,
    plan,
)
from gateway.reading import Fault, Violations, Walk, from_url, shown
from gateway.routes import read_template
from gateway.strict_json import Members, read_json
from services.chassis.contract import ContractError, Method
from services.chassis.refusal import FieldViolation, InvalidArgument, Malformed

_NOTHING = Members([])
_IN_URL = (Kind.TEXT, Kind.INTEGER, Kind.BOOLEAN, Kind.NAME, Kind.TIME)


@dataclass(frozen=True, slots=True)
class Given:
    """What an HTTP request brings: values of the path, raw query and body, two headers."""

    path: Mapping[str, str]
    query: bytes = b""
    body: bytes = b""
    idempotency_key: str | None = None
    if_version: int | None = None


class Transcoder:
    """Makes the requests of one RPC. Raises ContractError for an RPC outside the dialect."""

    def __init__(self, method: Method) -> None:
        assert method.http is not None
        self._method = method
        self._fields = {f.name: f for f in plan(method.input).values()}
        self._path = read_template(method.http.path).fields
        self._resource = _resource(method)
        _check(method, self._fields, self._path, self._resource)
        self._closed = {
            **{self._fields[name].json_name: "in_path" for name in self._path},
            **_closed(self._fields),
        }

    def request(self, given: Given) -> Message:
        """The request message. Raises InvalidArgument, with every field at fault, or Malformed."""
        message = self._method.input_class()
        violations = Violations()
        self._read_body(message, given.body, violations)
        self._read_query(message, given.query, violations)
        for name, text in given.path.items():
            self._set_from_url(message, self._fields[name], text, violations)
        if IF_VERSION in self._fields and given.if_version is not None:
            setattr(message, IF_VERSION, given.if_version)
        elif given.if_version is not None:
            violations.add("If-Match", "unknown_field")
        if violations.found:
            raise InvalidArgument(fields=violations.found)
        if REQUEST_ID in self._fields:
            setattr(message, REQUEST_ID, given.idempotency_key or secrets.token_hex(16))
        return message

    def _read_body(self, message: Message, body: bytes, violations: Violations) -> None:
        assert self._method.http is not None
        if not self._method.http.body:
            if body:
                raise Malformed(fields=[_NO_BODY])
            return
        members = read_json(body) if body else _NOTHING
        if not isinstance(members, Members):
            violations.add("", "type")
        elif self._resource is None:
            Walk(violations).fill(message, members, "", self._closed)
        else:
            self._read_patch(message, members, self._resource, violations)

    def _read_patch(
        self, message: Message, members: Members, resource: FieldPlan, violations: Violations
    ) -> None:
        """RFC 7396: what the resource's object holds is changed, null clears, the rest stays."""
        rest = Members([p for p in members.pairs if p[0] != resource.json_name])
        given = [value for name, value in members.pairs if name == resource.json_name]
        Walk(violations).fill(message, rest, "", self._closed)
        if len(given) != 1:
            violations.add(resource.json_name, "duplicate" if given else "empty")
            return
        if not isinstance(given[0], Members):
            violations.add(resource.json_name, "type")
            return
        mask: list[str] = []
        start = len(resource.json_name) + 1
        walk = Walk(violations, lambda where: mask.append(where[start:]))
        walk.fill(getattr(message, resource.name), given[0], resource.json_name)
        if not mask and not violations.found:
            violations.add(resource.json_name, "empty")
        getattr(message, resource.name).SetInParent()
        getattr(message, UPDATE_MASK).paths.extend(mask)

    def _read_query(self, message: Message, query: bytes, violations: Violations) -> None:
        fields = plan(self._method.input)
        seen: set[str] = set()
        for part in filter(None, query.split(b"&")):
            name, text = (_decoded(each) for each in (*part.split(b"=", 1), b"")[:2])
            field = fields.get(name)
            if name in self._closed:
                violations.add(shown(name), self._closed[name])
            elif field is None or self._method.http is None or self._method.http.body:
                violations.add(shown(name), "unknown_field")
            elif name in seen:
                violations.add(name, "duplicate")
            else:
                self._set_from_url(message, field, text, violations)
            seen.add(name)

    def _set_from_url(
        self, message: Message, field: FieldPlan, text: str, violations: Violations
    ) -> None:
        try:
            value = from_url(field, text)
        except Fault as fault:
            violations.add(field.json_name, fault.code)
        else:
            Walk(violations).set(message, field, value, field.json_name)


def _decoded(part: bytes) -> str:
    """A name or value of the query. A plus sign is itself: times hold one, and no value a blank."""
    try:
        return unquote_to_bytes(part).decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed(fields=[_QUERY]) from None


def _closed(fields: Mapping[str, FieldPlan]) -> dict[str, str]:
    codes = {REQUEST_ID: "in_header", IF_VERSION: "in_header", UPDATE_MASK: "in_patch"}
    return {fields[name].json_name: code for name, code in codes.items() if name in fields}


def _resource(method: Method) -> FieldPlan | None:
    """The message that a PATCH changes; None for other RPCs."""
    assert method.http is not None
    if method.http.verb != "PATCH":
        return None
    messages = [f for f in plan(method.input).values() if f.kind is Kind.MESSAGE]
    masks = [f for f in plan(method.input).values() if f.kind is Kind.MASK]
    if len(messages) != 1 or messages[0].repeated or [f.name for f in masks] != [UPDATE_MASK]:
        raise ContractError(f"{method.path} is a PATCH without one resource and its update_mask")
    return messages[0]


def _check(
    method: Method, fields: Mapping[str, FieldPlan], path: tuple[str, ...], patch: FieldPlan | None
) -> None:
    assert method.http is not None
    check_message(method.input)
    if method.media_type is None:
        check_message(method.output)
    in_url = [fields.get(name) for name in path]
    if not method.http.body:
        in_url += [f for f in fields.values() if f.name not in path]
    faults = [
        (None in in_url, "has a path variable that is no field"),
        (any(f and (f.repeated or f.kind not in _IN_URL) for f in in_url), "puts a list in a URL"),
        (any(f and f.personal for f in in_url), "puts personal data in a URL"),
        (method.http.body == (method.http.verb in ("GET", "DELETE")), "mismatches verb and body"),
        (method.mutates and method.http.verb == "GET", "changes something by GET"),
        (method.mutates != (REQUEST_ID in fields), "mismatches mutation and request_id"),
        (patch is None and UPDATE_MASK in fields, "has an update_mask but is no PATCH"),
        (patch is None and _masked(method), "holds a field mask that nothing can fill"),
    ]
    for wrong, what in faults:
        if wrong:
            raise ContractError(f"{method.path} {what}")


def _masked(method: Method) -> bool:
    return any(f.kind is Kind.MASK for f in plan(method.input).values())


_NO_BODY = FieldViolation("", "no_body", "the call takes no body")
_QUERY = FieldViolation("", "encoding", "the query is not percent-encoded UTF-8")
