# SPDX-License-Identifier: Apache-2.0
"""What the gateway is told: QUPIA_GATEWAY_<KEY>, or the file that QUPIA_CONFIG names."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from gateway.tls import TlsFiles
from services.chassis.config import Settings


class GatewaySettings(Settings):
    """`listen` is ``host:port``; `metrics` ``host:port`` or ``unix:/path``, none where empty.

    The targets are where the services listen, `certificates` the folder with ``ca.pem``,
    ``gateway.pem`` and ``gateway.key``. Times are in seconds.

    With `tls_certificate` (the chain, leaf first) and `tls_key` it serves HTTPS at `listen`, plain
    HTTP without. `tls_client_authorities` holds the authorities whose client certificates it takes.
    """

    database_url: str = Field(repr=False, pattern=r"^postgresql(\+psycopg)?://")
    certificates: Path
    consent_target: str
    vault_target: str
    disclosure_target: str
    claims_target: str
    listen: str = "127.0.0.1:8080"
    metrics: str = ""
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_client_authorities: Path | None = None
    tls_refresh_seconds: float = Field(default=30.0, ge=0.1, le=3600)
    profile: Literal["development", "production"] = "production"
    deadline_seconds: float = Field(default=3.0, gt=0.3, le=60)
    body_seconds: float = Field(default=10.0, gt=0, le=60)
    drain_seconds: int = Field(default=5, ge=1, le=60)
    at_once: int = Field(default=256, ge=1)
    database_timeout_ms: int = Field(default=1500, ge=100)

    @property
    def tls_files(self) -> TlsFiles | None:
        """What to serve HTTPS with; None for plain HTTP."""
        if self.tls_certificate is None or self.tls_key is None:
            return None
        return TlsFiles(self.tls_certificate, self.tls_key, self.tls_client_authorities)

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key are set together or not at all")
        if self.tls_client_authorities is not None and self.tls_certificate is None:
            raise ValueError("tls_client_authorities needs tls_certificate and tls_key")
        return self

    @property
    def targets(self) -> dict[str, str]:
        """Where each process listens."""
        return {
            "consent": self.consent_target,
            "vault": self.vault_target,
            "disclosure": self.disclosure_target,
            "claims": self.claims_target,
        }
