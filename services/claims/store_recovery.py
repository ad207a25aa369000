# SPDX-License-Identifier: Apache-2.0
"""SQL of claims that are put back into the book: outcomes, ends, documents, what is left to do."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.deadline import due
from services.chassis.decider.store import Act, Key
from services.chassis.decider.tables import slices
from services.chassis.sealed.document import StoredDocument
from services.claims import store_register
from services.claims.claim import Claim
from services.claims.recovery import RecoveryState
from services.claims.state import Claimant, ClaimKind, EndKind, Outcome
from services.claims.store_verification import Desk
from services.claims.tables import claim_acts, claims, corrections, sealed_documents
from services.claims.tables_court import claim_ends
from services.claims.tables_recovery import mended_outcomes, mendings

ITSELF = "process/claims"
_LATER = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class KeptDocument:
    """A document that the vault has, and since when."""

    place: StoredDocument
    store_time: datetime


def lock_lost(connection: Connection, claim_id: str) -> None:
    """Two slices may tell of the same lost claim at once; one writes it, until it has committed."""
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(claim_id, 0))))


def insert_recovered(connection: Connection, claim: Claim, desk: Desk) -> Claim:
    """Write a recovered claim with a new number and its due date; whom it names comes after."""
    deadline = due(claim.receipt_time, claim.term_days, desk.calendar)
    [claim] = store_register.numbered(connection, [replace(claim, deadline=deadline)])
    store_register.insert_claims(connection, [(claim, ITSELF)])
    return claim


def write_outcome(connection: Connection, claim: Claim, outcome: Outcome, now: datetime) -> None:
    """Keep, beside the claim, the outcome that the vault had."""
    members = {"outcome": outcome, "record_time": now}
    connection.execute(
        upsert(mended_outcomes)
        .values(site_id=claim.site_id, claim_id=claim.claim_id, **members)
        .on_conflict_do_update(index_elements=["site_id", "claim_id"], set_=members)
    )


def bind_act(connection: Connection, claim: Claim, act: Act) -> None:
    """The act is one of the claim's."""
    connection.execute(
        insert(claim_acts).values(
            site_id=claim.site_id,
            claim_id=claim.claim_id,
            kind=f"{act.kind}/{act.act_id}",
            position=0,
            act_id=act.act_id,
        )
    )


def bind_correction(
    connection: Connection, claim: Claim, subject_id: str, correction_id: str
) -> bool:
    """Bind the correction that the outcome confirmed; False where one is bound."""
    bound = connection.execute(
        upsert(corrections)
        .values(
            site_id=claim.site_id,
            claim_id=claim.claim_id,
            subject_id=subject_id,
            correction_id=correction_id,
        )
        .on_conflict_do_nothing()
        .returning(corrections.c.correction_id)
    )
    return bound.one_or_none() is not None


def end(connection: Connection, claim: Claim, kind: EndKind, time: datetime) -> bool:
    """The dispute went on so; False where that is known."""
    told = connection.execute(
        upsert(claim_ends)
        .values(
            site_id=claim.site_id,
            claim_id=claim.claim_id,
            kind=kind,
            recorded_by=ITSELF,
            record_time=time,
        )
        .on_conflict_do_nothing()
        .returning(claim_ends.c.kind)
    )
    return told.one_or_none() is not None


def has_ended(connection: Connection, claim: Claim) -> bool:
    """Whether its legal holds have ended."""
    found = connection.execute(
        select(claim_ends.c.kind)
        .filter_by(site_id=claim.site_id, claim_id=claim.claim_id)
        .where(claim_ends.c.kind.in_((EndKind.AGREED, EndKind.CLOSED)))
    )
    return found.first() is not None


def describe(
    connection: Connection, claim: Claim, kind: ClaimKind, claimant: Claimant, language: str
) -> Claim:
    """An officer has found out what a recovered claim was."""
    state = RecoveryState.DESCRIBED
    connection.execute(
        update(claims)
        .filter_by(site_id=claim.site_id, claim_id=claim.claim_id)
        .values(kind=kind, claimant=claimant, language=language, recovery=state)
    )
    return replace(claim, kind=kind, claimant=claimant, language=language, recovery=state)


def adopt_documents(connection: Connection, documents: Sequence[KeptDocument]) -> int:
    """Know of documents that lie in the vault; how many were not known."""
    known = 0
    for each in documents:
        place = each.place
        taken = connection.execute(
            upsert(sealed_documents)
            .values(
                site_id=place.site_id,
                bound_to=place.bound_to,
                document_id=place.document_id,
                owner_id=place.owner_id,
                kind=place.kind,
                key_id="",
                sealed=None,
                create_time=each.store_time,
                next_time=each.store_time,
                attempts=0,
                delivered_time=each.store_time,
            )
            .on_conflict_do_nothing()
            .returning(sealed_documents.c.document_id)
        )
        known += taken.one_or_none() is not None
    return known


def slice_body(connection: Connection, key: Key) -> bytes:
    """The bytes of a slice as it was written last; empty where none was."""
    found = connection.execute(select(slices.c.body).filter_by(**key.columns)).scalar_one_or_none()
    return b"" if found is None else bytes(found)


def leave_to_do(connection: Connection, claim: Claim, now: datetime) -> None:
    """Its documents and the slices of its other subjects are to be seen to."""
    statement = upsert(mendings).values(
        site_id=claim.site_id, claim_id=claim.claim_id, next_time=now
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["site_id", "claim_id"], set_={"next_time": now}
        )
    )


def to_do(connection: Connection, now: datetime, limit: int) -> list[tuple[str, str, datetime]]:
    """(site, claim, since) of what is left to do, the longest waiting first."""
    m = mendings.c
    rows = connection.execute(
        select(mendings).where(m.next_time <= now).order_by(m.next_time).limit(limit)
    )
    return [(row.site_id, row.claim_id, row.next_time) for row in rows]


def take(
    connection: Connection, site_id: str, claim_id: str, since: datetime, now: datetime
) -> datetime | None:
    """Take what is left to do; until when it is taken, or None where somebody else has it."""
    until = now + _LATER
    taken = connection.execute(
        update(mendings)
        .filter_by(site_id=site_id, claim_id=claim_id, next_time=since)
        .values(next_time=until)
    )
    return until if taken.rowcount else None


def is_done(connection: Connection, site_id: str, claim_id: str, taken_until: datetime) -> None:
    """Nothing is left to do, unless something was put back since it was taken."""
    connection.execute(
        delete(mendings).filter_by(site_id=site_id, claim_id=claim_id, next_time=taken_until)
    )
