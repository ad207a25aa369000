# SPDX-License-Identifier: Apache-2.0
"""A subject's standing: the three slices the gate decides on (clauses 2.1, 2.2, 4.1, 5.2, 6.2.3).

Pure facts with times (aware UTC datetimes); ids are opaque text. A decider keeps in its slice what
it has ended (a block's outcome, a withdrawn consent, a closed order, an ended assignment): a slice
that lacks such a fact has forgotten it, and the vault carries it over (`carry`).

The standing holds settled facts only. In a push a decider names beside the slice the ids of its
open proposals; `decided` turns the pushed slice into the standing once each has its verdict.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class Ground(StrEnum):
    """What a blocking claim alleges (clause 6.2.3)."""

    INACCURATE_DATA = "INACCURATE_DATA"
    UNLAWFUL_ACTS = "UNLAWFUL_ACTS"


class Origin(StrEnum):
    """Who a block comes from (clause 6.2.3); SAME_CONTACT: found by the vault, provisional."""

    SUBJECT = "SUBJECT"
    REPRESENTATIVE = "REPRESENTATIVE"
    AUTHORISED_BODY = "AUTHORISED_BODY"
    SAME_CONTACT = "SAME_CONTACT"


class Outcome(StrEnum):
    """How a block's verification ended (clause 6.2.3); all but UNLAWFUL_CONFIRMED lift it."""

    NOT_CONFIRMED = "NOT_CONFIRMED"
    INACCURATE_CONFIRMED = "INACCURATE_CONFIRMED"
    UNLAWFUL_CONFIRMED = "UNLAWFUL_CONFIRMED"
    RELEASED = "RELEASED"


class HoldKind(StrEnum):
    """Why data may not be destroyed yet."""

    CLAIM = "CLAIM"
    COURT = "COURT"
    STATUTE = "STATUTE"


class OrderState(StrEnum):
    OPEN = "OPEN"
    CLOSED = "CLOSED"


class RecipientKind(StrEnum):
    """The recipients of clause 5.2; nobody else exists."""

    COURIER = "COURIER"
    POSTAL = "POSTAL"
    TELECOM = "TELECOM"


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A proposed acceptance of a policy version; explicit: not merely by use (2.1, 2.2)."""

    version: int
    time: datetime
    explicit: bool
    proposal_id: str


@dataclass(frozen=True, slots=True)
class ConsentFact:
    """One grant of an express consent and its end; a purpose may have several over time.

    `refused_time`: the person or the gate refused it. Withdrawn or refused, it permits nothing.
    """

    purpose: str
    policy_version: int
    granted_time: datetime
    expires_time: datetime | None
    withdrawn_time: datetime | None
    refused_time: datetime | None
    proposal_id: str

    @property
    def ended(self) -> bool:
        """Withdrawn or refused; expiry is a matter of time and ends nothing here."""
        return self.withdrawn_time is not None or self.refused_time is not None

    def in_force(self, now: datetime) -> bool:
        """Tell whether the fact permits its purpose at `now` (its policy version apart)."""
        return not self.ended and (self.expires_time is None or now < self.expires_time)


@dataclass(frozen=True, slots=True)
class Link:
    """A visitor's pointer to an account, and its end by an officer (clause 1.1.5)."""

    account_id: str
    link_time: datetime
    ended_time: datetime | None
    proposal_id: str


@dataclass(frozen=True, slots=True)
class ConsentStanding:
    """The consent service's slice; an open `proposed_acceptance` never reaches the standing.

    `links` are all that a visitor ever had: the end of one is never forgotten.
    """

    accepted_version: int | None
    accepted_time: datetime | None
    disagreed_time: datetime | None
    consents: tuple[ConsentFact, ...]
    proposed_acceptance: Acceptance | None = None
    links: tuple[Link, ...] = ()

    @property
    def link(self) -> Link | None:
        """The link that has not ended; the latest, should there be two."""
        live = (link for link in self.links if link.ended_time is None)
        return max(live, key=lambda link: link.link_time, default=None)

    def ended_by_disagreement(self, fact: ConsentFact) -> bool:
        """Disagreement ends every consent given before it, for good (clause 2.2)."""
        return self.disagreed_time is not None and fact.granted_time <= self.disagreed_time

    @property
    def disagreed(self) -> bool:
        """Disagreement holds until a later acceptance (clause 2.2); at the same instant too."""
        if self.disagreed_time is None:
            return False
        return self.accepted_time is None or self.accepted_time <= self.disagreed_time

    def proposal_ids(self) -> tuple[str, ...]:
        """Name every fact that was once a proposal, in the order of deciding."""
        first = () if self.proposed_acceptance is None else (self.proposed_acceptance.proposal_id,)
        links = tuple(link.proposal_id for link in self.links)
        return first + tuple(fact.proposal_id for fact in self.consents) + links

    def ended_ids(self) -> frozenset[str]:
        """Name the proposals that permit nothing any more, so that none needs deciding."""
        consents = {fact.proposal_id for fact in self.consents if fact.ended}
        return frozenset(consents | {e.proposal_id for e in self.links if e.ended_time is not None})

    def decided(self, struck: Collection[str]) -> "ConsentStanding":
        """Strike proposals out and settle the rest, a proposed acceptance included."""
        kept = replace(
            self,
            consents=tuple(fact for fact in self.consents if fact.proposal_id not in struck),
            links=tuple(link for link in self.links if link.proposal_id not in struck),
            proposed_acceptance=None,
        )
        accepted = self.proposed_acceptance
        if accepted is None or accepted.proposal_id in struck:
            return kept
        return replace(kept, accepted_version=accepted.version, accepted_time=accepted.time)


@dataclass(frozen=True, slots=True)
class Block:
    """A claim's block of the subject's data; `since` is the receipt of the claim (6.2.3)."""

    claim_id: str
    since: datetime
    ground: Ground
    origin: Origin
    outcome: Outcome | None
    correction_id: str | None
    recorded_time: datetime


@dataclass(frozen=True, slots=True)
class LegalHold:
    """A hold prevents destruction only."""

    hold_id: str
    claim_id: str | None
    kind: HoldKind
    since: datetime
    ended_time: datetime | None


@dataclass(frozen=True, slots=True)
class ClaimsStanding:
    """The claims service's slice. It makes no proposals."""

    blocks: tuple[Block, ...]
    holds: tuple[LegalHold, ...]

    def proposal_ids(self) -> tuple[str, ...]:
        return ()

    def ended_ids(self) -> frozenset[str]:
        return frozenset()

    def decided(self, struck: Collection[str]) -> "ClaimsStanding":  # noqa: ARG002 - one shape for all
        return self


@dataclass(frozen=True, slots=True)
class Assignment:
    """A delivery of an order given to one recipient (clause 5.2)."""

    delivery_id: str
    recipient_id: str
    recipient_kind: RecipientKind
    expires_time: datetime | None
    ended_time: datetime | None


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order placed under the public offer (clause 5.2), open or closed.

    `snapshot`: it goes to the address that stood when it was placed.
    """

    order_id: str
    placed_time: datetime
    policy_version: int
    state: OrderState
    proposal_id: str
    assignments: tuple[Assignment, ...]
    closed_time: datetime | None = None
    snapshot: bool = False


@dataclass(frozen=True, slots=True)
class OrderStanding:
    """The disclosure service's slice."""

    orders: tuple[OpenOrder, ...]

    def proposal_ids(self) -> tuple[str, ...]:
        return tuple(order.proposal_id for order in self.orders)

    def ended_ids(self) -> frozenset[str]:
        return frozenset(o.proposal_id for o in self.orders if o.state is OrderState.CLOSED)

    def decided(self, struck: Collection[str]) -> "OrderStanding":
        """Strike refused orders out."""
        return OrderStanding(tuple(o for o in self.orders if o.proposal_id not in struck))


Slice = ConsentStanding | ClaimsStanding | OrderStanding


@dataclass(frozen=True, slots=True)
class Standing:
    """All the gate knows of one subject; None: that decider has pushed nothing yet.

    `linked`: a visitor that is linked to an account; the consents are then the account's
    (`services.vault.kinship`).
    """

    consent: ConsentStanding | None
    claims: ClaimsStanding | None
    orders: OrderStanding | None
    linked: bool = False

    @property
    def blocked(self) -> bool:
        """Blocked while any block has no outcome (clause 6.2.3)."""
        return self.claims is not None and any(b.outcome is None for b in self.claims.blocks)

    @property
    def disputed_since(self) -> datetime | None:
        """The receipt of the first claim that blocks, or that confirmed unlawful acts."""
        blocks = self.claims.blocks if self.claims else ()
        standing = (None, Outcome.UNLAWFUL_CONFIRMED)
        return min((b.since for b in blocks if b.outcome in standing), default=None)

    @property
    def restricted(self) -> bool:
        """Restricted for ever once unlawful acts were confirmed; destruction is due."""
        return self.claims is not None and any(
            block.outcome is Outcome.UNLAWFUL_CONFIRMED for block in self.claims.blocks
        )

    @property
    def holds_in_force(self) -> tuple[LegalHold, ...]:
        """The legal holds that prevent destruction.

        A claim's own hold does not stop its own outcome: destruction for unlawful acts.
        """
        if self.claims is None:
            return ()
        confirmed = {
            block.claim_id
            for block in self.claims.blocks
            if block.outcome is Outcome.UNLAWFUL_CONFIRMED
        }
        return tuple(
            hold
            for hold in self.claims.holds
            if hold.ended_time is None
            and not (hold.kind is HoldKind.CLAIM and hold.claim_id in confirmed)
        )

    @property
    def disagreed(self) -> bool:
        return self.consent is not None and self.consent.disagreed
