# SPDX-License-Identifier: Apache-2.0
"""A bare echo server: synchronous gRPC with mTLS, bytes in, the same bytes out.

What a gated read is measured against: the same transport without the gate.
`python -m benchmarks.echo ADDRESS CERTIFICATES` serves until it is terminated.
"""

from __future__ import annotations

import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from services.chassis.process import certificate_of

PATH = "/benchmarks.Echo/Echo"


class _Echo(grpc.GenericRpcHandler):
    def __init__(self) -> None:
        self._handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(
            lambda payload, _context: payload
        )

    def service(self, _details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        """The same handler for every path."""
        return self._handler


def main(address: str, certificates: Path) -> None:
    """Serve until SIGTERM."""
    files = certificate_of("vault", certificates)
    credentials = grpc.ssl_server_credentials(
        [(files.key.read_bytes(), files.chain.read_bytes())],
        files.authority.read_bytes(),
        require_client_auth=True,
    )
    server = grpc.server(ThreadPoolExecutor(16), handlers=[_Echo()])
    server.add_secure_port(address, credentials)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    server.start()
    print("ready", flush=True)
    stop.wait()
    server.stop(1).wait()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
