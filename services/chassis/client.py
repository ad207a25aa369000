# SPDX-License-Identifier: Apache-2.0
"""Calls to another process: mTLS, a deadline always, a retry only where it is safe."""

from __future__ import annotations

import time
from typing import Any, TypeVar, cast

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from services.chassis.contract import LARGEST_RESPONSE_BYTES, Method, load_contract, reasons
from services.chassis.refusal import DOMAIN, FieldViolation, Refusal, Unavailable, refusal_of
from services.chassis.server import Certificate

M = TypeVar("M", bound=Message)
_PAUSE_SECONDS = 0.05


class Client:
    """A channel to one process of the suite."""

    def __init__(self, process: str, target: str, certificate: Certificate) -> None:
        credentials = grpc.ssl_channel_credentials(
            certificate.authority.read_bytes(),
            certificate.key.read_bytes(),
            certificate.chain.read_bytes(),
        )
        options = [
            ("grpc.ssl_target_name_override", f"{process}.qupia.internal"),
            ("grpc.enable_retries", 0),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 1000),
            ("grpc.max_receive_message_length", LARGEST_RESPONSE_BYTES),
        ]
        self._channel = grpc.secure_channel(target, credentials, options)
        self._calls: dict[str, Any] = {
            m.path: self._channel.unary_unary(
                m.path,
                request_serializer=type(m.input_class()).SerializeToString,
            )
            for m in load_contract().of_process(process)
        }
        self._methods = {m.path: m for m in load_contract().of_process(process)}

    def call(
        self, path: str, request: Message, answer: type[M], timeout: float, reference: str = ""
    ) -> M:
        """Call the RPC at `path`; `timeout` in seconds, for all attempts together.

        Raises the peer's own Refusal; Unavailable where it cannot be reached
        or answers with anything but a typed refusal.
        """
        method = self._methods[path]
        metadata = (("qupia-reference", reference),) if reference else ()
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            try:
                payload = self._calls[path](request, timeout=max(left, 0.001), metadata=metadata)
                return answer.FromString(payload)
            except grpc.RpcError as error:
                refusal = _refusal(error)
                if not _may_retry(method, refusal, deadline):
                    raise refusal from None
            time.sleep(_PAUSE_SECONDS)

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()


def _may_retry(method: Method, refusal: Refusal, deadline: float) -> bool:
    again = time.monotonic() + 4 * _PAUSE_SECONDS < deadline
    return method.retryable and type(refusal) is Unavailable and again


def _refusal(error: grpc.RpcError) -> Refusal:
    status = rpc_status.from_call(cast(grpc.Call, error))
    if status is None:
        return Unavailable(retry_after=1)
    info = error_details_pb2.ErrorInfo()
    bad = error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
    if info.domain != DOMAIN or info.reason not in reasons():
        return Unavailable(retry_after=1)
    refusal = refusal_of(info.reason, info.metadata.get("clause", ""))
    refusal.fields = tuple(
        FieldViolation(v.field, v.reason, v.description) for v in bad.field_violations
    )
    return refusal
