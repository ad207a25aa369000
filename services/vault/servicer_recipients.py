# SPDX-License-Identifier: Apache-2.0
"""What the broker tells of recipients (clauses 5.2, 5.3, 6.1.3)."""

from __future__ import annotations

from qupia.vault.v1 import recipients_pb2
from services.chassis.call import Call
from services.chassis.database import Database
from services.chassis.pipeline import Handler
from services.vault import store_recipients
from services.vault.recipients import NamedRecipient


class RecipientServicer:
    """VaultRecipientService of the contract."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {"NameRecipients": self.name_recipients}

    def name_recipients(self, call: Call) -> recipients_pb2.NameRecipientsResponse:
        """Keep the names."""
        request = call.request
        assert isinstance(request, recipients_pb2.NameRecipientsRequest)
        told = [
            NamedRecipient(
                each.site_id,
                each.recipient_id,
                recipients_pb2.NamedRecipient.Kind.Name(each.kind),
                each.legal_name,
                each.bin,
            )
            for each in request.recipients
        ]
        with self._database.transaction() as connection:
            store_recipients.name(connection, told)
        return recipients_pb2.NameRecipientsResponse()
