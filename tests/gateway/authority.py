# SPDX-License-Identifier: Apache-2.0
"""Certificates as an outside authority issues them: of a server, and of partners."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from cli.authority import Authority, Leaf


@dataclass(frozen=True)
class Held:
    """A certificate and its key in files, and the SHA-256 of its DER."""

    certificate: Path
    key: Path
    sha256: str

    @property
    def pair(self) -> tuple[str, str]:
        """As clients take them."""
        return str(self.certificate), str(self.key)


def issued(folder: Path, authority: Authority, name: str, *, expired: bool = False) -> Held:
    """A leaf for `name`, in `folder`; what stood there before is replaced."""
    now = datetime.now(UTC)
    begun, validity = (now - timedelta(days=9), timedelta(days=8)) if expired else (now, None)
    leaf: Leaf = (
        authority.issue(name, begun, validity=validity) if validity else authority.issue(name, now)
    )
    held = folder / f"{name}.pem", folder / f"{name}.key"
    for path, content in zip(held, (leaf.certificate, leaf.key), strict=True):
        fresh = path.with_suffix(path.suffix + ".new")
        fresh.write_bytes(content)
        fresh.replace(path)
    der = x509.load_pem_x509_certificate(leaf.certificate).public_bytes(Encoding.DER)
    return Held(*held, hashlib.sha256(der).hexdigest())
