# SPDX-License-Identifier: Apache-2.0
"""What the gateway is told: QUPIA_GATEWAY_<KEY>, or the file that QUPIA_CONFIG names."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from services.chassis.config import Settings


class GatewaySettings(Settings):
    """`listen` is ``host:port``; `metrics` ``host:port`` or ``unix:/path``, none where empty.

    The targets are where the services listen, `certificates` the folder with ``ca.pem``,
    ``gateway.pem`` and ``gateway.key``. Times are in seconds.
    """

    database_url: str = Field(repr=False, pattern=r"^postgresql(\+psycopg)?://")
    certificates: Path
    consent_target: str
    vault_target: str
    disclosure_target: str
    claims_target: str
    listen: str = "127.0.0.1:8080"
    metrics: str = ""
    profile: Literal["development", "production"] = "production"
    deadline_seconds: float = Field(default=3.0, gt=0.3, le=60)
    body_seconds: float = Field(default=10.0, gt=0, le=60)
    drain_seconds: int = Field(default=5, ge=1, le=60)
    at_once: int = Field(default=256, ge=1)
    database_timeout_ms: int = Field(default=1500, ge=100)

    @property
    def targets(self) -> dict[str, str]:
        """Where each process listens."""
        return {
            "consent": self.consent_target,
            "vault": self.vault_target,
            "disclosure": self.disclosure_target,
            "claims": self.claims_target,
        }
