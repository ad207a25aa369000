# SPDX-License-Identifier: Apache-2.0
"""The contract as a table: every RPC with the rule its `.proto` declares.

Loaded once at start. An RPC, a text field or a refusal reason without its
option raises :class:`ContractError`, so that a process with a hole in its
contract never serves.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import cast

from google.api import annotations_pb2, field_behavior_pb2, httpbody_pb2
from google.protobuf import descriptor_pb2, message, message_factory
from google.protobuf.descriptor import (
    Descriptor,
    FieldDescriptor,
    FileDescriptor,
    MethodDescriptor,
)

import qupia
from qupia.contract.v1 import contract_pb2, signing_pb2
from qupia.subject.v1 import subject_pb2

DEFAULT_MAX_REQUEST_BYTES = 262_144
LARGEST_REQUEST_BYTES = 4 * 1024 * 1024
LARGEST_RESPONSE_BYTES = 16 * 1024 * 1024
"""What a process takes from the wire at all; a call's own limit is `max_request_bytes`."""
PROCESSES = ("consent", "vault", "disclosure", "claims")


def _files_of(process: str) -> tuple[FileDescriptor, ...]:
    """The generated files of a process's package, in the order of their names."""
    package = f"qupia.{process}.v1"
    folders = [f"{folder}/{process}/v1" for folder in qupia.__path__]
    names = sorted(m.name for m in pkgutil.iter_modules(folders) if m.name.endswith("_pb2"))
    return tuple(import_module(f"{package}.{name}").DESCRIPTOR for name in names)


SERVICE_FILES: Mapping[str, tuple[FileDescriptor, ...]] = MappingProxyType(
    {process: _files_of(process) for process in PROCESSES}
)
SHARED_FILES: tuple[FileDescriptor, ...] = (
    contract_pb2.DESCRIPTOR,
    signing_pb2.DESCRIPTOR,
    subject_pb2.DESCRIPTOR,
)

FILE = httpbody_pb2.HttpBody.DESCRIPTOR.full_name
"""The response of an RPC that answers with a file."""

_EVIDENCE = re.compile(r"none|[a-z][a-z_]*\.[a-z][a-z_]*")
_CLAUSE = re.compile(r"\d+(\.\d+){0,2}|law:[0-9a-z()./-]+|design")
_TEXT_TYPES = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)
_TEXT, _OPAQUE = contract_pb2.TextRule.TEXT, contract_pb2.TextRule.OPAQUE


class ContractError(Exception):
    """The contract has a hole; the process must not start."""


@dataclass(frozen=True, slots=True)
class Route:
    """An HTTP route: the verb, the path template, whether there is a body."""

    verb: str
    path: str
    body: bool


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC and its rule. `roles` is None unless the access is by role."""

    path: str
    process: str
    service: str
    name: str
    input: Descriptor
    output: Descriptor
    input_class: type[message.Message]
    output_class: type[message.Message]
    http: Route | None
    peers: frozenset[str]
    roles: frozenset[str] | None
    any_caller: bool
    peer_itself: bool
    anyone: bool
    evidence: str
    clauses: tuple[str, ...]
    verb: str
    mutates: bool
    critical: bool
    max_request_bytes: int
    act_location: str | None
    veil: str | None
    media_type: str | None
    retryable: bool


@dataclass(frozen=True, slots=True)
class ReasonRule:
    """How a refusal reason appears: gRPC and HTTP status, clause, titles."""

    reason: str
    grpc_status: int
    http_status: int
    clause: str
    titles: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Contract:
    """All RPCs by their gRPC path, such as ``/qupia.vault.v1.VaultService/ReadData``."""

    methods: Mapping[str, Method]

    def of_process(self, process: str) -> tuple[Method, ...]:
        """The RPCs that `process` serves."""
        return tuple(m for m in self.methods.values() if m.process == process)


@cache
def load_contract() -> Contract:
    """Read and check every service file. Raises ContractError."""
    methods: dict[str, Method] = {}
    for process, files in SERVICE_FILES.items():
        for service in (s for file in files for s in file.services_by_name.values()):
            for descriptor in service.methods:
                method = _method(process, descriptor)
                methods[method.path] = method
    for each in all_messages():
        _check_message(each)
    for method in methods.values():
        _check_request(method.input)
    reasons()
    return Contract(MappingProxyType(methods))


def all_messages() -> Iterator[Descriptor]:
    """Every message of the contract, nested ones included."""
    for file in (*(f for files in SERVICE_FILES.values() for f in files), *SHARED_FILES):
        for descriptor in file.message_types_by_name.values():
            yield from _with_nested(descriptor)


def _with_nested(descriptor: Descriptor) -> Iterator[Descriptor]:
    yield descriptor
    for nested in descriptor.nested_types:
        if not nested.GetOptions().map_entry:
            yield from _with_nested(nested)


@cache
def reasons() -> Mapping[str, ReasonRule]:
    """Every refusal reason by its name. Raises ContractError."""
    table: dict[str, ReasonRule] = {}
    for value in contract_pb2.Refusal.Reason.DESCRIPTOR.values:
        if value.number == 0:
            continue
        options = value.GetOptions()
        if not options.HasExtension(contract_pb2.reason):
            raise ContractError(f"reason {value.name} has no (reason) option")
        rule = options.Extensions[contract_pb2.reason]
        titles = {"kk": rule.title_kk, "ru": rule.title_ru, "en": rule.title_en}
        if not (rule.grpc_status and rule.http_status and all(titles.values())):
            raise ContractError(f"reason {value.name} lacks a status or a title")
        table[value.name] = ReasonRule(
            value.name, rule.grpc_status, rule.http_status, rule.clause, titles
        )
    return MappingProxyType(table)


def reason_rule(reason: str) -> ReasonRule:
    """The rule of a reason. Raises KeyError for a name that is not in the contract."""
    return reasons()[reason]


def fields_of(message: message.Message) -> list[FieldDescriptor]:
    """The fields of a message, in the order of their numbers."""
    return _fields(message.DESCRIPTOR)


@cache
def _fields(descriptor: Descriptor) -> list[FieldDescriptor]:
    # What the contract says of a field is read once: every call asks for it.
    return cast("list[FieldDescriptor]", list(descriptor.fields))


@cache
def text_rule(field: FieldDescriptor) -> contract_pb2.TextRule:
    """The form of a string or bytes field; an empty rule where it has none."""
    return field.GetOptions().Extensions[contract_pb2.text]


def is_personal(field: FieldDescriptor) -> bool:
    """Whether a text field holds personal data."""
    return text_rule(field).personal


@cache
def max_items(field: FieldDescriptor) -> int:
    """The most items a repeated field may hold; 0 where the contract names none."""
    return field.GetOptions().Extensions[contract_pb2.max_items]


@cache
def unknown_reason(field: FieldDescriptor) -> str | None:
    """The reason the handler itself gives for an unknown enum value, if it does."""
    options = field.GetOptions()
    if not options.HasExtension(contract_pb2.unknown_reason):
        return None
    return contract_pb2.Refusal.Reason.Name(options.Extensions[contract_pb2.unknown_reason])


@cache
def is_map(field: FieldDescriptor) -> bool:
    """Whether the field holds texts by their names: map<string, string>, no other map is known."""
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


@cache
def is_required(field: FieldDescriptor) -> bool:
    """Whether the field carries field_behavior REQUIRED."""
    return _behaves(field, field_behavior_pb2.REQUIRED)


@cache
def is_output_only(field: FieldDescriptor) -> bool:
    """Whether the field carries field_behavior OUTPUT_ONLY."""
    return _behaves(field, field_behavior_pb2.OUTPUT_ONLY)


@cache
def is_input_only(field: FieldDescriptor) -> bool:
    """Whether the field carries field_behavior INPUT_ONLY: no answer holds it."""
    return _behaves(field, field_behavior_pb2.INPUT_ONLY)


def _behaves(field: FieldDescriptor, behavior: int) -> bool:
    return behavior in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]


def _method(process: str, descriptor: MethodDescriptor) -> Method:
    service = descriptor.containing_service
    path = f"/{service.full_name}/{descriptor.name}"
    options = descriptor.GetOptions()
    if not options.HasExtension(contract_pb2.rule):
        raise ContractError(f"{path} has no (qupia.contract.v1.rule) option")
    if descriptor.client_streaming or descriptor.server_streaming:
        raise ContractError(f"{path} streams; the contract knows only single messages")
    rule = options.Extensions[contract_pb2.rule]
    _check_rule(path, rule, descriptor)
    access = rule.WhichOneof("access")
    veil = contract_pb2.Refusal.Reason.Name(rule.veil) if rule.veil else None
    level = options.idempotency_level
    return Method(
        path=path,
        process=process,
        service=service.full_name,
        name=descriptor.name,
        input=descriptor.input_type,
        output=descriptor.output_type,
        input_class=message_factory.GetMessageClass(descriptor.input_type),
        output_class=message_factory.GetMessageClass(descriptor.output_type),
        http=_route(path, options),
        peers=frozenset(contract_pb2.Peer.Process.Name(p).lower() for p in rule.peers),
        roles=(
            frozenset(contract_pb2.Caller.Role.Name(r) for r in rule.callers.roles)
            if access == "callers"
            else None
        ),
        any_caller=access == "any_caller",
        peer_itself=access == "peer_itself",
        anyone=access == "anyone",
        evidence=rule.evidence,
        clauses=tuple(rule.clauses),
        verb=contract_pb2.Processing.Verb.Name(rule.verb),
        mutates=rule.mutates,
        critical=rule.critical,
        max_request_bytes=rule.max_request_bytes or DEFAULT_MAX_REQUEST_BYTES,
        act_location=rule.act_location or None,
        veil=veil,
        media_type=rule.media_type or None,
        retryable=rule.mutates or level != descriptor_pb2.MethodOptions.IDEMPOTENCY_UNKNOWN,
    )


def _check_rule(path: str, rule: contract_pb2.MethodRule, descriptor: MethodDescriptor) -> None:
    access = rule.WhichOneof("access")
    faults = [
        (not rule.peers or 0 in rule.peers, "names no peer"),
        (access is None, "says nothing of who may call"),
        (access == "callers" and not rule.callers.roles, "names no role"),
        (
            access in ("any_caller", "peer_itself", "anyone") and not getattr(rule, access),
            "denies its access",
        ),
        (not _EVIDENCE.fullmatch(rule.evidence), "has no evidence name <noun>.<past tense>"),
        (not rule.clauses, "names no clause"),
        (any(not _CLAUSE.fullmatch(c) for c in rule.clauses), "names a clause of no known form"),
        (rule.verb == 0, "names no verb of clause 1.1.3"),
        (rule.mutates and rule.evidence == "none", "mutates without evidence"),
        (
            bool(rule.media_type) != (descriptor.output_type.full_name == FILE),
            "mismatches media_type and a response that is a file",
        ),
        (
            descriptor.output_type.full_name != FILE
            and descriptor.output_type.name != f"{descriptor.name}Response",
            "has a response that is not named after it",
        ),
        (
            rule.mutates and "request_id" not in descriptor.input_type.fields_by_name,
            "mutates but its request has no request_id",
        ),
    ]
    for wrong, what in faults:
        if wrong:
            raise ContractError(f"{path} {what}")


def _route(path: str, options: descriptor_pb2.MethodOptions) -> Route | None:
    if not options.HasExtension(annotations_pb2.http):
        return None
    http = options.Extensions[annotations_pb2.http]
    verb = http.WhichOneof("pattern")
    if verb in (None, "custom") or http.additional_bindings or http.response_body:
        raise ContractError(f"{path} has an HTTP rule outside our dialect")
    if http.body not in ("", "*"):
        raise ContractError(f"{path} binds its body to a field; use body '*'")
    return Route(str(verb).upper(), getattr(http, str(verb)), http.body == "*")


def _check_message(descriptor: Descriptor) -> None:
    for field in descriptor.fields:
        name = f"{descriptor.full_name}.{field.name}"
        if is_map(field):
            _check_map(name, field)
        elif field.type not in _TEXT_TYPES:
            continue
        rule = text_rule(field)
        free = rule.form in (_TEXT, _OPAQUE)
        if rule.form == 0 and descriptor.file.name != "qupia/contract/v1/contract.proto":
            raise ContractError(f"{name} has no (text) option")
        if rule.form == _TEXT and not rule.HasField("personal"):
            raise ContractError(f"{name} does not say whether it is personal")
        if free and not rule.max_length:
            raise ContractError(f"{name} has no max_length")


def _check_map(name: str, field: FieldDescriptor) -> None:
    assert field.message_type is not None
    kinds = [field.message_type.fields_by_name[part].type for part in ("key", "value")]
    if kinds != [FieldDescriptor.TYPE_STRING] * 2 or text_rule(field).form != _TEXT:
        raise ContractError(f"{name} is a map of other than texts; the contract knows no other")


def _check_request(descriptor: Descriptor, seen: frozenset[str] = frozenset()) -> None:
    if descriptor.full_name in seen or descriptor.file.package.startswith("google."):
        return
    for field in descriptor.fields:
        if field.is_repeated and not is_output_only(field) and not max_items(field):
            raise ContractError(f"{descriptor.full_name}.{field.name} has no max_items")
        if field.type == FieldDescriptor.TYPE_STRING and text_rule(field).form == _OPAQUE:
            raise ContractError(f"{descriptor.full_name}.{field.name} is an opaque text: use bytes")
        if field.message_type is not None and not is_map(field):
            _check_request(field.message_type, seen | {descriptor.full_name})
