# SPDX-License-Identifier: Apache-2.0
"""Claims: numbered without a gap, due by the calendar, in the state of their steps (8.1, 8.2)."""

from collections.abc import Iterable, Iterator

from cli.consistency.fault import Fault
from cli.consistency.matching import gathered, matched
from cli.consistency.store_claims import ClaimRow, FactRow
from cli.consistency.store_flooding import FiledClaim, FiledDay
from cli.consistency.store_standing import Place, PushedSlice
from services.chassis.calendar import WorkingCalendar
from services.chassis.deadline import due, local_date
from services.claims.authority import AuthorityState
from services.claims.claim import ClaimFact
from services.claims.intake import claim_number
from services.claims.recovery import RecoveryState
from services.claims.state import (
    SHORTEST_TERM_DAYS,
    WAITING,
    Claimant,
    ClaimKind,
    ClaimState,
    Outcome,
    Verification,
    blocks,
    term_days,
    verification_of,
)
from services.claims.wire import slice_bytes

_S = ClaimState
# (state, verification concluded, answered): the answer is written before it leaves, and the term
# may pass at any time.
_STATES = {
    (_S.RECEIVED, False, False),
    (_S.AWAITING_RECEIPT, False, False),
    (_S.VERIFIED, True, False),
    *((_S.ANSWER_WRITTEN, concluded, False) for concluded in (True, False)),
    *((_S.ANSWERED, concluded, True) for concluded in (True, False)),
    *((_S.NO_ANSWER, concluded, False) for concluded in (True, False)),
    *(
        (s, c, a)
        for s in (_S.AGREED, _S.COURT, _S.CLOSED)
        for c in (True, False)
        for a in (True, False)
    ),
}


def number_faults(
    claims: Iterable[ClaimRow], last_numbers: Iterable[tuple[str, int, int]]
) -> Iterator[Fault]:
    """Numbers that are missing or out of form; claims by (site, number), last ones by year."""
    years = gathered(claims, lambda claim: (claim.site, claim.number[:4]))
    lasts = ((site, f"{year:04d}", last) for site, year, last in last_numbers)
    for given, last in matched(years, lasts, lambda g: g[0], lambda each: (each[0], each[1])):
        if given is None:
            if last is not None and last[2]:
                yield _number_fault(last[0], last[1], 1, "no claim has this number")
            continue
        (site, year), rows = given
        for expected, row in enumerate(rows, start=1):
            if not year.isdecimal() or row.number != claim_number(int(year), expected):
                yield _number_fault(site, year, expected, "no claim has this number")
                break
        else:
            if last is None or last[2] != len(rows):
                what = f"the last number given is not {len(rows)}"
                yield Fault.of("claims", "claim_numbers", what, site_id=site, year=year)


def state_faults(claims: Iterable[ClaimRow], calendar: WorkingCalendar) -> Iterator[Fault]:
    """Claims whose state, outcome, decision or due date do not follow from their steps."""
    for claim in claims:
        what = _state_fault(claim) or _deadline_fault(claim, calendar) or _clock_fault(claim)
        if what:
            yield Fault.of("claims", "claims", what, site_id=claim.site, claim_id=claim.claim_id)


def slice_faults(
    facts: Iterable[tuple[Place, list[FactRow]]], slices: Iterable[PushedSlice]
) -> Iterator[Fault]:
    """Slices that are not what the claims say. Both by place."""
    for group, pushed in matched(facts, slices, lambda g: g[0], lambda s: s.place):
        if group is None or pushed is None:
            place = group[0] if group is not None else pushed.place if pushed else ("", "")
            what = "no claim stands behind the slice" if group is None else "the slice is missing"
            yield _slice_fault(place, what)
        elif _body(group[1]) != pushed.body:
            yield _slice_fault(group[0], "the slice is not what the claims say")


def filed_faults(counted: Iterable[FiledDay], claims: Iterable[FiledClaim]) -> Iterator[Fault]:
    """Days on which more subjects are counted than a credential's claims named.

    Fewer are none: a site may not have counted all day. Both by (site, credential, day).
    """
    days = gathered(claims, lambda claim: (claim.site, claim.filed_by, local_date(claim.time)))
    for count, day in matched(counted, days, lambda c: (c.site, c.filed_by, c.day), lambda d: d[0]):
        named = sum(max(1, claim.named) for claim in day[1]) if day is not None else 0
        if count is not None and count.subjects > named:
            yield Fault.of(
                "claims",
                "filed_subjects",
                "more subjects are counted than the credential's claims named",
                site_id=count.site,
                filed_by=count.filed_by,
                day=count.day,
            )


def _state_fault(claim: ClaimRow) -> str:
    try:
        kind, claimant = ClaimKind(claim.kind), Claimant(claim.claimant)
        outcome = Outcome(claim.outcome) if claim.outcome else None
        state = ClaimState(claim.state)
        authority = AuthorityState(claim.authority) if claim.authority else None
    except ValueError:
        return "kind, claimant, state, outcome or authority is none that there is"
    if claim.outcome != claim.verified:
        return "the outcome is not the one that was concluded"
    if claim.decision != claim.answered:
        return "the decision is not the one that was answered"
    if state is ClaimState.ANSWER_WRITTEN and claim.written is None:
        return "no letter stands behind the answer"
    if claim.answered is not None and claim.written not in (None, claim.answered):
        return "the letter says something else than the answer"
    if (state, outcome is not None, claim.decision is not None) not in _STATES:
        return "the state does not follow from outcome and answer"
    if state is ClaimState.ANSWERED and (
        verification_of(kind, claimant, outcome, authority) is Verification.OPEN
    ):
        return "it was answered while its verification is open"
    return ""


def _deadline_fault(claim: ClaimRow, calendar: WorkingCalendar) -> str:
    if claim.calendar_version != calendar.version:
        # Another edition of the calendar gave this due date; it stays as it was given.
        return ""
    try:
        deadline = due(claim.receipt_time, _term_days(claim), calendar)
    except ValueError:
        return "its receipt lies outside the calendar"
    if (deadline.due_date, deadline.due_time) != (claim.due_date, claim.due_time):
        return "the due date is not the one of its receipt"
    return ""


def _term_days(claim: ClaimRow) -> int:
    """Of a recovered claim that nobody has described the kind is known if it blocks."""
    kind = ClaimKind(claim.kind)
    known = claim.recovery != RecoveryState.FOUND or blocks(kind, Claimant(claim.claimant))
    return term_days(kind) if known else SHORTEST_TERM_DAYS


def _clock_fault(claim: ClaimRow) -> str:
    """The clock has to look at a claim that waits again, at the end of its term at the latest."""
    if claim.state in WAITING and (claim.alarm_time is None or claim.alarm_time > claim.due_time):
        return "nobody watches its term"
    if claim.state == ClaimState.NO_ANSWER and not claim.lapse_noticed:
        return "nobody was to tell the claimant that its term passed"
    return ""


def _body(rows: list[FactRow]) -> bytes | None:
    try:
        return slice_bytes([_fact(row) for row in rows])
    except ValueError:
        return None


def _fact(row: FactRow) -> ClaimFact:
    return ClaimFact(
        row.claim_id,
        row.hold_id,
        ClaimKind(row.kind),
        Claimant(row.claimant),
        row.receipt_time,
        row.record_time,
        Outcome(row.outcome) if row.outcome else None,
        row.correction_id,
        released=row.released,
        same_contact=row.same_contact,
        court_time=row.court_time,
        hold_end_time=row.hold_end_time,
    )


def _number_fault(site: str, year: str, ordinal: int, what: str) -> Fault:
    number = f"{year}-{ordinal:06d}"
    return Fault.of("claims", "claims", what, site_id=site, number=number)


def _slice_fault(place: Place, what: str) -> Fault:
    return Fault.of("claims", "slices", what, topic="claims", site_id=place[0], subject_id=place[1])
