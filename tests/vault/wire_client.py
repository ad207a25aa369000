# SPDX-License-Identifier: Apache-2.0
"""Calls over the wire, written against the contract alone: the suite's own client has no part."""

import secrets
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import grpc
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from qupia.contract.v1 import contract_pb2
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import (
    authority_pb2,
    blocking_pb2,
    destruction_pb2,
    documents_pb2,
    fields_pb2,
    pushes_pb2,
    search_pb2,
    storing_pb2,
    templates_pb2,
    vault_pb2,
)

M = TypeVar("M", bound=Message)
_PACKAGE = "qupia.vault.v1"
_SERVICES = (
    "Vault",
    "VaultDecider",
    "VaultConsent",
    "VaultClaims",
    "VaultClaimsPush",
    "VaultConsentPush",
    "VaultOrderPush",
    "VaultDisclosure",
    "VaultDocument",
    "VaultDocuments",
    "VaultSearch",
    "VaultTemplate",
    "VaultRecord",
    "VaultDestruction",
    "VaultField",
    "VaultBlocking",
    "VaultAuthority",
)
# Imported for their services.
_FILES = (
    authority_pb2,
    blocking_pb2,
    destruction_pb2,
    documents_pb2,
    fields_pb2,
    pushes_pb2,
    search_pb2,
    storing_pb2,
    templates_pb2,
)
assert {f.DESCRIPTOR.package for f in _FILES} == {_PACKAGE}
SECONDS = 10.0


@dataclass(eq=False)
class Refused(Exception):
    """What a refusal looks like from outside. `details` are all its bytes but the reference."""

    code: grpc.StatusCode
    reason: str
    clause: str
    reference: str
    fields: tuple[tuple[str, str], ...]
    details: bytes = field(repr=False)


def refused(error: grpc.RpcError) -> Refused:
    """The refusal in an error. Raises AssertionError for an error that is none of the contract."""
    call = cast("grpc.Call", error)
    status = rpc_status.from_call(call)
    assert status is not None, f"no typed refusal: {call.code()}"
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
    assert info.domain == "qupia"
    reference = info.metadata["ref"]
    wiped = status.SerializeToString().replace(reference.encode(), b"")
    fields = tuple((v.field, v.reason) for v in bad.field_violations)
    clause = info.metadata["clause"]
    assert call.details() == info.reason
    return Refused(call.code(), info.reason, clause, reference, fields, wiped)


@dataclass
class DeciderLife:
    """What a decider knows of its own and the vault's life."""

    incarnation: int = 0
    vault_incarnation: str = ""


class Caller:
    """A process's channel to the vault, and the calls that the tests make of it."""

    def __init__(self, process: str, channel: grpc.Channel, life: DeciderLife) -> None:
        self.process = process
        self.channel = channel
        self.life = life
        self._calls: dict[str, Any] = {}
        for short in _SERVICES:
            service = Default().FindServiceByName(f"{_PACKAGE}.{short}Service")
            for method in service.methods:
                self._calls[method.name] = channel.unary_unary(
                    f"/{service.full_name}/{method.name}",
                    request_serializer=lambda message: message.SerializeToString(),
                    response_deserializer=GetMessageClass(method.output_type).FromString,
                )

    def call(
        self,
        request: Message,
        metadata: tuple[tuple[str, str | bytes], ...] = (),
        seconds: float | None = SECONDS,
    ) -> Any:
        """Call the RPC of a request. Raises Refused."""
        rpc = type(request).__name__.removesuffix("Request")
        try:
            return self._calls[rpc](request, timeout=seconds, metadata=metadata)
        except grpc.RpcError as error:
            raise refused(error) from None

    def resync(self) -> None:
        """Open an incarnation and say that everything was pushed."""
        self.open_incarnation()
        assert self.complete().counts

    def open_incarnation(self) -> None:
        """Begin a new life of this decider."""
        opened = self.call(
            vault_pb2.OpenIncarnationRequest(known_incarnation=self.life.incarnation)
        )
        self.life.incarnation = opened.incarnation
        self.life.vault_incarnation = opened.vault_incarnation

    def complete(self) -> vault_pb2.CompleteResyncResponse:
        """Say that everything was pushed."""
        request = vault_pb2.CompleteResyncRequest(
            incarnation=self.life.incarnation,
            vault_incarnation=self.life.vault_incarnation,
        )
        return cast("vault_pb2.CompleteResyncResponse", self.call(request))


@dataclass(frozen=True)
class Storefront:
    """A storefront's API key, as the gateway forwards it."""

    gateway: Caller
    site: str = "demo"
    name: str = "shop"
    purposes: tuple[str, ...] = ()

    @property
    def metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """What the gateway says of the key."""
        principal = contract_pb2.Principal(
            principal_id=self.name,
            site_id=self.site,
            role=contract_pb2.Caller.STOREFRONT,
            purposes=self.purposes,
        )
        return (("qupia-principal-bin", principal.SerializeToString()),)

    def call(self, request: Message, seconds: float | None = SECONDS) -> Any:
        """Any call of the storefront. Raises Refused."""
        return self.gateway.call(request, self.metadata, seconds)

    def store(
        self, subject_id: str, data: subject_pb2.PersonalData, request_id: str, **members: Any
    ) -> vault_pb2.StoreDataResponse:
        """Store data. Raises Refused."""
        request = vault_pb2.StoreDataRequest(
            subject_id=subject_id, data=data, request_id=request_id, **members
        )
        return cast("vault_pb2.StoreDataResponse", self.call(request))

    def read(
        self, subject_id: str, purpose: str = "IDENTIFY_FOR_ORDER", **members: Any
    ) -> vault_pb2.ReadDataResponse:
        """Read for a purpose. Raises Refused."""
        request = read_request(subject_id, purpose, **members)
        return cast("vault_pb2.ReadDataResponse", self.call(request))

    def batch(self, *items: vault_pb2.ReadDataRequest) -> list[vault_pb2.BatchReadOutcome]:
        """Read many. Raises Refused."""
        return list(self.call(vault_pb2.BatchReadDataRequest(items=items)).outcomes)

    def template(self, kind: str, officer: str) -> str:
        """A new message template, registered with an officer's token; its id."""
        template_id = f"template/{secrets.token_hex(6)}"
        template = templates_pb2.Template(
            template_id=template_id,
            kind=templates_pb2.Template.Kind.Value(kind),
            texts=[templates_pb2.TemplateText(language="kk", sha256="0" * 64)],
        )
        request = templates_pb2.RegisterTemplateRequest(template=template, request_id=template_id)
        self.gateway.call(request, (("authorization", f"Bearer {officer}"),))
        return template_id

    def standing(self, subject_id: str) -> vault_pb2.Standing:
        """What stands about a person. Raises Refused."""
        answer = self.call(vault_pb2.GetStandingRequest(subject_id=subject_id))
        return cast("vault_pb2.Standing", answer.standing)

    def why_not(self, subject_id: str, purpose: str = "IDENTIFY_FOR_ORDER", **members: Any) -> str:
        """The reason for which a read is refused; OK where it is not."""
        try:
            self.read(subject_id, purpose, **members)
        except Refused as refusal:
            return refusal.reason
        return "OK"


def read_request(
    subject_id: str, purpose: str = "IDENTIFY_FOR_ORDER", **members: Any
) -> vault_pb2.ReadDataRequest:
    """A read, on its own or in a batch."""
    code = subject_pb2.Purpose.Code.Value(purpose)
    return vault_pb2.ReadDataRequest(subject_id=subject_id, purpose=code, **members)


def reason_of(outcome: vault_pb2.BatchReadOutcome) -> str:
    """Why a member of a batch was refused; OK where it was not."""
    if outcome.WhichOneof("outcome") == "read":
        return "OK"
    return contract_pb2.Refusal.Reason.Name(outcome.problem.code)
