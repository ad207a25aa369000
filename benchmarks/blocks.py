# SPDX-License-Identifier: Apache-2.0
"""How long a claim's block takes while 16 readers read that very subject (threat T27).

The claim goes the whole way: gateway, claims service, push, vault; it is answered once the block
is in force. Every block is of another subject, which its readers read already.
"""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import httpx

from benchmarks.measure import percentile
from benchmarks.suite import RunningSuite
from benchmarks.vault_calls import READ, order, reads
from services.chassis.process import certificate_of

READERS = 16
_WARM_SECONDS = 0.05


def block_seconds(suite: RunningSuite, subjects: Sequence[str], readers: int) -> list[float]:
    """How long each block took, while that many read its subject."""
    told = order(suite, READ, reads(subjects), concurrency=readers)
    taken = []
    command = [sys.executable, "-m", "benchmarks.blocks"]
    token = suite.credentials["storefront"]["token"]
    with (
        httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=30) as client,
        subprocess.Popen(command, stdin=subprocess.PIPE, cwd=Path(__file__).parent.parent) as crowd,
    ):
        assert crowd.stdin is not None
        crowd.stdin.write(json.dumps(told).encode() + b"\n")
        for number, subject in enumerate(subjects):
            crowd.stdin.write(f"{number}\n".encode())
            crowd.stdin.flush()
            time.sleep(_WARM_SECONDS)
            begun = time.perf_counter()
            answer = client.post(
                suite.run["gateway"] + "/v1/claims", json={"claim": _claim(subject)}
            )
            taken.append(time.perf_counter() - begun)
            answer.raise_for_status()
        crowd.stdin.close()
    return taken


def middle_and_worst(seconds: Sequence[float]) -> tuple[float, float]:
    """p50 and p99 in milliseconds."""
    return 1000 * percentile(seconds, 0.5), 1000 * percentile(seconds, 0.99)


def _claim(subject: str) -> dict[str, Any]:
    return {
        "subjectIds": [subject],
        "kind": "INACCURATE_DATA",
        "claimant": "SUBJECT",
        "statement": "Деректер дұрыс емес.",
        "demand": "Түзету.",
        "language": "kk",
    }


async def _crowd(told: dict[str, Any]) -> None:
    """Readers of whichever payload is named last, until standard input ends."""
    files = certificate_of(told["peer"], Path(told["certificates"]))
    credentials = grpc.ssl_channel_credentials(
        files.authority.read_bytes(), files.key.read_bytes(), files.chain.read_bytes()
    )
    options = [("grpc.ssl_target_name_override", "vault.qupia.internal")]
    payloads = [base64.b64decode(payload) for payload in told["payloads"]]
    metadata = tuple(
        (key, base64.b64decode(value) if key.endswith("-bin") else value)
        for key, value in told["metadata"]
    )
    named: list[int | None] = [0]
    async with grpc.aio.secure_channel(told["target"], credentials, options) as channel:
        call: Any = channel.unary_unary(told["path"])

        async def one() -> None:
            while (number := named[0]) is not None:
                with suppress(grpc.aio.AioRpcError):
                    await call(payloads[number], timeout=5, metadata=metadata)

        async def listen() -> None:
            while line := await asyncio.to_thread(sys.stdin.readline):
                named[0] = int(line)
            named[0] = None

        await asyncio.gather(listen(), *(one() for _ in range(told["concurrency"])))


if __name__ == "__main__":
    asyncio.run(_crowd(json.loads(sys.stdin.readline())))
