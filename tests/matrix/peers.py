# SPDX-License-Identifier: Apache-2.0
"""Calls straight to a service over mTLS, under any certificate, with any bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from cli.authority import Leaf
from cli.settings import PROCESSES
from qupia.contract.v1 import contract_pb2
from services.chassis.contract import Method, load_contract
from services.chassis.pipeline import AUTHORIZATION_KEY, PRINCIPAL_KEY
from tests.harness.suite import Suite

Metadata = Sequence[tuple[str, str | bytes]]
SECONDS = 20.0


@dataclass(frozen=True)
class Reply:
    """What came back: the number of the gRPC status, its google.rpc.Status, and the bytes."""

    code: int
    status: status_pb2.Status
    payload: bytes = b""

    @property
    def told(self) -> str:
        """OK, the reason of a typed refusal, or the bare status of gRPC itself."""
        if self.code == 0:
            return "OK"
        return str(self._info.reason) or grpc_name(self.code)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that the refusal names."""
        bad = error_details_pb2.BadRequest()
        for detail in self.status.details:
            detail.Unpack(bad)
        return tuple(violation.field for violation in bad.field_violations)

    @property
    def bytes_but_reference(self) -> bytes:
        """All that the caller sees, without the id of the call."""
        reference = str(self._info.metadata.get("ref", "")).encode()
        seen: bytes = self.status.SerializeToString(deterministic=True) + self.payload
        return seen.replace(reference, b"") if reference else seen

    @property
    def _info(self) -> Any:
        info = error_details_pb2.ErrorInfo()
        for detail in self.status.details:
            detail.Unpack(info)
        return info


def grpc_name(code: int) -> str:
    """The name of a gRPC status code."""
    return next(each.name for each in grpc.StatusCode if each.value[0] == code)


class Peers:
    """Channels to the processes of a suite, one per certificate; to be used in a `with`."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._channels: dict[tuple[str, str], grpc.Channel] = {}

    def call(
        self,
        certificate: str,
        method: Method,
        request: Message | bytes,
        metadata: Metadata = (),
        seconds: float | None = SECONDS,
    ) -> Reply:
        """One call under the certificate of a process; without a deadline where `seconds` is None.

        Bytes are sent as they are.
        """
        folder = self._suite.certificates
        place = (certificate, method.process)
        if place not in self._channels:
            leaf = read_leaf(folder, certificate)
            self._channels[place] = secure_channel(self._suite, method.process, leaf)
        return call(self._channels[place], method.path, request, metadata, seconds)

    def close(self) -> None:
        """Close the channels."""
        for channel in self._channels.values():
            channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def call(
    channel: grpc.Channel,
    path: str,
    request: Message | bytes,
    metadata: Metadata = (),
    seconds: float | None = SECONDS,
) -> Reply:
    """One call of the RPC at `path`."""
    payload = request if isinstance(request, bytes) else request.SerializeToString()
    try:
        called: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
        answer = called(payload, timeout=seconds, metadata=tuple(metadata))
    except grpc.RpcError as error:
        failed = cast("grpc.Call", error)
        found = cast("status_pb2.Status | None", rpc_status.from_call(failed))
        return Reply(int(failed.code().value[0]), found or status_pb2.Status())
    return Reply(0, status_pb2.Status(), bytes(answer))


def read_leaf(folder: Path, process: str) -> Leaf:
    """The certificate and key of a process."""
    return Leaf((folder / f"{process}.pem").read_bytes(), (folder / f"{process}.key").read_bytes())


def secure_channel(
    suite: Suite, process: str, leaf: Leaf | None, authority: bytes | None = None
) -> grpc.Channel:
    """A channel to a process under a certificate, or none; trusting the suite's authority."""
    trusted = authority or (suite.certificates / "ca.pem").read_bytes()
    credentials = (
        grpc.ssl_channel_credentials(trusted, leaf.key, leaf.certificate)
        if leaf
        else grpc.ssl_channel_credentials(trusted)
    )
    options = [("grpc.ssl_target_name_override", f"{process}.qupia.internal")]
    return grpc.secure_channel(suite.target(process), credentials, options)


def key_of(
    role: str, site: str = "demo", recipient_id: str = "", principal_id: str = "forwarded"
) -> Metadata:
    """The metadata by which the gateway forwards the holder of an API key."""
    principal = contract_pb2.Principal(
        principal_id=principal_id,
        site_id=site,
        role=contract_pb2.Caller.Role.Value(role),
        recipient_id=recipient_id,
    )
    return [(PRINCIPAL_KEY, principal.SerializeToString())]


def token_of(token: str) -> Metadata:
    """The metadata by which a person's token travels."""
    return [(AUTHORIZATION_KEY, f"Bearer {token}")]


def methods_by_name() -> Mapping[str, Method]:
    """The RPCs of the contract by the names that the rows have."""
    return {
        f"{method.service.rpartition('.')[2]}.{method.name}": method
        for method in load_contract().methods.values()
    }


CERTIFICATES = tuple(sorted(PROCESSES))
