# SPDX-License-Identifier: Apache-2.0
"""Rotations, retired KEKs and daily budgets as they stand in the records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import and_, func, select

from cli.consistency.store_snapshot import Snapshot, plain
from services.chassis.evidence import entries
from services.vault.store_keks import WRAPPED_BY_KEK
from services.vault.tables_budgets import budget_days, budget_subjects
from services.vault.tables_rotation import keks, key_rotations

_ROTATION = '"rotation_id":"([0-9a-f-]{36})"'


@dataclass(frozen=True, slots=True)
class RotationRow:
    """A rotation, and whether it has ended."""

    rotation_id: str
    ended: bool


@dataclass(frozen=True, slots=True)
class Budget:
    """A credential's day: how many people are counted, and how many were reached."""

    site: str
    principal: str
    day: str
    counted: int
    reached: int


def wrapped_by_retired(keystore: Snapshot) -> Iterator[tuple[str, str]]:
    """(table, KEK) where a retired KEK still wraps a key."""
    for name, table in WRAPPED_BY_KEK.items():
        statement = (
            select(table.c.kek_id)
            .join(keks, keks.c.kek_id == table.c.kek_id)
            .where(keks.c.retire_time.is_not(None))
            .distinct()
            .order_by(table.c.kek_id)
        )
        for row in keystore.stream(statement):
            yield name, row.kek_id


def rotations(keystore: Snapshot) -> Iterator[RotationRow]:
    """Rotations by their ids."""
    r = key_rotations.c
    for row in keystore.stream(select(r.rotation_id, r.end_time).order_by(plain(r.rotation_id))):
        yield RotationRow(row.rotation_id, row.end_time is not None)


def recorded_rotations(vault: Snapshot) -> Iterator[tuple[str, str]]:
    """(rotation, event) of the entries about rotations, by rotation."""
    rotation = func.substring(entries.c.body, _ROTATION)
    statement = (
        select(rotation.label("rotation_id"), entries.c.event)
        .where(entries.c.event.in_(("rotation.ordered", "rotation.ended")))
        .where(rotation.is_not(None))
        .order_by(plain(rotation), entries.c.event)
    )
    for row in vault.stream(statement):
        yield row.rotation_id, row.event


def budgets(vault: Snapshot) -> Iterator[Budget]:
    """The days of credentials with a budget."""
    d, s = budget_days.c, budget_subjects.c
    here = and_(s.site_id == d.site_id, s.principal == d.principal, s.day == d.day)
    reached = func.count(s.mark)
    statement = (
        select(d.site_id, d.principal, d.day, d.subjects, reached.label("reached"))
        .outerjoin(budget_subjects, here)
        .group_by(d.site_id, d.principal, d.day, d.subjects)
        .order_by(d.site_id, d.principal, d.day)
    )
    for row in vault.stream(statement):
        yield Budget(row.site_id, row.principal, row.day.isoformat(), row.subjects, row.reached)
