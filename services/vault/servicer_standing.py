# SPDX-License-Identifier: Apache-2.0
"""What stands about a subject, told without its data (clause 6.2.3)."""

from __future__ import annotations

from qupia.vault.v1 import vault_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.evidence import Entry
from services.chassis.pipeline import Handler
from services.chassis.refusal import (
    NotFound,
    VaultNotReady,
)
from services.vault import store, wire
from services.vault.decide import Life
from services.vault.standing import OrderState
from services.vault.store import Case
from services.vault.store_keys import KeyStore
from services.vault.wire_case import decided_on, life_of, schedule_of, standing_of


class StandingServicer:
    """GetStanding of the contract."""

    def __init__(self, database: Database, keys: KeyStore, clock: Clock) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {"GetStanding": self.get_standing}

    def get_standing(self, call: Call) -> vault_pb2.GetStandingResponse:
        """What stands about a subject, without its data."""
        request = call.request
        assert isinstance(request, vault_pb2.GetStandingRequest)
        subject = (call.principal.site_id, request.subject_id)
        with self._database.transaction() as connection:
            store.lock_shared(connection, *subject)
            if not store.ready(connection):
                raise VaultNotReady(retry_after=1)
            case = store.cases(connection, [subject])[subject]
            if life_of(case) is Life.UNKNOWN:
                raise NotFound
            now = self._clock.now()
            entry = Entry(
                event=call.method.evidence,
                verb=call.method.verb,
                outcome=evidence.PERMITTED,
                site_id=subject[0],
                principal=call.principal.name,
                role=call.role,
                subject=self._keys.pseudonym(*subject),
                clause="6.2.3",
                decided_on=decided_on(case, schedule_of(case).in_force(now)),
            )
            evidence.append(connection, entry, now)
        return vault_pb2.GetStandingResponse(standing=_standing_message(request.subject_id, case))


def _standing_message(subject_id: str, case: Case) -> vault_pb2.Standing:
    standing = standing_of(case)
    blocks = [b for b in (standing.claims.blocks if standing.claims else ()) if b.outcome is None]
    orders = standing.orders.orders if standing.orders else ()
    consent = standing.consent
    account = next((r.subject_id for r in case.relatives if r.account), "")
    states = vault_pb2.Standing
    state = states.ACTIVE
    if life_of(case) is Life.DESTROYED:
        state = states.DESTROYED
    elif standing.restricted or life_of(case) is Life.RESTRICTED:
        state = states.RESTRICTED
    elif standing.blocked:
        state = states.BLOCKED
    return vault_pb2.Standing(
        subject_id=subject_id,
        state=state,
        blocked_since=wire.stamp_of(min((b.since for b in blocks), default=None)),
        data_version=case.data_version,
        accepted_policy_version=(consent.accepted_version or 0) if consent else 0,
        disagreed_time=wire.stamp_of(consent.disagreed_time if consent else None),
        open_blocks=len({block.claim_id for block in blocks}),
        open_orders=sum(o.state is OrderState.OPEN for o in orders),
        account_id=account,
        visitor_ids=[] if account else [r.subject_id for r in case.relatives],
    )
