# SPDX-License-Identifier: Apache-2.0
"""A key that is bound to a certificate opens nothing without it (clauses 5.2, 6.2.2): over TLS.

A second gateway, with TLS, before the services of the session's suite.
"""

import json
import os
import secrets
import signal
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.authority import Authority
from cli.port import choose_port
from gateway.book import CredentialBook
from gateway.credential import Holder, KeyRole, new_key
from gateway.tls import ClientCertificate
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from tests.gateway.authority import Held, issued
from tests.harness.suite import Suite
from tests.harness.waiting import awaited, wait_until
from tests.policy.person import DATA, Person
from tests.policy.site import Site, new_site, recipient

ROOT = Path(__file__).parents[2]
_SECONDS = 60.0
_SERVICES = ("consent", "vault", "disclosure", "claims")


@dataclass
class Door:
    """The gateway's address and files, and the authorities of both sides."""

    url: str
    folder: Path
    site: Site
    public: Authority
    partners: Authority

    def ask(
        self,
        key: str,
        verb: str,
        path: str,
        held: Held | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """One request over a connection of its own, with a client certificate if any."""
        sent = {**(headers or {})}
        if key:
            sent["Authorization"] = f"Bearer {key}"
        with self.client(held) as client:
            return client.request(verb, path, headers=sent, json={} if verb == "POST" else None)

    def serves(self, held: Held | None = None) -> bool:
        """Whether it answers a connection with this certificate."""
        return self.ask("", "GET", "/healthz", held).status_code == 200

    def client(self, held: Held | None = None) -> httpx.Client:
        """A client that trusts the public authority."""
        context = ssl.create_default_context(cadata=self.public.pem.decode())
        if held is not None:
            context.load_cert_chain(*held.pair)
        return httpx.Client(base_url=self.url, verify=context, timeout=_SECONDS, trust_env=False)

    def bound(self, held: Held) -> "Bound":
        """A courier whose keys are bound to a certificate, with one key."""
        body = {"recipient": {**recipient(), "certificateSha256": held.sha256}}
        made = self.site.good("privacyOfficer", "POST", "/v1/recipients", body).json["recipient"]
        recipient_id = str(made["recipientId"])
        path = f"/v1/recipients/{recipient_id}:activate"
        self.site.good("secondPrivacyOfficer", "POST", path, {})
        holder = Holder(
            f"bound-{secrets.token_hex(4)}", self.site.site_id, KeyRole.RECIPIENT, (), recipient_id
        )
        with closing(Database(self.site.suite.database_url("gateway"), pool_size=1)) as database:
            key = CredentialBook(database, SystemClock(), "operator/test").issue(holder).key
        return Bound(self.site, recipient_id, key)


@dataclass
class Bound:
    """A recipient and its key."""

    site: Site
    recipient_id: str
    key: str

    def delivery(self, person: Person) -> str:
        """A delivery that is given to it."""
        body = {"recipientId": self.recipient_id}
        path = f"/v1/orders/{person.ordered()}:assign"
        made = self.site.good("storefront", "POST", path, body).json
        return str(made["delivery"]["deliveryId"])


@pytest.fixture(scope="module")
def door(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("door")
    now = datetime.now(UTC)
    public, partners = Authority.create(now), Authority.create(now)
    issued(folder, public, "site")
    (folder / "partners.pem").write_bytes(partners.pem)
    port = choose_port(0)
    environ = {k: v for k, v in os.environ.items() if not k.startswith("QUPIA_")} | {
        "PYTHONPATH": f"{ROOT}:{ROOT}/protos",
        "QUPIA_GATEWAY_DATABASE_URL": suite.database_url("gateway"),
        "QUPIA_GATEWAY_CERTIFICATES": str(suite.certificates),
        "QUPIA_GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "QUPIA_GATEWAY_TLS_CERTIFICATE": str(folder / "site.pem"),
        "QUPIA_GATEWAY_TLS_KEY": str(folder / "site.key"),
        "QUPIA_GATEWAY_TLS_CLIENT_AUTHORITIES": str(folder / "partners.pem"),
        "QUPIA_GATEWAY_TLS_REFRESH_SECONDS": "0.1",
        **{f"QUPIA_GATEWAY_{p.upper()}_TARGET": suite.target(p) for p in _SERVICES},
    }
    with (folder / "gateway.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway"], cwd=ROOT, env=environ, stderr=log
        )
    try:
        with new_site(suite) as site:
            made = Door(f"https://localhost:{port}", folder, site, public, partners)
            _await(made.serves)
            yield made
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def _await(holds: Callable[[], object]) -> None:
    def is_so() -> bool:
        try:
            return bool(holds())
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            return False

    wait_until(is_so, "it never came")


def test_a_bound_key_releases_with_its_certificate_alone(door: Door) -> None:
    """T-6.2.2-a"""
    own, other = (issued(door.folder, door.partners, name) for name in ("courier", "rival"))
    bound, person = door.bound(own), door.site.person(DATA)
    delivery = bound.delivery(person)
    path = f"/v1/deliveries/{delivery}:release"
    for held in (None, other):
        refused = door.ask(bound.key, "POST", path, held)
        assert (refused.status_code, refused.json()["code"]) == (404, "NOT_AVAILABLE")
        reference = refused.json()["reference"]
        line = door.site.good("auditor", "GET", f"/v1/disclosures/{reference}").json["disclosure"]
        assert (line["reason"], line["clause"]) == ("RECIPIENT_NOT_PERMITTED", "6.2.2")
        assert door.ask(bound.key, "GET", "/v1/deliveries", held).json()["deliveries"] == []
        manifest = door.ask(bound.key, "POST", "/v1/deliveries:releaseManifest", held)
        assert manifest.json()["outcomes"] == []
    released = door.ask(bound.key, "POST", path, own)
    assert (released.status_code, released.json()["details"]["phone"]) == (200, person.own["phone"])
    listed = door.ask(bound.key, "GET", "/v1/deliveries", own).json()["deliveries"]
    assert [each["deliveryId"] for each in listed] == [delivery]


def test_connections_do_not_share_a_certificate(door: Door) -> None:
    """T-6.2.2-a"""
    own = issued(door.folder, door.partners, "shared")
    bound = door.bound(own)
    path = f"/v1/deliveries/{bound.delivery(door.site.person(DATA))}:release"
    headers = {"Authorization": f"Bearer {bound.key}"}
    with door.client(own) as with_it, door.client() as without:
        for _ in range(2):
            assert without.post(path, json={}, headers=headers).status_code == 404
            assert with_it.post(path, json={}, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "Qupia-Certificate-Sha256",
        "X-Client-Cert",
        "X-SSL-Client-Sha256",
        "X-Forwarded-Client-Cert",
        "SSL-Client-Cert",
        "Client-Cert",
    ],
)
def test_no_header_stands_for_a_certificate(door: Door, name: str) -> None:
    """T-6.2.2-a"""
    own = issued(door.folder, door.partners, "header")
    bound = door.bound(own)
    path = f"/v1/deliveries/{bound.delivery(door.site.person(DATA))}:release"
    refused = door.ask(bound.key, "POST", path, headers={name: own.sha256})
    assert (refused.status_code, refused.json()["code"]) == (404, "NOT_AVAILABLE")
    plain = httpx.Client(base_url=door.site.suite.gateway, trust_env=False)
    with plain:
        headers = {"Authorization": f"Bearer {bound.key}", name: own.sha256}
        assert plain.post(path, json={}, headers=headers).status_code == 404


def test_an_expired_and_a_strange_certificate_end_the_handshake(door: Door) -> None:
    """T-6.2.2-a"""
    expired = issued(door.folder, door.partners, "late", expired=True)
    strange = issued(door.folder, Authority.create(datetime.now(UTC)), "strange")
    for held in (expired, strange):
        with pytest.raises(httpx.TransportError):
            door.serves(held)
    assert door.serves()


def test_a_refused_certificate_and_a_refused_key_are_evidence_within_seconds(door: Door) -> None:
    """T-1.1.1-a"""
    expired = issued(door.folder, door.partners, "ended", expired=True)
    strange = issued(door.folder, Authority.create(datetime.now(UTC)), "stranger")
    before = _refused(door)
    for held in (expired, strange, strange):
        with pytest.raises(httpx.TransportError):
            door.serves(held)
    assert door.ask(new_key(), "GET", "/v1/recipients").status_code == 401
    wanted = before + Counter(
        {"certificate-expired": 1, "certificate-unverified": 2, "key-unknown": 1}
    )
    # The tests before this one were refused too, and may not have been written down.
    _await(lambda: _refused(door) >= wanted)


def _refused(door: Door) -> Counter[str]:
    """How many credentials were refused by each rule."""
    counted: Counter[str] = Counter()
    query = "SELECT e.body, t.count FROM refusal_tallies t JOIN evidence_entries e USING (entry_id)"
    with (
        closing(Database(door.site.suite.database_url("gateway"), pool_size=1)) as database,
        database.transaction() as connection,
    ):
        rows = connection.exec_driver_sql(query).all()
    for body, count in rows:
        counted[json.loads(body)["refs"]["rule"]] += count
    return counted


def test_notices_go_to_the_certificate_that_the_keys_are_bound_to(door: Door) -> None:
    """Law 24(1)(3)"""
    own = issued(door.folder, door.partners, "told")
    bound, person = door.bound(own), door.site.person(DATA)
    path = f"/v1/deliveries/{bound.delivery(person)}:release"
    assert door.ask(bound.key, "POST", path, own).status_code == 200
    person.claimed()

    def told() -> dict[str, Any] | None:
        listed = door.site.good("privacyOfficer", "GET", "/v1/notices").json["notices"]
        return next((n for n in listed if n["recipientId"] == bound.recipient_id), None)

    notice = awaited(told, "no notice was made")
    assert door.ask(bound.key, "GET", "/v1/notices").json()["notices"] == []
    assert notice["state"] == "OPEN", "whoever came without the certificate was not told"
    path = f"/v1/notices/{notice['noticeId']}:acknowledge"
    assert door.ask(bound.key, "POST", path).status_code == 404
    (mine,) = door.ask(bound.key, "GET", "/v1/notices", own).json()["notices"]
    assert mine["noticeId"] == notice["noticeId"]
    assert door.ask(bound.key, "POST", path, own).json()["notice"]["state"] == "ACKNOWLEDGED"


def test_renewed_files_are_taken_without_a_restart(door: Door) -> None:
    own = issued(door.folder, door.partners, "before")
    assert door.serves(own)
    served = _served(door)
    (door.folder / "site.pem").write_text("half a file")
    log = door.folder / "gateway.log"
    _await(lambda: "tls files cannot be used" in log.read_text("utf-8"))
    assert _served(door) == served, "the old files stay while the new ones cannot be used"
    issued(door.folder, door.public, "site")
    _await(lambda: _served(door) != served)
    partners = Authority.create(datetime.now(UTC))
    (door.folder / "partners.pem").write_bytes(partners.pem)
    late = issued(door.folder, partners, "after")
    _await(lambda: door.serves(late))
    with pytest.raises(httpx.TransportError):
        door.serves(own)
    (door.folder / "partners.pem").write_bytes(door.partners.pem)
    _await(lambda: door.serves(own))


def test_a_certificate_counts_no_longer_than_it_is_valid() -> None:
    end = datetime.now(UTC)
    held = ClientCertificate("a" * 64, end)
    assert held.sha256_at(end) == "a" * 64
    assert held.sha256_at(end + timedelta(seconds=1)) == "", "the connection outlives it"


def _served(door: Door) -> bytes:
    with door.client() as client, client.stream("GET", "/healthz") as answer:
        secured = answer.extensions["network_stream"].get_extra_info("ssl_object")
        assert secured.version() == "TLSv1.3"
        return bytes(secured.getpeercert(True))


def test_older_protocols_are_refused(door: Door) -> None:
    context = ssl.create_default_context(cadata=door.public.pem.decode())
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        httpx.Client(base_url=door.url, verify=context, trust_env=False) as client,
        pytest.raises(httpx.TransportError),
    ):
        client.get("/healthz")
