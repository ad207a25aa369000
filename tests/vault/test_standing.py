# SPDX-License-Identifier: Apache-2.0
"""What the gate derives from a subject's standing (clauses 2.2, 4.1.10, 6.2.3)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.vault.standing import (
    Block,
    ClaimsStanding,
    ConsentFact,
    ConsentStanding,
    Ground,
    Origin,
    Outcome,
    Standing,
)

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
NEWS = ConsentFact("NEWS", 1, START, None, None, None, "g1")


def under(*outcomes: Outcome | None) -> Standing:
    blocks = tuple(
        Block(str(n), START, Ground.INACCURATE_DATA, Origin.SUBJECT, outcome, None, START)
        for n, outcome in enumerate(outcomes)
    )
    return Standing(None, ClaimsStanding(blocks, ()), None)


@pytest.mark.parametrize("outcome", Outcome)
def test_a_block_holds_until_its_outcome(outcome: Outcome) -> None:
    assert under(None).blocked
    assert under(outcome, None).blocked
    assert not under(outcome).blocked
    assert not under().blocked
    assert not Standing(None, None, None).blocked


@pytest.mark.parametrize("outcome", [None, *Outcome])
def test_confirmed_unlawful_acts_restrict(outcome: Outcome | None) -> None:
    assert under(outcome).restricted is (outcome is Outcome.UNLAWFUL_CONFIRMED)


def test_disagreement_lasts_until_a_later_acceptance() -> None:
    never = ConsentStanding(None, None, None, ())
    assert not never.disagreed
    disagreed = replace(never, disagreed_time=START)
    assert disagreed.disagreed
    assert replace(disagreed, accepted_version=1, accepted_time=START).disagreed
    assert not replace(disagreed, accepted_version=1, accepted_time=START + HOUR).disagreed
    assert Standing(disagreed, None, None).disagreed
    assert not Standing(None, None, None).disagreed


def test_a_consent_is_in_force_until_withdrawn_refused_or_expired() -> None:
    assert NEWS.in_force(START)
    assert not replace(NEWS, withdrawn_time=START).in_force(START)
    assert not replace(NEWS, refused_time=START).in_force(START)
    expiring = replace(NEWS, expires_time=START + HOUR)
    assert expiring.in_force(START)
    assert not expiring.in_force(START + HOUR)
