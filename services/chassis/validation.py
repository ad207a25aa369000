# SPDX-License-Identifier: Apache-2.0
"""A request against the forms its contract declares: required, length, pattern, range."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from qupia.contract.v1 import contract_pb2
from services.chassis.contract import (
    fields_of,
    is_map,
    is_output_only,
    is_required,
    max_items,
    text_rule,
    unknown_reason,
)
from services.chassis.refusal import FieldViolation, InvalidArgument

_Form = contract_pb2.TextRule
PATTERNS: dict[int, str] = {
    _Form.SUBJECT_ID: r"[0-9a-f]{32}",
    _Form.UUID: r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    _Form.ORDER_ID: r"[A-Za-z0-9._-]{1,64}",
    _Form.REQUEST_ID: r"[!-~]{1,128}",
    _Form.CODE: r"[A-Z0-9_]{1,64}",
    _Form.PAGE_TOKEN: r"[A-Za-z0-9_-]{1,512}",
    _Form.SHA256: r"[0-9a-f]{64}",
    _Form.LANGUAGE: r"kk|ru|en",
    _Form.DATE: r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    _Form.SITE_ID: r"[a-z0-9-]{1,32}",
    _Form.FIELD_NAME: r"[a-z][A-Za-z0-9]{0,39}(\.[a-z][A-Za-z0-9]{0,39})?",
    _Form.REFERENCE: r"[A-Za-z0-9._:/#-]{1,128}",
    _Form.CLAUSE: r"[A-Za-z0-9.:()/-]{1,32}",
}
_COMPILED = {form: re.compile(pattern) for form, pattern in PATTERNS.items()}
_DESCRIPTIONS = {
    _Form.SUBJECT_ID: "32 lowercase hexadecimal digits",
    _Form.UUID: "a UUID in lowercase",
    _Form.ORDER_ID: "1 to 64 of A-Z a-z 0-9 . _ -",
    _Form.REQUEST_ID: "1 to 128 visible ASCII characters",
    _Form.CODE: "1 to 64 of A-Z 0-9 _",
    _Form.PAGE_TOKEN: "a token of this list",
    _Form.SHA256: "64 lowercase hexadecimal digits",
    _Form.LANGUAGE: "kk, ru or en",
    _Form.DATE: "a date, YYYY-MM-DD",
    _Form.SITE_ID: "1 to 32 of a-z 0-9 -",
    _Form.FIELD_NAME: "the JSON name of a datum, such as address.postalCode",
    _Form.REFERENCE: "1 to 128 of A-Z a-z 0-9 . _ : / # -",
    _Form.CLAUSE: "a clause",
}
# 0001-01-01 to 9999-12-31 is what Timestamp holds; a century each way is what
# a privacy case needs, and keeps date arithmetic from overflowing.
_EARLIEST, _LATEST = -2_208_988_800, 4_102_444_800  # 1900 to 2100
_MAX_DEPTH = 16
# A key of a map.
MAP_KEY = r"[a-z][A-Za-z0-9]{0,39}"
_MAP_KEY = re.compile(MAP_KEY)


def validate(request: Message) -> None:
    """Raises InvalidArgument naming every field that breaks its form."""
    faults = list(_faults(request, "", 0))
    if faults:
        raise InvalidArgument(fields=faults)


def is_form(field: FieldDescriptor, value: str) -> bool:
    """Whether a text has the form of its field; never for free text."""
    pattern = _COMPILED.get(text_rule(field).form)
    return pattern is not None and pattern.fullmatch(value) is not None


def _faults(message: Message, prefix: str, depth: int) -> Iterator[FieldViolation]:
    if depth > _MAX_DEPTH:
        yield FieldViolation(prefix.rstrip("."), "depth", f"at most {_MAX_DEPTH} levels")
        return
    given = {field.number for field, _ in message.ListFields()}
    for field in fields_of(message):
        if _is_well(message, field, is_given=field.number in given):
            continue
        path = prefix + field.json_name
        if is_map(field):
            yield from _map_faults(field, getattr(message, field.name), path)
            continue
        if field.is_repeated:
            items = getattr(message, field.name)
            yield from _list_faults(field, items, path)
            for index, item in enumerate(items):
                yield from _value_faults(field, item, f"{path}[{index}]", depth)
            continue
        present = message.HasField(field.name) if field.has_presence else None
        value = getattr(message, field.name)
        if _absent(field, value, present):
            if is_required(field):
                yield FieldViolation(path, "required", "has to be given")
            continue
        if is_output_only(field):
            yield FieldViolation(path, "output_only", "is set by the service only")
            continue
        yield from _value_faults(field, value, path, depth)


def _is_well(message: Message, field: FieldDescriptor, *, is_given: bool) -> bool:
    """Whether it is absent and may be, or a text in its form, as nearly all there is."""
    if not is_given:
        return not is_required(field)
    pattern = _pattern(field)
    return pattern is not None and pattern.fullmatch(getattr(message, field.name)) is not None


@cache
def _pattern(field: FieldDescriptor) -> re.Pattern[str] | None:
    """What a text has to match, where nothing else is asked of it."""
    if field.type != FieldDescriptor.TYPE_STRING or field.is_repeated or is_output_only(field):
        return None
    form = text_rule(field).form
    return None if form == _Form.DATE else _COMPILED.get(form)


def _absent(field: FieldDescriptor, value: Any, present: bool | None) -> bool:
    if present is not None:
        return not present
    if field.enum_type is not None and unknown_reason(field) and is_required(field):
        # The handler says PURPOSE_UNKNOWN and records it; a missing one too.
        return False
    return not value


def _list_faults(field: FieldDescriptor, items: Any, path: str) -> Iterator[FieldViolation]:
    if not items:
        if is_required(field):
            yield FieldViolation(path, "required", "has to hold at least one item")
        return
    if is_output_only(field):
        yield FieldViolation(path, "output_only", "is set by the service only")
    most = max_items(field)
    if most and len(items) > most:
        yield FieldViolation(path, "max_items", f"at most {most} items")


def _map_faults(
    field: FieldDescriptor, values: Mapping[str, str], path: str
) -> Iterator[FieldViolation]:
    if len(values) > max_items(field):
        yield FieldViolation(path, "max_items", f"at most {max_items(field)} items")
        return
    for name in sorted(values):
        if not _MAP_KEY.fullmatch(name):
            # Anything may have slipped in the place of a name, personal data too.
            yield FieldViolation(f"{path}.?", "pattern", "the name of a datum")
        else:
            yield from _text_faults(field, values[name], f"{path}.{name}")


def _value_faults(
    field: FieldDescriptor, value: Any, path: str, depth: int
) -> Iterator[FieldViolation]:
    if field.message_type is not None:
        if field.message_type.full_name == "google.protobuf.Timestamp":
            yield from _time_faults(value, path)
        elif field.message_type.full_name != "google.protobuf.FieldMask":
            yield from _faults(value, path + ".", depth + 1)
    elif field.enum_type is not None:
        if value not in field.enum_type.values_by_number and not unknown_reason(field):
            yield FieldViolation(path, "enum", "is none of the known values")
    elif field.type == FieldDescriptor.TYPE_STRING:
        yield from _text_faults(field, value, path)
    elif field.type == FieldDescriptor.TYPE_BYTES:
        if len(value) > text_rule(field).max_length:
            yield FieldViolation(path, "max_length", "too many bytes")
    elif field.type == FieldDescriptor.TYPE_INT32 and value < 0:
        yield FieldViolation(path, "range", "not below zero")


def _text_faults(field: FieldDescriptor, value: str, path: str) -> Iterator[FieldViolation]:
    rule = text_rule(field)
    if rule.form == _Form.TEXT:
        if len(value) > rule.max_length:
            yield FieldViolation(path, "max_length", f"at most {rule.max_length} characters")
        if "\0" in value:
            yield FieldViolation(path, "text", "may not hold U+0000")
        return
    if not _COMPILED[rule.form].fullmatch(value):
        yield FieldViolation(path, "pattern", _DESCRIPTIONS[rule.form])
    elif rule.form == _Form.DATE and not _is_date(value):
        yield FieldViolation(path, "date", "is no day of the calendar")


def _time_faults(value: Any, path: str) -> Iterator[FieldViolation]:
    if not (_EARLIEST <= value.seconds < _LATEST and 0 <= value.nanos < 1_000_000_000):
        yield FieldViolation(path, "range", "a time between the years 1900 and 2100")


def _is_date(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True
