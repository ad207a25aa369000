# SPDX-License-Identifier: Apache-2.0
"""A visitor and the account it is linked to stand as one person (clause 1.1.5).

Pure. A link moves no fact: each id keeps its own slices, so that a wrong link is undone by ending
it. What stands of an id is put together here from the slices of all that are one person: any block
or hold of any of them reaches each, and a visitor has the consents of its account. Orders stay
with the id that placed them, whose data they are delivered from.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.vault.standing import ClaimsStanding, ConsentStanding, Standing


@dataclass(frozen=True, slots=True)
class Relative:
    """The slices of another id of the same person; `account`: the one that the rest point to."""

    account: bool
    consent: ConsentStanding | None
    claims: ClaimsStanding | None


def as_one_person(own: Standing, relatives: Sequence[Relative]) -> Standing:
    """What stands of an id, given the others of the person; none of them: what is its own."""
    if not relatives:
        return own
    slices = [s for s in (own.claims, *(r.claims for r in relatives)) if s is not None]
    claims = ClaimsStanding(
        tuple(block for each in slices for block in each.blocks),
        tuple(hold for each in slices for hold in each.holds),
    )
    account = next((r for r in relatives if r.account), None)
    if account is None:
        return replace(own, claims=claims)
    return Standing(_shared(own.consent, account.consent), claims, own.orders, linked=True)


def _shared(own: ConsentStanding | None, account: ConsentStanding | None) -> ConsentStanding | None:
    """The account's consents; a disagreement by the visitor's own id still closes that id."""
    if own is None or not own.disagreed:
        return account
    if account is None:
        return own
    return replace(account, accepted_time=None, disagreed_time=own.disagreed_time)
