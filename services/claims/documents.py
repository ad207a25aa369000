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


@dataclass(frozen=True, slots=True)
class Text:
    """A text in the clear; it lives only as long as the call that brought it."""

    kind: DocumentKind
    text: str = field(repr=False)
    document_id: str = field(default_factory=new_uuid)


def seal_texts(key: SealingKey, claim: Claim, texts: Iterable[Text]) -> list[SealedDocument]:
    """Seal each text at its place in the claim. Raises ValueError for a key that is none."""
    return [
        seal_document(
            key,
            claim.site_id,
            claim.owner_id,
            (claim.claim_id, text.document_id, text.kind),
            text.text.encode(),
        )
        for text in texts
    ]


def salted_digests(secret: bytes, texts: Iterable[Text]) -> Mapping[str, str]:
    """The texts' digests by kind in lower case, for evidence.

    Keyed and salted with the document's id, so that nobody can find a text by trying.
    """
    return {text.kind.lower(): salted_digest(secret, text.document_id, text.text) for text in texts}


def salted_digest(secret: bytes, salt: str, text: str) -> str:
    """HMAC-SHA256 in hexadecimal digits."""
    return hmac.digest(secret, salt.encode() + b"\0" + text.encode(), hashlib.sha256).hex()
