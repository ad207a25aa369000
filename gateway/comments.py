# SPDX-License-Identifier: Apache-2.0
"""The comments of the contract: its prose, for the reference pages and for problems.

Generated modules carry no comments; the descriptor set that the build writes beside them does.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from google.protobuf.message import DecodeError

from qupia.contract.v1 import contract_pb2
from services.chassis.contract import ContractError

_Path = tuple[int, ...]
_Named = Iterator[tuple[_Path, str]]
# Field numbers in descriptor.proto, from which source positions are made.
_FILE_MESSAGE, _FILE_ENUM, _FILE_SERVICE = 4, 5, 6
_MESSAGE_FIELD, _MESSAGE_NESTED, _MESSAGE_ENUM = 2, 3, 4
_ENUM_VALUE, _SERVICE_METHOD = 2, 2


def default_path() -> Path:
    """Where the build writes the descriptor set."""
    return Path(contract_pb2.__file__).parents[2] / "descriptors.binpb"


def read_comments(path: Path) -> Mapping[str, str]:
    """The comments of our contract by the full name of what they stand above, in one line each.

    Raises ContractError where the file is missing or damaged.
    """
    try:
        files = FileDescriptorSet.FromString(path.read_bytes()).file
    except OSError as error:
        raise ContractError(f"cannot read {path}: {error.strerror}; run `make proto`") from None
    except DecodeError:
        raise ContractError(f"{path} is damaged; run `make proto`") from None
    comments: dict[str, str] = {}
    for file in files:
        if file.package.startswith("qupia."):
            comments.update(_file_comments(file))
    if not comments:
        raise ContractError(f"{path} holds no comments; run `make proto`")
    return MappingProxyType(comments)


def _file_comments(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    names = dict(_file_names(file))
    for location in file.source_code_info.location:
        name = names.get(tuple(location.path))
        text = re.sub(r"\s+", " ", location.leading_comments).strip()
        if name and text:
            yield name, text


def _file_names(file: FileDescriptorProto) -> _Named:
    for i, message in enumerate(file.message_type):
        yield from _message_names(message, (_FILE_MESSAGE, i), file.package)
    yield from _enum_names(file.enum_type, (_FILE_ENUM,), file.package)
    for i, service in enumerate(file.service):
        name = f"{file.package}.{service.name}"
        yield (_FILE_SERVICE, i), name
        for j, method in enumerate(service.method):
            yield (_FILE_SERVICE, i, _SERVICE_METHOD, j), f"{name}.{method.name}"


def _message_names(message: DescriptorProto, path: _Path, scope: str) -> _Named:
    name = f"{scope}.{message.name}"
    yield path, name
    for i, field in enumerate(message.field):
        yield (*path, _MESSAGE_FIELD, i), f"{name}.{field.name}"
    for i, nested in enumerate(message.nested_type):
        yield from _message_names(nested, (*path, _MESSAGE_NESTED, i), name)
    yield from _enum_names(message.enum_type, (*path, _MESSAGE_ENUM), name)


def _enum_names(enums: Sequence[EnumDescriptorProto], path: _Path, scope: str) -> _Named:
    for i, enum in enumerate(enums):
        name = f"{scope}.{enum.name}"
        yield (*path, i), name
        for j, value in enumerate(enum.value):
            # Below the enum, not beside it: two enums of a scope may name equal values.
            yield (*path, i, _ENUM_VALUE, j), f"{name}.{value.name}"


def explanations(comments: Mapping[str, str]) -> Mapping[str, str]:
    """What every refusal reason means. Raises ContractError for one without a comment."""
    enum = contract_pb2.Refusal.Reason.DESCRIPTOR
    found: dict[str, str] = {}
    for value in enum.values:
        if value.number:
            text = comments.get(f"{enum.full_name}.{value.name}")
            if text is None:
                raise ContractError(f"the reason {value.name} has no comment")
            found[value.name] = text
    return MappingProxyType(found)
