# SPDX-License-Identifier: Apache-2.0
"""What a figure is made of: rates, latencies, and the CPU that servers spent on an item."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil


@dataclass(frozen=True, slots=True)
class Round:
    """One round: items per second, latencies and CPU per item in milliseconds, by server."""

    rate: float
    p50: float
    p99: float
    cpu: Sequence[float]
    failures: int = 0
    answers: Sequence[bytes] = ()


def load_round(order: dict[str, Any], servers: Sequence[psutil.Process]) -> Round:
    """A round of the closed-loop client (`benchmarks.load`), which is a process of its own."""
    before = [cpu_of(server) for server in servers]
    client = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=json.dumps(order).encode(),
        stdout=subprocess.PIPE,
        check=True,
        cwd=Path(__file__).parent.parent,
    )
    result = json.loads(client.stdout)
    calls = max(1, result["calls"])
    return Round(
        result["rate"],
        1000 * result["p50"],
        1000 * result["p99"],
        _spent(servers, before, calls),
        result["failures"],
        [base64.b64decode(answer) for answer in result["answers"]],
    )


def work_round(work: Callable[[], None], items: int, servers: Sequence[psutil.Process]) -> Round:
    """A round of something that handles so many items."""
    before, begun = [cpu_of(server) for server in servers], time.perf_counter()
    work()
    seconds = time.perf_counter() - begun
    each = 1000 * seconds / items
    return Round(items / seconds, each, each, _spent(servers, before, items))


def cpu_of(process: psutil.Process) -> float:
    """Seconds of CPU of a process and its living children."""
    total = 0.0
    for member in [process, *process.children(recursive=True)]:
        try:
            total += sum(member.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
    return total


def within(suite_metrics: str, method: str, seconds: float) -> tuple[float, float]:
    """(calls of an RPC so far, those of them answered within so many seconds), by its process."""
    transport = httpx.HTTPTransport(uds=suite_metrics.removeprefix("unix:"))
    with httpx.Client(transport=transport) as client:
        lines = client.get("http://local/metrics").text.splitlines()
    told = dict(line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
    every = told.get(f'qupia_call_seconds_count{{method="{method}"}}', "0")
    quick = told.get(f'qupia_call_seconds_bucket{{le="{seconds}",method="{method}"}}', "0")
    return float(every), float(quick)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _spent(
    servers: Sequence[psutil.Process], before: Sequence[float], items: int
) -> Sequence[float]:
    return [1000 * (cpu_of(s) - b) / items for s, b in zip(servers, before, strict=True)]
