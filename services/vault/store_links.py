# SPDX-License-Identifier: Apache-2.0
"""Who is one person: SQL of links in force, and the lock of a whole person (clause 1.1.5).

Whoever changes what a person stands on (a slice, a link, the end of life) locks all of them;
whoever reads or writes the data of one id locks that id. A block of one id has therefore waited
for every read of the others, at no cost to the reads.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Text, and_, delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.arrays import Texts
from services.chassis.prepared import Prepared, given_in_order
from services.chassis.refusal import Unavailable
from services.vault import store
from services.vault.store import Subject
from services.vault.tables_links import links

MOST_VISITORS = 100
"""Of one account: a block locks them all, and locks are a finite store."""

_asked = given_in_order("asked", site_id=Text, subject_id=Text)
_own, _others = links.alias("own"), links.alias("others")
_account = func.coalesce(_own.c.account_id, _asked.c.subject_id)
_REACHES = Prepared(
    select(_asked.c.place, _account.label("account_id"), _others.c.visitor_id)
    .select_from(
        _asked.outerjoin(
            _own,
            and_(_own.c.site_id == _asked.c.site_id, _own.c.visitor_id == _asked.c.subject_id),
        ).outerjoin(
            _others,
            and_(_others.c.site_id == _asked.c.site_id, _others.c.account_id == _account),
        )
    )
    .order_by(_asked.c.place, _others.c.visitor_id)
)


@dataclass(frozen=True, slots=True)
class Reach:
    """The ids of one person of a site: an account and the visitors linked to it, if any."""

    account: str
    visitors: tuple[str, ...] = ()

    @property
    def subjects(self) -> tuple[str, ...]:
        """All of them, the account first."""
        return (self.account, *self.visitors)


def reach(connection: Connection, site: str, subject: str) -> Reach:
    """The subjects that are one person with this one, whichever of them it is.

    What reaches a person (block, export, destruction) reaches every one of them. Stable while the
    lock of the account or of any of its visitors is held exclusively.
    """
    [found] = reaches(connection, [(site, subject)])
    return found


def reaches(connection: Connection, wanted: Sequence[Subject]) -> list[Reach]:
    """The same for each of them, in their order."""
    rows = _REACHES.rows(
        connection,
        site_id=Texts([site for site, _ in wanted]),
        subject_id=Texts([subject for _, subject in wanted]),
    )
    accounts = [subject for _, subject in wanted]
    visitors: list[list[str]] = [[] for _ in wanted]
    for place, account, visitor in rows:
        accounts[place - 1] = account
        if visitor is not None:
            visitors[place - 1].append(visitor)
    return [Reach(one, tuple(them)) for one, them in zip(accounts, visitors, strict=True)]


def count_visitors(connection: Connection, site: str, account: str) -> int:
    """How many visitors are linked to a subject."""
    counted = select(func.count()).select_from(links).filter_by(site_id=site, account_id=account)
    return int(connection.execute(counted).scalar_one())


def lock_persons(connection: Connection, site: str, subjects: Sequence[str]) -> Reach:
    """Lock, exclusively and in one order, everybody who is one person with any of the subjects.

    Returns the reach of the first. Raises Unavailable where a link came or went while this
    waited: nothing was done yet, and the next attempt locks whom it now has to.
    """
    wanted = [(site, each) for each in subjects]
    peeked = reaches(connection, wanted)
    store.lock_all_exclusive(connection, _everybody(wanted, peeked))
    if reaches(connection, wanted) != peeked:
        raise Unavailable(retry_after=1)
    return peeked[0]


def try_lock_persons(connection: Connection, wanted: Sequence[Collection[Subject]]) -> list[bool]:
    """Lock the persons of each of `wanted` as `lock_persons` does, but wait for nobody.

    False for one of whom somebody else holds an id, or whose links came or went meanwhile: it is
    to be locked by itself.
    """
    flat = [subject for each in wanted for subject in each]
    peeked = reaches(connection, flat)
    locked = store.try_lock_exclusive(connection, _everybody(flat, peeked))
    again = reaches(connection, flat)
    whole = {
        subject
        for subject, before, now in zip(flat, peeked, again, strict=True)
        if before == now and _everybody([subject], [now]) <= locked
    }
    return [whole.issuperset(each) for each in wanted]


def _everybody(wanted: Sequence[Subject], found: Sequence[Reach]) -> set[Subject]:
    return {
        (site, one)
        for (site, _), person in zip(wanted, found, strict=True)
        for one in person.subjects
    }


def write_link(connection: Connection, site: str, visitor: str, account: str) -> None:
    """The visitor is linked to this account now; empty: to none."""
    if not account:
        connection.execute(delete(links).filter_by(site_id=site, visitor_id=visitor))
        return
    statement = upsert(links).values(site_id=site, visitor_id=visitor, account_id=account)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["site_id", "visitor_id"], set_={"account_id": account}
        )
    )
