# SPDX-License-Identifier: Apache-2.0
"""HTTP requests with any bytes, and the problems that come back."""

from collections.abc import Mapping
from typing import Any

import httpx

from tests.harness.suite import Suite


def ask(
    suite: Suite,
    verb: str,
    path: str,
    content: bytes | None = None,
    headers: Mapping[str, Any] | None = None,
    who: str = "storefront",
) -> httpx.Response:
    """One request as `who`; the bytes are sent as they are."""
    token = suite.credentials[who]["token"]
    sent = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return suite.as_("").request(verb, path, content=content, headers={**sent, **(headers or {})})


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a problem, which has to be one."""
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == answer.status_code
    assert "Traceback" not in answer.text
    return answer.status_code, problem["code"]
