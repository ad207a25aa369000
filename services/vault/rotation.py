# SPDX-License-Identifier: Apache-2.0
"""Rotates keys online: the KEK, the epoch, an index key.

- KEK: a new key in the provider; epoch keys, index keys and sealing keys are rewrapped under it.
- Epoch: a new epoch under a KEK of its own; every data key is rewrapped under it, and so are the
  index and sealing keys, so that the old epoch's KEK can be destroyed with it (guarantee I9).
- Index keys, of one site's field or of all: new versions; every digest is made anew from the data.

What has begun is remembered in the key store and is gone on with by `resume`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from services.chassis.clock import Clock
from services.chassis.database import Connection, Database, UniqueViolation
from services.chassis.ids import new_uuid
from services.chassis.metrics import Metrics
from services.vault import store_keks, store_rotation, store_rotation_orders
from services.vault.fields import Field
from services.vault.key_name import KeyName
from services.vault.provider import KeyProvider
from services.vault.rotation_index import IndexRotation
from services.vault.rotation_rewrap import EpochRewrap, KekRewrap
from services.vault.rotation_walk import (
    KeyStillUsed,
    Pace,
    Progress,
    Rotated,
    Rotation,
    RotationKind,
    RotationUnderWay,
    Walk,
)
from services.vault.store_keys import KeyStore
from services.vault.store_rotation_orders import RotationOrder

Report = Callable[[Progress], None]
Ended = Callable[[Rotation, RotationOrder], None]

SMALL_KEYS = ("index_keys", "sealing_keys")


class Rotations:
    """Begins, resumes and tells of rotations; one at a time over all processes.

    `ended` hears of each before it counts as ended; what it raises leaves it to be resumed.
    """

    def __init__(
        self,
        database: Database,
        keys: KeyStore,
        provider: KeyProvider,
        clock: Clock,
        metrics: Metrics,
        pace: Pace,
        ended: Ended = lambda _rotation, _order: None,
    ) -> None:
        self._ended = ended
        self._keys = keys
        self._provider = provider
        self._clock = clock
        self._metrics = metrics
        self._pace = pace
        self._index = IndexRotation(database, keys, pace)
        self._epoch_rewrap = EpochRewrap(keys, pace)
        self._kek_rewrap = KekRewrap(keys, provider)

    def under_way(self) -> Rotation | None:
        """The rotation that is running or was stopped."""
        with self._keys.database.transaction() as connection:
            return store_rotation.read_under_way(connection)

    def check_order(self, kind: RotationKind) -> None:
        """Whether a rotation may be ordered now.

        Raises RotationUnderWay beside another, KeyStillUsed for a KEK where an old epoch is not
        retired.
        """
        with self._keys.database.transaction() as connection:
            under_way = store_rotation.read_under_way(connection)
            if under_way is not None:
                raise RotationUnderWay(f"a rotation of kind {under_way.kind} is under way")
            if kind is RotationKind.KEK:
                _refuse_old_epochs(connection)

    def order(self, rotation_id: str, kind: RotationKind, order: RotationOrder) -> Rotation:
        """Remember that a rotation is to be; `resume` does it. An id that is known changes nothing.

        Of kind INDEX it is one of all index keys. Raises RotationUnderWay beside another.
        """
        try:
            with self._keys.database.transaction() as connection:
                known = store_rotation.read_rotation(connection, rotation_id)
                if known is not None:
                    return known
                now = self._clock.now()
                begun = store_rotation.begin(connection, kind, "", "", now, rotation_id)
                store_rotation_orders.write_order(connection, rotation_id, order)
        except UniqueViolation:
            # By the same request, sent twice at once, or by another one.
            with self._keys.database.transaction() as connection:
                known = store_rotation.read_rotation(connection, rotation_id)
            if known is None:
                raise RotationUnderWay("another rotation was ordered meanwhile") from None
            return known
        return begun

    def rotate_kek(self, report: Report = lambda _: None) -> Rotated:
        """A new KEK for all keys that a KEK wraps.

        Raises KeyStillUsed where an old epoch is not retired: its key would be carried over to
        the new KEK, and with it all that old backups hold under it. Otherwise as `resume`.
        """
        return self._rotate(RotationKind.KEK, "", "", report)

    def rotate_epoch(self, report: Report = lambda _: None) -> Rotated:
        """A new epoch, under a KEK of its own, for all data keys. Raises as `resume`."""
        return self._rotate(RotationKind.EPOCH, "", "", report)

    def rotate_index_key(
        self, site: str, indexed: Field, report: Report = lambda _: None
    ) -> Rotated:
        """A new version of an index key, for all digests of the field. Raises as `resume`."""
        return self._rotate(RotationKind.INDEX, site, str(indexed), report)

    def resume(self, report: Report = lambda _: None) -> Rotated | None:
        """Go on with what was stopped; None where nothing was.

        `report` hears of every batch; what it raises stops the rotation, to be resumed. Raises
        RotationUnderWay, RotationIncomplete, KeyUnavailable, KeyWrong, Unavailable: after each of
        them, everything reads as before, and the rotation can be resumed.
        """
        with store_rotation.only_runner(self._keys.database):
            rotation = self.under_way()
            return None if rotation is None else self._run(rotation, report)

    def _rotate(self, kind: RotationKind, site: str, indexed: str, report: Report) -> Rotated:
        with store_rotation.only_runner(self._keys.database):
            return self._run(self._begun(kind, site, indexed), report)

    def _begun(self, kind: RotationKind, site: str, indexed: str) -> Rotation:
        with self._keys.database.transaction() as connection:
            found = store_rotation.read_under_way(connection)
            if found is not None:
                if (found.kind, found.site, found.field) != (kind, site, indexed):
                    raise RotationUnderWay(
                        f"a rotation of kind {found.kind} was stopped before its end: resume it"
                    )
                return found
            if kind is RotationKind.KEK:
                _refuse_old_epochs(connection)
            return store_rotation.begin(connection, kind, site, indexed, self._clock.now())

    def _run(self, rotation: Rotation, report: Report) -> Rotated:
        if not rotation.target:
            rotation = replace(rotation, target=self._target(rotation))
        walks = self._walks(rotation)
        total = sum(walk.left() for walk in walks)
        self._count(rotation, rotation.rewrapped + total, 0)
        done = failed = 0

        def moved(rows: int, failed_here: int) -> None:
            nonlocal done
            done += rows
            with self._keys.database.transaction() as connection:
                store_rotation.add_rewrapped(connection, rotation.rotation_id, rows)
            report(Progress(done, total, failed + failed_here))

        for walk in walks:
            failed += walk.run(self._pace, moved)
        return self._end(replace(rotation, rewrapped=rotation.rewrapped + done), failed)

    def _end(self, rotation: Rotation, failed: int) -> Rotated:
        if failed:
            self._metrics.alarms.labels("key_moved").inc(failed)
        order = self._count(rotation, rotation.rewrapped + failed, failed)
        now = self._clock.now()
        ended = replace(rotation, end_time=now)
        self._ended(ended, order)
        with self._keys.database.transaction() as connection:
            store_rotation.end(connection, rotation.rotation_id, now)
        return Rotated(ended, failed)

    def _count(self, rotation: Rotation, total: int, failed: int) -> RotationOrder:
        with self._keys.database.transaction() as connection:
            store_rotation_orders.set_counts(connection, rotation.rotation_id, total, failed)
            return store_rotation_orders.read_order(connection, rotation.rotation_id)

    def _target(self, rotation: Rotation) -> str:
        if rotation.kind is RotationKind.INDEX:
            return self._index.begin(rotation)
        kek_id = self._fresh_kek()
        now = self._clock.now()
        with self._keys.database.transaction() as connection:
            target = kek_id
            store_keks.adopt(connection, kek_id, now)
            if rotation.kind is RotationKind.EPOCH:
                target = new_uuid()
                key = self._keys.keyring.create(KeyName.epoch(target))
                store_keks.adopt(connection, key.wrapper_id, now)
                store_rotation.begin_epoch(connection, target, key, now)
            store_rotation.set_target(connection, rotation.rotation_id, target)
        return target

    def _fresh_kek(self) -> str:
        """The current KEK where it wraps nothing yet (left by a rotation that was killed)."""
        current = self._provider.kek_id()
        with self._keys.database.transaction() as connection:
            used = current in store_keks.rows_by_kek(connection)
            retired, _ = store_keks.read_keks(connection).get(current, (None, None))
        return self._provider.create() if used or retired else current

    def _walks(self, rotation: Rotation) -> list[Walk[Any]]:
        if rotation.kind is RotationKind.INDEX:
            return self._index.walks(rotation)
        if rotation.kind is RotationKind.KEK:
            return [self._kek_rewrap.walk(kind, rotation.target) for kind in store_keks.KINDS]
        with self._keys.database.transaction() as connection:
            epochs = store_rotation.read_epochs(connection)
        (current,) = [each for each in epochs if each.epoch == rotation.target]
        small = [self._kek_rewrap.walk(kind, current.key.wrapper_id) for kind in SMALL_KEYS]
        old = [each.epoch for each in epochs if each.epoch != current.epoch]
        return small + [self._epoch_rewrap.walk(epoch, current.epoch) for epoch in old]


def _refuse_old_epochs(connection: Connection) -> None:
    old = [each for each in store_rotation.read_epochs(connection) if not each.current]
    if old:
        rows = sum(store_rotation.rows_under_epoch(connection, each.epoch) for each in old)
        raise KeyStillUsed(f"epoch {old[0].epoch}, which must be retired first,", rows)
