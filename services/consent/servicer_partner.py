# SPDX-License-Identifier: Apache-2.0
"""Click-through tokens to partners' sites (clauses 2.3, 4.1.12)."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from qupia.consent.v1 import consent_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.ids import new_uuid
from services.chassis.pseudonym import pseudonym_of
from services.chassis.refusal import (
    ConsentRequired,
    ConsentWithdrawn,
    NotFound,
    PolicyDisagreed,
    StateConflict,
    SubjectLinked,
)
from services.consent.book import Book
from services.consent.consent import Consent, State
from services.consent.partner_token import (
    LIFE,
    PURPOSE,
    PartnerToken,
    token_digest,
    token_of,
)
from services.consent.purposes import CLAUSE_OF_CONSENT
from services.consent.store_partner import (
    find_token,
    insert_token,
    read_token,
    redeem,
    redeem_time,
)
from services.consent.store_policies import read_schedule
from services.consent.store_subjects import read_book
from services.consent.wire import timestamp

_CLAUSE = CLAUSE_OF_CONSENT[PURPOSE]


class PartnerServicer:
    """Handles click-through tokens; `secret` makes them."""

    def __init__(
        self, database: Database, keys: IdempotencyKeys, secret: bytes, clock: Clock
    ) -> None:
        self._database = database
        self._keys = keys
        self._secret = secret
        self._clock = clock

    def issue_partner_token(self, call: Call) -> consent_pb2.IssuePartnerTokenResponse:
        """A token that names nobody. Raises NotFound, ConsentRequired, ConsentWithdrawn.

        The same request gets the same token again, as long as the consent stands.
        """
        request = cast(consent_pb2.IssuePartnerTokenRequest, call.request)
        site_id, token_id, now = call.principal.site_id, new_uuid(), self._clock.now()
        with self._database.transaction() as connection:
            stood = self._keys.begin(connection, call, token_id, now)
            book = read_book(connection, site_id, request.subject_id)
            if book is None:
                raise NotFound
            if book.links.live is not None:
                raise SubjectLinked
            _require_consent(connection, site_id, book, now)
            token = PartnerToken(token_id, request.subject_id, now, now + LIFE)
            if stood == token_id:
                digest = token_digest(token_of(self._secret, site_id, token_id))
                insert_token(connection, site_id, token, digest)
                entry = _entry(connection, call, token, evidence.DONE)
                evidence.append(connection, entry, now)
            else:
                token = read_token(connection, site_id, stood) or token
        return consent_pb2.IssuePartnerTokenResponse(
            token=token_of(self._secret, site_id, token.token_id),
            expire_time=timestamp(token.expire_time),
        )

    def redeem_partner_token(self, call: Call) -> consent_pb2.RedeemPartnerTokenResponse:
        """Once, while it lives and the consent stands. All other cases look alike outside.

        Raises NotFound, StateConflict (used, ended), ConsentRequired, ConsentWithdrawn,
        PolicyDisagreed; the contract veils them.
        """
        request = cast(consent_pb2.RedeemPartnerTokenRequest, call.request)
        site_id, redemption_id, now = call.principal.site_id, new_uuid(), self._clock.now()
        with self._database.transaction() as connection:
            stood = self._keys.begin(connection, call, redemption_id, now)
            if stood != redemption_id:
                known = redeem_time(connection, site_id, stood)
                return consent_pb2.RedeemPartnerTokenResponse(redeem_time=timestamp(known))
            token = find_token(connection, site_id, token_digest(request.token))
            if token is None:
                raise NotFound
            book = read_book(connection, site_id, token.subject_id) or Book()
            _require_consent(connection, site_id, book, now)
            principal = call.principal.name
            if token.expire_time <= now or not redeem(
                connection, site_id, token.token_id, redemption_id, principal, now
            ):
                raise StateConflict(clause=_CLAUSE)
            evidence.append(connection, _entry(connection, call, token, evidence.DONE), now)
        return consent_pb2.RedeemPartnerTokenResponse(redeem_time=timestamp(now))


def _require_consent(connection: Connection, site_id: str, book: Book, now: datetime) -> None:
    if book.agreement.disagreed:
        raise PolicyDisagreed
    consent = book.consents.get(PURPOSE, Consent())
    at = now if book.last_time is None else max(now, book.last_time)
    found = consent.state(PURPOSE, read_schedule(connection, site_id), at)
    if found is None or found[0] in (State.OUTDATED, State.PENDING, State.REFUSED):
        raise ConsentRequired(clause=_CLAUSE)
    if found[0] is not State.GIVEN:
        raise ConsentWithdrawn(clause=_CLAUSE)


def _entry(connection: Connection, call: Call, token: PartnerToken, outcome: str) -> Entry:
    site_id = call.principal.site_id
    return Entry(
        event=call.method.evidence,
        verb=call.method.verb,
        outcome=outcome,
        site_id=site_id,
        principal=call.principal.name,
        role=call.role,
        subject=pseudonym_of(connection, site_id, token.subject_id),
        clause=_CLAUSE,
        refs={"token_id": token.token_id},
    )
