# SPDX-License-Identifier: Apache-2.0
"""What state bodies asked for, what two people decided, and what was given agree (clause 5.3)."""

from collections.abc import Iterable, Iterator

from cli.consistency.fault import Fault
from cli.consistency.store_disclosure import AskedRow
from services.disclosure.authority_request import RequestState
from services.disclosure.release import ReleaseState

_STORED = frozenset(RequestState) - {RequestState.EXPIRED}
_UNDECIDED = frozenset({RequestState.PENDING})
_WITHOUT_APPROVAL = _UNDECIDED | {RequestState.REJECTED}


def request_faults(requests: Iterable[AskedRow]) -> Iterator[Fault]:
    """Requests whose row contradicts itself or what was given for it."""
    for each in requests:
        what = _fault(each)
        if what:
            yield Fault.of(
                "disclosure",
                "authority_requests",
                what,
                site_id=each.site,
                request_id=each.request_id,
            )


def _code_agrees(each: AskedRow) -> bool:
    """A code is out for a READY one, and may be for the repeat of one that was picked up."""
    if each.state == RequestState.PICKED_UP:
        return True
    return bool(each.code_sha256) == (each.state == RequestState.READY)


def _fault(each: AskedRow) -> str:
    if each.state not in _STORED:
        return "nobody knows this state"
    if not each.approved <= each.categories:
        return "more was approved than was asked for"
    if bool(each.approved) == (each.state in _WITHOUT_APPROVAL):
        return "state and approval do not agree"
    if bool(each.decided_by) == (each.state in _UNDECIDED):
        return "state and decision do not agree"
    if each.approved and each.decided_by == each.submitted_by:
        return "one person entered and approved it"
    if not _code_agrees(each):
        return "state and code do not agree"
    if (ReleaseState.RELEASED in each.given) != (each.state == RequestState.PICKED_UP):
        return "state and what was given do not agree"
    if len(each.given) > each.let_go:
        return "it was given more often than it was let go"
    return ""
