# SPDX-License-Identifier: Apache-2.0
"""ExportBundle: a claim as a court is shown it (clause 8.3)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.json_format import MessageToDict

from qupia.claims.v1 import court_pb2
from qupia.consent.v1 import consent_pb2
from services.chassis import evidence
from services.chassis.archive import ArchiveFile, pack
from services.chassis.call import Call
from services.chassis.refusal import NotFound, Refusal, StateConflict, SubjectDestroyed, Unavailable
from services.chassis.sealed import store as sealed_store
from services.chassis.sealed.document import StoredDocument
from services.chassis.sites import Operator
from services.claims import store, store_acts, store_answers, store_court, store_work, wire
from services.claims.answer import LetterStatus
from services.claims.bundle_page import Case, Exhibit, page
from services.claims.claim import Claim
from services.claims.correspondence import Correspondence, NoOperator
from services.claims.documents import DocumentKind
from services.claims.paper import ENDINGS, Paper
from services.claims.servicer_common import Office, attribution, require_officer

_READ_SECONDS = 2.0
_PUBLISHED = "/v1/signing-keys/claims"
_FILES = frozenset({DocumentKind.ANSWER_LETTER, DocumentKind.ATTACHMENT})

ReadPolicy = Callable[[str, datetime, float], "consent_pb2.Policy | None"]
"""The policy of a site in force at a time, asked within so many seconds. Raises Refusal."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What the book knows of a claim."""

    claim: Claim
    operator: Operator
    documents: Sequence[tuple[StoredDocument, datetime]]
    letter: LetterStatus | None
    entries: Sequence[tuple[datetime, str]]
    papers: Mapping[str, Paper]


class Bundles:
    """Exports claims."""

    def __init__(
        self, office: Office, correspondence: Correspondence, read_policy: ReadPolicy
    ) -> None:
        self._office = office
        self._correspondence = correspondence
        self._read_policy = read_policy

    def export_bundle(self, call: Call) -> HttpBody:
        """The archive. Raises PermissionDenied, NotFound, StateConflict (nobody operates the site),
        Unavailable (a document is not in the vault yet, or a part of the suite is away)."""
        require_officer(call)
        request = cast(court_pb2.ExportBundleRequest, call.request)
        office = self._office
        with office.database.transaction() as connection:
            now = office.clock.now()
            claim = store.read_claim(connection, call.principal.site_id, request.claim_id)
            if claim is None:
                raise NotFound
            try:
                operator = self._correspondence.operator_of(claim.site_id)
            except NoOperator:
                raise StateConflict from None
            by, permitted = attribution(call), evidence.PERMITTED
            # First the entry: the archive tells of itself too.
            store_acts.append_evidence(connection, claim, by, {}, {}, {}, now, permitted)
            place = (claim.site_id, claim.claim_id)
            documents = sealed_store.all_of(connection, *place)
            if documents is None:
                raise Unavailable(retry_after=1)
            # Officers' notes are their own.
            documents = [each for each in documents if each[0].kind != DocumentKind.NOTE]
            letter = store_answers.read_status(connection, *place)
            papers = store_work.papers_of(connection, claim)
            entries = store_court.entries_of(connection, *place)
        known = _Known(claim, operator, documents, letter, entries, papers)
        files = self._files(call, known, now)
        archive = pack(files, self._correspondence.signer, now, _PUBLISHED)
        return HttpBody(content_type="application/zip", data=archive)

    def _files(self, call: Call, known: _Known, now: datetime) -> list[ArchiveFile]:
        claim = known.claim
        exhibits, files = self._exhibits(call, known)
        policy = self._policy(call, claim)
        case = Case(claim, known.operator, exhibits, known.entries, policy and policy.version, now)
        if policy is not None:
            files += [
                ArchiveFile(
                    f"policy/{text.language}.txt", f"{text.title}\n\n{text.body}\n".encode()
                )
                for text in policy.texts
            ]
            files.append(ArchiveFile("policy/policy.json", _json(MessageToDict(policy))))
        files.append(ArchiveFile("claim.json", _json(MessageToDict(wire.claim_message(claim)))))
        entries = "".join(f"{body}\n" for _, body in known.entries)
        files.append(ArchiveFile("evidence.jsonl", entries.encode()))
        names = [each.name for each in files]
        return [ArchiveFile("index.html", page(case, names).encode()), *files]

    def _exhibits(self, call: Call, known: _Known) -> tuple[list[Exhibit], list[ArchiveFile]]:
        exhibits, files = [], []
        for number, (document, time) in enumerate(known.documents, start=1):
            content = self._read(call, document)
            is_file = document.kind in _FILES
            paper = known.papers.get(document.document_id)
            media_type = paper.media_type if paper is not None else None
            ending = ENDINGS[media_type or "application/pdf"] if is_file else "txt"
            name = f"documents/{number:02d}-{document.kind.lower().replace('_', '-')}.{ending}"
            files.append(ArchiveFile(name, content))
            exhibits.append(
                Exhibit(document.kind, name, time, None if is_file else content.decode())
            )
            letter = known.letter
            if letter is not None and document.document_id == letter.letter.document_id:
                files.append(ArchiveFile(f"{name}.sig", letter.letter.signature))
                if letter.national_signature is not None:
                    files.append(ArchiveFile(f"{name}.p7s", letter.national_signature))
        return exhibits, files

    def _read(self, call: Call, document: StoredDocument) -> bytes:
        seconds = min(_READ_SECONDS, call.remaining())
        if seconds <= 0:
            raise Unavailable(retry_after=1)
        try:
            return self._office.vault.get_document(document, call.principal.name, seconds)
        except SubjectDestroyed:
            raise
        except Refusal:
            raise Unavailable(retry_after=1) from None

    def _policy(self, call: Call, claim: Claim) -> consent_pb2.Policy | None:
        seconds = min(_READ_SECONDS, call.remaining())
        try:
            return self._read_policy(claim.site_id, claim.receipt_time, max(seconds, 0.001))
        except Refusal:
            raise Unavailable(retry_after=1) from None


def _json(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True).encode()
