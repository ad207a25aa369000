# SPDX-License-Identifier: Apache-2.0
"""Let the evidence of a person be read by time."""

from services.chassis.migration.tables import let_evidence_be_read

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Index it, and say how long an entry is secret."""
    let_evidence_be_read()
