# SPDX-License-Identifier: Apache-2.0
"""The keys by which a recipient checks its receipts offline (clause 5.2)."""

from __future__ import annotations

from base64 import urlsafe_b64encode

from qupia.disclosure.v1 import manifest_pb2
from services.chassis.call import Call
from services.chassis.database import Database
from services.chassis.signing import ALGORITHM
from services.disclosure import store_receipts, wire


class ReceiptServicer:
    """Publishes keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get_receipt_keys(self, _call: Call) -> manifest_pb2.GetReceiptKeysResponse:
        """Every key that was ever used, as JSON Web Keys, the newest first."""
        with self._database.transaction() as connection:
            keys = store_receipts.every(connection)
        return manifest_pb2.GetReceiptKeysResponse(
            keys=[
                manifest_pb2.ReceiptKey(
                    kty="OKP",
                    crv=ALGORITHM,
                    kid=key.key_id,
                    x=urlsafe_b64encode(key.public_key).rstrip(b"=").decode(),
                    first_use_time=wire.timestamp(key.first_use_time),
                )
                for key in keys
            ]
        )
