# SPDX-License-Identifier: Apache-2.0
"""Admission, two pools, health, reflection, renewed certificates, drain."""

import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from cli.authority import Authority
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.address import AddressInUse
from services.chassis.call import Call
from services.chassis.contract import load_contract
from services.chassis.server import Certificate, Server
from tests.chassis.desk import BLOCK, SUBJECT, Desk, shop
from tests.harness.waiting import PATIENCE_SECONDS, wait_until
from tests.vault.wire_client import refused

REQUEST = vault_pb2.ReadDataRequest(
    subject_id=SUBJECT, purpose=subject_pb2.Purpose.IDENTIFY_FOR_ORDER
)
SLICE = vault_pb2.ApplyClaimsSliceRequest(
    header=vault_pb2.SliceHeader(
        site_id="demo", subject_id=SUBJECT, version=vault_pb2.SliceVersion(incarnation=1, counter=1)
    ),
    slice=vault_pb2.ClaimsSlice(blocks=[vault_pb2.Block(ground=vault_pb2.Block.INACCURATE_DATA)]),
)


@pytest.fixture
def stuck(quiet: None) -> Iterator[tuple[Desk, threading.Event, list[Any]]]:  # noqa: ARG001
    """Two threads for reads, ten readers, none of whom comes to an end."""
    go_on = threading.Event()

    def answer(call: Call) -> Message:
        if not call.method.critical:
            go_on.wait(PATIENCE_SECONDS)
        return call.method.output_class()

    desk = Desk(workers=2, answer=answer)
    call: Any = desk.gateway.unary_unary("/qupia.vault.v1.VaultService/ReadData")
    body = REQUEST.SerializeToString()
    futures = [
        call.future(body, timeout=PATIENCE_SECONDS, metadata=tuple(shop())) for _ in range(10)
    ]
    wait_until(lambda: sum(future.done() for future in futures) >= 2, "nobody was turned away")
    yield desk, go_on, futures
    go_on.set()
    desk.close()


def test_beyond_four_times_its_threads_a_pool_turns_callers_away(
    stuck: tuple[Desk, threading.Event, list[Any]],
) -> None:
    desk, go_on, futures = stuck
    away = [future for future in futures if future.done()]
    assert {refused(future.exception()).reason for future in away} == {"OVERLOADED"}
    assert len(away) == 2
    assert desk.why_not(REQUEST, shop()) == "OVERLOADED"
    go_on.set()
    assert sum(future.exception() is None for future in futures) == 8
    assert desk.why_not(REQUEST, shop()) == "OK"


def test_critical_calls_and_health_have_threads_of_their_own(
    stuck: tuple[Desk, threading.Event, list[Any]],
) -> None:
    desk, _, futures = stuck
    channel = desk.channel(desk.leaf("claims"))
    for _ in range(5):
        assert desk.why_not(SLICE, path=BLOCK, channel=channel) == "OK"
    assert _health(desk) == "NOT_SERVING"
    assert sum(future.done() for future in futures) == 2, "they waited for a reader to end"


def _health(desk: Desk) -> str:
    body = desk.ask(
        health_pb2.HealthCheckRequest().SerializeToString(), path="/grpc.health.v1.Health/Check"
    )
    status = health_pb2.HealthCheckResponse.FromString(body).status
    return health_pb2.HealthCheckResponse.ServingStatus.Name(status)


def test_health_tells_whether_the_process_serves(desk: Desk) -> None:
    assert _health(desk) == "NOT_SERVING"
    desk.server.set_serving(True)
    assert _health(desk) == "SERVING"


def test_what_the_calls_are_is_not_told(desk: Desk) -> None:
    path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
    call: Any = desk.gateway.stream_stream(path)
    with pytest.raises(grpc.RpcError) as caught:
        next(call(iter([b""]), timeout=3))
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_renewed_certificate_is_taken_up_without_a_restart(desk: Desk) -> None:
    assert desk.why_not(REQUEST, shop()) == "OK"
    other = Authority.create(datetime.now(UTC))
    leaf = other.issue("vault", datetime.now(UTC))
    time.sleep(0.02)
    for name, content in (
        ("ca.pem", other.pem),
        ("vault.pem", leaf.certificate),
        ("vault.key", leaf.key),
    ):
        (desk.folder / name).write_bytes(content)
    gateway = other.issue("gateway", datetime.now(UTC))
    channel = desk.channel(gateway, other.pem)
    assert desk.why_not(REQUEST, shop(), channel=channel) == "OK"
    # Who is connected stays so; the former authority opens nothing anew.
    assert desk.why_not(REQUEST, shop()) == "OK"
    former = desk.channel(desk.leaf("gateway"))
    with pytest.raises(grpc.RpcError):
        desk.ask(REQUEST, shop(), channel=former, seconds=1)


def test_what_is_under_way_ends_before_the_process_does(desk: Desk) -> None:
    begun = threading.Event()

    def answer(call: Call) -> Message:
        begun.set()
        time.sleep(0.4)
        return call.method.output_class()

    desk.answer = answer
    call: Any = desk.gateway.unary_unary("/qupia.vault.v1.VaultService/ReadData")
    future = call.future(REQUEST.SerializeToString(), timeout=30, metadata=tuple(shop()))
    assert begun.wait(PATIENCE_SECONDS)
    desk.server.stop(3)
    assert future.exception() is None
    with pytest.raises(grpc.RpcError):
        desk.ask(REQUEST, shop(), seconds=1)


def _server(folder: Path) -> Server:
    certificate = Certificate(folder / "ca.pem", folder / "vault.pem", folder / "vault.key")
    return Server("vault", load_contract(), lambda call: call.method.output_class(), certificate)


def test_an_address_that_is_taken_is_refused_and_its_holder_left_alone(desk: Desk) -> None:
    with pytest.raises(AddressInUse, match="in use"):
        _server(desk.folder).start(desk.address)
    assert desk.why_not(REQUEST, shop(), channel=desk.channel(desk.leaf("gateway"))) == "OK"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(AddressInUse, match="in use"):
            _server(desk.folder).start(f"127.0.0.1:{taken.getsockname()[1]}")


def test_a_socket_that_the_dead_left_behind_is_taken_over(desk: Desk) -> None:
    left = desk.folder / "left.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(left))
    assert left.exists()
    server = _server(desk.folder)
    server.start(f"unix:{left}")
    server.stop(0)


def test_a_call_has_at_most_two_minutes(desk: Desk) -> None:
    left: list[float] = []

    def answer(call: Call) -> Message:
        left.append(call.remaining())
        return call.method.output_class()

    desk.answer = answer
    desk.ask(REQUEST, shop(), seconds=timedelta(days=1).total_seconds())
    assert 119 < left[0] <= 120
