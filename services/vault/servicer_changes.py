# SPDX-License-Identifier: Apache-2.0
"""Tells the broker of blocks and ends, so that it can recall what left (Law 24(1)(3))."""

from __future__ import annotations

import re

from qupia.vault.v1 import standing_changes_pb2
from services.chassis.call import Call
from services.chassis.database import Database
from services.chassis.paging import page_size
from services.chassis.pipeline import Handler
from services.chassis.refusal import FieldViolation, InvalidArgument
from services.vault import store_changes, store_life

_CURSOR = re.compile(r"(\d{1,18})/([0-9a-f-]{36})")
_MOST = 500
_Kind = standing_changes_pb2.StandingChange.Kind


class ChangeServicer:
    """VaultRecallService of the contract."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {"ListStandingChanges": self.list_standing_changes}

    def list_standing_changes(self, call: Call) -> standing_changes_pb2.ListStandingChangesResponse:
        """Changes after the cursor. Raises InvalidArgument for a cursor of no known form."""
        request = call.request
        assert isinstance(request, standing_changes_pb2.ListStandingChangesRequest)
        size = page_size(request.page_size, _MOST, _MOST)
        place = _place(request.cursor)
        with self._database.transaction() as connection:
            life = store_life.read_life(connection)
            found = store_changes.after(connection, place, size)
        cursor = request.cursor
        if found:
            cursor = f"{found[-1].transaction_id}/{found[-1].change_id}"
        answer = standing_changes_pb2.ListStandingChangesResponse(
            cursor=cursor, vault_incarnation=life.vault_incarnation if life else ""
        )
        for each in found:
            told = answer.changes.add(
                site_id=each.subject[0],
                subject_id=each.subject[1],
                kind=_Kind.Value(each.kind),
                change_id=each.change_id,
            )
            told.change_time.FromDatetime(each.time)
        return answer


def _place(cursor: str) -> tuple[int, str]:
    if not cursor:
        return (0, "")
    matched = _CURSOR.fullmatch(cursor)
    if matched is None:
        wrong = FieldViolation("cursor", "cursor", "none of this list; start without one")
        raise InvalidArgument(fields=[wrong])
    return int(matched[1]), matched[2]
