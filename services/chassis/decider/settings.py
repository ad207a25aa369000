# SPDX-License-Identifier: Apache-2.0
"""What every decider is told."""

from __future__ import annotations

from pydantic import Field

from services.chassis.process import ProcessSettings


class DeciderSettings(ProcessSettings):
    """What a process that pushes to the vault is told besides.

    `vault` is where the vault listens, ``host:port`` or ``unix:/path``. Whoever acts waits
    `push_seconds` for the vault, and no longer than their call has: then the act is PENDING. The
    dispatcher waits no longer either, so it is a second at least.
    """

    vault: str
    push_seconds: float = Field(2.0, ge=1, le=60)
