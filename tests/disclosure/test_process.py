# SPDX-License-Identifier: Apache-2.0
"""The disclosure process itself: it serves without a vault, and says why it cannot start."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2

from cli.authority import ensure_certificates
from cli.postgres import DatabaseAccess
from qupia.contract.v1 import contract_pb2
from qupia.disclosure.v1 import disclosure_pb2 as d
from qupia.subject.v1 import subject_pb2
from services.chassis.database import Database
from tests.disclosure.house import SITE, SUBJECT
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
SERVICE = "/qupia.disclosure.v1.DisclosureService/"


@pytest.fixture
def settings(access: DatabaseAccess, database: Database) -> Iterator[dict[str, str]]:
    """A whole configuration in a folder of its own; the vault's socket leads nowhere."""
    assert database.reachable()
    folder = Path(tempfile.mkdtemp(prefix="qd-"))
    ensure_certificates(folder, ("disclosure", "gateway"), datetime.now(UTC))
    (folder / "secret").write_bytes(os.urandom(32))
    (folder / "issuers.json").write_text(json.dumps({"issuers": []}))
    yield {
        "listen": f"unix:{folder}/d.sock",
        "vault": f"unix:{folder}/v.sock",
        "certificates": str(folder),
        "database_url": access.runtime_url,
        "issuers": str(folder / "issuers.json"),
        "secret": str(folder / "secret"),
        "profile": "development",
    }
    shutil.rmtree(folder)


def _start(settings: dict[str, str]) -> subprocess.Popen[str]:
    file = Path(settings["certificates"]) / "disclosure.toml"
    file.write_text("".join(f'{key} = "{value}"\n' for key, value in settings.items()))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("QUPIA_")}
    environment |= {"QUPIA_CONFIG": str(file), "PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"}
    return subprocess.Popen(
        [sys.executable, "-m", "services.disclosure"],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )


def _channel(settings: dict[str, str]) -> grpc.Channel:
    folder = Path(settings["certificates"])
    credentials = grpc.ssl_channel_credentials(
        (folder / "ca.pem").read_bytes(),
        (folder / "gateway.key").read_bytes(),
        (folder / "gateway.pem").read_bytes(),
    )
    options = [("grpc.ssl_target_name_override", "disclosure.qupia.internal")]
    return grpc.secure_channel(settings["listen"], credentials, options)


def _await_serving(channel: grpc.Channel) -> None:
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )

    def serves() -> bool:
        try:
            answer = check(health_pb2.HealthCheckRequest(), timeout=1, wait_for_ready=True)
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    wait_until(serves, "the process does not serve")


def test_the_process_serves_without_a_vault_and_its_acts_are_pending(
    settings: dict[str, str],
) -> None:
    process = _start(settings)
    try:
        with _channel(settings) as channel:
            _await_serving(channel)
            order = d.Order(order_id="A-1001", subject_id=SUBJECT)
            request = d.RegisterOrderRequest(order=order, request_id="k1")
            caller = contract_pb2.Principal(
                principal_id="shop", site_id=SITE, role=contract_pb2.Caller.STOREFRONT
            )
            answer = channel.unary_unary(
                SERVICE + "RegisterOrder",
                request_serializer=d.RegisterOrderRequest.SerializeToString,
                response_deserializer=d.RegisterOrderResponse.FromString,
            )(
                request,
                timeout=30,
                metadata=(("qupia-principal-bin", caller.SerializeToString()),),
            )
        assert answer.order.state == d.Order.PENDING
        assert answer.enforcement == subject_pb2.Enforcement.PENDING
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        _, said = process.communicate()
    assert "defect" not in said
    assert "failed" not in said


@pytest.mark.parametrize(
    ("key", "value", "code", "word"),
    [
        ("vaultt", "unix:/tmp/v.sock", 78, "vaultt"),
        ("reconcile_after_seconds", "3", 78, "reconcile_after_seconds"),
        ("database_url", "postgresql://disclosure:x@127.0.0.1:1/disclosure", 69, "database"),
        ("secret", "/nowhere/secret", 69, "/nowhere/secret"),
    ],
)
def test_a_process_that_cannot_start_says_why(
    settings: dict[str, str], key: str, value: str, code: int, word: str
) -> None:
    process = _start(settings | {key: value})
    _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert word in said
    assert "Traceback" not in said
