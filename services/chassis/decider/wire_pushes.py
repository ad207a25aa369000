# SPDX-License-Identifier: Apache-2.0
"""The request that pushes several slices in one call: the same shape for every decider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from qupia.vault.v1 import pushes_pb2, vault_pb2
from services.chassis.decider.store_outbox import Push

_Request = TypeVar(
    "_Request",
    pushes_pb2.ApplyClaimsSlicesRequest,
    pushes_pb2.ApplyConsentSlicesRequest,
    pushes_pb2.ApplyOrderSlicesRequest,
)


def together(request: _Request, pushes: Sequence[tuple[Push, vault_pb2.SliceHeader]]) -> _Request:
    """The request with every slice in it, each under its header."""
    for push, header in pushes:
        one = request.pushes.add()
        one.header.CopyFrom(header)
        one.slice.ParseFromString(push.body)
    return request
