# SPDX-License-Identifier: Apache-2.0
"""Releases against a running suite: `python -m benchmarks.deliveries`.

Single releases over mTLS straight at the broker, beside a bare echo of the same kind, and manifests
of 1,000 deliveries, one after the other and three at once; then the same with many open orders of
other people in the books of broker and vault. Repeats of a release decide, read and record like the
first. With the CPU that broker, vault and PostgreSQL spent on a delivery.
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
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import psutil
import psycopg
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sqlalchemy import insert

from benchmarks import bulk, echo
from benchmarks.suite import RunningSuite, running_suite
from qupia.contract.v1 import contract_pb2
from qupia.disclosure.v1 import disclosure_pb2, manifest_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.database import Database
from services.chassis.ids import new_uuid
from services.chassis.process import certificate_of
from services.disclosure.order import Delivery, Order, OrderFacts, OrderState
from services.disclosure.recipient import Kind
from services.disclosure.tables import deliveries, orders
from services.disclosure.wire import slice_bytes
from services.vault.servicer_slices import canonical_digest
from services.vault.tables import slices
from services.vault.wire_case import ORDERS

_SERVICE = "/qupia.disclosure.v1.DisclosureService/ReleaseDelivery"
_MANIFEST = "/qupia.disclosure.v1.DisclosureManifestService/ReleaseManifest"
_SECONDS = 60
_TOGETHER, _CALLERS = 1000, 3
_AT_ONCE = 100_000
_UNHURRIED = "-c synchronous_commit=off"
_ADDRESS = {"country": "KZ", "locality": "Алматы", "street": "Абай", "house": "10"}
_ORDER = (
    "site_id",
    "registration_id",
    "order_id",
    "subject_id",
    "policy_version",
    "state",
    "register_time",
    "act_id",
    "close_act_id",
)


@dataclass(frozen=True)
class Measured:
    """Rates per second by name, and the CPU of a delivery in milliseconds."""

    echo: list[float]
    single: list[float]
    manifest: list[float]
    manifests: list[float]
    single_cpu: list[float]
    manifest_cpu: list[float]
    manifests_cpu: list[float]


def main() -> int:
    """Measure and print; returns 1 where a release failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deliveries", description=__doc__)
    parser.add_argument("--others", type=int, nargs="*", default=[10_000, 1_000_000])
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    table = Table(title="medians; rates per second; ratio of single to echo")
    columns = (
        *("orders", "echo", "single", "ratio", "ms CPU"),
        *("manifest", "ms CPU", f"{_CALLERS} of them", "ms CPU"),
    )
    for column in columns:
        table.add_column(column, justify="right")
    with running_suite() as suite:
        recipient, delivery_ids = _placed(suite, _CALLERS * _TOGETHER)
        there = 0
        for others in options.others:
            _add_others(suite, others - there)
            there = others
            found = _measure(suite, recipient, delivery_ids, options)
            table.add_row(*_row(others, found))
    Console().print(table)
    return 0


def _row(others: int, found: Measured) -> list[str]:
    bare, single = statistics.median(found.echo), statistics.median(found.single)
    return [
        f"{others:,}",
        f"{bare:,.0f}",
        f"{single:,.0f}",
        f"{single / bare:.2f}",
        f"{statistics.median(found.single_cpu):.2f}",
        f"{statistics.median(found.manifest):,.0f}",
        f"{statistics.median(found.manifest_cpu):.2f}",
        f"{statistics.median(found.manifests):,.0f}",
        f"{statistics.median(found.manifests_cpu):.2f}",
    ]


def _placed(suite: RunningSuite, count: int) -> tuple[str, list[str]]:
    """A courier and its open deliveries, as the front door and the pushes would leave them."""
    recipient = str(suite.credentials["courier"]["recipientId"])
    suite.post("privacyOfficer", "/v1/policies", {"texts": [bulk.POLICY]})
    stores = bulk.Stores.of(suite)
    try:
        people = bulk.load(stores, 0, count, lambda _: None, _ADDRESS)
        placed = [_open_order(subject, recipient) for subject in people]
        pushed = [vault_pb2.OrderSlice.FromString(slice_bytes([facts])) for facts in placed]
        with stores.vault.transaction() as connection:
            rows = (
                (
                    bulk.SITE,
                    facts.order.subject_id,
                    ORDERS,
                    1,
                    1,
                    canonical_digest(slice_),
                    slice_.SerializeToString(deterministic=True),
                    facts.order.register_time,
                )
                for facts, slice_ in zip(placed, pushed, strict=True)
            )
            bulk.copy(connection, slices, rows)
    finally:
        stores.close()
    broker = Database(suite.run["databases"]["disclosure"], pool_size=1, timeout_ms=600_000)
    try:
        with broker.transaction() as connection:
            for facts in placed:
                order = {name: getattr(facts.order, name) for name in _ORDER}
                connection.execute(insert(orders).values(order))
                [delivery] = facts.deliveries
                members = {column.name: getattr(delivery, column.name) for column in deliveries.c}
                connection.execute(insert(deliveries).values(members))
    finally:
        broker.close()
    return recipient, [facts.deliveries[0].delivery_id for facts in placed]


def _open_order(subject: str, recipient: str) -> OrderFacts:
    now = datetime.now().astimezone()
    order = Order(
        site_id=bulk.SITE,
        registration_id=new_uuid(),
        order_id=f"B-{secrets.token_hex(6)}",
        subject_id=subject,
        policy_version=1,
        state=OrderState.OPEN,
        register_time=now,
        act_id=new_uuid(),
    )
    delivery = Delivery(
        site_id=order.site_id,
        delivery_id=new_uuid(),
        registration_id=order.registration_id,
        order_id=order.order_id,
        subject_id=subject,
        recipient_id=recipient,
        kind=Kind.COURIER,
        assign_time=now,
        act_id=new_uuid(),
    )
    return OrderFacts(order, (delivery,))


def _add_others(suite: RunningSuite, count: int) -> None:
    """Open orders of other people, written straight into both books, by PostgreSQL itself.

    Nothing waits for the disk: a measurement that loses its orders begins anew.
    """
    for start in track(range(0, count, _AT_ONCE), "other people's orders"):
        _add_some(suite, min(_AT_ONCE, count - start))
    for name in ("disclosure", "vault"):
        url = _plain(suite.run["databases"][name])
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ANALYZE")


def _add_some(suite: RunningSuite, count: int) -> None:
    tag = secrets.token_hex(3)
    subject = f"md5('{tag}' || n)"
    uuid = f"CAST(md5('%s{tag}' || n) AS uuid)::text"
    order_columns = (
        "site_id, registration_id, order_id, subject_id, policy_version, state, register_time, "
        "act_id, close_act_id"
    )
    delivery_columns = (
        "site_id, delivery_id, registration_id, order_id, subject_id, recipient_id, kind, "
        "assign_time, act_id"
    )
    registration, act, delivery = uuid % "r", uuid % "a", uuid % "d"
    some = f"FROM generate_series(1, {count}) AS n"
    books = {name: _plain(suite.run["databases"][name]) for name in ("disclosure", "vault")}
    with psycopg.connect(books["disclosure"], options=_UNHURRIED) as connection:
        connection.execute(
            f"INSERT INTO orders ({order_columns}) SELECT 'demo', {registration}, "
            f"'O-{tag}-' || n, {subject}, 1, 'OPEN', now(), {act}, '' {some}"
        )
        connection.execute(
            f"INSERT INTO deliveries ({delivery_columns}) SELECT 'demo', {delivery}, "
            f"{registration}, 'O-{tag}-' || n, {subject}, {uuid % 'c'}, 'COURIER', now(), {act} "
            f"{some}"
        )
    with psycopg.connect(books["vault"], options=_UNHURRIED) as connection:
        connection.execute(
            "INSERT INTO slices (site_id, subject_id, topic, incarnation, counter, digest, body, "
            f"apply_time) SELECT 'demo', {subject}, 'orders', 1, 1, '', '', now() {some}"
        )


def _measure(
    suite: RunningSuite, recipient: str, delivery_ids: Sequence[str], options: Any
) -> Measured:
    found = Measured([], [], [], [], [], [], [])
    caller = contract_pb2.Principal(
        principal_id="bench",
        site_id="demo",
        role=contract_pb2.Caller.RECIPIENT,
        recipient_id=recipient,
    ).SerializeToString()
    singles = [
        disclosure_pb2.ReleaseDeliveryRequest(
            delivery_id=each, request_id=secrets.token_hex(8)
        ).SerializeToString()
        for each in delivery_ids[:_TOGETHER]
    ]
    order = {
        "certificates": suite.run["certificates"],
        "peer": "gateway",
        "concurrency": options.concurrency,
        "seconds": options.seconds,
        "payloads": [base64.b64encode(each).decode() for each in singles],
        "metadata": [
            ["qupia-principal-bin", base64.b64encode(caller).decode()],
            ["qupia-reference", secrets.token_hex(8)],
        ],
    }
    target = suite.run["processes"]["disclosure"]["socket"]
    servers = _servers(suite)
    with tempfile.TemporaryDirectory(prefix="qb-") as folder:
        address = f"unix:{folder}/echo.sock"
        command = [sys.executable, "-m", "benchmarks.echo", address, suite.run["certificates"]]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            server.stdout.readline()
            for _ in track(range(options.rounds), "measuring"):
                found.echo.append(_load(order | {"target": address, "path": echo.PATH})["rate"])
                asked = order | {"target": target, "path": _SERVICE, "server": "disclosure"}
                before = _cpu(servers)
                result = _load(asked)
                assert not result["failures"], f"{result['failures']} releases failed"
                found.single.append(result["rate"])
                found.single_cpu.append(1000 * (_cpu(servers) - before) / max(1, result["calls"]))
                for callers, rates, costs in (
                    (1, found.manifest, found.manifest_cpu),
                    (_CALLERS, found.manifests, found.manifests_cpu),
                ):
                    before, begun = _cpu(servers), time.perf_counter()
                    parts = [
                        delivery_ids[n * _TOGETHER : (n + 1) * _TOGETHER] for n in range(callers)
                    ]
                    work = partial(_manifests, suite, target, caller, seconds=options.seconds)
                    with ThreadPoolExecutor(callers) as pool:
                        count = sum(pool.map(work, parts))
                    rates.append(count / (time.perf_counter() - begun))
                    costs.append(1000 * (_cpu(servers) - before) / count)
            server.terminate()
    return found


def _manifests(
    suite: RunningSuite, target: str, caller: bytes, delivery_ids: Sequence[str], seconds: float
) -> int:
    """Manifests of these deliveries, one after the other; how many deliveries that were."""
    files = certificate_of("gateway", Path(suite.run["certificates"]))
    credentials = grpc.ssl_channel_credentials(
        files.authority.read_bytes(), files.key.read_bytes(), files.chain.read_bytes()
    )
    options = [
        ("grpc.ssl_target_name_override", "disclosure.qupia.internal"),
        ("grpc.max_receive_message_length", 1 << 24),
    ]
    metadata = (("qupia-principal-bin", caller), ("qupia-reference", secrets.token_hex(8)))
    count, begun = 0, time.perf_counter()
    with grpc.secure_channel(target, credentials, options) as channel:
        call: Callable[..., Any] = channel.unary_unary(
            _MANIFEST,
            request_serializer=manifest_pb2.ReleaseManifestRequest.SerializeToString,
            response_deserializer=manifest_pb2.ReleaseManifestResponse.FromString,
        )
        while time.perf_counter() - begun < seconds:
            request = manifest_pb2.ReleaseManifestRequest(
                delivery_ids=delivery_ids, request_id=secrets.token_hex(8)
            )
            answer = call(request, timeout=_SECONDS, metadata=metadata)
            assert not answer.next_page_token
            assert all(o.HasField("released") for o in answer.outcomes), "a release failed"
            count += len(answer.outcomes)
    return count


def _load(order: dict[str, Any]) -> dict[str, Any]:
    client = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=json.dumps(order).encode(),
        stdout=subprocess.PIPE,
        check=True,
        cwd=Path(__file__).parent.parent,
    )
    return dict(json.loads(client.stdout))


def _servers(suite: RunningSuite) -> list[psutil.Process]:
    pids = [suite.run["processes"][name]["pid"] for name in ("disclosure", "vault")]
    return [psutil.Process(pid) for pid in (*pids, suite.run["postgres"]["pid"])]


def _cpu(servers: Sequence[psutil.Process]) -> float:
    family = [m for s in servers for m in (s, *s.children(recursive=True))]
    return sum(sum(member.cpu_times()[:2]) for member in family)


def _plain(url: str) -> str:
    return url.replace("+psycopg", "")


if __name__ == "__main__":
    raise SystemExit(main())
