# SPDX-License-Identifier: Apache-2.0
"""The keys by which anybody who is shown a receipt checks it offline (clause 5.2)."""

from __future__ import annotations

from qupia.contract.v1 import signing_pb2
from services.chassis.call import Call
from services.chassis.database import Database
from services.chassis.signing_keys import signing_keys_message
from services.disclosure import store_receipts


class ReceiptServicer:
    """Publishes keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get_signing_keys(self, _call: Call) -> signing_pb2.GetSigningKeysResponse:
        """Every key that was ever used, the newest first."""
        with self._database.transaction() as connection:
            keys = store_receipts.every(connection)
        return signing_keys_message(keys)
