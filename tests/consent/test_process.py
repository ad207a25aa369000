# SPDX-License-Identifier: Apache-2.0
"""The consent service as a process: over mTLS, without a vault and with one that comes late."""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from joserfc import jwt
from joserfc.jwk import OKPKey

from cli.authority import ensure_certificates
from cli.postgres import DatabaseAccess
from qupia.consent.v1 import consent_pb2
from qupia.contract.v1 import contract_pb2
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import pushes_pb2, vault_pb2
from services.chassis.call import Call
from services.chassis.contract import load_contract
from services.chassis.process import certificate_of
from services.chassis.server import Server
from tests.consent.suite import VAULT_LIFE, use
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
SERVICE = "/qupia.consent.v1.ConsentService"
ISSUER = "https://issuer.example"
SITES = """
[operator]
name = "«Мысал» ЖШС"
bin = "181140010008"
address = "Алматы қ."
contact = "privacy@example.kz"
responsible = "Деректер жөніндегі маман"
withdrawal = "https://example.kz/consents"
"""
State = subject_pb2.Enforcement
Receipt = vault_pb2.SliceReceipt


class Running:
    """A consent process with its folder, and a channel to it as the gateway's."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder = folder
        ensure_certificates(folder, ("consent", "vault", "gateway"), datetime.now(UTC))
        self.key = OKPKey.generate_key("Ed25519", {"kid": "k1"})
        keys = {"keys": [self.key.as_dict(private=False)]}
        issuers = {"issuers": [{"issuer": ISSUER, "jwks": keys}]}
        (folder / "issuers.json").write_text(json.dumps(issuers))
        (folder / "secret").write_bytes(bytes(32))
        settings = {
            "listen": f"unix:{folder}/consent.sock",
            "vault": f"unix:{folder}/vault.sock",
            "certificates": str(folder),
            "database_url": database_url,
            "issuers": f"{folder}/issuers.json",
            "secret": f"{folder}/secret",
            "profile": "development",
            "sites": f"{folder}/sites.toml",
        }
        (folder / "sites.toml").write_text(SITES)
        self.config = folder / "consent.toml"
        self.config.write_text("".join(f"{k} = {json.dumps(v)}\n" for k, v in settings.items()))
        self.process = self.start()

    def start(self, **environ: str) -> subprocess.Popen[str]:
        """Start `python -m services.consent`."""
        path = f"{ROOT}:{ROOT}/protos"
        return subprocess.Popen(
            [sys.executable, "-m", "services.consent"],
            cwd=ROOT,
            env={"PYTHONPATH": path, "QUPIA_CONFIG": str(self.config), **environ},
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(self, request: Message, answer: type[Any], *metadata: tuple[str, Any]) -> Any:
        """Call the RPC named after the request, as the gateway does."""
        certificate = certificate_of("gateway", self.folder)
        credentials = grpc.ssl_channel_credentials(
            certificate.authority.read_bytes(),
            certificate.key.read_bytes(),
            certificate.chain.read_bytes(),
        )
        options = [("grpc.ssl_target_name_override", "consent.qupia.internal")]
        name = request.DESCRIPTOR.name.removesuffix("Request")
        with grpc.secure_channel(f"unix:{self.folder}/consent.sock", credentials, options) as line:
            call = line.unary_unary(
                f"{SERVICE}/{name}",
                request_serializer=type(request).SerializeToString,
                response_deserializer=answer.FromString,
            )
            return call(request, timeout=10, wait_for_ready=True, metadata=metadata)

    def officer(self) -> tuple[str, str]:
        """A privacy officer's token."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": "officer",
            "aud": "qupia",
            "iat": now,
            "nbf": now,
            "exp": now + 300,
            "qupia_grants": [{"site": "demo", "role": "PRIVACY_OFFICER"}],
        }
        token = jwt.encode(
            {"alg": "Ed25519", "kid": "k1"}, claims, self.key, algorithms=["Ed25519"]
        )
        return ("authorization", f"Bearer {token}")


STOREFRONT = (
    "qupia-principal-bin",
    contract_pb2.Principal(
        principal_id="shop", site_id="demo", role=contract_pb2.Caller.STOREFRONT
    ).SerializeToString(),
)


@pytest.fixture(scope="module")
def running(access: DatabaseAccess) -> Iterator[Running]:
    """A consent process without a vault."""
    folder = Path(tempfile.mkdtemp(prefix="qupia-consent-"))
    running = Running(folder, access.runtime_url)
    yield running
    if running.process.poll() is None:
        running.process.kill()
    running.process.wait()
    assert running.process.stderr is not None
    running.process.stderr.close()
    shutil.rmtree(folder)


def late_vault(call: Call) -> Message:
    """A vault that takes everything."""
    request = call.method.input_class.FromString(call.payload)
    if isinstance(request, vault_pb2.OpenIncarnationRequest):
        return vault_pb2.OpenIncarnationResponse(
            incarnation=request.known_incarnation + 1, vault_incarnation=VAULT_LIFE
        )
    if isinstance(request, vault_pb2.CompleteResyncRequest):
        return vault_pb2.CompleteResyncResponse(counts=True, vault_incarnation=VAULT_LIFE)
    if isinstance(request, pushes_pb2.ApplyConsentSlicesRequest):
        receipts = [_taken(each.header) for each in request.pushes]
        return pushes_pb2.ApplyConsentSlicesResponse(receipts=receipts)
    assert isinstance(
        request, vault_pb2.ApplyConsentSliceRequest | vault_pb2.ApplyPolicyScheduleRequest
    )
    return call.method.output_class(receipt=_taken(request.header))


def _taken(header: vault_pb2.SliceHeader) -> vault_pb2.SliceReceipt:
    return Receipt(
        verdict=Receipt.APPLIED,
        current=header.version,
        vault_incarnation=VAULT_LIFE,
        highest_incarnation=header.version.incarnation,
        proposals=[
            vault_pb2.ProposalOutcome(proposal_id=each, verdict=vault_pb2.ProposalOutcome.APPLIED)
            for each in header.open_proposals
        ],
    )


def test_the_process_serves_without_a_vault_and_goes_on_when_it_comes(running: Running) -> None:
    text = consent_pb2.PolicyText(language="kk", title="Саясат", body="Мәтін")
    published = running.ask(
        consent_pb2.PublishPolicyRequest(texts=[text], request_id="p-1"),
        consent_pb2.PublishPolicyResponse,
        running.officer(),
    )
    assert published.enforcement == State.PENDING
    registered = running.ask(
        consent_pb2.RegisterSubjectRequest(use=use(consent_pb2.Use.ORDER), request_id="r-1"),
        consent_pb2.RegisterSubjectResponse,
        STOREFRONT,
    )
    assert registered.enforcement == State.PENDING
    another = running.ask(
        consent_pb2.RegisterSubjectRequest(use=use(consent_pb2.Use.ORDER), request_id="r-2"),
        consent_pb2.RegisterSubjectResponse,
        STOREFRONT,
    )
    asked: list[str] = []

    def heard(call: Call) -> Message:
        asked.append(call.method.name)
        return late_vault(call)

    vault = Server(
        "vault", load_contract(), heard, certificate_of("vault", running.folder), workers=2
    )
    vault.start(f"unix:{running.folder}/vault.sock")
    try:
        await_in_force(running, published.act_id)
        await_in_force(running, registered.act_id)
        await_in_force(running, another.act_id)
    finally:
        vault.stop(0.1)
    # What a vault is told that knows nothing yet comes together.
    assert "ApplyConsentSlices" in asked


def await_in_force(running: Running, act_id: str) -> None:
    """Poll an act until it is in force."""
    request = consent_pb2.GetActRequest(act_id=act_id)

    def is_in_force() -> bool:
        act = running.ask(request, consent_pb2.GetActResponse, STOREFRONT).act
        return bool(act.enforcement == State.IN_FORCE)

    wait_until(is_in_force, "the act is not in force")


def test_a_caller_without_the_role_is_refused(running: Running) -> None:
    text = consent_pb2.PolicyText(language="kk", title="Саясат", body="Мәтін")
    request = consent_pb2.PublishPolicyRequest(texts=[text], request_id="p-2")
    with pytest.raises(grpc.RpcError) as error:
        running.ask(request, consent_pb2.PublishPolicyResponse, STOREFRONT)
    assert error.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_a_wrong_key_in_the_configuration_is_named(running: Running) -> None:
    process = running.start(QUPIA_CONSENT_VALUT="unix:/nowhere")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 78
    assert "valut: no such key; did you mean vault?" in said


def test_the_process_ends_cleanly_when_told_to(running: Running) -> None:
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(60) == 0
