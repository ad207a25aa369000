# SPDX-License-Identifier: Apache-2.0
"""Real vault processes with mutual TLS, against an embedded PostgreSQL.

They are forked by a server that has the vault's modules in memory, as `qupia run` does it: a start
takes a fraction of what importing everything anew would.
"""

import json
import multiprocessing
import os
import secrets
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import grpc
import httpx
import psycopg
from grpc_health.v1 import health_pb2
from joserfc import jwt
from joserfc.jwk import OKPKey

from cli.authority import dns_name, ensure_certificates
from tests.harness.cluster import book_like, open_folder, put_cluster, started
from tests.vault.wire_client import Caller, DeciderLife

PROCESSES = ("consent", "claims", "disclosure", "gateway", "vault")
DECIDERS = ("consent", "claims", "disclosure")
ISSUER = "https://issuer.test"
_START_SECONDS = 90.0
VAULT = "services.vault.__main__:main"

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["services.vault.__main__", __name__])


def _run(entry: str, environment: Mapping[str, str], log: Path) -> None:
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.environ.update(environment)
    module, _, name = entry.partition(":")
    sys.exit(getattr(import_module(module), name)())


def libpq(url: str) -> str:
    """A SQLAlchemy URL as psycopg wants it."""
    return url.replace("postgresql+psycopg:", "postgresql:", 1)


class Premises:
    """One PostgreSQL, one authority and one issuer of tokens, for all houses of a session."""

    def __init__(self) -> None:
        self.folder = open_folder("qv-")
        put_cluster(self.folder)
        self.cluster = started(self.folder)
        self.certificates = self.folder / "c"
        self.authority = ensure_certificates(self.certificates, PROCESSES, datetime.now(UTC))
        self._issuer_key = OKPKey.generate_key("Ed25519", {"kid": "k"})
        public = self._issuer_key.as_dict(private=False)
        document = {"issuers": [{"issuer": ISSUER, "jwks": {"keys": [public]}}]}
        self.issuers = self.folder / "issuers.json"
        self.issuers.write_text(json.dumps(document))
        self.secret = self.folder / "secret"
        self.secret.write_bytes(secrets.token_bytes(32))
        self._houses: list[House] = []

    def house(self, name: str) -> "House":
        """A vault's databases and keys, its own however often the name is used.

        No process runs yet.
        """
        house = House(self, f"{name}_{len(self._houses)}")
        self._houses.append(house)
        return house

    def token(self, role: str = "CLAIMS_OFFICER", site: str = "demo", name: str = "aigerim") -> str:
        """A person's token, good for five minutes."""
        now = datetime.now(UTC)
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "sub": name,
            "aud": "qupia",
            "exp": int((now + timedelta(minutes=5)).timestamp()),
            "qupia_grants": [{"site": site, "role": role}],
        }
        header = {"alg": "Ed25519", "kid": "k"}
        return jwt.encode(header, claims, self._issuer_key, algorithms=["Ed25519"])

    def close(self) -> None:
        """End everything that was started here."""
        for house in self._houses:
            house.close()
        self.cluster.stop()
        shutil.rmtree(self.folder)


class House:
    """One vault: its database, its key store, its key file, and the processes on them."""

    def __init__(self, premises: Premises, name: str) -> None:
        self.premises = premises
        self.name = name
        self.keys = premises.folder / f"{name}-keys"
        self.keys.mkdir()
        self.key_file = self.keys / "kek"
        # Nobody uses the cluster's own two: they stay empty.
        self.vault = book_like(premises.cluster, "vault", f"{name}_vault")
        self.key_store = book_like(premises.cluster, "keystore", f"{name}_keystore")
        self.processes: list[VaultProcess] = []
        self.lives = {process: DeciderLife() for process in PROCESSES}

    def environment(self, socket: Path, **settings: object) -> dict[str, str]:
        """The settings of a process; `settings` go over the house's own."""
        own = {
            "listen": f"unix:{socket}",
            "certificates": self.premises.certificates,
            "database_url": self.vault.runtime_url,
            "key_store_url": self.key_store.runtime_url,
            "key_file": self.key_file,
            "issuers": self.premises.issuers,
            "secret": self.premises.secret,
            "metrics": f"unix:{socket.with_suffix('.metrics')}",
            "refusals_per_minute": 100_000,
        }
        return {f"QUPIA_VAULT_{key.upper()}": str(v) for key, v in (own | settings).items()}

    def spawn(self, entry: str = VAULT, **settings: object) -> "VaultProcess":
        """A process that is starting."""
        socket = self.premises.folder / f"{self.name}-{len(self.processes)}.sock"
        process = VaultProcess(self, socket, entry, self.environment(socket, **settings))
        self.processes.append(process)
        return process

    def start(self, entry: str = VAULT, **settings: object) -> "VaultProcess":
        """A process that serves."""
        process = self.spawn(entry, **settings)
        process.wait_until_serving()
        return process

    def open(self, process: "VaultProcess", deciders: Sequence[str] = DECIDERS) -> None:
        """Let the deciders tell the vault that they have pushed all they know."""
        for decider in deciders:
            process.as_process(decider).resync()

    def owner(self, *, key_store: bool = False) -> psycopg.Connection[Any]:
        """The owner of the database, each statement a transaction."""
        access = self.key_store if key_store else self.vault
        return psycopg.connect(libpq(access.owner_url), autocommit=True)

    def rows(self, statement: str, *arguments: object, key_store: bool = False) -> list[Any]:
        """What a query of the owner finds."""
        with self.owner(key_store=key_store) as owner:
            return owner.execute(statement, arguments).fetchall()

    def entries(self, **members: str) -> list[dict[str, Any]]:
        """The bodies of the evidence with those members, oldest first."""
        found = self.rows("SELECT body FROM evidence_entries ORDER BY entry_id")
        bodies = [json.loads(body) for (body,) in found]
        return [b for b in bodies if members.items() <= b.items()]

    def close(self) -> None:
        """End the processes that still run."""
        for process in self.processes:
            process.stop()


class VaultProcess:
    """One running vault, and whoever calls it."""

    def __init__(
        self, house: House, socket: Path, entry: str, environment: Mapping[str, str]
    ) -> None:
        self.house = house
        self.socket = socket
        self.log = socket.with_suffix(".log")
        self.process = _forks.Process(target=_run, args=(entry, environment, self.log), daemon=True)
        self.process.start()
        self._callers: dict[str, Caller] = {}

    @property
    def output(self) -> str:
        """What it has written."""
        return self.log.read_text("utf-8", errors="replace")

    def wait_until_serving(self) -> None:
        """Return when health says SERVING. Raises AssertionError with its output."""
        deadline = time.monotonic() + _START_SECONDS
        ask = self.as_process("gateway").channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        while time.monotonic() < deadline:
            assert self.process.is_alive(), self.output
            try:
                answer = ask(health_pb2.HealthCheckRequest(), timeout=1, wait_for_ready=True)
            except grpc.RpcError:
                continue
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return
            time.sleep(0.02)
        raise AssertionError(f"the vault does not serve: {self.output}")

    def as_process(self, process: str) -> Caller:
        """The caller with that process's certificate."""
        if process not in self._callers:
            folder = self.house.premises.certificates
            parts = (folder / "ca.pem", folder / f"{process}.key", folder / f"{process}.pem")
            credentials = grpc.ssl_channel_credentials(*(part.read_bytes() for part in parts))
            options = [
                ("grpc.ssl_target_name_override", dns_name("vault")),
                ("grpc.initial_reconnect_backoff_ms", 50),
                ("grpc.min_reconnect_backoff_ms", 50),
                ("grpc.max_reconnect_backoff_ms", 200),
            ]
            channel = grpc.secure_channel(f"unix:{self.socket}", credentials, options)
            self._callers[process] = Caller(process, channel, self.house.lives[process])
        return self._callers[process]

    def metric(self, name: str, **labels: str) -> float:
        """A figure of the process; 0 where it was never counted."""
        transport = httpx.HTTPTransport(uds=str(self.socket.with_suffix(".metrics")))
        with httpx.Client(transport=transport, trust_env=False) as client:
            text = client.get("http://local/metrics").text
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        for line in text.splitlines():
            if line.startswith(name + "{") and all(each in line for each in wanted):
                return float(line.rpartition(" ")[2])
        return 0.0

    def exit_code(self, seconds: float = 30.0) -> int | None:
        """Its exit code, once it has ended by itself; None where it still runs."""
        self.process.join(seconds)
        return self.process.exitcode

    def stop(self) -> None:
        """End it, if it still runs."""
        for caller in self._callers.values():
            caller.channel.close()
        self._callers.clear()
        if self.process.is_alive():
            self.process.terminate()
            self.process.join(10)
        if self.process.is_alive():
            self.process.kill()
            self.process.join(10)
