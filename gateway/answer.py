# SPDX-License-Identifier: Apache-2.0
"""From the response message of an RPC to the HTTP answer.

Numbers, booleans and lists always stand in the JSON; a text, a name, a time or an object only
where the service set it.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from google.api import httpbody_pb2
from google.protobuf.message import Message

from gateway.instant import write_instant
from gateway.plan import FieldPlan, Kind, plan
from services.chassis.contract import ContractError, Method

JSON_TYPE = "application/json"
_ALWAYS = (Kind.INTEGER, Kind.BOOLEAN)
_VARIABLE = re.compile(r"\{([a-z_]+)\}")
_PENDING = "PENDING"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: status, headers by name, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def is_always_there(field: FieldPlan) -> bool:
    """Whether the field stands in every answer of its message."""
    return field.repeated or (field.kind in _ALWAYS and not field.explicit and not field.choice)


def to_json(message: Message) -> dict[str, Any]:
    """The message as a JSON object, in the order of the contract."""
    result: dict[str, Any] = {}
    for json_name, field in plan(message.DESCRIPTOR).items():
        value = getattr(message, field.name)
        if field.kind is Kind.MAP:
            if value:
                result[json_name] = dict(sorted(value.items()))
        elif field.repeated:
            result[json_name] = [_json_value(field, item) for item in value]
        elif is_always_there(field) or _is_set(message, field, value):
            result[json_name] = _json_value(field, value)
    return result


def encode(document: object) -> bytes:
    """JSON in UTF-8, letters as they are, without blanks."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _is_set(message: Message, field: FieldPlan, value: object) -> bool:
    return message.HasField(field.name) if field.field.has_presence else bool(value)


def _json_value(field: FieldPlan, value: Any) -> Any:
    if field.kind is Kind.MESSAGE:
        return to_json(value)
    if field.kind is Kind.TIME:
        return write_instant(value)
    if field.kind is Kind.NAME:
        # A newer service may know a value that this gateway does not; its number stands for it.
        return field.labels.get(value, value)
    if field.kind is Kind.BYTES:
        return base64.b64encode(value).decode()
    if field.kind is Kind.MASK:
        return ",".join(value.paths)
    return value


class Presenter:
    """Makes the answers of one RPC. Raises ContractError for an act without a place to poll."""

    def __init__(self, method: Method) -> None:
        self._location = method.act_location
        self._media_type = method.media_type
        self._file_name = _file_name(method)
        described = {} if method.media_type else plan(method.output)
        fields = {f.name: f for f in described.values()}
        enforcement = fields.get("enforcement")
        self._pending = enforcement.names.get(_PENDING) if enforcement else None
        if (self._pending is None) != (self._location is None):
            raise ContractError(f"{method.path} lacks one of enforcement and act_location")
        unknown = set(_VARIABLE.findall(self._location or "")) - set(fields)
        if unknown:
            raise ContractError(f"{method.path} polls by a field that its response lacks")
        version = fields.get("version")
        self._version = version if version and version.kind is Kind.INTEGER else None

    def answer(self, response: Message) -> Answer:
        """200, or 202 with Location while the act is not in force; ETag where data have one.

        Raises ContractError for a file of another type than the contract's.
        """
        if isinstance(response, httpbody_pb2.HttpBody):
            return self._file(response)
        headers = {"content-type": JSON_TYPE}
        status = 200
        if self._location and getattr(response, "enforcement", 0) == self._pending:
            status = 202
            headers["location"] = _VARIABLE.sub(
                lambda m: quote(str(getattr(response, m[1])), safe=""), self._location
            )
        tag = self._tag(response)
        if tag is not None:
            headers["etag"] = tag
        return Answer(status, headers, encode(to_json(response)))

    def _file(self, response: httpbody_pb2.HttpBody) -> Answer:
        if self._media_type is None or response.content_type != self._media_type:
            raise ContractError(f"a file of type {response.content_type} is not in the contract")
        # Saved, never shown within a page of ours.
        disposition = f'attachment; filename="{self._file_name}"'
        headers = {"content-type": self._media_type, "content-disposition": disposition}
        return Answer(200, headers, response.data)

    def _tag(self, response: Message) -> str | None:
        field = self._version
        if field is None or (field.explicit and not response.HasField(field.name)):
            return None
        return f'"{getattr(response, field.name)}"'


def _file_name(method: Method) -> str:
    """What a file is saved as: GetAnswer and application/pdf make answer.pdf. It names nobody."""
    words = re.findall("[A-Z][a-z]+", method.name)
    noun = "-".join(words[1:] or words).lower()
    kind = (method.media_type or "").rpartition("/")[2]
    return f"{noun}.{kind.rpartition('+')[2]}"
