# SPDX-License-Identifier: Apache-2.0
"""Idempotency keys: one effect per key, in the transaction of the effect.

Only the id of what came about is stored, never a reply: a replay decides again
and can give out nothing that a fresh request would be refused (trap 11).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import (
    Column,
    DateTime,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    delete,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.arrays import Blobs, Texts
from services.chassis.call import Call
from services.chassis.prepared import Prepared, given, matching
from services.chassis.refusal import FieldViolation, IdempotencyKeyReused, InvalidArgument

metadata = MetaData()

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("principal", Text, primary_key=True),
    Column("method", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("result_id", Text, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
)

KEEP = timedelta(hours=72)

_new = given(
    "new", principal=Text, method=Text, request_id=Text, fingerprint=LargeBinary, result_id=Text
)
_taking = upsert(idempotency_keys).from_select(
    [*_new.columns.keys(), "create_time"],
    # In one order everywhere: two batches never wait for each other's keys.
    select(*_new.columns, bindparam("create_time", type_=DateTime(timezone=True))).order_by(
        _new.c.principal, _new.c.method, _new.c.request_id
    ),
)
_TAKE = Prepared(
    _taking.on_conflict_do_update(
        index_elements=["principal", "method", "request_id"],
        # Changes nothing: only so is a row that stands returned.
        set_={"result_id": idempotency_keys.c.result_id},
    ).returning(
        idempotency_keys.c.principal,
        idempotency_keys.c.method,
        idempotency_keys.c.request_id,
        idempotency_keys.c.fingerprint,
        idempotency_keys.c.result_id,
    )
)


_STANDING = Prepared(
    select(idempotency_keys.c.fingerprint, idempotency_keys.c.result_id).where(
        matching(
            idempotency_keys.c.principal, idempotency_keys.c.method, idempotency_keys.c.request_id
        )
    )
)
_gone = given("gone", principal=Text, method=Text, request_id=Text)
_LET_GO = Prepared(
    delete(idempotency_keys).where(*(idempotency_keys.c[c.name] == c for c in _gone.columns))
)


class IdempotencyKeys:
    """The keys of a service; `secret` keys the fingerprints of requests."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def begin(self, connection: Connection, call: Call, result_id: str, now: datetime) -> str:
        """Take the call's key for `result_id`; returns the id that stands under it.

        Another id than the one given means that the effect came about before.
        A concurrent first call is waited for, because its key is not yet
        committed. Raises IdempotencyKeyReused where the key stands for
        another request, InvalidArgument where the call has none.
        """
        [stood] = self.begin_each(connection, [(call, result_id)], now)
        if isinstance(stood, IdempotencyKeyReused):
            raise stood
        return stood

    def begin_each(
        self, connection: Connection, calls: Sequence[tuple[Call, str]], now: datetime
    ) -> list[str | IdempotencyKeyReused]:
        """The same for many (call, result), in one statement.

        Where a key stands for another request, the call's answer is that
        refusal. Raises InvalidArgument where a call has no key.
        """
        if not calls:
            return []
        keys = [(*_key_of(call).values(), _request_id(call)) for call, _ in calls]
        prints = [self._fingerprint(call) for call, _ in calls]
        taken: dict[tuple[str, ...], tuple[bytes, str]] = {}
        for key, fingerprint, (_, result_id) in zip(keys, prints, calls, strict=True):
            taken.setdefault(key, (fingerprint, result_id))
        rows = _TAKE.rows(
            connection,
            **_places(list(taken)),
            fingerprint=Blobs([fingerprint for fingerprint, _ in taken.values()]),
            result_id=Texts([result_id for _, result_id in taken.values()]),
            create_time=now,
        )
        stood = {row[:3]: row[3:] for row in rows}
        answers: list[str | IdempotencyKeyReused] = []
        for key, fingerprint in zip(keys, prints, strict=True):
            found, result_id = stood[key]
            same = hmac.compare_digest(found, fingerprint)
            answers.append(result_id if same else IdempotencyKeyReused())
        return answers

    def standing(self, connection: Connection, call: Call) -> str | None:
        """The id that stands under the call's key; None: nothing. Raises IdempotencyKeyReused."""
        key = {**_key_of(call), "request_id": _request_id(call)}
        row = _STANDING.first(connection, **key)
        if row is None:
            return None
        if not hmac.compare_digest(row.fingerprint, self._fingerprint(call)):
            raise IdempotencyKeyReused
        return str(row.result_id)

    def let_go(self, connection: Connection, calls: Sequence[Call]) -> None:
        """Give back keys that were taken in this same transaction: their calls had no effect."""
        keys = [(*_key_of(call).values(), _request_id(call)) for call in calls]
        if keys:
            _LET_GO.run(connection, **_places(keys))

    def amend(self, connection: Connection, call: Call, result_id: str) -> None:
        """Let another id stand under the call's key, taken in this same transaction."""
        connection.execute(
            update(idempotency_keys)
            .filter_by(**_key_of(call), request_id=str(getattr(call.request, "request_id", "")))
            .values(result_id=result_id)
        )

    def _fingerprint(self, call: Call) -> bytes:
        copy = call.method.input_class()
        copy.CopyFrom(call.request)
        copy.ClearField("request_id")
        return hmac.digest(self._secret, copy.SerializeToString(deterministic=True), hashlib.sha256)


def _request_id(call: Call) -> str:
    request_id = str(getattr(call.request, "request_id", ""))
    if not request_id:
        raise InvalidArgument(fields=[FieldViolation("requestId", "required", "has to be given")])
    return request_id


def _places(keys: Sequence[tuple[str, ...]]) -> dict[str, Texts]:
    names = ("principal", "method", "request_id")
    return {name: Texts([key[n] for key in keys]) for n, name in enumerate(names)}


def _key_of(call: Call) -> dict[str, str]:
    principal = f"{call.principal.site_id}|{call.principal.name}"
    return {"principal": principal, "method": call.method.name}


def forget_old(connection: Connection, now: datetime) -> None:
    """Delete keys older than 72 hours."""
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.create_time < now - KEEP))
