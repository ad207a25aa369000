# SPDX-License-Identifier: Apache-2.0
"""SQL of subjects that the vault blocked with a claim's, for their contact (clause 6.2.3)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection

from services.claims.tables_verification import same_contacts


class SameContactState(StrEnum):
    """What the officer said of it."""

    PROVISIONAL = "PROVISIONAL"
    CONFIRMED = "CONFIRMED"
    RELEASED = "RELEASED"


@dataclass(frozen=True, slots=True)
class SameContact:
    """A subject with the contact of one that a claim names."""

    subject_id: str
    state: SameContactState
    block_time: datetime


@dataclass(frozen=True, slots=True)
class ProvisionalBlock:
    """A block that the vault made itself, as it stands there.

    `same_contact`: no officer has confirmed it; `ended`: it has an outcome.
    """

    site_id: str
    subject_id: str
    claim_id: str
    since: datetime
    block_time: datetime
    same_contact: bool
    ended: bool


def of_claim(connection: Connection, site_id: str, claim_id: str) -> list[SameContact]:
    """The subjects blocked with a claim's, the first found first."""
    rows = connection.execute(
        select(same_contacts)
        .filter_by(site_id=site_id, claim_id=claim_id)
        .order_by(same_contacts.c.block_time, same_contacts.c.subject_id)
    )
    return [
        SameContact(row.subject_id, SameContactState(row.state), row.block_time) for row in rows
    ]


def state_of(
    connection: Connection, site_id: str, claim_id: str, subject_id: str
) -> SameContactState | None:
    """What stands of it, locked until the transaction ends; None: never blocked for its contact."""
    found = connection.execute(
        select(same_contacts.c.state)
        .filter_by(site_id=site_id, claim_id=claim_id, subject_id=subject_id)
        .with_for_update()
    ).scalar_one_or_none()
    return None if found is None else SameContactState(found)


def add(
    connection: Connection,
    site_id: str,
    claim_id: str,
    found: SameContact,
    since: datetime,
) -> None:
    """The vault has blocked a subject since `since`."""
    connection.execute(
        insert(same_contacts).values(
            site_id=site_id,
            subject_id=found.subject_id,
            claim_id=claim_id,
            state=found.state,
            since_time=since,
            block_time=found.block_time,
        )
    )


def settle(
    connection: Connection,
    place: tuple[str, str, str],
    state: SameContactState,
    by: str,
    now: datetime,
) -> None:
    """An officer has said what it is; `place` is (site, claim, subject)."""
    site_id, claim_id, subject_id = place
    connection.execute(
        update(same_contacts)
        .filter_by(site_id=site_id, claim_id=claim_id, subject_id=subject_id)
        .values(state=state, settled_by=by, settle_time=now)
    )
