# SPDX-License-Identifier: Apache-2.0
"""A decider that forgot what it once told the vault lifts no restriction by forgetting."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.chassis.slices import ProposalVerdict
from services.vault.carry import carry, take
from services.vault.standing import (
    Acceptance,
    Assignment,
    Block,
    ClaimsStanding,
    ConsentFact,
    ConsentStanding,
    Ground,
    HoldKind,
    LegalHold,
    Link,
    OpenOrder,
    OrderStanding,
    OrderState,
    Origin,
    Outcome,
    RecipientKind,
    Standing,
)

APPLIED, REFUSED = ProposalVerdict.APPLIED, ProposalVerdict.REFUSED
START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def block(claim_id: str, outcome: Outcome | None = None) -> Block:
    return Block(claim_id, START, Ground.UNLAWFUL_ACTS, Origin.SUBJECT, outcome, None, START)


def claims(*blocks: Block) -> ClaimsStanding:
    return ClaimsStanding(blocks, ())


def grant(proposal_id: str, minutes: int, withdrawn: int | None = None) -> ConsentFact:
    ended = None if withdrawn is None else at(withdrawn)
    return ConsentFact("NEWS", 1, at(minutes), None, ended, None, proposal_id)


def agreed(*consents: ConsentFact) -> ConsentStanding:
    return ConsentStanding(1, START, None, consents)


def order(order_id: str, state: OrderState, *assignments: Assignment) -> OpenOrder:
    return OpenOrder(order_id, START, 1, state, f"proposal-{order_id}", assignments)


def assignment(delivery_id: str, ended: int | None = None) -> Assignment:
    time = None if ended is None else at(ended)
    return Assignment(delivery_id, "r1", RecipientKind.COURIER, None, time)


def apply_all(_so_far: object, _proposal_id: str) -> ProposalVerdict:
    return APPLIED


def never(_so_far: object, proposal_id: str) -> ProposalVerdict:
    pytest.fail(f"decided again: {proposal_id}")


def test_a_faithful_slice_is_taken_as_it_is() -> None:
    old = agreed(grant("g1", 0))
    new = replace(
        agreed(grant("g1", 0, withdrawn=1), grant("g2", 2)),
        disagreed_time=at(3),
        accepted_version=2,
        accepted_time=at(4),
    )
    assert carry(old, new) == carry(None, new)
    assert carry(old, new).facts is None
    lifted = claims(block("c1", Outcome.NOT_CONFIRMED), block("c2"))
    assert carry(claims(block("c1")), lifted).merged == lifted
    assert carry(claims(block("c1")), lifted).facts is None


def test_a_forgotten_block_stays_and_is_reported() -> None:
    carried = carry(claims(block("c1")), claims(block("c2")))
    assert carried.merged == claims(block("c2"), block("c1"))
    assert carried.facts == claims(block("c1"))


def test_a_block_is_lifted_by_its_own_outcome_only() -> None:
    carried = carry(claims(block("c1")), claims(block("c2", Outcome.RELEASED)))
    assert Standing(None, carried.merged, None).blocked


@pytest.mark.parametrize("outcome", Outcome)
def test_an_outcome_once_applied_is_not_forgotten(outcome: Outcome) -> None:
    known = replace(block("c1", outcome), correction_id="k1")
    carried = carry(claims(known), claims(block("c1")))
    assert carried.merged == carried.facts == claims(known)


@pytest.mark.parametrize("later", sorted(set(Outcome) - {Outcome.UNLAWFUL_CONFIRMED}))
def test_confirmed_unlawful_acts_stay_whatever_a_later_outcome_says(later: Outcome) -> None:
    old = claims(block("c1", Outcome.UNLAWFUL_CONFIRMED))
    merged = carry(old, claims(block("c1", later))).merged
    assert Standing(None, merged, None).restricted
    back = carry(claims(block("c1", later)), old)
    assert back.merged == old
    assert back.facts is None


def test_a_forgotten_hold_stays_and_an_ended_one_stays_ended() -> None:
    court = LegalHold("h1", "c1", HoldKind.COURT, START, None)
    statute = LegalHold("h2", None, HoldKind.STATUTE, START, at(5))
    old = ClaimsStanding((), (court, statute))
    new = ClaimsStanding((), (replace(statute, ended_time=None),))
    carried = carry(old, new)
    assert set(carried.merged.holds) == {court, statute}
    assert carried.facts is not None
    assert set(carried.facts.holds) == {court, statute}


def test_what_an_outcome_corrects_is_not_forgotten_with_the_outcome() -> None:
    known = replace(block("c1", Outcome.INACCURATE_CONFIRMED), correction_id="k1")
    carried = carry(claims(known), claims(block("c1", Outcome.INACCURATE_CONFIRMED)))
    assert carried.merged == carried.facts == claims(known)
    other = claims(block("c1", Outcome.NOT_CONFIRMED))
    assert carry(claims(known), other).merged == other


@pytest.mark.parametrize("ended", [None, at(5)])
def test_a_hold_of_a_court_is_no_hold_of_a_claim_again(ended: datetime | None) -> None:
    court = LegalHold("h1", "c1", HoldKind.COURT, START, ended)
    claimed = LegalHold("h1", "c1", HoldKind.CLAIM, START, None)
    carried = carry(ClaimsStanding((), (court,)), ClaimsStanding((), (claimed,)))
    assert carried.merged == carried.facts == ClaimsStanding((), (court,))
    assert carry(ClaimsStanding((), (claimed,)), ClaimsStanding((), (court,))).facts is None


def link(proposal_id: str, account: str, ended: int | None = None) -> Link:
    return Link(account, START, None if ended is None else at(ended), proposal_id)


def test_a_forgotten_link_stays_and_takes_nothing_new() -> None:
    old = replace(agreed(), links=(link("l1", "a"),))
    taken = take(old, replace(agreed(), links=(link("l2", "b"),)), ["l2"], {}, _refuse_if_linked)
    assert taken.standing.links == (link("l1", "a"),)
    assert taken.verdicts == {"l2": REFUSED}
    assert taken.carried is not None
    assert taken.carried.links == (link("l1", "a"),)


def _refuse_if_linked(so_far: ConsentStanding, _proposal_id: str) -> ProposalVerdict:
    return REFUSED if so_far.link else APPLIED


def test_a_forgotten_end_of_a_link_does_not_revive_it() -> None:
    ended = replace(agreed(), links=(link("l1", "a", ended=1),))
    for forgetful in (replace(agreed(), links=(link("l1", "a"),)), agreed()):
        carried = carry(ended, forgetful)
        assert carried.merged.links == (link("l1", "a", ended=1),)
        assert carried.merged.link is None
        assert carried.facts is not None
        assert carried.facts.links == carried.merged.links
        assert carried.facts.disagreed_time is None


def test_a_link_that_ended_before_it_was_decided_is_superseded() -> None:
    taken = take(None, replace(agreed(), links=(link("l1", "a", ended=1),)), ["l1"], {}, never)
    assert taken.verdicts == {"l1": ProposalVerdict.SUPERSEDED}
    assert taken.standing.link is None


def test_a_forgotten_withdrawal_does_not_revive_the_consent() -> None:
    carried = carry(agreed(grant("g1", 0, withdrawn=1)), agreed(grant("g1", 0)))
    assert carried.merged.consents == (grant("g1", 0, withdrawn=1),)
    assert carried.facts is not None
    assert carried.facts.consents == (grant("g1", 0, withdrawn=1),)
    assert carried.facts.disagreed_time is None


def test_a_withdrawal_ends_every_consent_to_its_purpose_granted_before() -> None:
    new = agreed(grant("other", 1), grant("later", 2), replace(grant("mail", 0), purpose="FEED"))
    merged = carry(agreed(grant("g1", 0, withdrawn=1)), new).merged
    in_force = {fact.proposal_id for fact in merged.consents if fact.in_force(at(9))}
    assert in_force == {"later", "mail"}


def test_a_forgotten_withdrawal_comes_back_with_its_own_time() -> None:
    old = agreed(grant("g2", 2, withdrawn=3), grant("g1", 0, withdrawn=1))
    new = agreed(grant("g1", 0), grant("lost", 2))
    times = {f.proposal_id: f.withdrawn_time for f in carry(old, new).merged.consents}
    assert times == {"g1": at(1), "g2": at(3), "lost": at(3)}


def test_a_consent_refused_once_stays_refused() -> None:
    refused = replace(grant("g1", 0), refused_time=at(1))
    assert carry(agreed(refused), agreed(grant("g1", 0))).merged.consents == (refused,)


def test_a_permission_that_the_new_slice_lacks_is_gone() -> None:
    assert carry(agreed(grant("g1", 0)), agreed()).merged == agreed()
    opened = OrderStanding((order("A-1", OrderState.OPEN),))
    assert carry(opened, OrderStanding(())).merged == OrderStanding(())


def test_a_forgotten_disagreement_is_not_answered_by_a_later_acceptance() -> None:
    old = replace(agreed(), disagreed_time=at(1))
    new = replace(agreed(), accepted_version=2, accepted_time=at(2))
    carried = carry(old, new)
    assert carried.merged == old
    assert carried.merged.disagreed
    assert carried.facts == old


def test_a_forgotten_return_after_disagreement_is_kept_with_it() -> None:
    old = replace(agreed(), disagreed_time=at(1), accepted_version=2, accepted_time=at(2))
    assert carry(old, agreed()).merged == old
    newer = replace(agreed(), accepted_version=3, accepted_time=at(3))
    merged = carry(old, newer).merged
    assert (merged.accepted_version, merged.disagreed_time) == (3, at(1))
    assert not merged.disagreed


def test_disagreement_at_the_instant_of_acceptance_is_disagreement() -> None:
    assert replace(agreed(), disagreed_time=START).disagreed
    assert not replace(agreed(), disagreed_time=START - timedelta(seconds=1)).disagreed
    assert ConsentStanding(None, None, START, ()).disagreed


def test_a_closed_order_is_not_opened_again() -> None:
    old = OrderStanding((order("A-1", OrderState.CLOSED), order("A-2", OrderState.CLOSED)))
    carried = carry(old, OrderStanding((order("A-1", OrderState.OPEN),)))
    assert carried.merged == old
    assert carried.facts == old


def test_an_ended_assignment_stays_ended() -> None:
    ended = order("A-1", OrderState.OPEN, assignment("d1", ended=1), assignment("d2"))
    new = OrderStanding((order("A-1", OrderState.OPEN, assignment("d1")),))
    kept = OrderStanding((order("A-1", OrderState.OPEN, assignment("d1", ended=1)),))
    assert carry(OrderStanding((ended,)), new).merged == kept
    bare = OrderStanding((order("A-1", OrderState.OPEN),))
    assert carry(OrderStanding((ended,)), bare).merged == kept


def test_a_refused_proposal_does_not_reach_the_standing() -> None:
    taken = take(None, agreed(grant("g1", 0)), {"g1"}, {}, lambda _slice, _id: REFUSED)
    assert taken.standing == agreed()
    assert taken.verdicts == {"g1": REFUSED}


def test_a_settled_fact_is_never_decided_again() -> None:
    pushed = agreed(grant("g1", 0))
    taken = take(None, pushed, frozenset(), {}, never)
    assert taken.standing == pushed
    assert taken.verdicts == {}


@pytest.mark.parametrize("verdict", [APPLIED, REFUSED])
def test_a_repeated_proposal_gets_the_remembered_verdict(verdict: ProposalVerdict) -> None:
    pushed = agreed(grant("g1", 0))
    taken = take(agreed(), pushed, {"g1"}, {"g1": verdict}, never)
    assert taken.verdicts == {"g1": verdict}
    assert (taken.standing == pushed) is (verdict is APPLIED)


def test_a_refused_proposal_does_not_come_into_force_by_no_longer_being_named_open() -> None:
    pushed = agreed(grant("g1", 0))
    taken = take(agreed(), pushed, frozenset(), {"g1": REFUSED}, never)
    assert taken.standing == agreed()
    ended = agreed(grant("g1", 0, withdrawn=1))
    assert take(agreed(), ended, frozenset(), {"g1": REFUSED}, never).standing == ended


def test_a_later_consent_lets_go_of_what_ended_before_it() -> None:
    new = agreed(grant("g2", 2))
    carried = carry(agreed(grant("g1", 0, withdrawn=1)), new)
    assert carried.merged == new
    assert carried.facts is None


def test_a_deferred_proposal_is_not_in_force_and_is_decided_later() -> None:
    pushed = agreed(grant("g1", 0))
    later = take(None, pushed, {"g1"}, {}, lambda _slice, _id: ProposalVerdict.DEFERRED)
    assert later.standing == agreed()
    assert take(later.standing, pushed, {"g1"}, {}, apply_all).standing == pushed


def test_an_ended_proposal_needs_no_decision_and_keeps_its_end() -> None:
    closed = OrderStanding((order("A-1", OrderState.CLOSED),))
    pushed = OrderStanding((order("A-1", OrderState.OPEN),))
    taken = take(closed, pushed, {"proposal-A-1"}, {}, never)
    assert taken.verdicts == {"proposal-A-1": ProposalVerdict.SUPERSEDED}
    assert taken.standing == taken.carried == closed


def test_an_acceptance_is_decided_first_and_grants_see_it() -> None:
    accepted = Acceptance(2, at(2), True, "a1")
    pushed = ConsentStanding(1, START, at(1), (grant("g1", 3),), accepted)
    orders: list[tuple[str, bool]] = []

    def decide(so_far: ConsentStanding, proposal_id: str) -> ProposalVerdict:
        orders.append((proposal_id, so_far.disagreed))
        return APPLIED

    taken = take(None, pushed, {"a1", "g1"}, {}, decide)
    assert orders == [("a1", True), ("g1", False)]
    assert taken.standing == ConsentStanding(2, at(2), at(1), (grant("g1", 3),))


def test_a_refused_acceptance_leaves_the_former_one() -> None:
    pushed = ConsentStanding(1, START, None, (), Acceptance(2, at(2), True, "a1"))
    taken = take(None, pushed, {"a1"}, {}, lambda _slice, _id: REFUSED)
    assert taken.standing == agreed()


def test_a_repeat_reports_the_carried_facts_again() -> None:
    pushed = claims(block("c2"))
    first = take(claims(block("c1")), pushed, frozenset(), {}, never)
    again = take(first.standing, pushed, frozenset(), {}, never)
    assert again.carried == first.carried == claims(block("c1"))
    assert again.standing == first.standing
