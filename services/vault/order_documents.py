# SPDX-License-Identifier: Apache-2.0
"""What lies under the subject's key for an open order: its address, its message (clause 5.2).

Both are documents bound to the order. They come and go with the slice that
opens and closes it, in the same transaction; the broker sees neither but for a
release. An address is taken by the vault itself from the data as they stand. A
message arrives sealed to the vault, inside the slice, so that the push
protocol brings it for as long as the order is open and the vault may have been
restored to a time without it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from dataclasses import field as member
from datetime import datetime
from typing import Final

from services.chassis.database import Connection
from services.chassis.ids import new_uuid
from services.chassis.metrics import Metrics
from services.chassis.sealing import DocumentPlace, SealedFormatUnknown
from services.vault import store_data, store_documents
from services.vault.envelope import CiphertextMisplaced, Place, decrypt, encrypt
from services.vault.fields import Field
from services.vault.plaintext import SCHEMA
from services.vault.provider import KeyProviderError
from services.vault.secret_key import SecretKey
from services.vault.standing import OpenOrder, OrderStanding, OrderState
from services.vault.store import Subject
from services.vault.store_documents import DocumentRow
from services.vault.store_keys import KeyStore
from services.vault.unsealing import open_private_key, open_sealed

ADDRESS: Final = "DELIVERY_ADDRESS"
MESSAGE: Final = "MESSAGE_TEXT"
KINDS: Final = (ADDRESS, MESSAGE)


@dataclass(frozen=True, slots=True)
class SealedMessage:
    """A message as a slice brings it."""

    order_id: str
    document_id: str
    key_id: str
    sealed: bytes = member(repr=False)


class OrderDocuments:
    """Keeps the documents of open orders."""

    def __init__(self, keys: KeyStore, metrics: Metrics) -> None:
        self._keys = keys
        self._metrics = metrics

    def follow(
        self,
        connection: Connection,
        subject: Subject,
        standing: OrderStanding,
        messages: Collection[SealedMessage],
        now: datetime,
    ) -> None:
        """Take what open orders lack, and let go what no open order needs.

        Without a key-encryption key nothing is taken: a later push of the same
        slice makes good for it.
        """
        opened = {o.order_id: o for o in standing.orders if o.state is OrderState.OPEN}
        kept = store_documents.of_owner(connection, subject, KINDS)
        ended = [row.document_id for row in kept if row.bound_to not in opened]
        store_documents.delete(connection, subject[0], ended)
        there = {(row.bound_to, row.kind) for row in kept}
        wanted = [o for o in opened.values() if o.snapshot and (o.order_id, ADDRESS) not in there]
        arrived = [
            m for m in messages if m.order_id in opened and (m.order_id, MESSAGE) not in there
        ]
        if not wanted and not arrived:
            return
        try:
            self._take(connection, subject, wanted, arrived, now)
        except KeyProviderError:
            self._metrics.alarms.labels("key_unavailable").inc()

    def mend(self, connection: Connection, subject: Subject, now: datetime) -> None:
        """Give every snapshot the address as it stands: a verified correction reaches them."""
        kept = store_documents.of_owner(connection, subject, (ADDRESS,))
        if not kept:
            return
        store_documents.delete(connection, subject[0], [row.document_id for row in kept])
        key = self._key(subject)
        self._copy_address(connection, subject, key, [row.bound_to for row in kept], now)

    def _take(
        self,
        connection: Connection,
        subject: Subject,
        wanted: Sequence[OpenOrder],
        arrived: Sequence[SealedMessage],
        now: datetime,
    ) -> None:
        key = self._key(subject)
        self._copy_address(connection, subject, key, [o.order_id for o in wanted], now)
        for message in arrived:
            try:
                plaintext = self._unsealed(subject[0], message)
            except (SealedFormatUnknown, CiphertextMisplaced):
                # It opens for nobody, now or later: the order goes on without it.
                self._metrics.alarms.labels("message_misplaced").inc()
                continue
            self._put(
                connection,
                subject,
                key,
                message.document_id,
                message.order_id,
                MESSAGE,
                plaintext,
                now,
            )

    def _copy_address(
        self,
        connection: Connection,
        subject: Subject,
        key: SecretKey,
        orders: Sequence[str],
        now: datetime,
    ) -> None:
        site, owner = subject
        rows = store_data.current_data(connection, {subject: frozenset({Field.ADDRESS})})
        for row in rows.get(subject, []) if orders else []:
            place = Place(SCHEMA, site, owner, str(Field.ADDRESS), row.version)
            plaintext = decrypt(key, place, row.ciphertext)
            for order_id in orders:
                self._put(connection, subject, key, new_uuid(), order_id, ADDRESS, plaintext, now)

    def _put(
        self,
        connection: Connection,
        subject: Subject,
        key: SecretKey,
        document_id: str,
        order_id: str,
        kind: str,
        plaintext: bytes,
        now: datetime,
    ) -> None:
        site, owner = subject
        sealed = encrypt(key, place_of(site, owner, document_id), plaintext)
        row = DocumentRow(site, document_id, owner, order_id, kind, sealed)
        store_documents.put_document(connection, row, now)

    def _unsealed(self, site: str, message: SealedMessage) -> bytes:
        pair = self._keys.sealing_pair(message.key_id)
        if pair is None:
            raise SealedFormatUnknown("sealed with a key that is not the vault's")
        place = DocumentPlace(site, message.order_id, message.document_id, MESSAGE)
        return open_sealed(open_private_key(self._keys.keyring, pair), place, message.sealed)

    def _key(self, subject: Subject) -> SecretKey:
        return self._keys.open(*subject, self._keys.ensure_owner_key(*subject))


def open_documents(
    key: SecretKey, subject: Subject, rows: Sequence[DocumentRow]
) -> dict[str, bytes]:
    """The plaintext of an order's documents by their kind. Raises CiphertextMisplaced."""
    return {
        row.kind: decrypt(key, place_of(*subject, row.document_id), row.ciphertext) for row in rows
    }


def place_of(site: str, owner: str, document_id: str) -> Place:
    """Where a document's ciphertext opens."""
    return Place(SCHEMA, site, owner, f"document/{document_id}", 1)
