# SPDX-License-Identifier: Apache-2.0
"""What turns a claim away from the storefront, recorded, so that an officer receives it (6.2.3)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.database import Connection
from services.chassis.deadline import local_date, local_time
from services.chassis.evidence import Entry, RefusalLog
from services.chassis.pseudonym import pseudonym_of
from services.chassis.refusal import BudgetExhausted, ClaimLimitReached, Holding, Refusal
from services.claims import store_flooding
from services.claims.claim import Claim
from services.claims.documents import Text, salted_digests
from services.claims.flooding import (
    Filed,
    Limit,
    Limits,
    TooManyFiled,
    require_budget,
    require_room,
)
from services.claims.servicer_common import Office, attribution

_A_DAY = timedelta(days=1)


class FloodGate:
    """Keeps storefronts within the limits; officers are let through."""

    def __init__(self, office: Office, refusals: RefusalLog, limits: Limits) -> None:
        self._office = office
        self._refusals = refusals
        self._limits = limits

    def require_room(self, connection: Connection, claim: Claim, filed_by: str) -> None:
        """Count a storefront's claim, in its own transaction and behind its subjects' locks.

        Raises TooManyFiled.
        """
        limits, now = self._limits, claim.record_time
        if limits.open_per_subject or limits.daily_per_subject:
            filed = store_flooding.filed_before(connection, claim, _midnight(now))
            for subject_id in claim.subject_ids:
                require_room(limits, filed.get(subject_id, Filed()))
        if limits.daily_subjects_per_credential:
            named = max(1, len(claim.subject_ids))
            place = claim.site_id, filed_by, local_date(now)
            require_budget(limits, store_flooding.count(connection, *place, named))

    def turn_away(
        self, call: Call, claim: Claim, texts: Sequence[Text], beyond: TooManyFiled
    ) -> Refusal:
        """Record the claim that is turned away, about each of its subjects; the refusal of it.

        Repeats within a minute are counted on the first one's entry.
        """
        refusal = _refusal(claim, beyond)
        with self._office.database.transaction() as connection:
            entries = self._entries(connection, call, claim, texts, beyond)
            recorded = self._refusals.record_all(connection, entries, claim.record_time)
        call.recorded = True
        return BudgetExhausted(retry_after=60) if None in recorded else refusal

    def _entries(
        self,
        connection: Connection,
        call: Call,
        claim: Claim,
        texts: Sequence[Text],
        beyond: TooManyFiled,
    ) -> list[Entry]:
        by = attribution(call)
        decided_on = {
            "kind": claim.kind,
            "claimant": claim.claimant,
            "limit": beyond.limit,
            "most": beyond.most,
            "receiptTime": claim.receipt_time.isoformat(),
        }
        digests = salted_digests(self._office.secret, texts)
        return [
            Entry(
                event=by.event,
                verb=by.verb,
                outcome=evidence.REFUSED,
                site_id=claim.site_id,
                principal=by.principal,
                role=by.role,
                subject=pseudonym_of(connection, claim.site_id, subject_id),
                clause=by.clause,
                reason=ClaimLimitReached.reason,
                decided_on=decided_on,
                digests=digests,
            )
            for subject_id in claim.subject_ids or ("",)
        ]


def _refusal(claim: Claim, beyond: TooManyFiled) -> ClaimLimitReached:
    if beyond.limit is Limit.OPEN_PER_SUBJECT:
        return ClaimLimitReached(holds=[Holding("CLAIM", each) for each in beyond.claim_ids])
    tomorrow = _midnight(claim.record_time) + _A_DAY
    return ClaimLimitReached(retry_after=(tomorrow - claim.record_time).total_seconds())


def _midnight(now: datetime) -> datetime:
    return local_time(now).replace(hour=0, minute=0, second=0, microsecond=0)
