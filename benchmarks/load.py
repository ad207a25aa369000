# SPDX-License-Identifier: Apache-2.0
"""A closed-loop load client: one process, many concurrent calls, latencies kept.

Run as a process of its own, so that its Python does not share the server's
interpreter: `python -m benchmarks.load` reads one JSON order from standard
input and prints one JSON result. It calls with its payloads over and over for so many `seconds`;
where none are given with each of them once, and tells the answers.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import grpc

from services.chassis.process import certificate_of


async def _run(order: dict[str, Any]) -> dict[str, Any]:
    files = certificate_of(order["peer"], Path(order["certificates"]))
    credentials = grpc.ssl_channel_credentials(
        files.authority.read_bytes(), files.key.read_bytes(), files.chain.read_bytes()
    )
    server = order.get("server", "vault")
    options = [("grpc.ssl_target_name_override", f"{server}.qupia.internal")]
    payloads = [base64.b64decode(p) for p in order["payloads"]]
    metadata = tuple(
        (key, base64.b64decode(value) if key.endswith("-bin") else value)
        for key, value in order["metadata"]
    )
    latencies: list[float] = []
    answers: list[bytes] = []
    failures = 0
    once = "seconds" not in order
    async with grpc.aio.secure_channel(order["target"], credentials, options) as channel:
        call: Any = channel.unary_unary(order["path"])
        end = time.perf_counter() + order.get("seconds", 0)

        async def one(start: int) -> None:
            nonlocal failures
            number = start
            while (begun := time.perf_counter()) < end or (once and number < len(payloads)):
                try:
                    answer = await call(
                        payloads[number % len(payloads)], timeout=5, metadata=metadata
                    )
                    latencies.append(time.perf_counter() - begun)
                    if once:
                        answers.append(answer)
                except grpc.aio.AioRpcError:
                    failures += 1
                number += order["concurrency"]

        begun = time.perf_counter()
        await asyncio.gather(*(one(n) for n in range(order["concurrency"])))
        seconds = time.perf_counter() - begun
    latencies.sort()
    return {
        "rate": len(latencies) / seconds,
        "p50": latencies[len(latencies) // 2] if latencies else 0.0,
        "p99": latencies[int(len(latencies) * 0.99)] if latencies else 0.0,
        "failures": failures,
        "calls": len(latencies),
        "clientCpu": sum(os.times()[:2]),
        "answers": [base64.b64encode(answer).decode() for answer in answers],
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_run(json.load(sys.stdin)))))
