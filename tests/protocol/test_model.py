# SPDX-License-Identifier: Apache-2.0
"""The push protocol holds in every interleaving of its bounds, and planted bugs are found."""

from functools import cache

import pytest

from services.chassis.slices import ProposalVerdict, Step, Verdict
from tests.harness.deep import cases
from tests.protocol.bugs import Bug
from tests.protocol.explore import explore
from tests.protocol.model import Model
from tests.protocol.scenarios import DEEP_SCENARIOS, SCENARIOS, UNLINK, Scenario

LIMIT = 100_000
DEEP_LIMIT = 1_000_000

# Least worlds per scenario, somewhat below what was counted: an emptied model cannot pass.
FLOORS = {
    "block, lift": 6_500,
    "block, stray opening": 9_000,
    "three blocks": 2_000,
    "block, vault restored twice": 9_000,
    "grant, withdraw": 10_000,
    "withdraw, grant": 9_000,
    "grant, grant": 1_500,
    "disagree, use": 9_000,
    "disagree, accept": 9_000,
    "order, close": 9_000,
    "block | grant": 4_000,
    "block, lift | order": 3_500,
    "block, lift | grant, grant": 25_000,
    "block, lift | grant, withdraw": 750,
    "block, lift | withdraw, grant | order": 4_500,
    "link, unlink": 12_000,
    "block | link, unlink": 4_500,
    "block | link": 5_000,
}
DEEP_FLOORS = {
    "block, lift": 160_000,
    "three blocks": 40_000,
    "grant, withdraw": 350_000,
    "withdraw, grant": 70_000,
    "disagree, use": 70_000,
    "order, close": 80_000,
    "link, unlink": 100_000,
    "block | link": 100_000,
    "block | grant": 80_000,
    "block, lift | grant": 500_000,
    "block | grant | order": 350_000,
}

# The scenario that shows the bug, whether only at rest, and what the model then says.
PLANTED = {
    Bug.DELTA: ("three blocks", False, "acknowledged and lost: BLOCK"),
    Bug.ACKNOWLEDGE_FIRST: ("block, lift", False, "permitted although in force: BLOCK"),
    Bug.COUNTER_REUSED: ("three blocks", False, "acknowledged and lost: BLOCK"),
    Bug.NO_CARRY: ("block, lift", False, "permitted although in force: BLOCK"),
    Bug.CARRY_ONCE: ("disagree, use", False, "permitted although in force: DISAGREE"),
    Bug.EARLY_READS: ("block, lift", False, "permitted although in force: BLOCK"),
    Bug.EARLY_DECISIONS: ("block | grant", False, "a proposal applied under a block in force"),
    Bug.ONE_ID: ("block | link", False, "a proposal applied under a block in force"),
    Bug.NO_MEMORY: ("block | grant", False, "acknowledged and lost: GRANT"),
    Bug.SHORT_MEMORY: ("block, lift | grant, grant", False, "refused, yet in force: GRANT"),
    Bug.NO_MENDING: ("block, lift", True, "the standing differs from the book"),
    Bug.MEND_LAST: ("disagree, accept", True, "the standing differs from the book"),
    Bug.ALL_OR_NOTHING: ("grant, withdraw", True, "the vault serves nothing"),
    Bug.SAME_COUNTER: ("grant, grant", False, "a conflict although"),
    Bug.COMPLETE_FIRST: ("block, lift", False, "permitted although in force: BLOCK"),
    Bug.ANY_COMPLETION: ("block, lift", False, "permitted although in force: BLOCK"),
    Bug.ANY_VAULT: ("block, vault restored twice", False, "a conflict although"),
    Bug.OLD_ANSWERS: ("block, lift", False, "permitted although in force: BLOCK"),
    # Not a rule of ours but the limit of what rules can do: see docs/protocol.md.
    Bug.RESTORED_UNNOTICED: ("block, lift", False, "permitted although in force: BLOCK"),
}


# Those that take seconds; `make test-deep` explores them too.
_LONG = ("block, lift | grant, grant", "block, lift | withdraw, grant | order", "withdraw, grant")


@cache
def explored(scenario: Scenario, limit: int) -> tuple[int, frozenset[str]]:
    """Explore to the end, print the figures, fail with the trace of a breach.

    Gives the number of worlds and the verdicts and steps that came up.
    """
    model = Model(scenario)
    result = explore(model, limit)
    print(f"{scenario.name}: {result.worlds} worlds, {result.transitions} transitions")
    assert result.breach is None, "\n".join((f"{result.breach}, after:", *result.trace))
    return result.worlds, frozenset(model.vault.seen | model.deciders.seen)


@pytest.mark.parametrize(
    "scenario", cases(SCENARIOS.values(), lambda s: s.name, lambda s: s.name in _LONG)
)
def test_no_acknowledged_restriction_is_ever_passed_over(scenario: Scenario) -> None:
    assert explored(scenario, LIMIT)[0] >= FLOORS[scenario.name]


def test_the_scenarios_bring_up_every_verdict_and_every_step() -> None:
    names = ("disagree, use", "block | grant", "three blocks", "grant, withdraw")
    seen = {thing for name in names for thing in explored(SCENARIOS[name], LIMIT)[1]}
    proposals = {f"proposal {verdict}" for verdict in ProposalVerdict}
    assert seen >= set(Verdict) | set(Step) | proposals | {"carried"}


@pytest.mark.parametrize(
    "bug", cases(Bug, lambda b: b.name.lower(), lambda b: PLANTED[b][0] in _LONG)
)
def test_the_model_finds_the_planted_bug(bug: Bug) -> None:
    name, heal, expected = PLANTED[bug]
    result = explore(Model(SCENARIOS[name], frozenset({bug})), LIMIT, heal=heal)
    print(f"{bug.name}: {result.breach} after {len(result.trace)} steps")
    assert result.breach is not None, f"not found: {bug}"
    assert expected in result.breach


def test_the_model_finds_a_link_that_came_back_after_its_end() -> None:
    result = explore(Model(SCENARIOS["link, unlink"], frozenset({Bug.NO_CARRY})), LIMIT, heal=False)
    assert result.breach == f"permitted although in force: {UNLINK}"


@pytest.mark.deep
@pytest.mark.parametrize("scenario", DEEP_SCENARIOS.values(), ids=DEEP_SCENARIOS)
def test_no_acknowledged_restriction_is_ever_passed_over_in_wider_bounds(
    scenario: Scenario,
) -> None:
    assert explored(scenario, DEEP_LIMIT)[0] >= DEEP_FLOORS[scenario.name]
