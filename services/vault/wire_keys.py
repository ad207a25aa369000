# SPDX-License-Identifier: Apache-2.0
"""Keys and rotations as messages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from qupia.vault.v1 import keys_pb2
from services.vault.epoch_schedule import Epoch, EpochSchedule
from services.vault.key_status import EpochStatus, IndexKeyStatus, KekStatus, KeyStatus
from services.vault.rotation_walk import Rotation
from services.vault.store_rotation_orders import RotationOrder
from services.vault.wire import stamp_of

_Kind = keys_pb2.Key.Kind
_Message = keys_pb2.KeyRotation


def rotation_message(rotation: Rotation, order: RotationOrder, now: datetime) -> _Message:
    """A rotation and how far it has come."""
    ended = rotation.end_time is not None
    return _Message(
        rotation_id=rotation.rotation_id,
        kind=_Kind.Value(str(rotation.kind)),
        state=_Message.ENDED if ended else _Message.UNDER_WAY,
        rewrapped=rotation.rewrapped,
        total=max(order.total, rotation.rewrapped),
        failed=order.failed,
        begin_time=stamp_of(rotation.begin_time),
        end_time=stamp_of(rotation.end_time),
        estimated_end_time=None if ended else stamp_of(_estimated(rotation, order, now)),
    )


def _estimated(rotation: Rotation, order: RotationOrder, now: datetime) -> datetime | None:
    """At the pace since the beginning."""
    left = order.total - rotation.rewrapped
    if rotation.rewrapped <= 0 or left < 0:
        return None
    took = (now - rotation.begin_time).total_seconds()
    return now + timedelta(seconds=took * left / rotation.rewrapped)


def status_message(
    status: KeyStatus, site: str, schedule: EpochSchedule
) -> keys_pb2.GetKeyStatusResponse:
    """All keys, as a custodian of a site is told of them; other sites are not named."""
    epochs = [Epoch(each.epoch, each.current, each.create_time) for each in status.epochs]
    return keys_pb2.GetKeyStatusResponse(
        keks=[_kek(each) for each in status.keks],
        epochs=[
            _epoch(each, schedule.end_time(epochs, epoch))
            for each, epoch in zip(status.epochs, epochs, strict=True)
        ],
        index_keys=[_index_key(each) for each in status.index_keys if each.site == site],
        other_sites_rows=_old_rows(each for each in status.index_keys if each.site != site),
        provider_fault=status.fault[:1000],
        backups_end_time=stamp_of(schedule.all_end_time(epochs)),
    )


def _kek(kek: KekStatus) -> keys_pb2.KekStatus:
    return keys_pb2.KekStatus(
        key_id=kek.kek_id,
        held=kek.held,
        current=kek.current,
        epoch_keys=kek.epoch_keys,
        index_keys=kek.index_keys,
        sealing_keys=kek.sealing_keys,
        retire_time=stamp_of(kek.retire_time),
        destroy_time=stamp_of(kek.destroy_time),
    )


def _epoch(epoch: EpochStatus, end: datetime | None) -> keys_pb2.EpochStatus:
    return keys_pb2.EpochStatus(
        key_id=epoch.epoch,
        kek_id=epoch.kek_id,
        current=epoch.current,
        rows=epoch.rows,
        create_time=stamp_of(epoch.create_time),
        end_time=stamp_of(end),
    )


def _index_key(key: IndexKeyStatus) -> keys_pb2.IndexKeyStatus:
    return keys_pb2.IndexKeyStatus(
        field=key.field,
        key_version=key.key_version,
        current=key.current,
        rows=key.rows,
        lost=not key.kek_id,
    )


def _old_rows(keys: Iterable[IndexKeyStatus]) -> int:
    return sum(key.rows for key in keys if not key.current)
