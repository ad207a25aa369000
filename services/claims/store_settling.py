# SPDX-License-Identifier: Apache-2.0
"""SQL of receipt times that were entered, authorities and lifts: what officers said of a claim."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.deadline import Deadline
from services.claims.authority import Authority, AuthorityState
from services.claims.claim import Claim
from services.claims.tables_verification import authorities, lifts, receipt_times

SETTLED, AWAITING, REPLACED = "SETTLED", "AWAITING_SECOND_APPROVAL", "REPLACED"


@dataclass(frozen=True, slots=True)
class EnteredReceipt:
    """A time of receipt as an officer entered it."""

    ordinal: int
    receipt_time: datetime
    entered_by: str


@dataclass(frozen=True, slots=True)
class Lift:
    """A block's end before its outcome, proposed by one officer and approved by another."""

    proposed_by: str
    approved_by: str | None


def enter_receipt(
    connection: Connection,
    claim: Claim,
    receipt_time: datetime,
    deadline: Deadline,
    by: str,
    now: datetime,
    *,
    awaits: bool,
) -> int:
    """Write down a time of receipt; what waited before waits no more. Returns its ordinal."""
    r = receipt_times.c
    here = {"site_id": claim.site_id, "claim_id": claim.claim_id}
    replace_waiting(connection, claim)
    last = connection.execute(
        select(func.coalesce(func.max(r.ordinal), 0)).filter_by(**here)
    ).scalar_one()
    connection.execute(
        insert(receipt_times).values(
            **here,
            ordinal=int(last) + 1,
            receipt_time=receipt_time,
            due_date=deadline.due_date,
            calendar_version=deadline.calendar_version,
            state=AWAITING if awaits else SETTLED,
            entered_by=by,
            record_time=now,
        )
    )
    return int(last) + 1


def replace_waiting(connection: Connection, claim: Claim) -> None:
    """The time of receipt that waits for a second officer waits no more."""
    connection.execute(
        update(receipt_times)
        .filter_by(site_id=claim.site_id, claim_id=claim.claim_id, state=AWAITING)
        .values(state=REPLACED)
    )


def awaiting_receipt(connection: Connection, claim: Claim) -> EnteredReceipt | None:
    """The time of receipt that waits for a second officer."""
    row = connection.execute(
        select(receipt_times).filter_by(
            site_id=claim.site_id, claim_id=claim.claim_id, state=AWAITING
        )
    ).one_or_none()
    return None if row is None else EnteredReceipt(row.ordinal, row.receipt_time, row.entered_by)


def confirm_receipt(
    connection: Connection, claim: Claim, ordinal: int, by: str, now: datetime
) -> None:
    """A second officer has confirmed a time of receipt."""
    connection.execute(
        update(receipt_times)
        .filter_by(site_id=claim.site_id, claim_id=claim.claim_id, ordinal=ordinal)
        .values(state=SETTLED, confirmed_by=by, confirm_time=now)
    )


def write_authority(
    connection: Connection,
    claim: Claim,
    state: AuthorityState,
    authority: Authority | None,
    by: str | None,
    now: datetime | None,
) -> None:
    """Write what is known of a representative's authority; what was shown before stays."""
    here = {"site_id": claim.site_id, "claim_id": claim.claim_id}
    members: dict[str, object] = {"state": state, "settled_by": by, "settle_time": now}
    if authority is not None:
        members |= {
            "document": authority.document,
            "issue_date": authority.issue_date,
            "expiry_date": authority.expiry_date,
        }
    connection.execute(
        upsert(authorities)
        .values(**here, **members)
        .on_conflict_do_update(index_elements=list(here), set_=members)
    )


def propose_lift(connection: Connection, claim: Claim, by: str, now: datetime) -> bool:
    """Propose to lift a block; False where that was done before."""
    proposed = connection.execute(
        upsert(lifts)
        .values(site_id=claim.site_id, claim_id=claim.claim_id, proposed_by=by, propose_time=now)
        .on_conflict_do_nothing()
        .returning(lifts.c.claim_id)
    )
    return proposed.one_or_none() is not None


def read_lift(connection: Connection, claim: Claim) -> Lift | None:
    """The proposal to lift a claim's block."""
    row = connection.execute(
        select(lifts).filter_by(site_id=claim.site_id, claim_id=claim.claim_id)
    ).one_or_none()
    return None if row is None else Lift(row.proposed_by, row.approved_by)


def approve_lift(connection: Connection, claim: Claim, by: str, now: datetime) -> None:
    """A second officer lifts the block."""
    connection.execute(
        update(lifts)
        .filter_by(site_id=claim.site_id, claim_id=claim.claim_id)
        .values(approved_by=by, approve_time=now)
    )
