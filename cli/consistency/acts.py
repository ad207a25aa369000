# SPDX-License-Identifier: Apache-2.0
"""How far acts have come, as their decider says and as the vault holds it (architecture, 2)."""

from collections.abc import Iterable, Iterator

from cli.consistency.fault import Fault
from cli.consistency.matching import gathered, matched
from cli.consistency.store_standing import ActRow, HeldSlice, Place, PushedSlice
from services.chassis.decider.store import (
    IN_FORCE,
    PENDING,
    REFUSED,
    SUBJECT_DESTROYED,
    SUPERSEDED,
)
from services.vault.wire_case import DECIDER_OF

_ENFORCEMENTS = (PENDING, IN_FORCE, REFUSED, SUPERSEDED, SUBJECT_DESTROYED)
_AS_THE_VAULT_SAID = {
    "APPLIED": (IN_FORCE, SUPERSEDED),
    "REFUSED": (REFUSED, SUPERSEDED, SUBJECT_DESTROYED),
    "SUPERSEDED": _ENFORCEMENTS,
}


def act_faults(
    topic: str,
    recorded: Iterable[ActRow],
    pushed: Iterable[PushedSlice],
    held: Iterable[HeldSlice],
) -> Iterator[Fault]:
    """Acts of a topic that the slices of both sides do not bear out; all three by place."""
    slices = matched(pushed, held, lambda s: s.place, lambda s: s.place)
    acts = gathered(recorded, lambda act: act.place)
    for group, pair in matched(acts, slices, lambda g: g[0], _place_of):
        mine, stands = pair or (None, None)
        rows: list[ActRow] = group[1] if group is not None else []
        for act in rows:
            what = _own_fault(act, mine) or _standing_fault(act, mine, stands)
            if what:
                yield Fault.of(DECIDER_OF[topic], "acts", what, act_id=act.act_id)
        if stands is not None:
            yield from _verdict_faults(topic, rows, mine, stands)


def _own_fault(act: ActRow, mine: PushedSlice | None) -> str:
    if mine is None:
        return "the act has no slice"
    if act.enforcement not in _ENFORCEMENTS:
        return "nobody knows this enforcement"
    if act.counter < 1 or act.counter > mine.version[1]:
        return "its counter is none of its slice"
    if act.enforcement == PENDING and not mine.waiting:
        return "is PENDING, but nothing waits to be pushed"
    if (act.in_force_time is not None) != (act.enforcement == IN_FORCE):
        return "enforcement and time of enforcement do not agree"
    if bool(act.reason) != (act.enforcement in {REFUSED, SUBJECT_DESTROYED}):
        return "enforcement and reason do not agree"
    if not act.proposal and act.enforcement == REFUSED and act.reason != "NOT_FOUND":
        return "a restricting act counts as refused"
    return ""


def _standing_fault(act: ActRow, mine: PushedSlice | None, stands: HeldSlice | None) -> str:
    if act.enforcement != IN_FORCE or mine is None:
        return ""
    if stands is None:
        return "is IN_FORCE, but the vault holds no slice"
    if stands.version[0] == mine.version[0] and stands.version[1] < act.counter:
        return "is IN_FORCE, but the vault has not heard of it"
    return ""


def _verdict_faults(
    topic: str, acts: list[ActRow], mine: PushedSlice | None, stands: HeldSlice
) -> Iterator[Fault]:
    known = {act.act_id: act for act in acts}
    for proposal, verdict in sorted(stands.verdicts.items()):
        act = known.get(proposal)
        name, reason = (*verdict, "", "")[:2]
        if act is None or not act.proposal:
            what = f"a verdict on {proposal}, which was never proposed"
        elif act.enforcement == PENDING and mine is not None and mine.waiting:
            continue
        elif act.enforcement not in _AS_THE_VAULT_SAID.get(name, ()):
            what = f"the verdict on {proposal} is not what became of it"
        elif act.enforcement == REFUSED and act.reason not in (reason, "NOT_FOUND"):
            what = f"the reason of the verdict on {proposal} is another one"
        else:
            continue
        site, subject = stands.place
        yield Fault.of("vault", "slices", what, site_id=site, subject_id=subject, topic=topic)


def _place_of(pair: tuple[PushedSlice | None, HeldSlice | None]) -> Place:
    mine, stands = pair
    if mine is not None:
        return mine.place
    assert stands is not None
    return stands.place
