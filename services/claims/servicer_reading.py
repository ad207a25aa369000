# SPDX-License-Identifier: Apache-2.0
"""GetClaim, ListClaims, GetAct: a site sees its own, and of another's not even that it is there."""

from datetime import date
from typing import cast

from qupia.claims.v1 import claims_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.decider import store as decider_store
from services.chassis.paging import PageTokens, page_size
from services.chassis.refusal import NotFound
from services.claims import store, store_acts, store_same_contact, wire
from services.claims.claim import Claim
from services.claims.servicer_common import attribution, is_officer, is_within_sight
from services.claims.store import Filter

_PAGE, _LARGEST_PAGE = 100, 1000


class Reading:
    """Reads claims and acts."""

    def __init__(self, database: Database, pages: PageTokens, clock: Clock) -> None:
        self._database = database
        self._pages = pages
        self._clock = clock

    def get_claim(self, call: Call) -> claims_pb2.GetClaimResponse:
        """A claim of the caller's site; the read is recorded. Raises NotFound, Unavailable."""
        request = cast(claims_pb2.GetClaimRequest, call.request)
        with self._database.transaction() as connection:
            claim = store.read_claim(connection, call.principal.site_id, request.claim_id)
            if claim is None or not is_within_sight(call, claim):
                raise NotFound
            store_acts.append_evidence(
                connection,
                claim,
                attribution(call),
                {},
                {},
                {},
                self._clock.now(),
                evidence.PERMITTED,
            )
            shared = store_same_contact.of_claim(connection, claim.site_id, claim.claim_id)
        message = _told(call, claim)
        if is_officer(call):
            message.same_contacts.extend(wire.same_contact_message(each) for each in shared)
        return claims_pb2.GetClaimResponse(claim=message)

    def list_claims(self, call: Call) -> claims_pb2.ListClaimsResponse:
        """A page of the site's claims, the most urgent first. Raises InvalidArgument."""
        request = cast(claims_pb2.ListClaimsRequest, call.request)
        site_id = call.principal.site_id
        state = claims_pb2.Claim.State.Name(request.state) if request.state else None
        due_before = date.fromisoformat(request.due_before) if request.due_before else None
        # Whose a claim is only officers are told.
        officer = request.officer if request.officer and is_officer(call) else None
        scope = f"claims|{site_id}|{state}|{due_before}|{officer}|{request.number}"
        place = self._pages.open(scope, request.page_token)
        after = (date.fromisoformat(str(place[0])), str(place[1])) if place else None
        size = page_size(request.page_size, _PAGE, _LARGEST_PAGE)
        with self._database.transaction() as connection:
            found = store.list_claims(
                connection,
                site_id,
                Filter(state, due_before, officer, request.number or None),
                after,
                size + 1,
            )
        page = found[:size]
        token = ""
        if len(found) > size:
            last = page[-1]
            token = self._pages.make(scope, (last.deadline.due_date.isoformat(), last.claim_id))
        return claims_pb2.ListClaimsResponse(
            claims=[_told(call, claim) for claim in page], next_page_token=token
        )

    def get_act(self, call: Call) -> claims_pb2.GetActResponse:
        """An act of the caller's site and how far it has come. Raises NotFound."""
        request = cast(claims_pb2.GetActRequest, call.request)
        with self._database.transaction() as connection:
            act = decider_store.read_act(connection, request.act_id, call.principal.site_id)
        if act is None:
            raise NotFound
        return claims_pb2.GetActResponse(act=wire.act_message(act))


def _told(call: Call, claim: Claim) -> claims_pb2.Claim:
    """A claim as this caller sees it: whose it is, is the officers' business.

    A person concerned is told of no one else whom it names.
    """
    message = wire.claim_message(claim)
    message.subject_ids[:] = [each for each in claim.subject_ids if call.principal.concerns(each)]
    if is_officer(call) and claim.officer is not None:
        message.officer = claim.officer
    return message
