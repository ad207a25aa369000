# SPDX-License-Identifier: Apache-2.0
"""Working a claim, each act written whole: facts, documents and evidence (clauses 6.2.3, 8).

Every function runs in the caller's transaction, after its idempotency key was taken.
"""

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection

from services.chassis.sealed import store as sealed_store
from services.claims import store, store_acts, store_facts
from services.claims.claim import Claim
from services.claims.documents import DocumentKind
from services.claims.intake import CLAIMS_PER_SUBJECT
from services.claims.paper import FILES_BYTES, NOTES, Paper
from services.claims.state import UNANSWERED, ClaimState
from services.claims.store_steps import Step, TooManyClaims
from services.claims.store_verification import Acts, Desk, NotOpen
from services.claims.tables import claims
from services.claims.tables_work import claim_papers


class TooManyPapers(Exception):
    """The claim carries as many notes or files as it can."""


def assign(connection: Connection, claim: Claim, officer: str, step: Step, desk: Desk) -> None:
    """Say whose the claim is. Raises NotOpen for one that is closed, Unavailable."""
    if claim.state is ClaimState.CLOSED:
        raise NotOpen
    connection.execute(
        update(claims)
        .filter_by(site_id=claim.site_id, claim_id=claim.claim_id)
        .values(officer=officer)
    )
    decided_on = {"officer": officer, "formerOfficer": claim.officer or ""}
    store_acts.append_evidence(connection, claim, step.by, {}, decided_on, {}, desk.now)


def attach_subject(
    connection: Connection, claim: Claim, subject_id: str, step: Step, desk: Desk
) -> Acts:
    """Name a subject more, blocked from the claim's receipt if it blocks.

    Raises NotOpen (named already, or the claim is not open), TooManyClaims, Unavailable.
    """
    claim, counters = store_acts.lock_claim(connection, claim, [subject_id])
    # What a verification found it found of those who were named.
    if subject_id in claim.subject_ids or claim.state not in UNANSWERED or _is_settled(claim):
        raise NotOpen
    known = store_facts.facts_of(connection, claim.site_id, subject_id)
    if sum(not fact.same_contact for fact in known) >= CLAIMS_PER_SUBJECT:
        raise TooManyClaims
    store.add_subject(connection, claim, subject_id)
    sealed_store.insert_documents(connection, step.documents, desk.now)
    alone = replace(claim, subject_ids=(subject_id,))
    name = f"{step.by.event}/{subject_id}"
    act_ids = store_acts.record(
        connection, alone, counters, step.by.event, desk.compose, desk.now, name
    )
    decided_on = {"blocks": claim.blocks, "receiptTime": claim.receipt_time.isoformat()}
    store_acts.append_evidence(
        connection, alone, step.by, act_ids, decided_on, step.digests, desk.now
    )
    return act_ids


def add_paper(connection: Connection, claim: Claim, paper: Paper, step: Step) -> None:
    """Keep a note or a file; the claim is locked. Raises NotOpen, TooManyPapers, Unavailable."""
    if claim.state is ClaimState.CLOSED:
        raise NotOpen
    others = [p for p in papers_of(connection, claim).values() if p.kind is paper.kind]
    if paper.kind is DocumentKind.NOTE and len(others) >= NOTES:
        raise TooManyPapers
    if paper.kind is not DocumentKind.NOTE and _bytes([*others, paper]) > FILES_BYTES:
        raise TooManyPapers
    connection.execute(
        insert(claim_papers).values(
            site_id=claim.site_id,
            claim_id=claim.claim_id,
            document_id=paper.document_id,
            kind=paper.kind,
            media_type=paper.media_type,
            size=paper.size,
            author=paper.author,
            record_time=paper.record_time,
        )
    )
    sealed_store.insert_documents(connection, step.documents, paper.record_time)
    decided_on = {"documentId": paper.document_id, "size": paper.size}
    store_acts.append_evidence(
        connection, claim, step.by, {}, decided_on, step.digests, paper.record_time
    )


def papers_of(connection: Connection, claim: Claim) -> Mapping[str, Paper]:
    """The notes and files of a claim by document id, the oldest first."""
    rows = connection.execute(
        select(claim_papers)
        .filter_by(site_id=claim.site_id, claim_id=claim.claim_id)
        .order_by(claim_papers.c.record_time, claim_papers.c.document_id)
    )
    return {
        row.document_id: Paper(
            row.document_id,
            DocumentKind(row.kind),
            row.media_type,
            row.size,
            row.author,
            row.record_time,
        )
        for row in rows
    }


def _is_settled(claim: Claim) -> bool:
    return claim.released or claim.outcome is not None


def _bytes(papers: list[Paper]) -> int:
    return sum(paper.size for paper in papers)
