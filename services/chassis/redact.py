# SPDX-License-Identifier: Apache-2.0
"""Messages without their personal data, by the contract's own mark.

Python's protobuf prints every field, ``debug_redact`` or not. Here only what
the contract declares plain is kept: numbers, booleans, enums, times, and text
fields that are not personal. An unknown field is not kept either.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from qupia.contract.v1 import contract_pb2
from services.chassis.contract import text_rule

REDACTED = "***"
_TEXT = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)


def redact(message: Message) -> dict[str, Any]:
    """The set fields of a message by their JSON names, personal text as ``***``."""
    return {field.json_name: _value(field, value) for field, value in message.ListFields()}


def _value(field: FieldDescriptor, value: Any) -> Any:
    if field.is_repeated:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            return REDACTED
        return [_single(field, item) for item in value]
    return _single(field, value)


def _single(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is not None:
        if field.message_type.full_name == "google.protobuf.Timestamp":
            return _time(value)
        return redact(value)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else value
    if field.type in _TEXT and not _plain(field):
        return REDACTED
    return value


def _time(value: Timestamp) -> str:
    try:
        return str(value.ToJsonString())
    except ValueError:
        return REDACTED


def _plain(field: FieldDescriptor) -> bool:
    rule = text_rule(field)
    if rule.form in (0, contract_pb2.TextRule.OPAQUE):
        return False
    return not rule.personal
