# SPDX-License-Identifier: Apache-2.0
"""What a recipient sees without personal data, and what a person sees of the recipients."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from qupia.disclosure.v1 import disclosure_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.paging import PageTokens, page_size
from services.chassis.pseudonym import known_pseudonym
from services.chassis.refusal import NotFound, PermissionDenied
from services.disclosure import (
    store_deliveries,
    store_ledger,
    store_recipients,
    store_releases,
    wire,
)
from services.disclosure.ledger import Disclosure
from services.disclosure.servicer_acts import PERMITTED, REFUSED, entry

_PAGE, _MOST = 100, 1000


class ListServicer:
    """Lists deliveries (clause 5.2) and disclosures (clause 6.2.2)."""

    def __init__(self, database: Database, clock: Clock, tokens: PageTokens) -> None:
        self._database = database
        self._clock = clock
        self._tokens = tokens

    def list_deliveries(self, call: Call) -> disclosure_pb2.ListDeliveriesResponse:
        """The caller's live deliveries.

        None for a recipient that is not active, or over a connection without the certificate that
        its keys are bound to.
        """
        request = cast(disclosure_pb2.ListDeliveriesRequest, call.request)
        site_id, recipient_id = call.principal.site_id, call.principal.recipient_id
        if not recipient_id:
            raise PermissionDenied
        size, now = page_size(request.page_size, _PAGE, _MOST), self._clock.now()
        scope = f"deliveries|{site_id}|{recipient_id}"
        place = self._tokens.open(scope, request.page_token) or [""]
        with self._database.transaction() as connection:
            recipient = store_recipients.find(connection, site_id, recipient_id)
            if recipient is None or not recipient.may_see(call.principal.certificate_sha256):
                return disclosure_pb2.ListDeliveriesResponse()
            found = store_deliveries.live_of(
                connection, site_id, recipient_id, now, str(place[0]), size + 1
            )
            fetches = store_releases.fetches(
                connection, site_id, [delivery.delivery_id for delivery in found]
            )
        more = len(found) > size
        token = self._tokens.make(scope, [found[size - 1].delivery_id]) if more else ""
        return disclosure_pb2.ListDeliveriesResponse(
            deliveries=[
                wire.delivery_message(d, now, fetches.get(d.delivery_id, 0)) for d in found[:size]
            ],
            next_page_token=token,
        )

    def get_disclosure(self, call: Call) -> disclosure_pb2.GetDisclosureResponse:
        """One line, by its id or a refused recipient's support reference. Raises NotFound."""
        request = cast(disclosure_pb2.GetDisclosureRequest, call.request)
        site_id = call.principal.site_id
        with self._database.transaction() as connection:
            now = self._clock.now()
            line = store_ledger.find(connection, site_id, request.disclosure_id, now)
            if line is None:
                raise NotFound
            subject = known_pseudonym(connection, site_id, line.subject_id)
            refs = {"disclosure_id": line.disclosure_id}
            proof = entry(call, PERMITTED, subject=subject, refs=refs)
            evidence.append(connection, proof, now)
        return disclosure_pb2.GetDisclosureResponse(disclosure=wire.disclosure_message(line))

    def list_disclosures(self, call: Call) -> disclosure_pb2.ListDisclosuresResponse:
        """A subject's ledger, newest first.

        Empty for a subject nothing was disclosed of, for another site's and
        for an id that never existed: the broker knows subjects by their orders
        only, and the three look the same.
        """
        request = cast(disclosure_pb2.ListDisclosuresRequest, call.request)
        site_id, subject_id = call.principal.site_id, request.subject_id
        size = page_size(request.page_size, _PAGE, _MOST)
        scope = f"disclosures|{site_id}|{subject_id}"
        place = self._tokens.open(scope, request.page_token)
        before = (datetime.fromisoformat(str(place[0])), str(place[1])) if place else None
        # Somebody else's ledger is, for a person concerned, as that of nobody.
        theirs = call.principal.concerns(subject_id)
        with self._database.transaction() as connection:
            now = self._clock.now()
            found: list[Disclosure] = []
            if theirs:
                found = store_ledger.listed(connection, site_id, subject_id, before, size + 1, now)
            subject = known_pseudonym(connection, site_id, subject_id)
            outcome, reason = (PERMITTED, "") if theirs else (REFUSED, NotFound.reason)
            proof = entry(call, outcome, subject=subject, reason=reason, refs={})
            evidence.append(connection, proof, now)
        token = ""
        if len(found) > size:
            last = found[size - 1]
            token = self._tokens.make(scope, [last.disclose_time.isoformat(), last.disclosure_id])
        return disclosure_pb2.ListDisclosuresResponse(
            disclosures=[wire.disclosure_message(line) for line in found[:size]],
            next_page_token=token,
        )
