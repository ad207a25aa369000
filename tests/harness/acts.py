# SPDX-License-Identifier: Apache-2.0
"""Acts that are answered while they are not in force yet: the vault may be slow to take one."""

from collections.abc import Callable, Mapping
from typing import Any

import httpx

from tests.harness.waiting import awaited


class NotGranted(Exception):
    """A request was refused, or its act never came in force."""


def granted(answer: httpx.Response) -> dict[str, Any]:
    """The answer to a request that has to be granted, once its act is in force.

    Raises NotGranted.
    """
    if answer.status_code == 202:
        await_force(lambda: _act_of(answer), str(answer.request.url))
    elif answer.status_code != 200:
        raise NotGranted(f"{answer.request.url}: {answer.status_code} {answer.text}")
    document: dict[str, Any] = answer.json()
    return document


def await_force(shown: Callable[[], Mapping[str, Any]], what: str) -> None:
    """Wait for an act, as `shown` at the moment. Raises NotGranted where it ends otherwise."""

    def decided() -> str | None:
        enforcement = str(shown().get("enforcement", "PENDING"))
        return None if enforcement == "PENDING" else enforcement

    enforcement = awaited(decided, f"{what} is not in force")
    if enforcement != "IN_FORCE":
        raise NotGranted(f"{what}: {enforcement}")


def _act_of(answer: httpx.Response) -> Mapping[str, Any]:
    place = answer.request.url.join(answer.headers["Location"])
    sent = {"Authorization": answer.request.headers["Authorization"]}
    act: Mapping[str, Any] = httpx.get(place, headers=sent, trust_env=False).json().get("act", {})
    return act
