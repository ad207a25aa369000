# SPDX-License-Identifier: Apache-2.0
"""The walk of a JSON object against a message of the contract.

It fills the message and gathers what is wrong, each by its JSON path and a code. No value of the
caller enters a violation, and of the names only those that could be names of a field.
"""

import base64
import re
from collections.abc import Callable, Mapping, MutableMapping

from google.protobuf.message import Message

from gateway.instant import read_instant
from gateway.plan import FieldPlan, Kind, plan
from gateway.strict_json import Members
from services.chassis.refusal import FieldViolation

MAX_VIOLATIONS = 20
# Open enums carry a number that no contract will ever name; the service refuses it and records it.
NO_SUCH_VALUE = 2_147_483_647
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_INT32 = range(-(2**31), 2**31)
_DIGITS = re.compile(r"-?(?:0|[1-9]\d{0,9})", re.ASCII)

FAULTS: Mapping[str, str] = {
    "unknown_field": "the call has no such field",
    "duplicate": "the field is given twice",
    "output_only": "the field is set by the service only",
    "type": "the value is of another JSON type than the field",
    "null": "null is taken only in a merge patch; leave the field out",
    "text": "the text holds a character that is no text",
    "base64": "the text is not base64 (RFC 4648, with padding)",
    "time": "the text is not an RFC 3339 time",
    "range": "the number is out of range",
    "enum": "the field takes no such value",
    "exclusive": "another field of the same choice is given",
    "in_path": "the field is given by the path",
    "in_header": "the field is given by a header",
    "in_patch": "the field follows from the members that the patch holds",
    "empty": "the patch names no field",
    "form": "the value does not have the form that the call asks for",
}


class Fault(Exception):
    """A value that its field cannot hold; the code is one of FAULTS."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class Violations:
    """What is wrong with a request, in the order found; at most MAX_VIOLATIONS are kept."""

    def __init__(self) -> None:
        self.found: list[FieldViolation] = []

    def add(self, at: str, code: str) -> None:
        """Note that the field at the JSON path `at` breaks the rule `code`."""
        if len(self.found) < MAX_VIOLATIONS:
            self.found.append(FieldViolation(at, code, FAULTS[code]))


def shown(name: str) -> str:
    """The name as an error may repeat it: `?` unless it could be the name of a field."""
    return name if _NAME.fullmatch(name) else "?"


class Walk:
    """Fills messages from JSON objects.

    With `patched`, called with the JSON path of each datum that a merge patch sets or clears,
    null clears; without it null is the same as leaving the member out, but for fields that tell
    absent from empty, where it is refused.
    """

    def __init__(
        self, violations: Violations, patched: Callable[[str], None] | None = None
    ) -> None:
        self._violations = violations
        self._patched = patched

    def fill(
        self, message: Message, members: Members, at: str, closed: Mapping[str, str] | None = None
    ) -> None:
        """Set the fields of `message`. `closed` refuses members, JSON name -> code."""
        fields = plan(message.DESCRIPTOR)
        seen: set[str] = set()
        choices: set[str] = set()
        for name, value in members.pairs:
            where = f"{at}.{shown(name)}" if at else shown(name)
            field = fields.get(name)
            code = _admission(name, field, seen, choices, closed or {})
            seen.add(name)
            if code is not None or field is None:
                self._violations.add(where, code or "unknown_field")
            else:
                self.set(message, field, value, where)

    def set(self, message: Message, field: FieldPlan, value: object, where: str) -> None:
        """Set one field of `message` from a JSON value, or note what is wrong with it."""
        try:
            if value is None:
                self._null(field, where)
            elif field.repeated:
                self._fill_list(message, field, value, where)
            elif field.kind is Kind.MESSAGE:
                self._fill_message(getattr(message, field.name), value, where)
            elif field.kind is Kind.MAP:
                self._fill_map(getattr(message, field.name), value, where)
            else:
                _put(message, field, _scalar(field, value))
                self._note(where)
        except Fault as fault:
            self._violations.add(where, fault.code)

    def _null(self, field: FieldPlan, where: str) -> None:
        if self._patched is None and field.explicit:
            raise Fault("null")
        self._note(where)

    def _note(self, where: str) -> None:
        if self._patched is not None:
            self._patched(where)

    def _fill_message(self, message: Message, value: object, where: str) -> None:
        if not isinstance(value, Members):
            raise Fault("type")
        if self._patched is None:
            message.SetInParent()
        self.fill(message, value, where)

    def _fill_map(self, target: MutableMapping[str, str], value: object, where: str) -> None:
        """Texts by their names; the service knows the names, in a patch null clears one."""
        if not isinstance(value, Members):
            raise Fault("type")
        seen: set[str] = set()
        for name, text in value.pairs:
            place = f"{where}.{shown(name)}"
            try:
                self._put_named(target, name, text, first=name not in seen)
                self._note(place)
            except Fault as fault:
                self._violations.add(place, fault.code)
            seen.add(name)

    def _put_named(
        self, target: MutableMapping[str, str], name: str, text: object, first: bool
    ) -> None:
        if not first:
            raise Fault("duplicate")
        if shown(name) != name:
            raise Fault("unknown_field")
        if text is None and self._patched is None:
            raise Fault("null")
        if text is not None:
            target[name] = _text(text)

    def _fill_list(self, message: Message, field: FieldPlan, value: object, where: str) -> None:
        if not isinstance(value, list):
            raise Fault("type")
        target = getattr(message, field.name)
        items = Walk(self._violations)
        for index, item in enumerate(value):
            place = f"{where}[{index}]"
            if field.kind is Kind.MESSAGE and isinstance(item, Members):
                items.fill(target.add(), item, place)
                continue
            try:
                target.append(_scalar(field, item))
            except Fault as fault:
                self._violations.add(place, fault.code)
        self._note(where)


def _admission(
    name: str,
    field: FieldPlan | None,
    seen: set[str],
    choices: set[str],
    closed: Mapping[str, str],
) -> str | None:
    if name in closed:
        return closed[name]
    if field is None:
        return "unknown_field"
    if name in seen:
        return "duplicate"
    if field.output_only:
        return "output_only"
    if field.choice is not None:
        if field.choice in choices:
            return "exclusive"
        choices.add(field.choice)
    return None


def _put(message: Message, field: FieldPlan, value: object) -> None:
    if field.kind is Kind.TIME:
        getattr(message, field.name).CopyFrom(value)
    else:
        setattr(message, field.name, value)


def _scalar(field: FieldPlan, value: object) -> object:
    """The Python value of a JSON value. Raises Fault."""
    if field.kind is Kind.INTEGER:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Fault("range" if isinstance(value, float) else "type")
        if value not in _INT32:
            raise Fault("range")
        return value
    if field.kind is Kind.BOOLEAN:
        if not isinstance(value, bool):
            raise Fault("type")
        return value
    if not isinstance(value, str) or field.kind in (Kind.MESSAGE, Kind.MASK):
        raise Fault("type")
    return _of_text(field, value)


def _of_text(field: FieldPlan, value: str) -> object:
    if field.kind is Kind.NAME:
        number = field.names.get(value)
        if number is None and not field.lenient:
            raise Fault("enum")
        return NO_SUCH_VALUE if number is None else number
    if field.kind is Kind.TIME:
        try:
            return read_instant(value)
        except ValueError:
            raise Fault("time") from None
    if field.kind is Kind.BYTES:
        try:
            return base64.b64decode(value, validate=True)
        except ValueError:
            raise Fault("base64") from None
    return _text(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Fault("type")
    if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
        raise Fault("text")
    return value


def from_url(field: FieldPlan, text: str) -> object:
    """The JSON value that a part of the URL stands for. Raises Fault."""
    if field.kind is Kind.INTEGER:
        if not _DIGITS.fullmatch(text):
            raise Fault("type")
        return int(text)
    if field.kind is Kind.BOOLEAN:
        if text not in ("true", "false"):
            raise Fault("type")
        return text == "true"
    return text
