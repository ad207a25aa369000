# SPDX-License-Identifier: Apache-2.0
"""SQL of the orders behind rotations. Functions take the caller's transaction in the key store."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection

from services.vault.tables_rotation_orders import rotation_orders


@dataclass(frozen=True, slots=True)
class RotationOrder:
    """Who ordered a rotation on which site (both of the schedule: process/vault, no site).

    `total` counts the rows moved and to be moved, 0 until they are counted; `failed` those that
    do not open.
    """

    site: str
    principal: str
    total: int = 0
    failed: int = 0


SCHEDULE = RotationOrder("", "process/vault")
"""Nobody ordered it: the schedule did."""


def write_order(connection: Connection, rotation_id: str, order: RotationOrder) -> None:
    """Write down who ordered a rotation."""
    connection.execute(
        insert(rotation_orders).values(
            rotation_id=rotation_id,
            site_id=order.site,
            principal=order.principal,
            total=order.total,
            failed=order.failed,
        )
    )


def read_order(connection: Connection, rotation_id: str) -> RotationOrder:
    """Who ordered a rotation; the schedule where nobody is known."""
    row = connection.execute(
        select(rotation_orders).filter_by(rotation_id=rotation_id)
    ).one_or_none()
    if row is None:
        return SCHEDULE
    return RotationOrder(row.site_id, row.principal, row.total, row.failed)


def set_counts(connection: Connection, rotation_id: str, total: int, failed: int) -> None:
    """How much there is to do, and how many rows do not open."""
    connection.execute(
        update(rotation_orders)
        .filter_by(rotation_id=rotation_id)
        .values(total=total, failed=failed)
    )
