# SPDX-License-Identifier: Apache-2.0
"""Asks a gateway whether every part behind it serves."""

import http.client
import json
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from services.chassis.start_error import StartError

_SECONDS = 20.0
_ANSWER_SECONDS = 3.0
_PAUSE_SECONDS = 0.05


def await_serving(gateway: str, pause: Callable[[float], None]) -> None:
    """Waits until /healthz says 200; `pause` is called with seconds between two questions.

    Raises StartError that names the parts which do not serve.
    """
    deadline = time.monotonic() + _SECONDS
    while (missing := not_serving(gateway)) is not None:
        if time.monotonic() > deadline:
            raise StartError(f"{gateway}/healthz: not serving after {_SECONDS:.0f} s: {missing}")
        pause(_PAUSE_SECONDS)


def not_serving(gateway: str) -> str | None:
    """What does not serve, in words; None where everything does."""
    connection = http.client.HTTPConnection(urlsplit(gateway).netloc, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        return f"the gateway ({type(error).__name__})"
    finally:
        connection.close()
    if answer.status == 200:
        return None
    try:
        parts = json.loads(body)["parts"]
        return ", ".join(name for name, state in parts.items() if state != "SERVING")
    except (ValueError, KeyError, AttributeError):
        return f"the gateway answers {answer.status}"
