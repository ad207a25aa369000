# SPDX-License-Identifier: Apache-2.0
"""Stored slices as the standing that the gate decides on, and as evidence of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from qupia.vault.v1 import vault_pb2
from services.vault import wire
from services.vault.decide import RULES_VERSION, Life
from services.vault.kinship import Relative, as_one_person
from services.vault.policy_schedule import PolicySchedule
from services.vault.standing import ClaimsStanding, ConsentStanding, OrderStanding, Standing
from services.vault.store import Case, SliceRow

CONSENT, CLAIMS, ORDERS, SCHEDULE = "consent", "claims", "orders", "schedule"
DECIDER_OF = {CONSENT: "consent", CLAIMS: "claims", ORDERS: "disclosure", SCHEDULE: "consent"}


def life_of(case: Case) -> Life:
    """Where the subject is in its life."""
    return Life(case.life) if case.life else Life.UNKNOWN


def standing_of(case: Case) -> Standing:
    """What stands of a subject; of a linked one, together with the rest of its person."""
    return with_relatives(own_standing_of(case), case)


def with_relatives(own: Standing, case: Case) -> Standing:
    """A subject's slices, those of the case or others, together with the rest of its person."""
    if not case.relatives:
        return own
    relatives = [
        Relative(
            row.account,
            consent_of(_body_of(row.slices, CONSENT)),
            claims_of(_body_of(row.slices, CLAIMS)),
        )
        for row in case.relatives
    ]
    return as_one_person(own, relatives)


def own_standing_of(case: Case) -> Standing:
    """The subject's own three slices, those that were pushed."""
    return Standing(
        consent_of(_body(case, CONSENT)),
        claims_of(_body(case, CLAIMS)),
        orders_of(_body(case, ORDERS)),
    )


def schedule_of(case: Case) -> PolicySchedule:
    """The site's policy schedule; empty before the first version."""
    body = _body(case, SCHEDULE)
    if body is None:
        return PolicySchedule()
    return _schedule_from(body)


@lru_cache(maxsize=64)
def _schedule_from(body: bytes) -> PolicySchedule:
    # The same bytes are the same schedule: every subject of a site is decided on them.
    return wire.schedule_from(vault_pb2.PolicySchedule.FromString(body))


def consent_of(body: bytes | None) -> ConsentStanding | None:
    """A stored consent slice."""
    return wire.consent_from(vault_pb2.ConsentSlice.FromString(body)) if body is not None else None


def claims_of(body: bytes | None) -> ClaimsStanding | None:
    """A stored claims slice."""
    return wire.claims_from(vault_pb2.ClaimsSlice.FromString(body)) if body is not None else None


def orders_of(body: bytes | None) -> OrderStanding | None:
    """A stored order slice."""
    return wire.orders_from(vault_pb2.OrderSlice.FromString(body)) if body is not None else None


def decided_on(case: Case, policy_version: int) -> dict[str, object]:
    """What a decision rested on, so that a stranger can make it again."""
    relatives = [_named(row.slices) for row in case.relatives]
    return {
        "slices": _named(case.slices),
        **({"relatives": relatives} if relatives else {}),
        "policyVersion": policy_version,
        "rulesVersion": RULES_VERSION,
    }


def _named(slices: Mapping[str, SliceRow]) -> dict[str, list[object]]:
    return {
        topic: [row.incarnation, row.counter, row.digest.hex()]
        for topic, row in sorted(slices.items())
    }


def _body(case: Case, topic: str) -> bytes | None:
    return _body_of(case.slices, topic)


def _body_of(slices: Mapping[str, SliceRow], topic: str) -> bytes | None:
    row = slices.get(topic)
    return row.body if row else None
