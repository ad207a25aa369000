# SPDX-License-Identifier: Apache-2.0
"""Ordering rotations, counting keys and retiring them (clause 1.1.4), by a custodian in person."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from qupia.vault.v1 import keys_pb2
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.ids import new_uuid
from services.chassis.pipeline import Handler
from services.chassis.refusal import (
    FieldViolation,
    InvalidArgument,
    KeyUnavailable,
    NotFound,
    PermissionDenied,
    Refusal,
    StateConflict,
)
from services.vault import key_record, store_rotation, store_rotation_orders
from services.vault.epoch_schedule import EpochSchedule
from services.vault.key_status import read_key_status
from services.vault.provider import KeyProvider, KeyProviderError, KeyStillCurrent
from services.vault.retirement import Record, Retirement
from services.vault.rotation import Rotations
from services.vault.rotation_walk import KeyStillUsed, KeyUnknown, RotationKind, RotationUnderWay
from services.vault.store_keys import KeyStore
from services.vault.store_rotation_orders import RotationOrder
from services.vault.wire_keys import rotation_message, status_message

_Kind = keys_pb2.Key.Kind
_PATIENCE_SECONDS, _POLL_SECONDS = 5.0, 0.05


class KeyServicer:
    """VaultKeyService of the contract; `wake` tells whoever carries rotations out."""

    def __init__(
        self,
        database: Database,
        keys: KeyStore,
        provider: KeyProvider,
        rotations: Rotations,
        retirement: Retirement,
        schedule: EpochSchedule,
        idempotency: IdempotencyKeys,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._keys = keys
        self._provider = provider
        self._rotations = rotations
        self._retirement = retirement
        self._schedule = schedule
        self._idempotency = idempotency
        self._clock = clock
        self._wake = wake

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {
            "RotateKey": self.rotate_key,
            "GetKeyStatus": self.get_key_status,
            "RetireKey": self.retire_key,
        }

    def rotate_key(self, call: Call) -> keys_pb2.RotateKeyResponse:
        """A rotation ordered, to be carried out by itself."""
        request = call.request
        assert isinstance(request, keys_pb2.RotateKeyRequest)
        kind = RotationKind(_named(call, _Kind.Name(request.kind)))
        order = RotationOrder(call.principal.site_id, call.principal.name)
        with _refused("kind"):
            rotation_id = self._ordered(call, kind)
            rotation = self._rotations.order(rotation_id, kind, order)
        self._wake()
        with self._keys.database.transaction() as connection:
            order = store_rotation_orders.read_order(connection, rotation.rotation_id)
        return keys_pb2.RotateKeyResponse(
            rotation=rotation_message(rotation, order, self._clock.now())
        )

    def _ordered(self, call: Call, kind: RotationKind) -> str:
        """Record the order and its id; the id of the first call where this repeats it."""
        rotation_id = new_uuid()
        with self._database.transaction() as connection:
            stands = self._idempotency.begin(connection, call, rotation_id, self._clock.now())
            if stands == rotation_id:
                self._rotations.check_order(kind)
                self._write(connection, call, {"rotation_id": rotation_id, "kind": str(kind)})
        return stands

    def get_key_status(self, call: Call) -> keys_pb2.GetKeyStatusResponse:
        """The keys with their rows, and the rotation."""
        request = call.request
        assert isinstance(request, keys_pb2.GetKeyStatusRequest)
        response = keys_pb2.GetKeyStatusResponse()
        if not request.rotation_only:
            status = read_key_status(self._database, self._keys, self._provider)
            response = status_message(status, call.principal.site_id, self._schedule)
        with self._keys.database.transaction() as connection:
            rotation = store_rotation.read_last(connection)
            if rotation is not None:
                order = store_rotation_orders.read_order(connection, rotation.rotation_id)
                response.rotation.CopyFrom(rotation_message(rotation, order, self._clock.now()))
        return response

    def retire_key(self, call: Call) -> keys_pb2.RetireKeyResponse:
        """An old key gone for ever."""
        request = call.request
        assert isinstance(request, keys_pb2.RetireKeyRequest)
        kind, key_id = _named(call, _Kind.Name(request.kind)), request.key_id
        if bool(key_id) == (request.kind == keys_pb2.Key.INDEX):
            text = "names the KEK or the epoch; absent for INDEX"
            raise InvalidArgument(fields=[FieldViolation("keyId", "required", text)])
        act = new_uuid()

        def record(going: Sequence[str]) -> None:
            # What goes with it stands under the key: a repeat is answered the same.
            result = " ".join([act, *going])
            with self._database.transaction() as connection:
                now = self._clock.now()
                if self._idempotency.begin(connection, call, result, now) == result:
                    self._write(connection, call, {"kind": kind, "key_id": key_id or "old"})

        # Unknown: retired since by this same call, or there is no such key.
        with _refused("keyId" if key_id else "kind"), suppress(KeyUnknown):
            self._retired(call, record)
        return keys_pb2.RetireKeyResponse(destroyed_kek_ids=self._gone(call))

    def _retired(self, call: Call, record: Record) -> None:
        """Retire beside no other retirement, which may be this same one, asked for twice."""
        seconds = min(_PATIENCE_SECONDS, call.remaining() / 2)
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self._retire(call, record)
            except RotationUnderWay:
                if self._rotations.under_way() is not None or time.monotonic() > deadline:
                    raise
            time.sleep(_POLL_SECONDS)

    def _retire(self, call: Call, record: Record) -> None:
        request = call.request
        assert isinstance(request, keys_pb2.RetireKeyRequest)
        if request.kind == keys_pb2.Key.KEK:
            self._retirement.retire_kek(request.key_id, record)
        elif request.kind == keys_pb2.Key.EPOCH:
            self._retirement.retire_epoch(request.key_id, record)
        else:
            self._retirement.retire_index_keys(record)

    def _gone(self, call: Call) -> list[str]:
        """The KEKs that this call's retirement destroyed. Raises NotFound where it was none."""
        fresh = new_uuid()
        with self._database.transaction() as connection:
            result = self._idempotency.begin(connection, call, fresh, self._clock.now())
            if result == fresh:
                raise NotFound
        return result.split()[1:]

    def _write(self, connection: Connection, call: Call, refs: Mapping[str, str]) -> None:
        key_record.write(
            connection,
            self._clock.now(),
            event=call.method.evidence,
            verb=call.method.verb,
            site=call.principal.site_id,
            principal=call.principal.name,
            role=call.role,
            refs=refs,
        )


def _named(call: Call, kind: str) -> str:
    """The kind, of a call behind which a person stands. Raises PermissionDenied."""
    if not call.principal.is_person:
        raise PermissionDenied("1.1.1")
    return kind


@contextmanager
def _refused(field: str) -> Iterator[None]:
    """Facts about keys as refusals that name the field and the rows."""
    try:
        yield
    except RotationUnderWay:
        text = "a rotation is under way: ask GetKeyStatus how far it is, and wait for its end"
        raise _conflict(field, "under_way", text) from None
    except KeyStillUsed as used:
        text = f"{used.count} rows are under an old key: rotate first"
        raise _conflict(field, "in_use", text) from None
    except KeyStillCurrent:
        text = "the current key: rotate first"
        raise _conflict(field, "current", text) from None
    except KeyProviderError:
        raise KeyUnavailable(retry_after=30) from None


def _conflict(field: str, rule: str, text: str) -> Refusal:
    return StateConflict("1.1.4", [FieldViolation(field, rule, text)])
