# SPDX-License-Identifier: Apache-2.0
"""What the vault tells the claims service of blocks: those it made, and what was done before."""

from __future__ import annotations

import json
from datetime import datetime

from qupia.vault.v1 import blocking_pb2, vault_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry
from services.chassis.paging import PageTokens, page_size
from services.chassis.pipeline import Handler
from services.vault import store_blocks, store_interims, store_slices, wire
from services.vault.store_blocks import ProvisionalRow
from services.vault.store_keys import KeyStore
from services.vault.wire_case import CLAIMS

_BLOCKS = 100
_PAGE, _LARGEST_PAGE = 100, 1000


class BlockingServicer:
    """VaultBlockingService of the contract."""

    def __init__(self, database: Database, keys: KeyStore, pages: PageTokens, clock: Clock) -> None:
        self._database = database
        self._keys = keys
        self._pages = pages
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {
            "ListProvisionalBlocks": self.list_provisional_blocks,
            "ListInterim": self.list_interim,
        }

    def list_provisional_blocks(self, call: Call) -> blocking_pb2.ListProvisionalBlocksResponse:
        """Blocks that the claims service has not pushed as its own."""
        request = call.request
        assert isinstance(request, blocking_pb2.ListProvisionalBlocksRequest)
        place = self._pages.open("provisional", request.page_token)
        after = (str(place[0]), str(place[1]), str(place[2])) if place else None
        with self._database.transaction() as connection:
            rows = store_blocks.unknown_blocks(connection, after, _BLOCKS + 1)
            found = [_provisional(connection, row) for row in rows[:_BLOCKS]]
        token = ""
        if len(rows) > _BLOCKS:
            last = rows[_BLOCKS - 1]
            token = self._pages.make("provisional", (last.site, last.subject, last.claim_id))
        return blocking_pb2.ListProvisionalBlocksResponse(
            blocks=[each for each in found if each is not None], next_page_token=token
        )

    def list_interim(self, call: Call) -> blocking_pb2.ListInterimResponse:
        """What was done with the data before a block that reaches back."""
        request = call.request
        assert isinstance(request, blocking_pb2.ListInterimRequest)
        subject = (request.site_id, request.subject_id)
        scope = f"interim|{request.site_id}|{request.subject_id}|{request.claim_id}"
        place = self._pages.open(scope, request.page_token)
        after = (datetime.fromisoformat(str(place[0])), str(place[1])) if place else None
        size = page_size(request.page_size, _PAGE, _LARGEST_PAGE)
        response = blocking_pb2.ListInterimResponse()
        with self._database.transaction() as connection:
            interim = store_interims.read_interim(connection, subject, request.claim_id)
            pseudonym = self._keys.pseudonym(*subject)
            if interim is None or not pseudonym:
                return response
            rows = store_interims.acts_between(
                connection, subject[0], pseudonym, interim, after, size + 1
            )
            self._record(connection, call, pseudonym)
        response.interim.CopyFrom(
            blocking_pb2.Interim(
                since_time=wire.stamp_of(interim.since),
                until_time=wire.stamp_of(interim.until),
                acts=interim.acts,
            )
        )
        response.acts.extend(_act(*row) for row in rows[:size])
        if len(rows) > size:
            entry_id, time, _ = rows[size - 1]
            response.next_page_token = self._pages.make(scope, (time.isoformat(), entry_id))
        return response

    def _record(self, connection: Connection, call: Call, pseudonym: str) -> None:
        request = call.request
        assert isinstance(request, blocking_pb2.ListInterimRequest)
        entry = Entry(
            event=call.method.evidence,
            verb=call.method.verb,
            outcome=evidence.PERMITTED,
            site_id=request.site_id,
            principal=call.principal.name,
            subject=pseudonym,
            clause="6.2.3",
            refs={"claim_id": request.claim_id, "reader": request.reader},
        )
        evidence.append(connection, entry, self._clock.now())


def _provisional(
    connection: Connection, row: ProvisionalRow
) -> blocking_pb2.ProvisionalBlock | None:
    slice_ = store_slices.read_slice(connection, row.site, row.subject, CLAIMS)
    blocks = vault_pb2.ClaimsSlice.FromString(slice_.body).blocks if slice_ else ()
    for block in blocks:
        if block.claim_id == row.claim_id:
            return blocking_pb2.ProvisionalBlock(
                site_id=row.site,
                subject_id=row.subject,
                origin_subject_id=row.origin_subject,
                block=block,
            )
    return None


def _act(entry_id: str, time: datetime, body: str) -> blocking_pb2.InterimAct:
    members = json.loads(body)
    return blocking_pb2.InterimAct(
        entry_id=entry_id,
        time=wire.stamp_of(time),
        event=members["event"],
        verb=members["verb"],
        principal=members.get("principal", ""),
        purpose=members.get("refs", {}).get("purpose", ""),
    )
