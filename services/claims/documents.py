# SPDX-License-Identifier: Apache-2.0
"""The texts of a claim: sealed to the vault where they arrive, read by nobody here afterwards."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from services.chassis.ids import new_uuid
from services.chassis.sealed.document import SealedDocument, SealingKey, seal_document
from services.claims.claim import Claim


class DocumentKind(StrEnum):
    """What a text is."""

    STATEMENT = "STATEMENT"
    DEMAND = "DEMAND"
    PROPOSED_CORRECTION = "PROPOSED_CORRECTION"
    REPLY_ADDRESS = "REPLY_ADDRESS"
    VERIFICATION_EVIDENCE = "VERIFICATION_EVIDENCE"
    ANSWER = "ANSWER"
    DISPATCH_PROOF = "DISPATCH_PROOF"
    REASON = "REASON"
    AUTHORITY = "AUTHORITY"
    NOTICE = "NOTICE"
    ANSWER_LETTER = "ANSWER_LETTER"
    AGREEMENT = "AGREEMENT"
    COURT_CASE = "COURT_CASE"
    NOTE = "NOTE"
    ATTACHMENT = "ATTACHMENT"
    INCIDENT = "INCIDENT"
    INCIDENT_REFERENCE = "INCIDENT_REFERENCE"


@dataclass(frozen=True, slots=True)
class Text:
    """A text in the clear; it lives only as long as the call that brought it."""

    kind: DocumentKind
    text: str = field(repr=False)
    document_id: str = field(default_factory=new_uuid)

    @property
    def content(self) -> bytes:
        """Its bytes."""
        return self.text.encode()


@dataclass(frozen=True, slots=True)
class File:
    """A file in the clear; it lives only as long as the call that brought it."""

    kind: DocumentKind
    content: bytes = field(repr=False)
    document_id: str = field(default_factory=new_uuid)


Document = Text | File


def seal_documents(
    key: SealingKey, claim: Claim, documents: Iterable[Document]
) -> list[SealedDocument]:
    """Seal each document at its place in the claim. Raises ValueError for a key that is none."""
    return [
        seal_document(
            key,
            claim.site_id,
            claim.owner_id,
            (claim.claim_id, document.document_id, document.kind),
            document.content,
        )
        for document in documents
    ]


def salted_digests(secret: bytes, documents: Iterable[Document]) -> Mapping[str, str]:
    """The documents' digests by kind in lower case, for evidence.

    Keyed and salted with the document's id, so that nobody can find a text by trying.
    """
    return {d.kind.lower(): salted_digest(secret, d.document_id, d.content) for d in documents}


def salted_digest(secret: bytes, salt: str, content: bytes) -> str:
    """HMAC-SHA256 in hexadecimal digits."""
    return hmac.digest(secret, salt.encode() + b"\0" + content, hashlib.sha256).hex()
