# SPDX-License-Identifier: Apache-2.0
"""SQL of tombstones, in the key store. Every function takes the caller's transaction there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.vault.destruction import End, Ending, Epoch
from services.vault.store import Subject
from services.vault.tables_keys import data_keys, epoch_keys
from services.vault.tables_rotation import keks
from services.vault.tables_tombstones import restrictions, tombstones


@dataclass(frozen=True, slots=True)
class Restriction:
    """Whom a statutory term keeps, until when, and the destruction that waits for it."""

    subject: Subject
    destruction_id: str
    ground: str
    principal: str
    due_time: datetime


@dataclass(frozen=True, slots=True)
class Tombstone:
    """Who was destroyed, by which end, and the certificate of it.

    `kek_id`: what wraps the epoch's key at the burial, and once the epoch is retired what wrapped
    it last.
    """

    subject: Subject
    ending: Ending
    epoch: str
    kek_id: str
    document: str
    bury_time: datetime


def lock_key(connection: Connection, subject: Subject) -> Epoch | None:
    """The epoch of a subject's data key, whose row is locked; None where there is no key."""
    k, e = data_keys.c, epoch_keys.c
    row = connection.execute(
        select(k.epoch, e.kek_id, e.create_time)
        .join(epoch_keys, e.epoch == k.epoch)
        .where(k.site_id == subject[0], k.owner_id == subject[1])
        .with_for_update(of=data_keys)
    ).one_or_none()
    return Epoch(row.epoch, row.kek_id, row.create_time) if row else None


def bury(connection: Connection, stone: Tombstone, *, finished: bool = False) -> None:
    """Write a tombstone and delete the key with its pseudonym: the point of no return."""
    site, owner = stone.subject
    made = stone.ending
    connection.execute(
        upsert(tombstones)
        .values(
            site_id=site,
            owner_id=owner,
            destruction_id=made.destruction_id,
            end=made.end.name,
            ground=made.ground,
            reference=made.reference,
            principal=made.principal,
            role=made.role,
            request_id=made.request_id,
            epoch=stone.epoch,
            kek_id=stone.kek_id,
            document=stone.document,
            bury_time=stone.bury_time,
            finish_time=stone.bury_time if finished else None,
        )
        .on_conflict_do_nothing()
    )
    connection.execute(delete(data_keys).filter_by(site_id=site, owner_id=owner))
    connection.execute(delete(restrictions).filter_by(site_id=site, owner_id=owner))


def restrict(connection: Connection, found: Restriction) -> None:
    """Write a restriction; a later one takes the place of the former."""
    members = {
        "destruction_id": found.destruction_id,
        "ground": found.ground,
        "principal": found.principal,
        "due_time": found.due_time,
    }
    connection.execute(
        upsert(restrictions)
        .values(site_id=found.subject[0], owner_id=found.subject[1], **members)
        .on_conflict_do_update(index_elements=["site_id", "owner_id"], set_=members)
    )


def restricted(connection: Connection, after: Subject, limit: int) -> list[Restriction]:
    """Restrictions by (site, owner), after a place."""
    r = restrictions.c
    rows = connection.execute(
        select(restrictions)
        .where(tuple_(r.site_id, r.owner_id) > tuple_(*after))
        .order_by(r.site_id, r.owner_id)
        .limit(limit)
    )
    return [Restriction((row[0], row[1]), *row[2:]) for row in rows]


def read(connection: Connection, subject: Subject) -> Tombstone | None:
    """A subject's tombstone."""
    row = connection.execute(
        select(tombstones).filter_by(site_id=subject[0], owner_id=subject[1])
    ).one_or_none()
    return _stone(row) if row else None


def finish(connection: Connection, subject: Subject, now: datetime) -> None:
    """The ciphertexts are gone too."""
    connection.execute(
        update(tombstones)
        .filter_by(site_id=subject[0], owner_id=subject[1], finish_time=None)
        .values(finish_time=now)
    )


def page(
    connection: Connection, after: Subject, limit: int, *, unfinished: bool
) -> list[Tombstone]:
    """Tombstones by (site, owner), after a place."""
    t = tombstones.c
    here = [tuple_(t.site_id, t.owner_id) > tuple_(*after)]
    if unfinished:
        here.append(t.finish_time.is_(None))
    rows = connection.execute(
        select(tombstones).where(*here).order_by(t.site_id, t.owner_id).limit(limit)
    )
    return [_stone(row) for row in rows]


def standing(connection: Connection, wanted: Collection[Subject]) -> set[Subject]:
    """Those of the subjects that have a tombstone and no key any more."""
    t, k = tombstones.c, data_keys.c
    rows = connection.execute(
        select(t.site_id, t.owner_id)
        .outerjoin(data_keys, (k.site_id == t.site_id) & (k.owner_id == t.owner_id))
        .where(tuple_(t.site_id, t.owner_id).in_(sorted(wanted)), k.epoch.is_(None))
    )
    return {(row.site_id, row.owner_id) for row in rows}


def set_last_kek(connection: Connection, epoch: str, kek_id: str) -> None:
    """Which KEK wrapped an epoch's key last: at the burial it may have been an earlier one."""
    connection.execute(
        update(tombstones)
        .where(tombstones.c.epoch == epoch, tombstones.c.kek_id != kek_id)
        .values(kek_id=kek_id)
    )


def epoch_key_destroyed(connection: Connection, stone: Tombstone) -> datetime | None:
    """When the last key that ever wrapped the epoch's was destroyed; None while one stands.

    A backup has the epoch's key under the KEK of its day, so each that was in use until the last
    one has to be gone.
    """
    stands = select(func.count()).select_from(epoch_keys).filter_by(epoch=stone.epoch)
    if not stone.epoch or connection.execute(stands).scalar_one():
        return None
    last = select(keks.c.first_use_time).filter_by(kek_id=stone.kek_id).scalar_subquery()
    until_then = connection.execute(
        select(keks.c.destroy_time).where(keks.c.first_use_time <= last)
    )
    times = list(until_then.scalars())
    return None if not times or None in times else max(times)


def _stone(row: object) -> Tombstone:
    r: dict[str, object] = row._mapping  # type: ignore[attr-defined] # noqa: SLF001 - its public name
    ending = Ending(
        End[str(r["end"])],
        str(r["destruction_id"]),
        str(r["ground"]),
        str(r["reference"]),
        str(r["principal"]),
        str(r["role"]),
        str(r["request_id"]),
    )
    place = (str(r["site_id"]), str(r["owner_id"]))
    time = r["bury_time"]
    assert isinstance(time, datetime)
    return Tombstone(place, ending, str(r["epoch"]), str(r["kek_id"]), str(r["document"]), time)
