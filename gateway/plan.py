# SPDX-License-Identifier: Apache-2.0
"""How the fields of a message look in JSON: the small dialect that the gateway speaks.

A kind of field that the dialect lacks raises ContractError, at start, never at a request.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from types import MappingProxyType

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from services.chassis.contract import (
    ContractError,
    is_map,
    is_output_only,
    is_personal,
    is_required,
    unknown_reason,
)

TIMESTAMP = "google.protobuf.Timestamp"
FIELD_MASK = "google.protobuf.FieldMask"
REQUEST_ID = "request_id"
UPDATE_MASK = "update_mask"
IF_VERSION = "if_version"


class Kind(Enum):
    """What stands in the JSON for a field."""

    TEXT = auto()
    BYTES = auto()  # in base64
    INTEGER = auto()
    BOOLEAN = auto()
    NAME = auto()  # of an enum value
    TIME = auto()
    MESSAGE = auto()
    MASK = auto()
    MAP = auto()  # texts by their names


_SCALARS = {
    FieldDescriptor.TYPE_STRING: Kind.TEXT,
    FieldDescriptor.TYPE_BYTES: Kind.BYTES,
    FieldDescriptor.TYPE_INT32: Kind.INTEGER,
    FieldDescriptor.TYPE_BOOL: Kind.BOOLEAN,
    FieldDescriptor.TYPE_ENUM: Kind.NAME,
}


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """One field of a message.

    `explicit` fields tell absent from empty, so that a null in them could be read as "clear".
    `names` are the values an enum field takes, without the zero value; with `lenient` the service
    itself refuses, and records, a name that is not among them.
    """

    name: str
    json_name: str
    kind: Kind
    repeated: bool
    explicit: bool
    output_only: bool
    required: bool
    personal: bool
    choice: str | None
    names: Mapping[str, int]
    labels: Mapping[int, str]
    lenient: bool
    message: Descriptor | None
    field: FieldDescriptor


@cache
def plan(descriptor: Descriptor) -> Mapping[str, FieldPlan]:
    """The fields of a message by their JSON names, in the order of the contract.

    Raises ContractError for a field outside the dialect.
    """
    return MappingProxyType({f.json_name: _field_plan(f) for f in descriptor.fields})


def check_message(descriptor: Descriptor, above: tuple[str, ...] = ()) -> None:
    """Raises ContractError for a message that the dialect cannot carry, or that holds itself."""
    if descriptor.full_name in above:
        raise ContractError(f"{descriptor.full_name} holds itself: JSON of any depth")
    for each in plan(descriptor).values():
        if each.kind is Kind.MESSAGE and each.message is not None:
            check_message(each.message, (*above, descriptor.full_name))


def _field_plan(field: FieldDescriptor) -> FieldPlan:
    choice = field.containing_oneof
    real = choice is not None and len(choice.fields) > 1
    values = field.enum_type.values if field.enum_type is not None else []
    return FieldPlan(
        name=field.name,
        json_name=str(field.json_name),
        kind=_kind(field),
        repeated=field.is_repeated and not is_map(field),
        explicit=choice is not None and not real,
        output_only=is_output_only(field),
        required=is_required(field),
        personal=is_personal(field),
        choice=choice.name if choice is not None and real else None,
        names=MappingProxyType({v.name: v.number for v in values if v.number}),
        labels=MappingProxyType({v.number: v.name for v in values}),
        lenient=unknown_reason(field) is not None,
        message=field.message_type,
        field=field,
    )


def _kind(field: FieldDescriptor) -> Kind:
    message = field.message_type
    if is_map(field):
        kind: Kind | None = Kind.MAP
    elif message is None:
        kind = _SCALARS.get(field.type)
    elif message.full_name == TIMESTAMP:
        kind = Kind.TIME
    elif message.full_name == FIELD_MASK:
        kind = Kind.MASK
    elif message.full_name.startswith("google."):
        kind = None
    else:
        kind = Kind.MESSAGE
    if kind is None:
        raise ContractError(f"{field.full_name} has a type that the gateway does not carry")
    return kind
