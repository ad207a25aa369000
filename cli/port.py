# SPDX-License-Identifier: Apache-2.0
"""The one TCP port of a suite."""

import secrets
import socket
import time

from services.chassis.start_error import StartError

HOST = "127.0.0.1"
# Below the ports that the system gives to outgoing connections.
_LOWEST, _HIGHEST = 20_000, 32_000
_TRIALS = 200
_PATIENCE_SECONDS = 2.0


def choose_port(wanted: int) -> int:
    """`wanted`, or a free one where it is 0. Raises StartError where none can be had."""
    if wanted == 0:
        return _free_port()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (reason := _refused(wanted)) is not None:
        # The gateway of a suite that was killed may hold it for a moment.
        if time.monotonic() > deadline:
            raise StartError(
                f"port {wanted} cannot be had ({reason}): stop what listens there, or set "
                "QUPIA_HTTP_PORT to another port (0 takes a free one)"
            )
        time.sleep(0.1)
    return wanted


def _free_port() -> int:
    for _ in range(_TRIALS):
        port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)
        if _refused(port) is None:
            return port
    raise StartError(f"no free port was found from {_LOWEST} to {_HIGHEST}: set QUPIA_HTTP_PORT")


def _refused(port: int) -> str | None:
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        return error.strerror or type(error).__name__
    return None
