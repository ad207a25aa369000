# SPDX-License-Identifier: Apache-2.0
"""The gRPC server of a process: mTLS, two pools, admission, health, drain.

Bytes come in and go out; parsing is a stage of the pipeline, because grpc
itself answers malformed bytes with INTERNAL. Critical calls (those that
restrict processing, and health) have a pool of their own, so that no load of
reads holds off a block.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import HealthServicer
from grpc_status import rpc_status

from services.chassis.address import AddressInUse, refuse_served
from services.chassis.call import Call
from services.chassis.contract import (
    LARGEST_REQUEST_BYTES,
    LARGEST_RESPONSE_BYTES,
    Contract,
    Method,
)
from services.chassis.ids import new_uuid
from services.chassis.refusal import Overloaded, Refusal, Unimplemented

__all__ = ["AddressInUse", "Certificate", "Server"]

_REFERENCE_KEY = "qupia-reference"
# A call that works and three that wait: enough for a burst of as many callers
# as share a transaction at the gate, few enough that no wait is long.
_HELD_PER_WORKER = 4


@dataclass(frozen=True, slots=True)
class Certificate:
    """Where a process's certificate lies: PEM files."""

    authority: Path
    chain: Path
    key: Path


class _CountingPool(ThreadPoolExecutor):
    """A pool that knows how many calls it holds, waiting ones included."""

    def __init__(self, workers: int, name: str) -> None:
        super().__init__(workers, thread_name_prefix=name)
        self._lock = threading.Lock()
        self.held = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run `fn`, counted until it is done."""
        with self._lock:
            self.held += 1
        try:
            future = super().submit(fn, *args, **kwargs)
        except RuntimeError:
            self._release()
            raise
        future.add_done_callback(lambda _: self._release())
        return future

    def _release(self) -> None:
        with self._lock:
            self.held -= 1


class _Behavior:
    """A handler of grpc's, which finds its pool by this attribute (grpcio is pinned for it)."""

    def __init__(
        self, run: Callable[[bytes, grpc.ServicerContext], bytes], pool: ThreadPoolExecutor
    ) -> None:
        self._run = run
        self.experimental_thread_pool = pool

    def __call__(self, payload: bytes, context: grpc.ServicerContext) -> bytes:
        """Answer one call."""
        return self._run(payload, context)


class Server:
    """Serves the RPCs of one process."""

    def __init__(
        self,
        process: str,
        contract: Contract,
        pipeline: Callable[[Call], Message],
        certificate: Certificate,
        *,
        workers: int = 16,
        critical_workers: int = 8,
        reflection: bool = False,
    ) -> None:
        self._normal = _CountingPool(workers, "call")
        self._critical = _CountingPool(critical_workers, "critical")
        self.health = HealthServicer(experimental_non_blocking=False)
        generic = _Generic(
            {m.path: m for m in contract.of_process(process)},
            pipeline,
            self._normal,
            self._critical,
            cap=_HELD_PER_WORKER * workers,
        )
        self._server = grpc.server(
            self._critical,
            handlers=[generic],
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", LARGEST_REQUEST_BYTES),
                ("grpc.max_send_message_length", LARGEST_RESPONSE_BYTES),
                ("grpc.max_connection_age_ms", 300_000),
                ("grpc.max_connection_age_grace_ms", 10_000),
                ("grpc.max_metadata_size", 16_384),
            ],
            maximum_concurrent_rpcs=64 * (workers + critical_workers),
        )
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
        if reflection:
            self._reflect(contract, process)
        self._credentials = _server_credentials(certificate)

    def _reflect(self, contract: Contract, process: str) -> None:
        # Only a development run pays for it.
        from grpc_reflection.v1alpha import reflection as grpc_reflection  # noqa: PLC0415

        names = {m.service for m in contract.of_process(process)}
        names.add(str(grpc_reflection.SERVICE_NAME))
        grpc_reflection.enable_server_reflection(sorted(names), self._server)

    def start(self, address: str) -> None:
        """Listen at ``host:port`` or ``unix:/path`` and serve. Raises AddressInUse."""
        refuse_served(address)
        try:
            bound = self._server.add_secure_port(address, self._credentials)
        except RuntimeError:
            bound = 0
        if not bound:
            raise AddressInUse(address)
        self._server.start()
        self.set_serving(False)

    def set_serving(self, serving: bool) -> None:
        """What health answers."""
        status = health_pb2.HealthCheckResponse
        self.health.set("", status.SERVING if serving else status.NOT_SERVING)

    def stop(self, grace: float = 5.0) -> None:
        """Take no new calls, let running ones end within `grace` seconds."""
        self.health.enter_graceful_shutdown()
        self._server.stop(grace).wait(grace + 1)


class _Generic(grpc.GenericRpcHandler):
    def __init__(
        self,
        methods: dict[str, Method],
        pipeline: Callable[[Call], Message],
        normal: _CountingPool,
        critical: _CountingPool,
        cap: int,
    ) -> None:
        self._behaviors: dict[str, Any] = {
            path: grpc.unary_unary_rpc_method_handler(
                _Behavior(_answer(method, pipeline), critical if method.critical else normal)
            )
            for path, method in methods.items()
        }
        self._is_critical = {path for path, method in methods.items() if method.critical}
        self._normal = normal
        self._cap = cap
        self._overloaded = _refusing(Overloaded(retry_after=1), critical)
        self._unknown = _refusing(Unimplemented(), critical)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of a path: admission is decided here, before a thread is taken."""
        path = str(handler_call_details.method)
        if path.startswith(("/grpc.health.v1.", "/grpc.reflection.")):
            return None
        behavior = self._behaviors.get(path)
        if behavior is None:
            return self._unknown
        if path not in self._is_critical and self._normal.held >= self._cap:
            return self._overloaded
        return behavior


def _answer(
    method: Method, pipeline: Callable[[Call], Message]
) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    def run(payload: bytes, context: grpc.ServicerContext) -> bytes:
        metadata = dict(context.invocation_metadata())
        call = Call(method, payload, context, metadata, _reference(metadata))
        try:
            return pipeline(call).SerializeToString()
        except Refusal as refusal:
            _abort(context, refusal, call.reference)

    return run


def _refusing(refusal: Refusal, pool: ThreadPoolExecutor) -> Any:
    def run(_payload: bytes, context: grpc.ServicerContext) -> bytes:
        _abort(context, refusal, _reference(dict(context.invocation_metadata())))

    return grpc.unary_unary_rpc_method_handler(_Behavior(run, pool))


def _abort(context: grpc.ServicerContext, refusal: Refusal, reference: str) -> NoReturn:
    context.abort_with_status(rpc_status.to_status(refusal.to_status(reference)))
    raise AssertionError("abort_with_status raises")


def _reference(metadata: dict[str, str | bytes]) -> str:
    given = metadata.get(_REFERENCE_KEY)
    if isinstance(given, str) and 0 < len(given) <= 64 and given.isascii() and given.isprintable():
        return given
    return new_uuid()


def _server_credentials(certificate: Certificate) -> grpc.ServerCredentials:
    def read() -> grpc.ServerCertificateConfiguration:
        pair = (certificate.key.read_bytes(), certificate.chain.read_bytes())
        return grpc.ssl_server_certificate_configuration([pair], certificate.authority.read_bytes())

    stamp = [_modified(certificate)]

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        now = _modified(certificate)
        if now == stamp[0]:
            return None
        stamp[0] = now
        return read()

    # None keeps the present credentials; the stubs do not know that.
    fetch = cast("Callable[[], grpc.ServerCertificateConfiguration]", renewed)
    return grpc.dynamic_ssl_server_credentials(read(), fetch, require_client_authentication=True)


def _modified(certificate: Certificate) -> Sequence[int]:
    paths = (certificate.authority, certificate.chain, certificate.key)
    return [path.stat().st_mtime_ns for path in paths]
