# SPDX-License-Identifier: Apache-2.0
"""What turns a claim away from the storefront, recorded, so that an officer receives it (6.2.3)."""

from collections.abc import Mapping, Sequence
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
from services.claims.store_facts import Subject
from services.claims.store_flooding import Day

_A_DAY = timedelta(days=1)


class FloodGate:
    """Keeps storefronts within the limits; officers are let through."""

    def __init__(self, office: Office, refusals: RefusalLog, limits: Limits) -> None:
        self._office = office
        self._refusals = refusals
        self._limits = limits

    def require_room(
        self, connection: Connection, new: Sequence[tuple[Claim, str]]
    ) -> list[TooManyFiled | None]:
        """Count storefronts' claims, in their own transaction and behind their subjects' locks.

        `new`: claims with the credentials that file them. Says of each whether it goes beyond a
        limit; nothing of such a one is counted.
        """
        filed = self._filed_before(connection, [claim for claim, _ in new])
        beyond = [self._beyond(claim, filed) for claim, _ in new]
        if not self._limits.daily_subjects_per_credential:
            return beyond
        within = [each for each, most in zip(new, beyond, strict=True) if most is None]
        spent = iter(self._spend(connection, within))
        return [next(spent) if most is None else most for most in beyond]

    def _filed_before(
        self, connection: Connection, new: Sequence[Claim]
    ) -> Mapping[Subject, Filed]:
        if not (self._limits.open_per_subject or self._limits.daily_per_subject):
            return {}
        since = [(claim, _midnight(claim.record_time)) for claim in new]
        return store_flooding.filed_before(connection, since)

    def _beyond(self, claim: Claim, filed: Mapping[Subject, Filed]) -> TooManyFiled | None:
        try:
            for subject_id in claim.subject_ids:
                require_room(self._limits, filed.get((claim.site_id, subject_id), Filed()))
        except TooManyFiled as beyond:
            return beyond
        return None

    def _spend(
        self, connection: Connection, new: Sequence[tuple[Claim, str]]
    ) -> list[TooManyFiled | None]:
        """Count the subjects that credentials name; which claims are beyond their day's."""
        days = [(claim.site_id, by, local_date(claim.record_time)) for claim, by in new]
        named: dict[Day, int] = dict.fromkeys(days, 0)
        for day, (claim, _) in zip(days, new, strict=True):
            named[day] += _counts_for(claim)
        counted = store_flooding.count(connection, named)
        # As if they came one after the other: one that is beyond leaves room for a smaller one.
        so_far = {day: counted[day] - named[day] for day in named}
        beyond: list[TooManyFiled | None] = []
        for day, (claim, _) in zip(days, new, strict=True):
            try:
                require_budget(self._limits, so_far[day] + _counts_for(claim))
            except TooManyFiled as most:
                beyond.append(most)
                continue
            so_far[day] += _counts_for(claim)
            beyond.append(None)
        given_back = {day: so_far[day] - each for day, each in counted.items()}
        store_flooding.count(connection, {day: n for day, n in given_back.items() if n})
        return beyond

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


def _counts_for(claim: Claim) -> int:
    """How many subjects a claim names; one that names none is one."""
    return max(1, len(claim.subject_ids))


def _refusal(claim: Claim, beyond: TooManyFiled) -> ClaimLimitReached:
    if beyond.limit is Limit.OPEN_PER_SUBJECT:
        return ClaimLimitReached(holds=[Holding("CLAIM", each) for each in beyond.claim_ids])
    tomorrow = _midnight(claim.record_time) + _A_DAY
    return ClaimLimitReached(retry_after=(tomorrow - claim.record_time).total_seconds())


def _midnight(now: datetime) -> datetime:
    return local_time(now).replace(hour=0, minute=0, second=0, microsecond=0)
