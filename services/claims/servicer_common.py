# SPDX-License-Identifier: Apache-2.0
"""What the steps of a claim have in common: their evidence names, sealed texts and pushes."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from services.chassis.calendar import WorkingCalendar
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.decider.pusher import Pusher
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.refusal import (
    FieldViolation,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unavailable,
)
from services.chassis.sealed.courier import Courier
from services.chassis.sealed.document import SealingKey
from services.claims import store, store_acts
from services.claims.claim import Attribution, Claim
from services.claims.documents import Document, salted_digests, seal_documents
from services.claims.state import Claimant
from services.claims.store_steps import Step
from services.claims.wire_vault import Vault

# What is kept back of a call's time for the answer itself.
RESERVE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Office:
    """What the steps of a claim work with; `secret` keys the digests of texts."""

    database: Database
    keys: IdempotencyKeys
    clock: Clock
    pusher: Pusher
    courier: Courier
    vault: Vault
    secret: bytes = field(repr=False)
    calendar: WorkingCalendar = field(repr=False)

    def bring_into_force(self, call: Call, claim: Claim) -> None:
        """Push every subject of the claim, then deliver its documents, as far as time allows."""
        until = time.monotonic() + call.remaining() - RESERVE_SECONDS
        self.bring_all_into_force([(claim, claim.claim_id)], until)

    def bring_all_into_force(
        self, claims: Sequence[tuple[Claim, str]], until: float, most: float = inf
    ) -> None:
        """The same for claims under the ids that they stand by, until a monotonic time.

        Documents follow where every subject is confirmed: the dispatcher and the courier go on.
        """

        def left() -> float:
            return until - time.monotonic()

        keys = {
            claim_id: [store_acts.key_of(claim.site_id, each) for each in claim.subject_ids]
            for claim, claim_id in claims
        }
        seconds = min(most, left())
        if not claims or seconds <= 0:
            return
        pushed = sorted({key for each in keys.values() for key in each})
        confirmed = self.pusher.push_all(pushed, seconds)
        things = {
            (claim.site_id, claim_id)
            for claim, claim_id in claims
            if confirmed.issuperset(keys[claim_id])
        }
        if things:
            self.courier.deliver(sorted(things), left)

    def read(self, call: Call, claim_id: str) -> Claim:
        """A claim of the caller's site. Raises NotFound."""
        with self.database.transaction() as connection:
            claim = store.read_claim(connection, call.principal.site_id, claim_id)
        if claim is None:
            raise NotFound
        return claim

    def is_repeat(self, call: Call) -> bool:
        """Whether the call's effect came about before: then it needs nothing of others again.

        Raises IdempotencyKeyReused.
        """
        with self.database.transaction() as connection:
            return self.keys.standing(connection, call) is not None

    def step(
        self,
        call: Call,
        key: SealingKey | None,
        claim: Claim,
        documents: Sequence[Document],
        digests: Mapping[str, str] | None = None,
    ) -> Step:
        """Attribute the call and seal its documents. Raises Unavailable where no key is there."""
        if key is None:
            raise Unavailable(retry_after=1)
        own = salted_digests(self.secret, documents)
        sealed = seal_documents(key, claim, documents)
        return Step(attribution(call), sealed, {**own, **(digests or {})})


def attribution(call: Call) -> Attribution:
    """Who does this, in the contract's names."""
    method = call.method
    return Attribution(
        call.principal.name, call.role, method.evidence, method.verb, method.clauses[0]
    )


def is_officer(call: Call) -> bool:
    """Whether a claims officer, a named person, makes the call."""
    return call.principal.is_person and "CLAIMS_OFFICER" in call.principal.roles


def is_within_sight(call: Call, claim: Claim) -> bool:
    """Whether the caller may see a claim of their site: a person concerned, their own claim only.

    Their own is what they filed, or somebody for them; a body's and the site's are not.
    """
    if not call.principal.subject_id:
        return True
    own = claim.claimant in (Claimant.SUBJECT, Claimant.REPRESENTATIVE)
    return own and any(call.principal.concerns(each) for each in claim.subject_ids)


def require_officer(call: Call) -> None:
    """Raises PermissionDenied unless a claims officer makes the call."""
    if not is_officer(call):
        raise PermissionDenied


def blank_texts(texts: Mapping[str, str]) -> list[FieldViolation]:
    """A violation for every text that is given but says nothing; texts by JSON path."""
    return [
        FieldViolation(path, "blank", "has to say something")
        for path, text in texts.items()
        if text and not text.strip()
    ]


def refuse(faults: Sequence[FieldViolation]) -> None:
    """Raises InvalidArgument where a field is wrong."""
    if faults:
        raise InvalidArgument(fields=faults)
