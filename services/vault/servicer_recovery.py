# SPDX-License-Identifier: Apache-2.0
"""Tells the claims service what its book has lost, so that it mends itself (clause 6.2.3)."""

from __future__ import annotations

from typing import Final

from qupia.vault.v1 import recovery_pb2, vault_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry
from services.chassis.paging import PageTokens
from services.chassis.pipeline import Handler
from services.vault import store_life, store_recovery, wire
from services.vault.store_keys import KeyStore
from services.vault.store_recovery import KeptDocument, LostSlice, Place

# A slice may be large: so many of the largest fit into one answer.
_PAGE: Final = 50


class RecoveryServicer:
    """VaultRecoveryService of the contract."""

    def __init__(self, database: Database, keys: KeyStore, pages: PageTokens, clock: Clock) -> None:
        self._database = database
        self._keys = keys
        self._pages = pages
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {
            "ListLostClaims": self.list_lost_claims,
            "ListDocuments": self.list_documents,
        }

    def list_lost_claims(self, call: Call) -> recovery_pb2.ListLostClaimsResponse:
        """A page of them. Raises InvalidArgument for a token that is not this list's."""
        request = call.request
        assert isinstance(request, recovery_pb2.ListLostClaimsRequest)
        scope = f"lost|{call.peer}|{request.incarnation}"
        place = self._pages.open(scope, request.page_token)
        after: Place | None = (int(place[0]), str(place[1]), str(place[2])) if place else None
        with self._database.transaction() as connection:
            life = store_life.read_decider(connection, call.peer)
            if not life.complete or life.highest_incarnation != request.incarnation:
                return recovery_pb2.ListLostClaimsResponse()
            found = store_recovery.lost_claims(connection, request.incarnation, after, _PAGE + 1)
        return recovery_pb2.ListLostClaimsResponse(
            resynced=True,
            lost=[_lost(each) for each in found[:_PAGE]],
            next_page_token=self._pages.make(scope, found[_PAGE - 1].place)
            if found[_PAGE:]
            else "",
        )

    def list_documents(self, call: Call) -> recovery_pb2.ListDocumentsResponse:
        """What lies here for a claim, by places and times."""
        request = call.request
        assert isinstance(request, recovery_pb2.ListDocumentsRequest)
        owners = {request.bound_to, *request.owner_ids}
        with self._database.transaction() as connection:
            found = store_recovery.documents_of(
                connection, request.site_id, request.bound_to, owners
            )
            for owner in sorted({each.owner for each in found}):
                self._record(connection, call, owner)
        return recovery_pb2.ListDocumentsResponse(documents=[_kept(each) for each in found])

    def _record(self, connection: Connection, call: Call, owner: str) -> None:
        request = call.request
        assert isinstance(request, recovery_pb2.ListDocumentsRequest)
        entry = Entry(
            event=call.method.evidence,
            verb=call.method.verb,
            outcome=evidence.PERMITTED,
            site_id=request.site_id,
            principal=call.principal.name,
            subject=self._keys.pseudonym(request.site_id, owner),
            clause=call.method.clauses[0],
            refs={"bound_to": request.bound_to},
        )
        evidence.append(connection, entry, self._clock.now())


def _lost(found: LostSlice) -> recovery_pb2.LostClaims:
    return recovery_pb2.LostClaims(
        site_id=found.site,
        subject_id=found.subject,
        slice=vault_pb2.ClaimsSlice.FromString(found.body),
    )


def _kept(found: KeptDocument) -> recovery_pb2.KeptDocument:
    return recovery_pb2.KeptDocument(
        place=vault_pb2.DocumentPlace(
            site_id=found.site,
            owner_id=found.owner,
            bound_to=found.bound_to,
            document_id=found.document_id,
            kind=vault_pb2.Document.Kind.Value(found.kind),
        ),
        store_time=wire.stamp_of(found.store_time),
    )
