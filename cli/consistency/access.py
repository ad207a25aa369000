# SPDX-License-Identifier: Apache-2.0
"""A code opens its own subject's view, once and for a while, and leaves its entries (6.1.3)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from cli.consistency.fault import Fault
from cli.consistency.matching import chunked, gathered, matched
from cli.consistency.store_access import CodeRow, SessionRow
from cli.consistency.store_keys import OwnerRow
from services.vault.access_code import CODE_LIFE, MOST_TRIES, SESSION_LIFE, CodeState

_AT_ONCE = 500
# What ends access takes the time twice: of the entry, and of what ends.
_AT_ONCE_AFTER = timedelta(minutes=1)
Ends = Callable[[Sequence[tuple[str, str]]], Mapping[tuple[str, str], datetime]]
"""When all access of (site, pseudonym) was ended last."""


def code_faults(codes: Iterable[CodeRow], issued: Iterable[tuple[str, str]]) -> Iterator[Fault]:
    """Codes that cannot be as they are, or that nobody issued; both by (site, code).

    A code that an entry tells of may have been removed long ago.
    """
    for code, entry in matched(codes, issued, lambda c: (c.site, c.code_id), lambda e: e):
        if code is None:
            continue
        what = _code_fault(code) or ("" if entry else "no evidence entry tells that it was issued")
        if what:
            yield _code(code, what)


def live_faults(live: Iterable[tuple[str, str, int]]) -> Iterator[Fault]:
    """Subjects with several codes that may be redeemed: a new one ends the others."""
    for site, subject, _count in live:
        what = "several codes of one subject may be redeemed"
        yield Fault.of("vault", "access_codes", what, site_id=site, subject_id=subject)


def session_faults(
    codes: Iterable[CodeRow],
    sessions: Iterable[SessionRow],
    redeemed: Iterable[tuple[str, str]],
) -> Iterator[Fault]:
    """Sessions that their code did not open; all by (site, code)."""
    opened = gathered(sessions, lambda s: (s.site, s.code_id))
    recorded = matched(opened, redeemed, lambda g: g[0], lambda e: e)
    known = (
        (group[0], group[1], entry is not None) for group, entry in recorded if group is not None
    )
    for code, found in matched(codes, known, lambda c: (c.site, c.code_id), lambda k: k[0]):
        if found is None:
            if code is not None and code.state == CodeState.USED and code.fresh:
                yield _code(code, "it was redeemed, and no session is there")
            continue
        _, rows, is_told = found
        for session in rows:
            what = _session_fault(session, code, rows) or (
                "" if is_told else "no evidence entry tells that its code was redeemed"
            )
            if what:
                yield _session(session, what)


def end_faults(
    sessions: Iterable[SessionRow], owners: Iterable[OwnerRow], ends: Ends
) -> Iterator[Fault]:
    """Sessions that outlive what has ended them; both by (site, subject)."""
    groups = gathered(sessions, lambda s: (s.site, s.subject))
    pairs = matched(groups, owners, lambda g: g[0], lambda o: (o.site, o.owner))
    named = ((group[1], o.pseudonym) for group, o in pairs if group is not None and o is not None)
    for some in chunked(named, _AT_ONCE):
        last = ends([(rows[0].site, pseudonym) for rows, pseudonym in some])
        for rows, pseudonym in some:
            ended = last.get((rows[0].site, pseudonym))
            following = [*(row.create_time for row in rows[1:]), None]
            for row, after in zip(rows, following, strict=True):
                times = [time for time in (ended, after) if time and _within(row, time)]
                by = min(times, default=None)
                if by is not None and (row.end_time is None or row.end_time > by + _AT_ONCE_AFTER):
                    yield _session(row, "it outlives what ended it")


def _within(session: SessionRow, time: datetime) -> bool:
    return session.create_time < time < session.expire_time


def _code_fault(code: CodeRow) -> str:
    if code.state not in CodeState.__members__:
        return "nobody knows this state"
    if code.expire_time != code.create_time + CODE_LIFE:
        return "it does not live as long as codes do"
    spent = code.tries >= MOST_TRIES
    if not 0 <= code.tries <= MOST_TRIES or spent != (code.state == CodeState.SPENT):
        return "its state does not follow from the tries it bore"
    if code.has_letter and not (code.by_letter and code.state == CodeState.LIVE):
        return "a letter waits that must not leave"
    if code.has_letter != code.is_due:
        return "its letter is due, and there is none, or nobody sends it"
    return ""


def _session_fault(session: SessionRow, code: CodeRow | None, rows: Sequence[SessionRow]) -> str:
    if session.expire_time != session.create_time + SESSION_LIFE:
        return "it does not live as long as sessions do"
    if session.end_time is not None and not (
        session.create_time <= session.end_time <= session.expire_time
    ):
        return "it ended at a time when it did not live"
    if len(rows) > 1:
        return "its code has opened another one too"
    if code is None:
        return "no code has opened it" if session.fresh else ""
    if code.subject != session.subject:
        return "it opens the view of somebody else than its code"
    if code.state != CodeState.USED:
        return "its code was not redeemed"
    if not code.create_time <= session.create_time <= code.expire_time:
        return "its code did not live when it opened it"
    return ""


def _code(code: CodeRow, what: str) -> Fault:
    return Fault.of("vault", "access_codes", what, site_id=code.site, code_id=code.code_id)


def _session(row: SessionRow, what: str) -> Fault:
    return Fault.of("vault", "access_sessions", what, site_id=row.site, session_id=row.session_id)
