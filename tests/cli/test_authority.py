# SPDX-License-Identifier: Apache-2.0
"""The development authority: its leaves are accepted over TLS, others' and expired ones are not."""

import stat
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from cli.authority import Authority, Leaf, dns_name, ensure_certificates, spiffe_uri

NOW = datetime.now(UTC).replace(microsecond=0)
PROCESSES = ("consent", "vault", "disclosure", "claims", "gateway")
METHOD = "/qupia.test.v1.Names/Peer"


def _peer(_: bytes, context: grpc.ServicerContext) -> bytes:
    # The published annotations say bytes; a property is a list of them.
    properties = cast("Mapping[str, list[bytes]]", context.auth_context())
    return b" ".join(properties["peer_spiffe_id"])


@pytest.fixture(scope="module")
def authority() -> Authority:
    """An authority made today."""
    return Authority.create(NOW)


@pytest.fixture(scope="module")
def address(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A vault on a Unix socket that tells each client its name and admits only the authority's."""
    handler = grpc.method_handlers_generic_handler(
        "qupia.test.v1.Names", {"Peer": grpc.unary_unary_rpc_method_handler(_peer)}
    )
    server = grpc.server(ThreadPoolExecutor(1), handlers=[handler])
    leaf = authority.issue("vault", NOW)
    credentials = grpc.ssl_server_credentials(
        [(leaf.key, leaf.certificate)], authority.pem, require_client_auth=True
    )
    address = f"unix:{tmp_path_factory.mktemp('vault')}/s"
    server.add_secure_port(address, credentials)
    server.start()
    yield address
    server.stop(None).wait()


def _call(address: str, trusted: bytes, leaf: Leaf, expected: str = "vault") -> bytes:
    credentials = grpc.ssl_channel_credentials(trusted, leaf.key, leaf.certificate)
    options = [("grpc.ssl_target_name_override", dns_name(expected))]
    with grpc.secure_channel(address, credentials, options) as channel:
        peer: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
        return peer(b"", timeout=5)


def _refused(address: str, trusted: bytes, leaf: Leaf, expected: str = "vault") -> bool:
    with pytest.raises(grpc.RpcError) as refusal:
        _call(address, trusted, leaf, expected)
    return bool(refusal.value.code() is grpc.StatusCode.UNAVAILABLE)


def test_a_server_knows_each_process_by_its_uri(authority: Authority, address: str) -> None:
    for process in PROCESSES:
        answer = _call(address, authority.pem, authority.issue(process, NOW))
        assert answer.decode() == f"spiffe://qupia/{process}" == spiffe_uri(process)


def test_an_expired_leaf_is_refused(authority: Authority, address: str) -> None:
    expired = authority.issue("gateway", NOW - timedelta(days=91))
    assert _refused(address, authority.pem, expired)


def test_a_leaf_of_tomorrow_is_refused(authority: Authority, address: str) -> None:
    assert _refused(address, authority.pem, authority.issue("gateway", NOW + timedelta(days=1)))


def test_another_authoritys_leaf_is_refused(authority: Authority, address: str) -> None:
    other = Authority.create(NOW)
    assert _refused(address, authority.pem, other.issue("gateway", NOW))


def test_a_client_refuses_a_server_of_another_name_or_authority(
    authority: Authority, address: str
) -> None:
    gateway = authority.issue("gateway", NOW)
    assert _refused(address, authority.pem, gateway, expected="consent")
    assert _refused(address, Authority.create(NOW).pem, gateway)


def test_a_leaf_serves_client_and_server_for_ninety_days(authority: Authority) -> None:
    leaf = authority.issue("claims", NOW)
    certificate = x509.load_pem_x509_certificate(leaf.certificate)
    assert certificate.not_valid_after_utc == NOW + timedelta(days=90)
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(purposes) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["claims.qupia.internal", "localhost"]
    key = load_pem_private_key(leaf.key, password=None)
    assert key.public_key() == certificate.public_key()
    assert leaf.key.decode() not in repr(leaf)


def _content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_certificates_are_kept_and_keys_are_for_the_owner_only(tmp_path: Path) -> None:
    ensure_certificates(tmp_path, PROCESSES, NOW)
    first = _content(tmp_path)
    names = {"ca", *PROCESSES}
    assert set(first) == {f"{name}.{kind}" for name in names for kind in ("pem", "key")}
    for path in tmp_path.glob("*.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    ensure_certificates(tmp_path, PROCESSES, NOW + timedelta(days=60))
    assert _content(tmp_path) == first


def test_a_leaf_is_renewed_below_thirty_days_by_the_same_authority(tmp_path: Path) -> None:
    ensure_certificates(tmp_path, PROCESSES, NOW)
    first = _content(tmp_path)
    later = NOW + timedelta(days=60, seconds=1)
    authority = ensure_certificates(tmp_path, PROCESSES, later)
    second = _content(tmp_path)
    assert second["ca.pem"] == first["ca.pem"] == authority.pem
    for process in PROCESSES:
        renewed = x509.load_pem_x509_certificate(second[f"{process}.pem"])
        assert renewed.not_valid_after_utc > later + timedelta(days=89)
        assert second[f"{process}.key"] != first[f"{process}.key"]


@pytest.mark.parametrize("lost", ["vault.key", "vault.pem"])
@pytest.mark.parametrize("content", [None, b"", b"damaged", "other"])
def test_a_lost_or_damaged_file_is_issued_anew(
    tmp_path: Path, lost: str, content: bytes | str | None
) -> None:
    ensure_certificates(tmp_path, PROCESSES, NOW)
    first = _content(tmp_path)
    if content is None:
        (tmp_path / lost).unlink()
    elif isinstance(content, bytes):
        (tmp_path / lost).write_bytes(content)
    else:
        (tmp_path / lost).write_bytes(first[lost.replace("vault", "claims")])
    ensure_certificates(tmp_path, PROCESSES, NOW)
    second = _content(tmp_path)
    changed = {name for name in first if first[name] != second[name]}
    assert changed == {"vault.key", "vault.pem"}


def test_a_new_authority_issues_every_leaf_anew(tmp_path: Path) -> None:
    ensure_certificates(tmp_path, PROCESSES, NOW)
    first = _content(tmp_path)
    (tmp_path / "ca.key").unlink()
    authority = ensure_certificates(tmp_path, PROCESSES, NOW)
    second = _content(tmp_path)
    assert all(first[name] != second[name] for name in first)
    for process in PROCESSES:
        leaf = x509.load_pem_x509_certificate(second[f"{process}.pem"])
        leaf.verify_directly_issued_by(authority.certificate)
