# SPDX-License-Identifier: Apache-2.0
"""The public keys of a service's signatures, as every service publishes them (GetSigningKeys)."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from qupia.contract.v1 import signing_pb2
from services.chassis.signing import ALGORITHM, key_id_of, public_pem


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A raw Ed25519 public key (32 bytes) and when it was first used, where that is known."""

    public_key: bytes
    first_use_time: datetime | None = None


def signing_keys_message(keys: Sequence[PublicKey]) -> signing_pb2.GetSigningKeysResponse:
    """The keys as a JSON Web Key Set, in the order given."""
    return signing_pb2.GetSigningKeysResponse(keys=[_message(key) for key in keys])


def _message(key: PublicKey) -> signing_pb2.SigningKey:
    message = signing_pb2.SigningKey(
        kty="OKP",
        crv=ALGORITHM,
        kid=key_id_of(key.public_key),
        x=urlsafe_b64encode(key.public_key).rstrip(b"=").decode(),
        pem=public_pem(key.public_key),
    )
    if key.first_use_time:
        timestamp = Timestamp()
        timestamp.FromDatetime(key.first_use_time)
        message.first_use_time.CopyFrom(timestamp)
    return message
