# SPDX-License-Identifier: Apache-2.0
"""Acts that are answered while they are not in force yet: the vault may be slow to take one."""

from typing import Any

import httpx

from tests.harness.waiting import wait_until


class NotGranted(Exception):
    """A request was refused, or its act never came in force."""


def granted(answer: httpx.Response) -> dict[str, Any]:
    """The answer to a request that has to be granted, once its act is in force.

    Raises NotGranted.
    """
    if answer.status_code == 202:
        _await_force(answer)
    elif answer.status_code != 200:
        raise NotGranted(f"{answer.request.url}: {answer.status_code} {answer.text}")
    document: dict[str, Any] = answer.json()
    return document


def _await_force(answer: httpx.Response) -> None:
    place = answer.request.url.join(answer.headers["Location"])
    sent = {"Authorization": answer.request.headers["Authorization"]}
    told: dict[str, Any] = {}

    def decided() -> bool:
        told.update(httpx.get(place, headers=sent, trust_env=False).json().get("act", {}))
        return bool(told.get("enforcement", "PENDING") != "PENDING")

    wait_until(decided, lambda: f"{place} is not in force")
    if told["enforcement"] != "IN_FORCE":
        raise NotGranted(f"{answer.request.url}: {told}")
