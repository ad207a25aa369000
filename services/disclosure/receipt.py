# SPDX-License-Identifier: Apache-2.0
"""What a recipient keeps of a release and can check offline (clause 5.2).

A JWS of RFC 7515 in its compact form, signed with Ed25519 (RFC 9864). It
names the release and holds a digest of the details, salted so that nobody who
reads it without them can find them by trying. Only the recipient has the salt:
the broker keeps the digest in evidence and nothing else.
"""

import hashlib
import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from services.chassis.signing import ALGORITHM, Signer
from services.disclosure.release import Release

TYPE: Final = "qupia-receipt"
_SALT_BYTES: Final = 16
_COMPACT: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_CANONICAL: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receipt says, and the digest that goes into evidence (64 hexadecimal digits)."""

    claims: Mapping[str, object]
    digest: str

    def signed(self, signer: Signer) -> str:
        """The text that the recipient keeps."""
        text = f"{_header(signer.key_id)}.{_encoded(self.claims)}"
        return f"{text}.{_base64(signer.sign(text.encode()).value)}"


def receipt_of(
    release: Release,
    first_release_id: str,
    fields: Sequence[str],
    details: Mapping[str, object],
    now: datetime,
) -> Receipt:
    """The receipt of a release of `details`, as the recipient reads them in JSON."""
    salt = secrets.token_hex(_SALT_BYTES)
    digest = details_digest(salt, details)
    claims = {
        "site": release.site_id,
        "releaseId": release.release_id,
        "deliveryId": release.delivery_id,
        "orderId": release.order_id,
        "recipientId": release.recipient_id,
        "recipientKind": str(release.kind),
        "fields": list(fields),
        "salt": salt,
        "detailsSha256": digest,
        "releaseTime": now.astimezone(UTC).isoformat(timespec="microseconds"),
    }
    if first_release_id:
        claims["firstReleaseId"] = first_release_id
    return Receipt(claims, digest)


def details_digest(salt: str, details: Mapping[str, object]) -> str:
    """SHA-256 of the salt, a line feed and the details as canonical JSON.

    Canonical: members that are empty left out, keys sorted, no white space,
    UTF-8 (RFC 8785 for what details hold).
    """
    return hashlib.sha256(f"{salt}\n".encode() + canonical(details)).hexdigest()


def canonical(details: Mapping[str, object]) -> bytes:
    """The details in the one form that is digested."""
    return _CANONICAL.encode(_filled(details)).encode()


def _filled(members: Mapping[str, object]) -> dict[str, object]:
    kept = {
        name: _filled(value) if isinstance(value, Mapping) else value
        for name, value in members.items()
    }
    return {name: value for name, value in kept.items() if value not in ("", {}, [], None)}


@lru_cache(maxsize=4)
def _header(key_id: str) -> str:
    return _encoded({"alg": ALGORITHM, "kid": key_id, "typ": TYPE})


def _encoded(document: Mapping[str, object]) -> str:
    return _base64(_COMPACT.encode(document).encode())


def _base64(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()
