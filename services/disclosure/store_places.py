# SPDX-License-Identifier: Apache-2.0
"""SQL of what releases are decided on: many deliveries with their orders, in few statements.

The lock comes first, in a statement of its own; what is decided on is read in
a later one, because one that locks and joins returns what stood before it
waited. Nothing here reads more than the rows of the deliveries asked for,
however many orders are open.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.engine import Connection

from services.disclosure.order import Delivery, OrderState
from services.disclosure.permission import Fetches
from services.disclosure.store_deliveries import delivery_of

Key = tuple[str, str]
"""(site, delivery)"""


@dataclass(frozen=True, slots=True)
class Place:
    """A delivery as it stands: its order's state, its fetches that count, its first release.

    `first_release_id` is empty where nothing of it has left yet.
    """

    delivery: Delivery
    order: OrderState
    fetches: Fetches
    first_release_id: str


_LOCK = text(
    "SELECT 1 FROM deliveries WHERE (site_id, delivery_id) IN (SELECT site_id, delivery_id FROM "
    "unnest(CAST(:sites AS text[]), CAST(:ids AS text[])) AS asked (site_id, delivery_id)) "
    "ORDER BY site_id, delivery_id FOR UPDATE"
)
_PLACES = text(
    "SELECT d.*, o.state AS order_state, f.fetches, f.last_fetch, "
    "(SELECT r.release_id FROM releases r WHERE r.site_id = d.site_id "
    "AND r.delivery_id = d.delivery_id AND r.state IN ('RELEASED', 'RELEASED_UNCERTAIN') "
    "AND r.first_release_id = '' ORDER BY r.end_time LIMIT 1) AS first_release_id "
    "FROM unnest(CAST(:sites AS text[]), CAST(:ids AS text[])) AS asked (site_id, delivery_id) "
    "JOIN deliveries d ON d.site_id = asked.site_id AND d.delivery_id = asked.delivery_id "
    "JOIN orders o ON o.site_id = d.site_id AND o.registration_id = d.registration_id "
    "CROSS JOIN LATERAL (SELECT count(*) AS fetches, max(r.prepare_time) AS last_fetch "
    "FROM releases r WHERE r.site_id = d.site_id AND r.delivery_id = d.delivery_id "
    "AND r.counted AND r.state IN ('PREPARED', 'RELEASED', 'RELEASED_UNCERTAIN')) f"
)


def lock(connection: Connection, wanted: Collection[Key]) -> None:
    """Hold the deliveries until the transaction ends, in one order everywhere."""
    connection.execute(_LOCK, _arrays(sorted(set(wanted))))


def read(connection: Connection, wanted: Collection[Key]) -> dict[Key, Place]:
    """Those of the deliveries that there are."""
    rows = connection.execute(_PLACES, _arrays(sorted(set(wanted))))
    return {
        (row.site_id, row.delivery_id): Place(
            delivery_of(row),
            OrderState(row.order_state),
            Fetches(row.fetches, row.last_fetch),
            row.first_release_id or "",
        )
        for row in rows
    }


def _arrays(keys: Sequence[Key]) -> dict[str, list[str]]:
    return {"sites": [site for site, _ in keys], "ids": [each for _, each in keys]}
