# SPDX-License-Identifier: Apache-2.0
"""Working a claim: whose it is, notes, files, its texts, its timeline, its subjects (6.2.3, 8)."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import psycopg
import pytest
from google.api.httpbody_pb2 import HttpBody

from cli.postgres import DatabaseAccess
from qupia.claims.v1 import claims_pb2, work_pb2
from services.chassis.ids import new_subject_id, new_uuid
from services.chassis.refusal import InvalidArgument, NotFound, PermissionDenied, StateConflict
from services.claims import paper
from tests.claims.suite import Claim, Suite
from tests.harness.waiting import wait_until

PDF = b"%PDF-1.7\n\x00\xff\xfe not opened here"


def _ask(suite: Suite, rpc: str, claim_id: str, metadata: Any = None, **members: Any) -> Any:
    request = getattr(work_pb2, f"{rpc}Request")(claim_id=claim_id, **members)
    return suite.ask(rpc, request, metadata or suite.person())


def _listed(suite: Suite, metadata: Any = None, **members: Any) -> list[claims_pb2.Claim]:
    answer = suite.ask(
        "ListClaims", claims_pb2.ListClaimsRequest(**members), metadata or suite.person()
    )
    return list(cast(claims_pb2.ListClaimsResponse, answer).claims)


def test_officers_find_the_claims_that_are_theirs(suite: Suite) -> None:
    mine, other = (suite.file(suite.vault.subject()).claim.claim_id for _ in range(2))
    name = _ask(suite, "AssignClaim", mine).claim.officer
    assert name.endswith("#aigerim")
    _ask(suite, "AssignClaim", other, officer="person/https://issuer.test#dana")
    assert [claim.claim_id for claim in _listed(suite, officer=name)] == [mine]
    _ask(suite, "AssignClaim", other)
    assert {claim.claim_id for claim in _listed(suite, officer=name)} == {mine, other}
    seen = _listed(suite, suite.storefront())
    assert {claim.officer for claim in seen} == {""}, "the storefront is not told whose it is"
    with pytest.raises(InvalidArgument):
        _ask(suite, "AssignClaim", mine, officer="key/demo-web")
    with pytest.raises(NotFound):
        _ask(suite, "AssignClaim", mine, suite.person(site_id="other"))


def test_an_officer_reads_the_statement_and_that_is_evidence(suite: Suite) -> None:
    claim_id = suite.file(suite.vault.subject()).claim.claim_id
    documents = _ask(suite, "GetDocuments", claim_id).documents
    statement = next(each for each in documents if each.kind == "STATEMENT")
    assert statement.stored
    read = _ask(suite, "ReadDocument", claim_id, document_id=statement.document_id)
    assert read.text == "Телефон нөмірім қате көрсетілген"
    entries = _ask(suite, "GetTimeline", claim_id).entries
    assert [entry.event for entry in entries] == ["claim.filed", "document.read"]
    assert json.loads(entries[-1].decided_on)["documentId"] == statement.document_id
    assert entries[-1].principal.endswith("#aigerim")
    for rpc in ("ReadDocument", "GetAttachment"):
        with pytest.raises(NotFound):
            _ask(suite, rpc, claim_id, document_id=new_uuid())
    with pytest.raises(PermissionDenied):
        _ask(suite, "ReadDocument", claim_id, suite.storefront(), document_id=new_uuid())


def test_notes_are_kept_for_officers_only(suite: Suite) -> None:
    claim_id = suite.file(suite.vault.subject()).claim.claim_id
    note = _ask(suite, "AddNote", claim_id, text="Ертең қоңырау шалу").document
    assert (note.kind, note.stored, note.author.endswith("#aigerim")) == ("NOTE", True, True)
    read = _ask(suite, "ReadDocument", claim_id, document_id=note.document_id)
    assert read.text == "Ертең қоңырау шалу"
    with pytest.raises(InvalidArgument):
        _ask(suite, "AddNote", claim_id, text=" \t")
    with pytest.raises(PermissionDenied):
        _ask(suite, "AddNote", claim_id, suite.storefront(), text="?")
    again = new_uuid()
    ids = {
        _ask(suite, "AddNote", claim_id, text="Бір рет", request_id=again).document.document_id
        for _ in range(2)
    }
    assert len(ids) == 1


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PDF, "application/pdf"),
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0....", "image/jpeg"),
    ],
)
def test_a_file_comes_back_as_it_was_to_be_saved(
    suite: Suite, content: bytes, media_type: str
) -> None:
    claim_id = suite.file(suite.vault.subject()).claim.claim_id
    kept = _ask(suite, "AttachFile", claim_id, content=content).document
    assert (kept.kind, kept.media_type, kept.size) == ("ATTACHMENT", media_type, len(content))
    file = cast(HttpBody, _ask(suite, "GetAttachment", claim_id, document_id=kept.document_id))
    assert (file.data, file.content_type) == (content, "application/octet-stream")
    with pytest.raises(NotFound):
        _ask(suite, "ReadDocument", claim_id, document_id=kept.document_id)


@pytest.mark.parametrize(
    "content", [b"<script>alert(1)</script>", b"MZ\x90\x00", b"PK\x03\x04", b" %PDF-1.7"]
)
def test_what_is_no_pdf_png_or_jpeg_is_not_attached(suite: Suite, content: bytes) -> None:
    claim_id = suite.file(suite.vault.subject()).claim.claim_id
    with pytest.raises(InvalidArgument) as refused:
        _ask(suite, "AttachFile", claim_id, content=content)
    assert [fault.field for fault in refused.value.fields] == ["content"]
    assert suite.rows("SELECT count(*) FROM claim_papers") == [(0,)]


def test_a_claim_carries_so_many_bytes_of_files(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.claims.store_work.FILES_BYTES", 2 * len(PDF))
    assert 2 * len(PDF) < paper.FILES_BYTES
    claim_id = suite.file(suite.vault.subject()).claim.claim_id
    for _ in range(2):
        _ask(suite, "AttachFile", claim_id, content=PDF)
    with pytest.raises(StateConflict):
        _ask(suite, "AttachFile", claim_id, content=PDF)


def test_a_conclusion_reaches_whoever_was_attached_while_it_waited(
    suite: Suite, empty: DatabaseAccess
) -> None:
    subject, other = suite.vault.subject(), suite.vault.subject()
    claim = suite.file(subject).claim
    with (
        psycopg.connect(empty.owner_url.replace("+psycopg", "", 1)) as database,
        ThreadPoolExecutor(2) as pool,
    ):
        database.execute("SELECT 1 FROM slices WHERE subject_id = %s FOR UPDATE", [subject])
        waiting = []
        for act in (
            lambda: _ask(
                suite, "AttachSubject", claim.claim_id, subject_id=other, reason="Табылды"
            ),
            lambda: suite.conclude(claim.claim_id, Claim.UNLAWFUL_CONFIRMED),
        ):
            waiting.append(pool.submit(act))
            wait_until(lambda: _held_up(empty) == len(waiting), "each waits for its turn")
        database.commit()
        for each in waiting:
            each.result()
    for subject_id in (subject, other):
        (block,) = suite.vault.slices["demo", subject_id].blocks
        assert int(block.outcome) == int(Claim.UNLAWFUL_CONFIRMED)


def _held_up(database: DatabaseAccess) -> int:
    """How many transactions wait for another's row."""
    held_up = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"
    with psycopg.connect(database.owner_url.replace("+psycopg", "", 1)) as connection:
        found = connection.execute(held_up).fetchone()
    assert found is not None
    return int(found[0])


def test_a_subject_found_later_is_blocked_from_the_receipt(suite: Suite) -> None:
    """T-6.2.3-a"""
    claim = suite.file().claim
    subject = suite.vault.subject()
    with pytest.raises(NotFound):
        _ask(suite, "AttachSubject", claim.claim_id, subject_id=new_subject_id(), reason="Паспорт")
    attached = _ask(
        suite, "AttachSubject", claim.claim_id, subject_id=subject, reason="Жеке куәлік бойынша"
    )
    assert list(attached.claim.subject_ids) == [subject]
    (block,) = suite.vault.slices["demo", subject].blocks
    assert block.claim_id == claim.claim_id
    assert block.since_time == claim.receipt_time
    with pytest.raises(StateConflict):
        _ask(suite, "AttachSubject", claim.claim_id, subject_id=subject, reason="Тағы")
    suite.conclude(claim.claim_id, Claim.NOT_CONFIRMED)
    with pytest.raises(StateConflict):
        _ask(
            suite,
            "AttachSubject",
            claim.claim_id,
            subject_id=suite.vault.subject(),
            reason="Кеш",
        )
