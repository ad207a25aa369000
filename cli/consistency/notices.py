# SPDX-License-Identifier: Apache-2.0
"""Whoever holds data of somebody blocked or destroyed is told, and of nothing else (6.2.3)."""

from collections.abc import Iterable, Iterator

from cli.consistency.fault import Fault
from cli.consistency.matching import matched
from cli.consistency.store_notices import ChangeRow, HeardRow, NoticeRow
from services.disclosure.notice import INSTRUCTIONS, NoticeState

# (has been sent, has been acknowledged)
_TIMES = {
    NoticeState.OPEN: (False, False),
    NoticeState.SENT: (True, False),
    NoticeState.ACKNOWLEDGED: (True, True),
}


def notice_faults(notices: Iterable[NoticeRow], entries: Iterable[str]) -> Iterator[Fault]:
    """Notices that follow from nothing, or say something else; both by the notice's id."""
    for notice, entry in matched(notices, entries, lambda n: n.notice_id, lambda e: e):
        if notice is None:
            what = "it is on record, and there is none"
            yield Fault.of("disclosure", "notices", what, notice_id=entry)
            continue
        what = _own_fault(notice) or ("" if entry else "no evidence entry tells of it")
        if what:
            yield Fault.of(
                "disclosure", "notices", what, site_id=notice.site, notice_id=notice.notice_id
            )


def untold_faults(untold: Iterable[tuple[str, str, str]]) -> Iterator[Fault]:
    """Deliveries whose recipients were not told of a change."""
    for site, change, delivery in untold:
        what = "the recipient of a delivery was not told"
        yield Fault.of(
            "disclosure", "recalls", what, site_id=site, change_id=change, delivery_id=delivery
        )


def change_faults(broker: Iterable[HeardRow], vault: Iterable[ChangeRow]) -> Iterator[Fault]:
    """Changes that the broker knows otherwise.

    What it has not heard of yet is none, nor is what a restored vault has forgotten.
    """
    for mine, theirs in matched(broker, vault, lambda h: h.change.change_id, lambda c: c.change_id):
        if mine is None or mine.change == theirs or (theirs is None and mine.forgivable):
            continue
        what = "the vault tells of no such change"
        its = {"site_id": mine.change.site, "change_id": mine.change.change_id}
        yield Fault.of("disclosure", "recalls", what, **its)


def _own_fault(notice: NoticeRow) -> str:
    if not notice.kind:
        return "no change of the subject's standing is behind it"
    if notice.instruction != INSTRUCTIONS.get(notice.kind):
        return "its instruction does not follow from the change"
    if notice.state not in NoticeState.__members__:
        return "nobody knows this state"
    if _TIMES[NoticeState(notice.state)] != (notice.sent, notice.acknowledged):
        return "state and times do not agree"
    return "" if notice.left else "nothing of the delivery ever left"
