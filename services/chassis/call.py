# SPDX-License-Identifier: Apache-2.0
"""One RPC on its way through the pipeline."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import grpc
from google.protobuf.message import Message

from services.chassis.contract import Method
from services.chassis.identity import Principal
from services.chassis.refusal import DeadlineExceeded


@dataclass(slots=True)
class Call:
    """What the stages know of a call. `deadline` is in seconds of the monotonic clock."""

    method: Method
    payload: bytes
    context: grpc.ServicerContext
    metadata: Mapping[str, str | bytes]
    reference: str
    peer: str = ""
    deadline: float = 0.0
    message: Message | None = None
    caller: Principal | None = None
    recorded: bool = False
    started: float = field(default_factory=time.monotonic)

    @property
    def request(self) -> Message:
        """The parsed request; only after the parse stage."""
        if self.message is None:
            raise RuntimeError("the request is not parsed yet")
        return self.message

    @property
    def principal(self) -> Principal:
        """Who stands behind the call; only after the identity stage."""
        if self.caller is None:
            raise RuntimeError("the caller is not identified yet")
        return self.caller

    @property
    def role(self) -> str:
        """The role that admits the caller to this RPC; empty where none is asked."""
        admitted = self.principal.roles & (self.method.roles or self.principal.roles)
        return min(admitted, default="")

    def remaining(self) -> float:
        """Seconds until the deadline; never below zero."""
        return max(0.0, self.deadline - time.monotonic())

    def check_deadline(self) -> None:
        """Raises DeadlineExceeded where the caller no longer waits."""
        if self.remaining() <= 0:
            raise DeadlineExceeded
