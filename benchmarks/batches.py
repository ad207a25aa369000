# SPDX-License-Identifier: Apache-2.0
"""Batches against a running vault: `python -m benchmarks.batches`.

Subjects stored per second by BatchStoreData and records read per second by BatchReadData, 1,000
items a call, one after the other from one client; with the CPU that the vault and PostgreSQL spent
on an item.
"""

from __future__ import annotations

import argparse
import secrets
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.suite import RunningSuite, running_suite
from qupia.contract.v1 import contract_pb2
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import storing_pb2, vault_pb2
from services.chassis.process import certificate_of

_CALLER = contract_pb2.Principal(
    principal_id="bench", site_id="demo", role=contract_pb2.Caller.STOREFRONT
)
_STORE = "/qupia.vault.v1.VaultRecordService/BatchStoreData"
_READ = "/qupia.vault.v1.VaultService/BatchReadData"
_SECONDS = 60


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batches", description=__doc__)
    parser.add_argument("--subjects", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with running_suite() as suite, _channel(suite) as channel:
        subjects = _registered(suite, options.subjects)
        servers = [
            psutil.Process(suite.run["processes"]["vault"]["pid"]),
            psutil.Process(suite.run["postgres"]["pid"]),
        ]
        store, read = _call(channel, _STORE), _call(channel, _READ)
        first = [_measure(partial(_stored, store, subjects, 0), servers, len(subjects))]
        again = [
            _measure(partial(_stored, store, subjects, n), servers, len(subjects))
            for n in range(1, options.rounds)
        ]
        reads = [
            _measure(partial(_read, read, subjects), servers, len(subjects))
            for _ in range(options.rounds)
        ]
    _print({"first data stored": first, "data changed": again, "data read": reads})
    return 0


def _channel(suite: RunningSuite) -> grpc.Channel:
    files = certificate_of("gateway", Path(suite.run["certificates"]))
    credentials = grpc.ssl_channel_credentials(
        files.authority.read_bytes(), files.key.read_bytes(), files.chain.read_bytes()
    )
    options = [
        ("grpc.ssl_target_name_override", "vault.qupia.internal"),
        ("grpc.max_receive_message_length", 1 << 24),
    ]
    return grpc.secure_channel(suite.run["processes"]["vault"]["socket"], credentials, options)


def _call(channel: grpc.Channel, path: str) -> Callable[[Any], bytes]:
    stub: Any = channel.unary_unary(path, request_serializer=lambda m: m.SerializeToString())
    metadata = (
        ("qupia-principal-bin", _CALLER.SerializeToString()),
        ("qupia-reference", secrets.token_hex(8)),
    )
    return lambda request: stub(request, timeout=_SECONDS, metadata=metadata)


def _registered(suite: RunningSuite, count: int) -> list[str]:
    text = {"language": "kk", "title": "Құпиялылық саясаты", "body": "Мәтін"}
    suite.post("privacyOfficer", "/v1/policies", {"texts": [text]})
    use = {"kind": "FORM_SUBMIT", "page": "/", "language": "kk", "noticeShown": True}
    with ThreadPoolExecutor(4) as pool:
        born = pool.map(
            lambda _: suite.post("storefront", "/v1/subjects", {"use": use}), range(count)
        )
        return [str(each["subjectId"]) for each in born]


def _stored(store: Callable[[Any], bytes], subjects: list[str], turn: int) -> None:
    for start in range(0, len(subjects), 1000):
        items = [
            storing_pb2.StoreItem(
                subject_id=subject,
                data=subject_pb2.PersonalData(
                    family_name="Әбілқайырұлы",
                    given_name="Нұрсұлтан",
                    phone=f"+770{1 + turn % 2}{number:07d}",
                    email=f"subject{number}-{turn}@example.kz",
                ),
            )
            for number, subject in enumerate(subjects[start : start + 1000], start)
        ]
        request = storing_pb2.BatchStoreDataRequest(items=items, request_id=secrets.token_hex(8))
        answer = storing_pb2.BatchStoreDataResponse.FromString(store(request))
        assert all(o.WhichOneof("outcome") == "stored" for o in answer.outcomes)


def _read(read: Callable[[Any], bytes], subjects: list[str]) -> None:
    purpose = subject_pb2.Purpose.IDENTIFY_FOR_ORDER
    for start in range(0, len(subjects), 1000):
        items = [
            vault_pb2.ReadDataRequest(subject_id=subject, purpose=purpose)
            for subject in subjects[start : start + 1000]
        ]
        answer = vault_pb2.BatchReadDataResponse.FromString(
            read(vault_pb2.BatchReadDataRequest(items=items))
        )
        assert all(o.WhichOneof("outcome") == "read" for o in answer.outcomes)


def _measure(
    work: Callable[[], None], servers: list[psutil.Process], items: int
) -> tuple[float, list[float]]:
    """(items per second, microseconds of CPU per item of each server)."""
    before, begun = [_cpu(s) for s in servers], time.perf_counter()
    work()
    seconds = time.perf_counter() - begun
    return items / seconds, [
        1e6 * (_cpu(s) - b) / items for s, b in zip(servers, before, strict=True)
    ]


def _cpu(process: psutil.Process) -> float:
    family = [process, *process.children(recursive=True)]
    return sum(sum(member.cpu_times()[:2]) for member in family)


def _print(measured: dict[str, list[tuple[float, list[float]]]]) -> None:
    table = Table(title="medians, 1,000 items a call")
    for column in ("what", "per second", "vault µs each", "PostgreSQL µs each"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, rounds in measured.items():
        table.add_row(
            name,
            f"{statistics.median(rate for rate, _ in rounds):,.0f}",
            *(f"{statistics.median(cpu[n] for _, cpu in rounds):.0f}" for n in (0, 1)),
        )
    Console().print(table)


if __name__ == "__main__":
    raise SystemExit(main())
