# SPDX-License-Identifier: Apache-2.0
"""No retired key wraps anything, every rotation has its evidence, budgets count who was reached."""

from collections.abc import Iterable, Iterator

from cli.consistency.fault import Fault
from cli.consistency.matching import gathered, matched
from cli.consistency.store_rotations import Budget, RotationRow


def retired_faults(wrapped: Iterable[tuple[str, str]]) -> Iterator[Fault]:
    """Keys that a retired KEK wraps, given as (table, KEK)."""
    for table, kek_id in wrapped:
        yield Fault.of("keystore", "keks", f"is retired and still wraps {table}", kek_id=kek_id)


def rotation_faults(
    rotations: Iterable[RotationRow], entries: Iterable[tuple[str, str]]
) -> Iterator[Fault]:
    """Rotations whose order or end no entry records; both by rotation."""
    recorded = gathered(entries, lambda entry: entry[0])
    for rotation, group in matched(rotations, recorded, lambda r: r.rotation_id, lambda g: g[0]):
        if rotation is None:
            # The entry comes first: an order that was killed in between was never a rotation.
            continue
        events = {event for _, event in group[1]} if group is not None else set()
        for event in ("rotation.ordered", "rotation.ended")[: 2 if rotation.ended else 1]:
            if event not in events:
                what = f"no evidence entry {event}"
                yield Fault.of("keystore", "key_rotations", what, rotation_id=rotation.rotation_id)


def budget_faults(budgets: Iterable[Budget]) -> Iterator[Fault]:
    """Days on which another number of people is counted than was reached."""
    for budget in budgets:
        if budget.counted != budget.reached:
            yield Fault.of(
                "vault",
                "budget_days",
                f"counts {budget.counted} people, and {budget.reached} were reached",
                site_id=budget.site,
                principal=budget.principal,
                day=budget.day,
            )
