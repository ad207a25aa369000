# SPDX-License-Identifier: Apache-2.0
"""The services behind the gateway: bytes in, bytes out, mTLS, a deadline always."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2

from gateway.identity import Metadata
from services.chassis.contract import LARGEST_REQUEST_BYTES, LARGEST_RESPONSE_BYTES, Method
from services.chassis.server import Certificate

PROCESSES = ("consent", "vault", "disclosure", "claims")
_DETAILS_KEY = "grpc-status-details-bin"
# Together longer than the longest pause between two attempts of grpc to connect.
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.4, 0.4)
_LEAST_SECONDS = 0.3
_HEALTH = "/grpc.health.v1.Health/Check"
_Call = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]


class CallFailed(Exception):
    """A call ended with a status other than OK: its number, and google.rpc.Status if given."""

    def __init__(self, code: int, details: bytes | None) -> None:
        self.code = code
        self.details = details
        super().__init__(f"status {code}")


class Backend(Protocol):
    """Calls the service that an RPC belongs to."""

    async def call(
        self, method: Method, request: bytes, metadata: Metadata, seconds: float
    ) -> bytes:
        """The serialized response. `seconds` is all the time it may take. Raises CallFailed."""
        ...

    async def is_serving(self, process: str, seconds: float) -> bool:
        """Whether a process answers that it serves."""
        ...


class Channels:
    """One channel to each process. To be made inside the running event loop."""

    def __init__(self, targets: Mapping[str, str], certificate: Certificate) -> None:
        credentials = grpc.ssl_channel_credentials(
            certificate.authority.read_bytes(),
            certificate.key.read_bytes(),
            certificate.chain.read_bytes(),
        )
        self._channels = {
            process: grpc.aio.secure_channel(target, credentials, _options(process))
            for process, target in targets.items()
        }

    async def call(
        self, method: Method, request: bytes, metadata: Metadata, seconds: float
    ) -> bytes:
        """The serialized response. Raises CallFailed.

        A process that cannot be reached is tried again where the contract says that a repeat is
        safe; what a service has answered, a refusal too, is final.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        pauses = iter(_PAUSES if method.retryable else ())
        while True:
            try:
                return await self._attempt(method, request, metadata, deadline - loop.time())
            except CallFailed as failure:
                pause = next(pauses, None)
                left = deadline - loop.time() - (pause or 0)
                if failure.code != 14 or failure.details or pause is None or left < _LEAST_SECONDS:
                    raise
            await asyncio.sleep(pause)

    async def _attempt(
        self, method: Method, request: bytes, metadata: Metadata, seconds: float
    ) -> bytes:
        call: _Call = self._channels[method.process].unary_unary(method.path)
        try:
            return bytes(await call(request, timeout=seconds, metadata=tuple(metadata)))
        except grpc.aio.AioRpcError as error:
            raise CallFailed(_number(error), _status_details(error)) from None

    async def is_serving(self, process: str, seconds: float) -> bool:
        """Whether a process answers gRPC's health check with SERVING within `seconds`."""
        check: _Call = self._channels[process].unary_unary(_HEALTH)
        request = health_pb2.HealthCheckRequest().SerializeToString()
        try:
            answer = health_pb2.HealthCheckResponse.FromString(
                await check(request, timeout=seconds)
            )
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def close(self) -> None:
        """Close the channels; running calls end."""
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))


def _options(process: str) -> list[tuple[str, str | int]]:
    return [
        ("grpc.ssl_target_name_override", f"{process}.qupia.internal"),
        ("grpc.enable_retries", 0),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 400),
        ("grpc.max_receive_message_length", LARGEST_RESPONSE_BYTES),
        ("grpc.max_send_message_length", LARGEST_REQUEST_BYTES),
    ]


def _number(error: grpc.aio.AioRpcError) -> int:
    return int(error.code().value[0])


def _status_details(error: grpc.aio.AioRpcError) -> bytes | None:
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            return value
    return None
