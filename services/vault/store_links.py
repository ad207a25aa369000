# SPDX-License-Identifier: Apache-2.0
"""Who is one person: SQL of links in force, and the lock of a whole person (clause 1.1.5).

Whoever changes what a person stands on (a slice, a link, the end of life) locks all of them;
whoever reads or writes the data of one id locks that id. A block of one id has therefore waited
for every read of the others, at no cost to the reads.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.refusal import Unavailable
from services.vault.store import lock_exclusive
from services.vault.tables_links import links

MOST_VISITORS = 100
"""Of one account: a block locks them all, and locks are a finite store."""


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
    account = account_of(connection, site, subject) or subject
    rows = connection.execute(
        select(links.c.visitor_id)
        .filter_by(site_id=site, account_id=account)
        .order_by(links.c.visitor_id)
    )
    return Reach(account, tuple(row.visitor_id for row in rows))


def account_of(connection: Connection, site: str, subject: str) -> str:
    """The account that a visitor is linked to; empty for who is linked to none."""
    found = select(links.c.account_id).filter_by(site_id=site, visitor_id=subject)
    return str(connection.execute(found).scalar_one_or_none() or "")


def count_visitors(connection: Connection, site: str, account: str) -> int:
    """How many visitors are linked to a subject."""
    counted = select(func.count()).select_from(links).filter_by(site_id=site, account_id=account)
    return int(connection.execute(counted).scalar_one())


def lock_persons(connection: Connection, site: str, subjects: Collection[str]) -> Reach:
    """Lock, exclusively and in one order, everybody who is one person with any of the subjects.

    Returns the reach of the first. Raises Unavailable where a link came or went while this
    waited: nothing was done yet, and the next attempt locks whom it now has to.
    """
    peeked = [reach(connection, site, each) for each in subjects]
    for each in sorted({one for found in peeked for one in found.subjects}):
        lock_exclusive(connection, site, each)
    if [reach(connection, site, each) for each in subjects] != peeked:
        raise Unavailable(retry_after=1)
    return peeked[0]


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
