# SPDX-License-Identifier: Apache-2.0
"""The end of a subject: what holds it, when it is final, and its certificate (clause 5.1). Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from services.vault.retention import Category, Kept
from services.vault.standing import OrderState, Standing


class End(StrEnum):
    """How a subject ended; the values are also the names of the evidence's events."""

    DESTROYED = "subject.destroyed"
    DEPERSONALISED = "subject.depersonalised"


class HoldKind(StrEnum):
    """What can hold data against destruction, in the order in which it is looked at."""

    OPEN_BLOCK = "OPEN_BLOCK"
    LEGAL_HOLD = "LEGAL_HOLD"
    OPEN_ORDER = "OPEN_ORDER"
    STATUTORY_TERM = "STATUTORY_TERM"


@dataclass(frozen=True, slots=True)
class Hold:
    """One thing that holds; `until` is None where somebody has to end it."""

    kind: HoldKind
    id: str
    until: datetime | None = None
    basis: str = ""


def holds_of(standing: Standing, kept: Sequence[Kept]) -> list[Hold]:
    """All that holds a subject, in the order of looking."""
    blocks = standing.claims.blocks if standing.claims else ()
    orders = standing.orders.orders if standing.orders else ()
    return [
        *(Hold(HoldKind.OPEN_BLOCK, b.claim_id) for b in blocks if b.outcome is None),
        *(Hold(HoldKind.LEGAL_HOLD, h.hold_id) for h in standing.holds_in_force),
        *(Hold(HoldKind.OPEN_ORDER, o.order_id) for o in orders if o.state is OrderState.OPEN),
        *(Hold(HoldKind.STATUTORY_TERM, str(k.category), k.until, k.basis) for k in kept),
    ]


@dataclass(frozen=True, slots=True)
class Epoch:
    """The epoch whose key wraps the subject's data key, and the KEK that wraps the epoch's."""

    epoch: str
    kek_id: str
    begin_time: datetime


@dataclass(frozen=True, slots=True)
class KeySchedule:
    """How often epochs change, and how long a backup of the key store is kept after that."""

    rotation: timedelta
    backups: timedelta

    def destroyed_by(self, epoch: Epoch | None, now: datetime) -> datetime:
        """When the epoch's key is to be gone: after its rotation, when the last backup of the
        key store that needs it for the living is given up. An overdue rotation counts from now."""
        due = epoch.begin_time + self.rotation if epoch else now
        return max(due, now) + self.backups


@dataclass(frozen=True, slots=True)
class Ending:
    """An end as it was permitted: by whom, why, and under which request."""

    end: End
    destruction_id: str
    ground: str
    reference: str
    principal: str
    role: str
    request_id: str


def certificate(
    place: tuple[str, str],
    ending: Ending,
    destroyed: Mapping[Category, int],
    epoch: Epoch | None,
    unrecoverable: datetime,
    rules_version: int,
    now: datetime,
) -> str:
    """The certificate as canonical JSON: keys sorted, no white space, empty members left out."""
    members: dict[str, Any] = {
        "destructionId": ending.destruction_id,
        "siteId": place[0],
        "subjectId": place[1],
        "end": ending.end.name,
        "ground": ending.ground,
        "reference": ending.reference,
        "executedBy": ending.principal,
        "destroyed": {str(name): rows for name, rows in destroyed.items() if rows},
        "epoch": epoch.epoch if epoch else "",
        "endTime": _text(now),
        "unrecoverableTime": _text(unrecoverable),
        "rulesVersion": rules_version,
    }
    present = {name: value for name, value in members.items() if value != ""}
    return json.dumps(present, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def digest(document: str) -> str:
    """The SHA-256 of a certificate, as its evidence entry names it."""
    return hashlib.sha256(document.encode()).hexdigest()


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds")
