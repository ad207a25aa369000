# SPDX-License-Identifier: Apache-2.0
"""Evidence, and what refers to it."""

from collections.abc import Iterator

from cli.consistency import (
    evidence,
    rotations,
    store_disclosure,
    store_evidence,
    store_rotations,
    store_standing,
)
from cli.consistency.check import Check
from cli.consistency.evidence import dangling_faults
from cli.consistency.fault import Fault
from cli.consistency.records import DECIDERS, Records


def _evidence(records: Records) -> Iterator[Fault]:
    for name in (*DECIDERS, "vault", "gateway"):
        yield from evidence.entry_faults(name, store_evidence.evidence(records.named(name)))
    for name in DECIDERS:
        source = records.named(name)
        yield from evidence.act_faults(
            name, store_standing.acts_by_id(source), store_evidence.entries_of_acts(source)
        )


def _tallies(records: Records) -> Iterator[Fault]:
    for name in (*DECIDERS, "vault", "gateway"):
        source = records.named(name)
        yield from dangling_faults(
            name, store_evidence.tallied(source), store_evidence.entry_ids(source), "entry"
        )
    broker = records.disclosure
    yield from dangling_faults(
        "disclosure", store_disclosure.tallied(broker), store_disclosure.line_ids(broker), "line"
    )


def _budgets(records: Records) -> Iterator[Fault]:
    yield from rotations.budget_faults(store_rotations.budgets(records.vault))


def _results(records: Records) -> Iterator[Fault]:
    for name in DECIDERS:
        for results, there in store_evidence.results_checked(records.named(name)):
            yield from dangling_faults(name, results, there, "result")


CHECKS = (
    Check("evidence", "entries are in their one form, and none is missing", _evidence),
    Check("tallies", "refusals are counted on entries that there are", _tallies),
    Check("budgets", "as many people are counted as a credential has reached", _budgets),
    Check("results", "what an idempotency key made is there", _results),
)
