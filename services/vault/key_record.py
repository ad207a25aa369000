# SPDX-License-Identifier: Apache-2.0
"""What the vault writes into evidence of its keys: who ordered what, and what came of it.

The entries stand in the vault's database and the keys in the key store, so no transaction holds
both: an entry is committed before the act, and says what was about to be done.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from services.chassis import evidence
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry
from services.vault.rotation_walk import Rotation
from services.vault.store_rotation_orders import SCHEDULE, RotationOrder

_CLAUSE = "1.1.4"


class KeyRecord:
    """Writes entries about keys."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def ended(self, rotation: Rotation, order: RotationOrder) -> None:
        """A rotation has moved every row that opens. May be written twice after a crash."""
        counts = {"rewrapped": rotation.rewrapped, "failed": order.failed}
        refs = {"rotation_id": rotation.rotation_id, "kind": str(rotation.kind)}
        self._alone("rotation.ended", "STORE", order.site, refs, counts)

    def ordered_by_schedule(self, rotation_id: str, kind: str) -> None:
        """The schedule orders a rotation."""
        refs = {"rotation_id": rotation_id, "kind": kind}
        self._alone("rotation.ordered", "STORE", SCHEDULE.site, refs)

    def retired_by_schedule(self, kind: str, key_id: str) -> None:
        """The schedule retires a key."""
        self._alone("key.retired", "DESTROY", SCHEDULE.site, {"kind": kind, "key_id": key_id})

    def destroyed(self, kek_id: str) -> None:
        """A KEK whose retirement was cut short is destroyed in the provider."""
        self._alone("key.destroyed", "DESTROY", SCHEDULE.site, {"kind": "KEK", "key_id": kek_id})

    def _alone(
        self,
        event: str,
        verb: str,
        site: str,
        refs: Mapping[str, str],
        counts: Mapping[str, object] | None = None,
    ) -> None:
        now = self._clock.now()
        with self._database.transaction() as connection:
            write(
                connection,
                now,
                event=event,
                verb=verb,
                site=site,
                principal=SCHEDULE.principal,
                refs=refs,
                counts=counts,
            )


def write(
    connection: Connection,
    now: datetime,
    *,
    event: str,
    verb: str,
    site: str,
    principal: str,
    refs: Mapping[str, str],
    role: str = "",
    counts: Mapping[str, object] | None = None,
) -> None:
    """One entry about a key, in the caller's transaction; `counts` are rows."""
    entry = Entry(
        event=event,
        verb=verb,
        outcome=evidence.DONE,
        site_id=site,
        principal=principal,
        role=role,
        clause=_CLAUSE,
        refs=dict(refs),
        decided_on=dict(counts or {}),
    )
    evidence.append(connection, entry, now)
