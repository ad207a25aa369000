# SPDX-License-Identifier: Apache-2.0
"""The texts of a claim: sealed to the vault where they arrive, read by nobody here afterwards."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from services.chassis.ids import new_uuid
from services.chassis.sealing import DocumentPlace, seal
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


@dataclass(frozen=True, slots=True)
class Text:
    """A text in the clear; it lives only as long as the call that brought it."""

    kind: DocumentKind
    text: str = field(repr=False)
    document_id: str = field(default_factory=new_uuid)


@dataclass(frozen=True, slots=True)
class SealingKey:
    """The vault's public key (raw X25519, 32 bytes) and the vault's name for it."""

    key_id: str
    public_key: bytes


@dataclass(frozen=True, slots=True)
class SealedDocument:
    """A text that only the vault opens. `owner_id`: a subject, or the claim `bound_to` itself."""

    site_id: str
    owner_id: str
    bound_to: str
    document_id: str
    kind: DocumentKind
    key_id: str
    sealed: bytes = field(repr=False)


def seal_texts(key: SealingKey, claim: Claim, texts: Iterable[Text]) -> list[SealedDocument]:
    """Seal each text at its place in the claim. Raises ValueError for a key that is none."""
    return [
        SealedDocument(
            claim.site_id,
            claim.owner_id,
            claim.claim_id,
            text.document_id,
            text.kind,
            key.key_id,
            seal(
                key.public_key,
                DocumentPlace(claim.site_id, claim.claim_id, text.document_id, text.kind),
                text.text.encode(),
            ),
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
