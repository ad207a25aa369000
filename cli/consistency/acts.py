# SPDX-License-Identifier: Apache-2.0
"""How far acts have come, as their decider says and as the vault holds it (architecture, 2)."""

from collections.abc import Iterable, Iterator

from cli.consistency.fault import Fault
from cli.consistency.matching import gathered, matched
from cli.consistency.store_standing import ActRow, HeldSlice, Place, PushedSlice, VerdictRow
from services.chassis.decider.store import IN_FORCE, PENDING, REFUSED, SUBJECT_DESTROYED, SUPERSEDED
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


def verdict_faults(
    topic: str, recorded: Iterable[ActRow], given: Iterable[VerdictRow]
) -> Iterator[Fault]:
    """Verdicts that are not what became of their proposals; both by place, then by act."""
    for act, verdict in matched(
        recorded, given, lambda a: (*a.place, a.act_id), lambda v: (*v.place, v.proposal)
    ):
        what = "" if verdict is None else _verdict_fault(act, verdict)
        if what and verdict is not None:
            yield Fault.of(
                "vault",
                "proposal_verdicts",
                what,
                site_id=verdict.place[0],
                subject_id=verdict.place[1],
                topic=topic,
                proposal_id=verdict.proposal,
            )


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


def _verdict_fault(act: ActRow | None, given: VerdictRow) -> str:
    if act is None or not act.proposal:
        return "nobody proposed what it decides"
    if act.enforcement == PENDING:
        # The decider has yet to hear of it.
        return ""
    if act.enforcement not in _AS_THE_VAULT_SAID.get(given.verdict, ()):
        return "the verdict is not what became of the proposal"
    if act.enforcement == REFUSED and act.reason not in {given.reason, "NOT_FOUND"}:
        return "the reason is not the one that the decider was told"
    return ""


def _place_of(pair: tuple[PushedSlice | None, HeldSlice | None]) -> Place:
    mine, stands = pair
    if mine is not None:
        return mine.place
    assert stands is not None
    return stands.place
