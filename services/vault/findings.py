# SPDX-License-Identifier: Apache-2.0
"""What the rules of several operations look for in a standing (docs/decisions.md)."""

from services.vault.question import Denial
from services.vault.standing import OpenOrder, OrderState, Standing


def held(standing: Standing) -> Denial | None:
    """What stops every processing: a claim confirmed unlawful acts, or a block is open (6.2.3)."""
    if standing.restricted:
        return Denial("SUBJECT_RESTRICTED", "6.2.3")
    if standing.blocked:
        return Denial("SUBJECT_BLOCKED", "6.2.3")
    return None


def closed(standing: Standing) -> Denial | None:
    """Why nothing new is taken: a linked visitor's data belong to its account (1.1.5)."""
    linked = Denial("SUBJECT_LINKED", "1.1.5") if standing.linked else None
    return held(standing) or linked or disagreed(standing)


def disagreed(standing: Standing) -> Denial | None:
    """Whether the person is without an agreement in force (2.1, 2.2)."""
    if standing.disagreed:
        return Denial("POLICY_DISAGREED", "2.2")
    if standing.consent is None or standing.consent.accepted_version is None:
        return Denial("POLICY_NOT_ACCEPTED", "2.1")
    return None


def open_block(standing: Standing, claim_id: str) -> bool:
    """Whether this claim's block is open."""
    blocks = standing.claims.blocks if standing.claims else ()
    return any(b.claim_id == claim_id and b.outcome is None for b in blocks)


def open_order(standing: Standing, order_id: str) -> OpenOrder | None:
    """The person's open order of this id; None where there is none."""
    orders = standing.orders.orders if standing.orders else ()
    for order in orders:
        if order.order_id == order_id and order.state is OrderState.OPEN:
            return order
    return None
