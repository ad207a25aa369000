# SPDX-License-Identifier: Apache-2.0
"""SQL beside the push protocol: acts whose place was taken, slices that verdicts changed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.engine import Connection

from services.chassis.decider import store as decider
from services.chassis.decider.store import Key
from services.chassis.decider.tables import acts, outbox


def supersede_acts(connection: Connection, act_ids: Collection[str]) -> None:
    """A later act took the place of these before the vault answered them."""
    if act_ids:
        connection.execute(
            update(acts)
            .where(acts.c.act_id.in_(act_ids), acts.c.enforcement == decider.PENDING)
            .values(enforcement=decider.SUPERSEDED)
        )


def rewrite_slice(
    connection: Connection, key: Key, counter: int, body: bytes, now: datetime
) -> None:
    """Write the slice as the vault's verdicts left it, at its new version.

    The vault holds the same already, so it is not pushed for its own sake: it
    goes out with the next act, or when a restored vault asks for everything.
    Without it a proposal that was applied long ago would be decided again then.
    """
    place = {"topic": key.topic, "site_id": key.site_id, "subject_id": key.subject_id}
    waits = connection.execute(select(outbox.c.topic).filter_by(**place)).first() is not None
    decider.write_slice(connection, key, counter, body, now)
    if not waits:
        connection.execute(delete(outbox).filter_by(**place))
