# SPDX-License-Identifier: Apache-2.0
"""A sealed document, and the key that it is sealed with."""

from dataclasses import dataclass, field

from services.chassis.sealing import DocumentPlace, seal


@dataclass(frozen=True, slots=True)
class SealingKey:
    """The vault's public key (raw X25519, 32 bytes) and the vault's name for it."""

    key_id: str
    public_key: bytes


@dataclass(frozen=True, slots=True)
class SealedDocument:
    """What only the vault opens. `owner_id`: a subject, or the thing `bound_to` itself."""

    site_id: str
    owner_id: str
    bound_to: str
    document_id: str
    kind: str
    key_id: str
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """Where the vault has a document: under whose key, of which thing."""

    site_id: str
    owner_id: str
    bound_to: str
    document_id: str
    kind: str


def seal_document(
    key: SealingKey,
    site_id: str,
    owner_id: str,
    place: tuple[str, str, str],
    plaintext: bytes,
) -> SealedDocument:
    """Seal `plaintext` for `place`: (bound to, document id, kind). Raises ValueError for no key."""
    bound_to, document_id, kind = place
    where = DocumentPlace(site_id, bound_to, document_id, kind)
    sealed = seal(key.public_key, where, plaintext)
    return SealedDocument(site_id, owner_id, bound_to, document_id, kind, key.key_id, sealed)
