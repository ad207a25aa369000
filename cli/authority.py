# SPDX-License-Identifier: Apache-2.0
"""The development certificate authority: one leaf per process, for mutual TLS between them.

P-256, because gRPC's TLS offers no Ed25519. Production brings certificates of its own authority
with the same names.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LEAF_VALIDITY = timedelta(days=90)
RENEWAL = timedelta(days=30)
_AUTHORITY_VALIDITY = timedelta(days=3650)
_SKEW = timedelta(minutes=5)


def spiffe_uri(process: str) -> str:
    """The URI by which the others know a process."""
    return f"spiffe://qupia/{process}"


def dns_name(process: str) -> str:
    """The host name by which a client expects a process."""
    return f"{process}.qupia.internal"


@dataclass(frozen=True)
class Leaf:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class Authority:
    """A self-signed authority. Times are timezone-aware."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def create(cls, now: datetime) -> "Authority":
        """Makes a new authority, valid for ten years from `now`."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Qupia development authority")
        certificate = (
            _builder(name, name, key.public_key(), now, _AUTHORITY_VALIDITY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    @property
    def pem(self) -> bytes:
        """The authority's certificate, which every process trusts."""
        return self.certificate.public_bytes(Encoding.PEM)

    def issue(self, process: str, now: datetime, *, validity: timedelta = LEAF_VALIDITY) -> Leaf:
        """Issues a leaf for client and server, with a new key, valid from `now` for `validity`.

        A `now` further back than `validity` gives an expired leaf.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(_name(process), self.certificate.subject, key.public_key(), now, validity)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(_purposes(), critical=False)
            .add_extension(_names(process), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )
        return Leaf(certificate.public_bytes(Encoding.PEM), _pem(key))


def ensure_certificates(folder: Path, processes: Iterable[str], now: datetime) -> Authority:
    """Makes or renews ca.pem, ca.key and each <process>.pem, <process>.key in `folder`.

    What is damaged, of another authority, or valid for less than 30 days more is issued anew;
    everything else stays as it is. Keys have mode 0600.
    """
    folder.mkdir(parents=True, exist_ok=True)
    authority = _kept_authority(folder, now)
    if authority is None:
        authority = Authority.create(now)
        _write(folder / "ca.key", _pem(authority.key), 0o600)
        _write(folder / "ca.pem", authority.pem, 0o644)
    for process in processes:
        if not _is_kept(folder, process, authority, now):
            leaf = authority.issue(process, now)
            _write(folder / f"{process}.key", leaf.key, 0o600)
            _write(folder / f"{process}.pem", leaf.certificate, 0o644)
    return authority


def _kept_authority(folder: Path, now: datetime) -> Authority | None:
    pair = _read_pair(folder, "ca")
    # Every leaf of today must be able to live to its end.
    if pair is None or pair[0].not_valid_after_utc - now < LEAF_VALIDITY + RENEWAL:
        return None
    return Authority(*pair)


def _is_kept(folder: Path, process: str, authority: Authority, now: datetime) -> bool:
    pair = _read_pair(folder, process)
    if pair is None:
        return False
    certificate = pair[0]
    try:
        certificate.verify_directly_issued_by(authority.certificate)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (InvalidSignature, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    return (
        names == _names(process)
        and certificate.not_valid_before_utc <= now
        and certificate.not_valid_after_utc - now >= RENEWAL
    )


def _read_pair(
    folder: Path, name: str
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    """The certificate and key of a name, or None unless both are there and belong together."""
    try:
        certificate = x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())
        key = load_pem_private_key((folder / f"{name}.key").read_bytes(), password=None)
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return None
    return (certificate, key) if certificate.public_key() == key.public_key() else None


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: datetime,
    validity: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + validity)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _names(process: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(
        [
            x509.UniformResourceIdentifier(spiffe_uri(process)),
            x509.DNSName(dns_name(process)),
            x509.DNSName("localhost"),
        ]
    )


def _purposes() -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes, mode: int) -> None:
    """Writes beside and renames: a key is never readable by others, a file never half."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    new.replace(path)
