# SPDX-License-Identifier: Apache-2.0
"""`make bench`: single purpose-bound reads over mTLS against a bare echo of the same kind.

Rounds of echo and read alternate, so that the machine's changing speed
touches both; the medians and their ratio are printed, with the CPU that the
servers (for reads the vault and PostgreSQL together) spent on a call.
"""

from __future__ import annotations

import argparse
import base64
import json
import secrets
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import echo
from benchmarks.suite import RunningSuite, running_suite
from qupia.contract.v1 import contract_pb2
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2

READ = "/qupia.vault.v1.VaultService/ReadData"


@dataclass(frozen=True, slots=True)
class Round:
    """One round: calls per second; latencies and server CPU per call in milliseconds."""

    rate: float
    p50: float
    p99: float
    cpu: float
    failures: int


def main() -> int:
    """Measure and print; returns 1 where calls failed."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--subjects", type=int, default=200)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with running_suite() as suite:
        order = {
            "certificates": suite.run["certificates"],
            "peer": "gateway",
            "concurrency": options.concurrency,
            "seconds": options.seconds,
        }
        reads = order | _read_order(suite, _subjects(suite, options.subjects))
        rounds: dict[str, list[Round]] = {"echo": [], "read": []}
        with tempfile.TemporaryDirectory(prefix="qb-") as folder:
            target = f"unix:{folder}/echo.sock"
            with _echo_server(target, suite.run["certificates"]) as server:
                echoes = reads | {"target": target, "path": echo.PATH}
                vault = psutil.Process(suite.run["processes"]["vault"]["pid"])
                postgres = psutil.Process(suite.run["postgres"]["pid"])
                for _ in track(range(options.rounds), "measuring"):
                    rounds["echo"].append(_round(echoes, lambda: _cpu(server)))
                    rounds["read"].append(_round(reads, lambda: _cpu(vault) + _cpu(postgres)))
    return _print(rounds, options.concurrency)


def _subjects(suite: RunningSuite, count: int) -> list[str]:
    text = {"language": "kk", "title": "Құпиялылық саясаты", "body": "Мәтін"}
    suite.post("privacyOfficer", "/v1/policies", {"texts": [text]})
    use = {"kind": "FORM_SUBMIT", "page": "/checkout", "language": "kk", "noticeShown": True}
    found = []
    for number in track(range(count), "placing subjects"):
        subject = suite.post("storefront", "/v1/subjects", {"use": use})["subjectId"]
        data = {
            "familyName": "Әбілқайырұлы",
            "givenName": "Нұрсұлтан",
            "phone": f"+7701{number:07d}",
            "email": f"subject{number}@example.kz",
        }
        suite.patch("storefront", f"/v1/subjects/{subject}/data", {"data": data})
        found.append(subject)
    return found


def _read_order(suite: RunningSuite, subjects: list[str]) -> dict[str, Any]:
    caller = contract_pb2.Principal(
        principal_id="bench", site_id="demo", role=contract_pb2.Caller.STOREFRONT
    )
    requests = [
        vault_pb2.ReadDataRequest(
            subject_id=subject, purpose=subject_pb2.Purpose.IDENTIFY_FOR_ORDER
        ).SerializeToString()
        for subject in subjects
    ]
    return {
        "target": suite.run["processes"]["vault"]["socket"],
        "path": READ,
        "payloads": [base64.b64encode(r).decode() for r in requests],
        "metadata": [
            ["qupia-principal-bin", base64.b64encode(caller.SerializeToString()).decode()],
            ["qupia-reference", secrets.token_hex(8)],
        ],
    }


class _echo_server:  # noqa: N801 - reads as a word at its use
    def __init__(self, target: str, certificates: str) -> None:
        self._command = [sys.executable, "-m", "benchmarks.echo", target, certificates]

    def __enter__(self) -> psutil.Process:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._process.stdout.readline()
        return psutil.Process(self._process.pid)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)


def _cpu(process: psutil.Process) -> float:
    """Seconds of CPU of a process and its living children."""
    family = [process, *process.children(recursive=True)]
    return sum(sum(member.cpu_times()[:2]) for member in family)


def _round(order: dict[str, Any], cpu: Callable[[], float]) -> Round:
    before = cpu()
    client = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=json.dumps(order).encode(),
        stdout=subprocess.PIPE,
        check=True,
        cwd=Path(__file__).parent.parent,
    )
    result = json.loads(client.stdout)
    spent = cpu() - before
    calls = max(1, result["calls"])
    return Round(
        result["rate"],
        1000 * result["p50"],
        1000 * result["p99"],
        1000 * spent / calls,
        result["failures"],
    )


def _print(rounds: dict[str, list[Round]], concurrency: int) -> int:
    console = Console()
    table = Table(title=f"medians of {len(rounds['echo'])} rounds, {concurrency} concurrent calls")
    for column in ("what", "calls/s", "p50 ms", "p99 ms", "server CPU ms per call", "failed"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, label in (("echo", "bare mTLS echo"), ("read", "purpose-bound read")):
        of = rounds[name]
        table.add_row(
            label,
            f"{statistics.median(r.rate for r in of):,.0f}",
            f"{statistics.median(r.p50 for r in of):.1f}",
            f"{statistics.median(r.p99 for r in of):.1f}",
            f"{statistics.median(r.cpu for r in of):.2f}",
            str(sum(r.failures for r in of)),
        )
    console.print(table)
    ratios = [
        read.rate / bare.rate for read, bare in zip(rounds["read"], rounds["echo"], strict=True)
    ]
    console.print(
        f"read / echo: {statistics.median(ratios):.2f} "
        f"(from {min(ratios):.2f} to {max(ratios):.2f}); every read leaves a durable evidence entry"
    )
    return 1 if any(r.failures for of in rounds.values() for r in of) else 0


if __name__ == "__main__":
    raise SystemExit(main())
