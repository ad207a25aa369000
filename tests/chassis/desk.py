# SPDX-License-Identifier: Apache-2.0
"""The vault's contract served in this process: real TLS, the real pipeline, no vault behind it."""

import io
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import grpc
from google.protobuf.message import Message
from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey

from cli.authority import Authority, Leaf, dns_name
from qupia.contract.v1 import contract_pb2
from services.chassis import log
from services.chassis.call import Call
from services.chassis.clock import FixedClock
from services.chassis.contract import load_contract
from services.chassis.identity import Issuers
from services.chassis.metrics import Metrics
from services.chassis.pipeline import Pipeline, stages
from services.chassis.process import peer_names
from services.chassis.refusal import Refusal
from services.chassis.server import Certificate, Server
from tests.vault.wire_client import Refused, refused

ISSUER, OTHER_ISSUER = "https://issuer.test", "https://other.test"
READ = "/qupia.vault.v1.VaultService/ReadData"
STORE = "/qupia.vault.v1.VaultService/StoreData"
VERIFY = "/qupia.vault.v1.VaultService/ReadForVerification"
BLOCK = "/qupia.vault.v1.VaultClaimsService/ApplyClaimsSlice"
SUBJECT = "0123456789abcdef" * 2
Metadata = Iterable[tuple[str, str | bytes]]


@dataclass
class Desk:
    """A server whose handler is `answer`; what it was asked and refused is kept."""

    workers: int = 4
    answer: Callable[[Call], Message] = lambda call: call.method.output_class()
    record: Callable[[Call, Refusal], None] = lambda _call, _refusal: None
    calls: list[Call] = field(default_factory=list)
    recorded: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="qd-", dir="/tmp"))
        now = datetime.now(UTC)
        self.authority = Authority.create(now)
        (self.folder / "ca.pem").write_bytes(self.authority.pem)
        leaf = self.authority.issue("vault", now)
        (self.folder / "vault.pem").write_bytes(leaf.certificate)
        (self.folder / "vault.key").write_bytes(leaf.key)
        self.output = io.StringIO()
        log.configure("vault", self.output)
        self.metrics = Metrics()
        self.clock = FixedClock(now)
        self.issuer_key = OKPKey.generate_key("Ed25519", {"kid": "k"})
        self._channels: list[grpc.Channel] = []
        self.server = self._server()
        self.address = f"unix:{self.folder}/vault.sock"
        self.server.start(self.address)
        self.gateway = self.channel(self.leaf("gateway"))

    def _server(self) -> Server:
        contract = load_contract()
        keys = KeySet.import_key_set({"keys": [self.issuer_key.as_dict(private=False)]})
        steps = stages(
            log.get_logger("vault"),
            self.metrics,
            peer_names(),
            Issuers({ISSUER: keys}, self.clock),
            self._record,
            self.clock,
        )
        handlers = {m.path: self._handle for m in contract.of_process("vault")}
        folder = self.folder
        certificate = Certificate(folder / "ca.pem", folder / "vault.pem", folder / "vault.key")
        return Server(
            "vault",
            contract,
            Pipeline(steps, handlers),
            certificate,
            workers=self.workers,
            critical_workers=2,
        )

    def _handle(self, call: Call) -> Message:
        self.calls.append(call)
        return self.answer(call)

    def _record(self, call: Call, refusal: Refusal) -> None:
        self.recorded.append((call.method.name, refusal.reason))
        self.record(call, refusal)

    def leaf(self, process: str, *, lived: timedelta = timedelta(), **members: Any) -> Leaf:
        """A certificate of the authority that believes in the caller, issued `lived` ago."""
        return self.authority.issue(process, datetime.now(UTC) - lived, **members)

    def channel(self, leaf: Leaf | None, authority: bytes | None = None) -> grpc.Channel:
        """A channel with that certificate, or with none."""
        root = authority or self.authority.pem
        credentials = (
            grpc.ssl_channel_credentials(root, leaf.key, leaf.certificate)
            if leaf
            else grpc.ssl_channel_credentials(root)
        )
        options = [
            ("grpc.ssl_target_name_override", dns_name("vault")),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.max_send_message_length", 64 * 1024 * 1024),
        ]
        channel = grpc.secure_channel(self.address, credentials, options)
        self._channels.append(channel)
        return channel

    def ask(
        self,
        payload: Message | bytes,
        metadata: Metadata = (),
        *,
        path: str = READ,
        seconds: float | None = 5.0,
        channel: grpc.Channel | None = None,
    ) -> bytes:
        """The answer's bytes. Raises Refused, or grpc's own error where nothing typed came."""
        body = payload if isinstance(payload, bytes) else payload.SerializeToString()
        call: Any = (channel or self.gateway).unary_unary(path)
        try:
            return bytes(call(body, timeout=seconds, metadata=tuple(metadata)))
        except grpc.RpcError as error:
            trailers = cast("Any", error).trailing_metadata() or ()
            if "grpc-status-details-bin" not in {key for key, _ in trailers}:
                raise
            raise refused(error) from None

    def why_not(self, payload: Message | bytes, metadata: Metadata = (), **members: Any) -> str:
        """The reason of a refusal; OK where there is none."""
        try:
            self.ask(payload, metadata, **members)
        except Refused as refusal:
            return refusal.reason
        return "OK"

    def token(self, key: OKPKey | None = None, alg: str = "Ed25519", **claims: Any) -> str:
        """A person's token; a claim that is None is left out."""
        now = self.clock.now()
        own = {
            "iss": ISSUER,
            "sub": "aigerim",
            "aud": "qupia",
            "exp": int((now + timedelta(minutes=5)).timestamp()),
            "qupia_grants": [{"site": "demo", "role": "CLAIMS_OFFICER"}],
        }
        whole = {name: v for name, v in {**own, **claims}.items() if v is not None}
        header = {"alg": alg, "kid": "k"}
        return jwt.encode(header, whole, key or self.issuer_key, algorithms=[alg])

    def lines(self) -> list[dict[str, Any]]:
        """The log."""
        return [json.loads(line) for line in self.output.getvalue().splitlines()]

    def close(self) -> None:
        """End it."""
        for channel in self._channels:
            channel.close()
        self.server.stop(0)
        shutil.rmtree(self.folder)


def shop(**members: Any) -> Metadata:
    """What the gateway says of a storefront's key."""
    own = {"principal_id": "shop", "site_id": "demo", "role": contract_pb2.Caller.STOREFRONT}
    principal = contract_pb2.Principal(**{**own, **members})
    return (("qupia-principal-bin", principal.SerializeToString()),)
