# SPDX-License-Identifier: Apache-2.0
"""PickUpAuthorityPackage: the one-time code is redeemed, and the data leave (clause 5.3, I3).

PREPARED before the vault is asked, RELEASED before the first byte leaves, as every release; what a
crash leaves between the two the reconciler ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.json_format import MessageToDict

from qupia.disclosure.v1 import authority_requests_pb2
from qupia.vault.v1 import authority_pb2
from services.chassis.call import Call
from services.chassis.database import Connection
from services.chassis.evidence import Entry
from services.chassis.ids import new_uuid
from services.chassis.pipeline import Handler, is_decision
from services.chassis.refusal import (
    BudgetExhausted,
    NotAvailable,
    Refusal,
    Unavailable,
    refusal_of,
)
from services.chassis.sealed import store as sealed_store
from services.chassis.sealed.document import StoredDocument
from services.chassis.sites import Operator
from services.disclosure import (
    store_authorities,
    store_authority_releases,
    store_authority_requests,
    store_ledger,
    wire_authorities,
)
from services.disclosure.authority import Authority
from services.disclosure.authority_release import CLAUSE, AuthorityRelease, FormerPackage, line
from services.disclosure.authority_request import (
    HOLDING,
    AuthorityRequest,
    PickUpCode,
    RequestState,
)
from services.disclosure.authority_texts import Official
from services.disclosure.ledger import Outcome
from services.disclosure.package import Contents, package_of
from services.disclosure.permission import RULES_VERSION, STATE_BODY, Asked, Denial, Ground, decide
from services.disclosure.release import ReleaseState
from services.disclosure.servicer_acts import PERMITTED, REFUSED
from services.disclosure.servicer_authority_desk import Desk, proof

_VAULT_SECONDS = 2.0
_NOT_READY = Denial("LEGAL_GROUND_MISSING", CLAUSE, "request-not-approved")


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A pick-up that the broker has nothing against."""

    request: AuthorityRequest
    release: AuthorityRelease
    authority: Authority
    official: StoredDocument
    operator: Operator
    former: FormerPackage | None


class PickUpServicer:
    """Gives packages to those who bring the code."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {"PickUpAuthorityPackage": self.pick_up_authority_package}

    def pick_up_authority_package(self, call: Call) -> HttpBody:
        """The archive, once; what an officer lets go once more is the same again.

        Raises NotAvailable whatever is wrong with code, body, request or data; Unavailable where
        nothing left and the same code may be brought again.
        """
        asked = cast(authority_requests_pb2.PickUpAuthorityPackageRequest, call.request)
        desk = self._desk
        with desk.database.transaction() as connection:
            prepared = self._prepare(connection, call, PickUpCode.read(asked.code), asked.bin)
        call.recorded = True
        if isinstance(prepared, Refusal):
            raise prepared
        official = self._official(call, prepared)
        read = self._read(call, prepared)
        if isinstance(read, Refusal):
            raise self._refuse(call, prepared, read)
        return self._give(call, prepared, official, read)

    def _prepare(
        self, connection: Connection, call: Call, code: PickUpCode, bin_number: str
    ) -> _Prepared | Refusal:
        desk, now = self._desk, self._desk.clock.now()
        request = store_authority_requests.find_by_code(connection, code.sha256)
        if request is None:
            return self._unknown(connection, call, now)
        place = (request.site_id, request.request_id)
        body = store_authorities.find(connection, request.site_id, request.authority_id)
        against = _against(request, body, bin_number, now)
        if against is not None:
            return self._note(connection, call, request, against, now)
        operator = desk.sites.operator_of(request.site_id) if desk.sites else None
        official = sealed_store.stored_at(connection, *place, request.official_id)
        under_way = store_authority_releases.is_under_way(connection, *place)
        if under_way or operator is None or official is None or body is None:
            return Unavailable(retry_after=1)
        first = store_authority_releases.first_of(connection, *place)
        former = store_authority_releases.first_package(connection, *place)
        release = AuthorityRelease(
            request.site_id,
            new_uuid(),
            request.request_id,
            request.subject_id,
            request.authority_id,
            now,
            first,
        )
        store_authority_releases.prepare(connection, release)
        return _Prepared(request, release, body, official, operator, former)

    def _unknown(self, connection: Connection, call: Call, now: datetime) -> Refusal:
        """A code that is out for nothing: recorded, and about nobody."""
        refused = Entry(
            event=call.method.evidence,
            verb=call.method.verb,
            outcome=REFUSED,
            site_id="",
            principal=call.principal.name,
            clause=CLAUSE,
            reason="NOT_AVAILABLE",
            decided_on={"rulesVersion": RULES_VERSION},
        )
        try:
            self._desk.refusals.record(connection, refused, now)
        except BudgetExhausted as exhausted:
            return exhausted
        return NotAvailable(CLAUSE)

    def _note(
        self,
        connection: Connection,
        call: Call,
        request: AuthorityRequest,
        against: Denial,
        now: datetime,
    ) -> Refusal:
        told = line(request, new_uuid(), Outcome.REFUSED, now, against=against)
        store_ledger.record_authority(
            connection, told, _of_site(_refusal(call, request, against, now), request)
        )
        return refusal_of(against.reason, against.clause)

    def _official(self, call: Call, prepared: _Prepared) -> Official:
        """Raises Unavailable: nothing was read yet, so the attempt ends at once."""
        try:
            text = self._desk.vault.get_document(
                prepared.official, _reader(prepared.request), _seconds(call)
            )
        except Refusal:
            now = self._desk.clock.now()
            with self._desk.database.transaction() as connection:
                store_authority_releases.end(
                    connection, prepared.release, ReleaseState.WITHDRAWN, now, reason="UNAVAILABLE"
                )
            raise Unavailable(retry_after=1) from None
        return Official.from_json(text)

    def _read(
        self, call: Call, prepared: _Prepared
    ) -> authority_pb2.ReadForAuthorityResponse | Refusal:
        """The data, or the vault's decision against it.

        Raises Unavailable where its answer was not heard: the attempt stays PREPARED.
        """
        now = self._desk.clock.now()
        asked = wire_authorities.read(prepared.request, prepared.release, now)
        try:
            return self._desk.vault.read_for_authority(asked, _seconds(call))
        except Refusal as refusal:
            if not is_decision(refusal):
                raise Unavailable(retry_after=1) from None
            return refusal

    def _refuse(self, call: Call, prepared: _Prepared, refusal: Refusal) -> Refusal:
        against = Denial(refusal.reason, refusal.clause or CLAUSE)
        desk, now = self._desk, self._desk.clock.now()
        with desk.database.transaction() as connection:
            request = _locked(connection, prepared)
            ended = store_authority_releases.end(
                connection, prepared.release, ReleaseState.REFUSED, now, reason=against.reason
            )
            if not ended:
                return Unavailable(retry_after=1)
            if against.reason in HOLDING:
                store_authority_requests.save(connection, request.held())
            told = line(request, prepared.release.release_id, Outcome.REFUSED, now, against=against)
            refused = _of_site(_refusal(call, request, against, now), request)
            store_ledger.record_authority(connection, told, refused)
        return refusal

    def _give(
        self,
        call: Call,
        prepared: _Prepared,
        official: Official,
        read: authority_pb2.ReadForAuthorityResponse,
    ) -> HttpBody:
        """Commit RELEASED; then the package may leave."""
        desk, now = self._desk, self._desk.clock.now()
        since = (
            read.disputed_time.ToDatetime(tzinfo=UTC) if read.HasField("disputed_time") else None
        )
        contents = Contents(
            prepared.request, prepared.authority, official, prepared.operator, _data(read), since
        )
        package = package_of(contents, prepared.former, desk.signer, now)
        digest = hashlib.sha256(package).hexdigest()
        with desk.database.transaction() as connection:
            request = _locked(connection, prepared)
            body = store_authorities.find(connection, request.site_id, request.authority_id)
            against = _against(request, body, prepared.authority.bin, now)
            if against is not None:
                self._withhold(connection, call, prepared, against, read.entry_id, now)
            else:
                self._conclude(connection, call, prepared, read, since, digest, now)
        if against is not None:
            raise refusal_of(against.reason, against.clause)
        return HttpBody(content_type="application/zip", data=package)

    def _withhold(
        self,
        connection: Connection,
        call: Call,
        prepared: _Prepared,
        against: Denial,
        entry_id: str,
        now: datetime,
    ) -> None:
        """What came in between while the vault was asked: then the data do not leave."""
        request, release = prepared.request, prepared.release
        ended = store_authority_releases.end(
            connection,
            release,
            ReleaseState.WITHHELD,
            now,
            entry_id=entry_id,
            reason=against.reason,
        )
        if not ended:
            raise Unavailable(retry_after=1)
        told = line(request, release.release_id, Outcome.REFUSED, now, against=against)
        refused = _of_site(_refusal(call, request, against, now), request)
        store_ledger.record_authority(connection, told, refused)

    def _conclude(
        self,
        connection: Connection,
        call: Call,
        prepared: _Prepared,
        read: authority_pb2.ReadForAuthorityResponse,
        since: datetime | None,
        digest: str,
        now: datetime,
    ) -> None:
        request, release, fields = prepared.request, prepared.release, tuple(read.fields)
        ended = store_authority_releases.end(
            connection,
            release,
            ReleaseState.RELEASED,
            now,
            entry_id=read.entry_id,
            fields=fields,
            package_sha256=digest,
        )
        if not ended:
            # The reconciler was faster and did not see it leave.
            raise Unavailable(retry_after=1)
        again = request.state is RequestState.PICKED_UP
        given = replace(
            request,
            state=RequestState.PICKED_UP,
            code_sha256="",
            pick_up_time=request.pick_up_time if again else now,
            disputed_since=since or (request.disputed_since if again else None),
        )
        store_authority_requests.save(connection, given)
        outcome = Outcome.REPEAT if release.first_release_id else Outcome.RELEASED
        told = line(
            request, release.release_id, outcome, now, fields, first=release.first_release_id
        )
        permit = proof(
            call,
            PERMITTED,
            request,
            now,
            refs={
                "release_id": release.release_id,
                "entry_id": read.entry_id,
                "first_release_id": release.first_release_id,
            },
            decided_on={"fields": list(fields), "releasedUnderBlock": since is not None},
            digests={"package": digest, **_first_digest(prepared.former)},
        )
        store_ledger.record_authority(connection, told, _of_site(permit, request))


def _against(
    request: AuthorityRequest, body: Authority | None, bin_number: str, now: datetime
) -> Denial | None:
    """What stands against a pick-up at `now`, by the rules of docs/disclosures.md."""
    if body is None or body.bin != bin_number:
        return decide(Asked("", Ground.LAW, None))
    if request.code_expire_time is None or now >= request.code_expire_time:
        return _NOT_READY
    state = request.at(now)
    # A code beside PICKED_UP is for a repeat; none outlives its request.
    ready = state in (RequestState.READY, RequestState.PICKED_UP)
    lapsed = state is RequestState.EXPIRED or (ready and now >= request.expire_time)
    return decide(
        Asked(STATE_BODY, Ground.LAW, body.state, approved=ready or lapsed, lapsed=lapsed)
    )


def _first_digest(former: FormerPackage | None) -> dict[str, str]:
    return {"firstPackage": former.package_sha256} if former else {}


def _locked(connection: Connection, prepared: _Prepared) -> AuthorityRequest:
    request = prepared.request
    found = store_authority_requests.find(
        connection, request.site_id, request.request_id, lock=True
    )
    assert found is not None, "a request is never deleted"
    return found


def _refusal(call: Call, request: AuthorityRequest, against: Denial, now: datetime) -> Entry:
    decided_on = {"rule": against.rule} if against.rule else {}
    return proof(
        call,
        REFUSED,
        request,
        now,
        reason=against.reason,
        clause=against.clause,
        decided_on=decided_on,
    )


def _of_site(entry: Entry, request: AuthorityRequest) -> Entry:
    # Whoever brings a code has no site; the entry is of the request's.
    return replace(entry, site_id=request.site_id)


def _reader(request: AuthorityRequest) -> str:
    return f"authority/{request.authority_id}"


def _seconds(call: Call) -> float:
    return min(_VAULT_SECONDS, max(0.001, call.remaining()))


def _data(read: authority_pb2.ReadForAuthorityResponse) -> Mapping[str, Any]:
    """The data, visits and purchases as JSON, in the names of the HTTP contract."""
    members = MessageToDict(read)
    return {name: members[name] for name in ("data", "visits", "purchases") if name in members}
